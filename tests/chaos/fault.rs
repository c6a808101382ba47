//! What goes wrong with a run, and when.

use std::fmt;
use std::time::Duration;

use crate::dice::Dice;
use crate::frame::Side;
use crate::moment::{Action, Moment, Seen};

/// How late a delayed message comes.
const LATE: Duration = Duration::from_millis(40);

/// A harm at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) harm: Harm,
    pub(crate) moment: Moment,
    /// Whether the message arrives before it.
    pub(crate) after: bool,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// kill -9 of the program.
    Kill,
    /// An administrator ends its session.
    Terminate,
    /// The server and all its sessions are killed, and it is started again.
    Crash,
    /// The connection is lost.
    Cut,
    /// A message comes late.
    Delay,
    /// Nothing arrives any more; after a while the connection is lost.
    Swallow,
    /// Nothing arrives any more, until the program gives up by itself: only for steps with a time-out.
    Silence,
    /// Nothing arrives any more and the program is killed, but its session lives on.
    Strand,
    /// The server hears an end, the program does not.
    CloseToServer,
    /// The program hears an end, the server does not.
    CloseToClient,
}

impl Harm {
    /// All that can come at any moment.
    pub(crate) const ALL: [Self; 9] = [
        Self::Kill,
        Self::Terminate,
        Self::Crash,
        Self::Cut,
        Self::Delay,
        Self::Swallow,
        Self::Strand,
        Self::CloseToServer,
        Self::CloseToClient,
    ];

    /// Returns what it is called in the count of them.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Kill => "program killed",
            Self::Terminate => "session terminated",
            Self::Crash => "server crashed",
            Self::Cut => "connection cut",
            Self::Delay => "message delayed",
            Self::Swallow => "messages swallowed",
            Self::Silence => "silence",
            Self::Strand => "session stranded",
            Self::CloseToServer => "closed to the server",
            Self::CloseToClient => "closed to the program",
        }
    }
}

impl Fault {
    pub(crate) fn new(harm: Harm, moment: Moment) -> Self {
        Self {
            harm,
            moment,
            after: false,
        }
    }

    /// The same once the message has arrived.
    pub(crate) fn after(self) -> Self {
        Self {
            after: true,
            ..self
        }
    }

    /// Picks one for a conversation that went like this when nothing went wrong.
    pub(crate) fn any(harm: Harm, seen: &[Seen], dice: &mut Dice) -> Self {
        let count = |side, commit: bool| {
            seen.iter()
                .filter(|seen| seen.side == side && (seen.commit || !commit))
                .count()
                .max(1)
        };
        let side = dice.pick(&[Side::Client, Side::Server]);
        // What matters most happens around COMMIT.
        let commit = dice.percent(30);
        let nth = 1 + dice.below(count(side, commit));
        let moment = match (side, commit) {
            (Side::Client, true) => Moment::commit(nth),
            (Side::Server, true) => Moment::committed(nth),
            (side, false) => Moment::of(side, nth),
        };
        Self {
            harm,
            moment,
            after: dice.percent(50),
        }
    }

    /// Returns what the proxy does about it.
    pub(crate) fn action(&self) -> Action {
        match (self.harm, self.after) {
            (Harm::Kill | Harm::Terminate | Harm::Crash, false) => Action::Hold,
            (Harm::Kill | Harm::Terminate | Harm::Crash, true) => Action::HoldAfter,
            (Harm::Cut, false) => Action::Cut,
            (Harm::Cut, true) => Action::CutAfter,
            (Harm::Delay, _) => Action::Delay(LATE),
            (Harm::Swallow | Harm::Silence | Harm::Strand, _) => Action::Swallow,
            (Harm::CloseToServer, _) => Action::CloseToServer,
            (Harm::CloseToClient, _) => Action::CloseToClient,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = if self.after { "after" } else { "at" };
        write!(f, "{} {when} {}", self.harm.words(), self.moment)
    }
}
