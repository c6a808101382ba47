//! `rollback`: puts back the rows that fixes changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::OneOrMany;
use super::text::Name;

/// Puts rows back exactly, newest fix first. A row that someone changed since is a conflict: reported,
/// never overwritten. Its result is `.restored` and `.conflicts`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The name of the step.
    pub rollback: Name,
    /// The fixes to put back; without it all that ran.
    pub of: Option<OneOrMany<Name>>,
    /// A backup step to put back from.
    pub backup: Option<Name>,
    /// What to do about a row that someone changed since.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What to do about a row that someone changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Put nothing back.
    #[default]
    Stop,
    /// Leave that row, and put the others back.
    Skip,
}
