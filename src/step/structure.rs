//! What holds other steps: `atomic` and `use`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::shape::Entries;
use super::text::{Name, Template};

/// One transaction of `query`, `check` and `fix` steps: what fails before its end leaves no trace.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Atomic {
    /// The name of the transaction.
    pub atomic: Name,
}

/// The steps of another runbook, here, with its names prefixed by this one's.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// The runbook to use, by its name.
    #[serde(rename = "use")]
    pub runbook: Template,
    /// The prefix of its steps' names; without it the runbook's name with `_` for `-`.
    pub name: Option<Name>,
    /// Its parameters.
    #[serde(default)]
    pub with: Entries<Template>,
}
