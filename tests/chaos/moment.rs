//! Moments of a conversation, and what can happen at them.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use crate::frame::{Frame, Side, Tag};

/// A message of a conversation: the how-manieth of its side, or the how-manieth that has a word in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) side: Side,
    pub(crate) word: Option<&'static str>,
    /// From 1.
    pub(crate) nth: usize,
}

impl Moment {
    pub(crate) fn client(nth: usize) -> Self {
        Self::of(Side::Client, nth)
    }

    pub(crate) fn server(nth: usize) -> Self {
        Self::of(Side::Server, nth)
    }

    pub(crate) fn of(side: Side, nth: usize) -> Self {
        Self {
            side,
            word: None,
            nth,
        }
    }

    /// The client says COMMIT for the how-manieth time.
    pub(crate) fn commit(nth: usize) -> Self {
        Self {
            word: Some("COMMIT"),
            ..Self::client(nth)
        }
    }

    /// The server says that it has committed, for the how-manieth time.
    pub(crate) fn committed(nth: usize) -> Self {
        Self {
            word: Some("COMMIT"),
            ..Self::server(nth)
        }
    }

    /// Returns whether a message of this side is one that is counted.
    pub(crate) fn counts(&self, side: Side, frame: &Frame) -> bool {
        self.side == side && self.word.is_none_or(|word| frame.says(word))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "client",
            Side::Server => "server",
        };
        match self.word {
            Some(word) => write!(f, "{word} {} of the {side}", self.nth),
            None => write!(f, "message {} of the {side}", self.nth),
        }
    }
}

/// What happens to a connection at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Both sides lose the connection, and the message is lost.
    Cut,
    /// The message arrives; then both sides lose the connection.
    CutAfter,
    /// The message comes late.
    Delay(Duration),
    /// Neither this message nor any after it arrives, nor does either side hear that the other has gone.
    Swallow,
    /// The server hears that the client has nothing more to say.
    CloseToServer,
    /// The client hears that the server has nothing more to say.
    CloseToClient,
    /// The message waits until its [`Fired`] is dropped.
    Hold,
    /// The message arrives; what follows it waits until its [`Fired`] is dropped.
    HoldAfter,
}

/// A message that went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) side: Side,
    /// The how-manieth message of its side, from 1.
    pub(crate) nth: usize,
    pub(crate) tag: Tag,
    /// Whether it is a COMMIT, or the answer to one.
    pub(crate) commit: bool,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.side {
            Side::Client => '→',
            Side::Server => '←',
        };
        let commit = if self.commit { " COMMIT" } else { "" };
        write!(f, "{arrow}{} {}{commit}", self.nth, self.tag)
    }
}

/// Tells that a moment has come. While it lives, a held message waits.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) seen: Seen,
    /// The server's process of the connection, once it has told.
    pub(crate) pid: Option<i32>,
    pub(crate) _hold: Sender<()>,
}

/// An action that waits for its moment.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) moment: Moment,
    pub(crate) action: Action,
    /// How many messages are counted already.
    pub(crate) counted: usize,
    pub(crate) tell: Sender<Fired>,
}

/// What a message is to meet.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) action: Action,
    /// Ends when the message need not wait any more.
    pub(crate) hold: Receiver<()>,
}
