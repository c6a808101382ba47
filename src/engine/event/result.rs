//! What a step came to, and which way it chose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::approval::{Granted, Refusal};
use crate::engine::backup::{Backed, RestoredInto};
use crate::engine::change::Changes;
use crate::engine::conflict::Conflict;
use crate::engine::journal::Unit;
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;
use crate::step::check::Severity;
use crate::step::database::Group;
use crate::step::query::Show;

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepResult {
    /// Rows.
    Query {
        /// The rows.
        rows: Rows,
        /// How they are shown.
        show: Show,
        /// The guard that they were held against.
        #[serde(skip_serializing_if = "Option::is_none")]
        guard: Option<String>,
        /// The file that they were written to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved: Option<Box<Saved>>,
    },
    /// A decision.
    Check {
        /// Whether it passed.
        passed: bool,
        /// Its assertions.
        items: Vec<Assertion>,
        /// The value of its `switch`.
        #[serde(skip_serializing_if = "Option::is_none")]
        switch: Option<String>,
        /// Whether failing is an error.
        severity: Severity,
        /// What to do about a failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
    /// An answer.
    Confirm {
        /// Whether it was a yes.
        yes: bool,
        /// Who answered, and how.
        by: String,
        /// Why it was a no, where nobody plainly said it.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Why other people who were asked did not make it a yes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
        /// What other people approved, and who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        granted: Option<Box<Granted>>,
        /// What the yes holds for: the digests of the fixes and atomics.
        approved: Vec<Approved>,
    },
    /// Changes.
    Fix {
        /// How many rows the statements changed.
        count: u64,
        /// What RETURNING returned.
        rows: Rows,
        /// The row changes.
        changes: Changes,
        /// Whether they are committed; a fix of an atomic is committed with it.
        committed: bool,
    },
    /// Rows were put back.
    Rollback {
        /// What was put back.
        undone: Vec<Unit>,
        /// How many rows were put back.
        restored: u64,
        /// The rows that were put back.
        changes: Changes,
        /// The rows that someone changed since, and that were left as they are.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<Conflict>,
    },
    /// A backup: complete, verified and on disk.
    Backup(Box<Backed>),
    /// What a backup holds was restored somewhere.
    Restored(Box<RestoredInto>),
    /// A program's output.
    Command {
        /// Its exit code.
        code: i32,
        /// What it wrote.
        stdout: String,
        /// What it wrote beside.
        stderr: String,
        /// Whether it came to what was expected.
        passed: bool,
    },
    /// A dry run cannot do it: it would run.
    WouldRun,
}

/// A file that rows were written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Saved {
    /// Where it is, as the runbook says it.
    pub path: String,
    /// SHA-256 of it; nothing in a dry run, which does not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many bytes it has.
    #[serde(default)]
    pub bytes: u64,
}

/// A named assertion of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assertion {
    /// What is asserted.
    pub name: String,
    /// Whether it is so.
    pub passed: bool,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Of a `database` check: what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Whether it could be looked at; what could not has not passed.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub seen: bool,
    /// What was found instead, where it is there but is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Why it is missing, or could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Assertion {
    /// Returns an assertion of an expression.
    pub fn new(name: impl Into<String>, passed: bool, otherwise: Option<String>) -> Self {
        Self {
            name: name.into(),
            passed,
            otherwise,
            group: None,
            seen: true,
            found: None,
            why: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// A fix or atomic, and the digest of the changes that were shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// The fix or atomic.
    #[schemars(with = "usize")]
    pub step: StepId,
    /// Which item of its `for_each`, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// Which part of its `batch`, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// The digest.
    pub digest: String,
}

/// Which of its ways a step chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// On to the next.
    Next,
    /// A check passed and goes its own way.
    Then,
    /// A check, guard or question said no.
    Else,
    /// A `switch` had this value.
    Case(String),
}
