//! What is kept of a statement's changes in one table, beside the images of its rows.

use serde::{Deserialize, Serialize};

use crate::runbook::model::StepId;

/// What one statement changed in one table: a row of `runbook.capture`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The fix; inside of an atomic it is not the entry's step.
    pub step: StepId,
    /// The table, with its schema, quoted.
    pub relation: String,
    /// Whether the images are of this table only, not of those that inherit from it.
    pub alone: bool,
    /// The table's columns in words, as [`super::fingerprint`] gives them.
    pub columns: String,
    /// The names of the key's columns.
    pub key: Vec<String>,
    /// The columns that differ in any updated row.
    pub changed: Vec<String>,
    /// Columns that a trigger sets to the time by itself.
    pub kept: Vec<String>,
    /// The fix's `ignore`.
    pub ignored: Vec<String>,
    /// The fix's `tables`.
    pub tables: Option<Vec<String>>,
    /// Whether these are the statement's own rows, not those of triggers and cascades.
    pub direct: bool,
    /// How many rows have images.
    pub rows: u64,
}
