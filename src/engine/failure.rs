//! Why a step could not do its work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::common::Trouble;

/// What kind of failure it is: decides about retries and exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A template or expression has no value.
    Template,
    /// The server refused a statement.
    Statement,
    /// A serialization failure or a deadlock.
    Serialization,
    /// A lock was not to be had in time.
    LockTimeout,
    /// It took longer than it may.
    Timeout,
    /// The connection is lost, and nothing was committed.
    Connection,
    /// The connection was lost while COMMIT was under way.
    InDoubt,
    /// A row guard said no.
    Guard,
    /// The changes are not those that were approved.
    Changed,
    /// The journal has it already.
    Recorded,
    /// Rows cannot be put back: someone changed them since.
    Conflict,
    /// A statement changed what nobody declared, or what cannot be put back.
    Undeclared,
    /// The target is not the one that the run began on, or cannot be trusted.
    Target,
    /// The record of the run cannot be written.
    Record,
    /// A program did not do what was expected of it.
    Command,
    /// A file cannot be written.
    File,
    /// A backup cannot be made, read or restored.
    Backup,
    /// The target's policy does not allow it.
    Policy,
    /// It kept too many others waiting, or for too long.
    Blocking,
    /// Ctrl-C.
    Cancelled,
    /// What this version cannot do.
    Unsupported,
}

/// A failure, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What kind it is.
    pub kind: FailureKind,
    /// What went wrong, in one sentence.
    pub message: String,
    /// The server's code, where it is the server's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What the server adds, or what else is to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Failure {
    /// Returns a failure of a kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            sqlstate: None,
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds something to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Returns the trouble that a retry may be for.
    pub fn trouble(&self) -> Option<Trouble> {
        match self.kind {
            FailureKind::Serialization => Some(Trouble::Serialization),
            FailureKind::LockTimeout => Some(Trouble::LockTimeout),
            FailureKind::Connection => Some(Trouble::Connection),
            _ => None,
        }
    }
}
