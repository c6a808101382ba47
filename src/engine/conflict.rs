//! Why a row cannot be put back: what it was left as, what it is now, what it would become.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row that is not as the fix left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The table.
    pub table: String,
    /// The columns of its key.
    pub key_columns: Vec<String>,
    /// The values of the row's key.
    pub key: Vec<String>,
    /// What happened to it since.
    pub clash: Clash,
    /// The columns that differ.
    pub columns: Vec<ConflictColumn>,
    /// Who did it, where the journal knows: the run, its runbook and its actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What happened to a row since a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clash {
    /// Columns have other values.
    Edited,
    /// The row is gone.
    Deleted,
    /// The fix deleted it, and a row with its key is there again.
    Exists,
    /// A later run changed it too, and would be undone along.
    LaterRun,
}

/// A column of a row that is not as the fix left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConflictColumn {
    /// The column.
    pub column: String,
    /// What the fix left; `null` for NULL or no row.
    pub then: Option<String>,
    /// What it is now.
    pub now: Option<String>,
    /// What it would become.
    pub back: Option<String>,
}

/// What putting rows back came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// How many rows were put back.
    pub rows: u64,
    /// The rows that were put back.
    pub changes: super::change::Changes,
    /// The rows that were not, or the first of them.
    pub conflicts: Vec<Conflict>,
    /// How many were not, those that are not listed included.
    pub conflicting: u64,
}
