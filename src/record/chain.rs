//! The chain that ties each line of a record to all before it.

use sha2::{Digest, Sha256};

use crate::engine::change::hex;

/// What stands between an event and the value of the chain, in place of the event's last `}`.
const MEMBER: &[u8] = b",\"chain\":\"";
/// What ends a line after the value, without the newline.
const END: &[u8] = b"\"}";
/// How many digits a value has.
const DIGITS: usize = 64;

/// A place in a chain: its value there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(String);

impl Chain {
    /// Returns the beginning of a chain that also stands for these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)))
    }

    /// Returns a place whose value is known.
    pub fn at(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value.
    pub fn head(&self) -> &str {
        &self.0
    }

    /// Returns the place after an object, whose last `}` is left out here.
    fn after(&self, open: &[u8]) -> Self {
        let hasher = Sha256::new().chain_update(&self.0).chain_update(open);
        Self(hex(&hasher.chain_update(b"}").finalize()))
    }

    /// Returns the line of a JSON object with its newline, and the place after it.
    pub fn line(&self, object: &[u8]) -> (Vec<u8>, Self) {
        let open = object.strip_suffix(b"}").unwrap_or(object);
        let next = self.after(open);
        let value = next.0.as_bytes();
        let line = [open, MEMBER, value, END, b"\n"].concat();
        (line, next)
    }

    /// Returns the place after a line without its newline, and the value that the line says there is; `None`
    /// for a line that says none.
    pub fn follow<'a>(&self, line: &'a [u8]) -> Option<(Self, &'a str)> {
        let (open, value) = split(line)?;
        Some((self.after(open), value))
    }
}

/// Splits a line without its newline into the object without its last `}`, and the value.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &str)> {
    let rest = line.strip_suffix(END)?;
    let (rest, value) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let open = rest.strip_suffix(MEMBER)?;
    Some((open, str::from_utf8(value).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_object_with_a_member_more() {
        let start = Chain::of(b"{}");
        let (line, next) = start.line(br#"{"seq":1}"#);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(
            text,
            format!("{{\"seq\":1,\"chain\":\"{}\"}}\n", next.head())
        );
        let expected = Sha256::digest(format!("{}{{\"seq\":1}}", start.head()));
        assert_eq!(next.head(), hex(&expected));
        let (followed, says) = start.follow(text.trim_end().as_bytes()).unwrap();
        assert_eq!((followed.head(), says), (next.head(), next.head()));
        assert!(start.follow(b"{\"seq\":1}").is_none());
    }
}
