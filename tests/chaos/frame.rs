//! The messages of PostgreSQL's protocol, cut out of a stream as it comes.
//!
//! A client begins with packets that have no type: requests for encryption, and the one that starts the session
//! or cancels another one. From then on, and always from the server, a message is a type, a length and a body.

use std::fmt;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Tag {
    /// A request for encryption, which the proxy answers itself.
    Encryption,
    /// A request to cancel what another session does.
    Cancel,
    /// What starts a session.
    Startup,
    /// Any other message: its type.
    Typed(u8),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encryption => f.write_str("encryption"),
            Self::Cancel => f.write_str("cancel"),
            Self::Startup => f.write_str("startup"),
            Self::Typed(tag) => write!(f, "{}", char::from(*tag)),
        }
    }
}

/// One whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) tag: Tag,
    /// All of it, as it was sent.
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// Returns whether a statement (from a client) or the name of one that is done (from a server) has this word.
    pub(crate) fn says(&self, word: &str) -> bool {
        let is_text = matches!(self.tag, Tag::Typed(b'Q' | b'P' | b'C'));
        is_text
            && self
                .bytes
                .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
                .any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// The stream is not PostgreSQL's protocol: a length that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbage;

/// Requests for TLS and for GSSAPI, and to cancel, stand where a version number does.
const TLS: u32 = 80_877_103;
const GSSAPI: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;

/// The most that a message may have: PostgreSQL's own limit is 1 GB.
const LONGEST: usize = 1 << 30;

/// Cuts one direction of a stream into messages.
#[derive(Debug)]
pub(crate) struct Framer {
    /// Whether the session has started, so that messages have types.
    typed: bool,
    rest: Vec<u8>,
}

impl Framer {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            typed: side == Side::Server,
            rest: Vec::new(),
        }
    }

    /// Takes a piece of the stream, and returns the messages that are whole by it.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Frame>, Garbage> {
        self.rest.extend_from_slice(piece);
        let mut frames = Vec::new();
        while let Some(frame) = self.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn next(&mut self) -> Result<Option<Frame>, Garbage> {
        // The length counts itself, but not the type before it.
        let before = usize::from(self.typed);
        let Some(length) = number(&self.rest, before) else {
            return Ok(None);
        };
        let length = length as usize;
        let least = if self.typed { 4 } else { 8 };
        if !(least..=LONGEST).contains(&length) {
            return Err(Garbage);
        }
        if self.rest.len() < before + length {
            return Ok(None);
        }
        let tail = self.rest.split_off(before + length);
        let bytes = std::mem::replace(&mut self.rest, tail);
        let tag = if self.typed {
            Tag::Typed(bytes[0])
        } else {
            match number(&bytes, 4) {
                Some(TLS | GSSAPI) => Tag::Encryption,
                Some(CANCEL) => Tag::Cancel,
                _ => Tag::Startup,
            }
        };
        self.typed |= tag == Tag::Startup;
        Ok(Some(Frame { tag, bytes }))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn untyped(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + body.len()).unwrap();
        [&length.to_be_bytes(), &code.to_be_bytes(), body].concat()
    }

    fn typed(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(4 + body.len()).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..40)
    }

    /// The messages of one direction, with their tags.
    fn stream(side: Side) -> impl Strategy<Value = Vec<(Tag, Vec<u8>)>> {
        let messages = proptest::collection::vec(
            (any::<u8>(), body()).prop_map(|(tag, body)| (Tag::Typed(tag), typed(tag, &body))),
            0..20,
        );
        let encryption =
            proptest::sample::select(vec![vec![], vec![TLS], vec![GSSAPI], vec![GSSAPI, TLS]]);
        (encryption, body(), messages).prop_map(move |(encryption, startup, messages)| {
            let begin = match side {
                Side::Server => vec![],
                Side::Client => encryption
                    .into_iter()
                    .map(|code| (Tag::Encryption, untyped(code, &[])))
                    .chain([(Tag::Startup, untyped(196_608, &startup))])
                    .collect(),
            };
            [begin, messages].concat()
        })
    }

    /// Cuts bytes at these places, wrapped into their length.
    fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
        let mut places: Vec<usize> = places.iter().map(|at| at % (bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places
            .windows(2)
            .map(|pair| bytes[pair[0]..pair[1]].to_vec())
            .collect()
    }

    fn sides() -> impl Strategy<Value = (Side, Vec<(Tag, Vec<u8>)>)> {
        prop_oneof![
            stream(Side::Client).prop_map(|stream| (Side::Client, stream)),
            stream(Side::Server).prop_map(|stream| (Side::Server, stream)),
        ]
    }

    proptest! {
        #[test]
        fn wherever_a_stream_is_cut_its_messages_are_the_same(
            (side, messages) in sides(),
            places in proptest::collection::vec(any::<usize>(), 0..30),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            let mut framer = Framer::new(side);
            let mut found = Vec::new();
            for piece in cut(&bytes, &places) {
                found.extend(framer.push(&piece).unwrap());
            }
            let found: Vec<_> = found.into_iter().map(|frame| (frame.tag, frame.bytes)).collect();
            prop_assert_eq!(found, messages);
            prop_assert!(framer.rest.is_empty());
        }

        #[test]
        fn any_bytes_are_messages_or_garbage(
            client in any::<bool>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut framer = Framer::new(if client { Side::Client } else { Side::Server });
            if let Ok(frames) = framer.push(&bytes) {
                let whole: Vec<u8> = frames.into_iter().flat_map(|frame| frame.bytes).collect();
                prop_assert_eq!([whole, framer.rest].concat(), bytes);
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_garbage() {
        let push = |side, bytes: &[u8]| Framer::new(side).push(bytes);
        assert_eq!(push(Side::Server, b"E\0\0\0\x03"), Err(Garbage));
        assert_eq!(push(Side::Server, b"E\xff\xff\xff\xff"), Err(Garbage));
        assert_eq!(push(Side::Client, b"\0\0\0\x07"), Err(Garbage));
        assert_eq!(push(Side::Client, b"GET / HTTP/1.1"), Err(Garbage));
    }

    #[test]
    fn statements_and_what_is_done_say_words() {
        let frame = |bytes: Vec<u8>| Framer::new(Side::Server).push(&bytes).unwrap().remove(0);
        assert!(frame(typed(b'Q', b"Commit\0")).says("COMMIT"));
        assert!(frame(typed(b'P', b"\0 commit\0\0\0")).says("COMMIT"));
        assert!(frame(typed(b'C', b"COMMIT\0")).says("COMMIT"));
        assert!(!frame(typed(b'C', b"UPDATE 1\0")).says("COMMIT"));
        assert!(!frame(typed(b'Q', b"SELECT committed\0")).says("COMMIT"));
        assert!(!frame(typed(b'D', b"COMMIT\0")).says("COMMIT"));
    }
}
