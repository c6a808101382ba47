//! What the journal knows a transaction by: the unit of work that it does at most once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runbook::model::StepId;

/// What a run does in one transaction: a fix or an atomic, one item of its `for_each`, one part of its
/// `batch`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Unit {
    /// The fix or atomic.
    #[schemars(with = "usize")]
    pub step: StepId,
    /// Which item of its `for_each`, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// Which part of its `batch`, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u32,
}

impl Unit {
    /// Returns the same of another step: of a fix of an atomic.
    #[must_use]
    pub fn of(self, step: StepId) -> Self {
        Self { step, ..self }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(part: &u32) -> bool {
    *part == 0
}

/// A row of the journal: written in the transaction that it tells of, and unique, so that the transaction
/// happens once or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The run whose unit it is.
    pub run: String,
    /// The unit.
    pub unit: Unit,
    /// The step's name.
    pub name: String,
    /// Whether the unit is put back, not done.
    pub undo: bool,
}

impl Entry {
    /// Returns the entry of putting this one back.
    #[must_use]
    pub fn undoing(&self) -> Self {
        Self {
            undo: true,
            ..self.clone()
        }
    }
}

/// How a statement of a fix is held to what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The fix.
    pub step: StepId,
    /// How it can be put back.
    pub undo: Undo,
    /// The only tables that may change, by triggers and cascades too; without it only the statement's own.
    pub tables: Option<Vec<String>>,
    /// Columns that triggers keep: left out of comparisons.
    pub ignore: Vec<String>,
    /// Whether rows that row-level security hides are none of its business.
    pub row_security: bool,
}

/// How a fix can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// By the images of its rows.
    Images,
    /// By the statements of its `undo`.
    Statements,
    /// Not at all: `undo: none`.
    Never,
}
