//! How a run ends, and the exit code that says so.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The work is done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// A step failed, and nothing remains of the run.
    Failed,
    /// What the run had changed was put back.
    RolledBack,
    /// A person said no, or nobody could be asked.
    Declined,
    /// It stopped, and changes stay in place.
    Stopped,
    /// COMMIT was sent, and nobody can say what became of it.
    Unknown,
    /// Ctrl-C, and nothing remains of the run.
    Cancelled,
    /// It waits for the approval of other people; nothing of it is open meanwhile.
    Waiting,
    /// Nobody approved it in time.
    Expired,
    /// The one who asked for approval took that back.
    Withdrawn,
    /// What was approved is not what it would do now.
    Contradicted,
}

impl Outcome {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done | Self::Nothing => exit::DONE,
            Self::Failed => exit::FAILED,
            Self::RolledBack => exit::ROLLED_BACK,
            Self::Declined | Self::Expired | Self::Withdrawn | Self::Contradicted => exit::DECLINED,
            Self::Stopped => exit::STOPPED,
            Self::Unknown => exit::UNKNOWN,
            Self::Cancelled => exit::CANCELLED,
            Self::Waiting => exit::WAITING,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Nothing => "nothing to do",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::Declined => "declined",
            Self::Stopped => "stopped, changes stay in place",
            Self::Unknown => "outcome unknown",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting for approval",
            Self::Expired => "approval expired",
            Self::Withdrawn => "withdrawn",
            Self::Contradicted => "not what was approved",
        })
    }
}

/// The exit codes of the program.
pub mod exit {
    /// Done, or nothing to do.
    pub const DONE: u8 = 0;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The runbook or its parameters are wrong.
    pub const INVALID: u8 = 3;
    /// The target cannot be reached, or is not the expected one.
    pub const UNREACHABLE: u8 = 4;
    /// A step failed, and nothing remains of the run.
    pub const FAILED: u8 = 10;
    /// What the run had changed was put back.
    pub const ROLLED_BACK: u8 = 11;
    /// A person said no, or nobody could be asked.
    pub const DECLINED: u8 = 12;
    /// It stopped, and changes stay in place.
    pub const STOPPED: u8 = 13;
    /// Nobody can say what became of a COMMIT.
    pub const UNKNOWN: u8 = 14;
    /// It waits for the approval of other people.
    pub const WAITING: u8 = 15;
    /// A defect of the program.
    pub const DEFECT: u8 = 70;
    /// Ctrl-C.
    pub const CANCELLED: u8 = 130;

    /// Every code with its meaning, for `runbook help exit-codes`.
    pub const MEANINGS: [(u8, &str); 12] = [
        (DONE, "done, or nothing to do"),
        (USAGE, "the command line is wrong"),
        (
            INVALID,
            "the runbook or its parameters are wrong; nothing was run",
        ),
        (
            UNREACHABLE,
            "the target cannot be reached, or is not the expected one",
        ),
        (FAILED, "a step failed, and nothing remains of the run"),
        (ROLLED_BACK, "what the run had changed was put back"),
        (
            DECLINED,
            "a person said no, nobody could be asked, or nobody approved",
        ),
        (
            STOPPED,
            "it stopped with changes left in place, or is cut short and can go on",
        ),
        (
            UNKNOWN,
            "COMMIT was sent and its outcome is unknown: `runbook resume` finds out",
        ),
        (
            WAITING,
            "it waits for the approval of other people: `runbook resume` goes on",
        ),
        (DEFECT, "a defect of runbook itself"),
        (
            CANCELLED,
            "cancelled by Ctrl-C; 11 where changes had to be put back",
        ),
    ];
}
