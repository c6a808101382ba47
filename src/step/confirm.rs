//! `confirm`: a person decides.

use schemars::JsonSchema;
use serde::Deserialize;

use super::flow::Goto;
use super::shape::OneOrMany;
use super::text::{Name, Template};

/// Asks a person. It fails closed: no terminal, a time-out or an end of input is a no; and no transaction
/// is open while it waits. Its result is `.answer` and `.by`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The name of the step.
    pub confirm: Name,
    /// The fixes or `atomic` that it approves: they are rehearsed first, their row changes are shown, and
    /// the yes holds for exactly these changes.
    pub of: Option<OneOrMany<Name>>,
    /// The question.
    pub ask: Template,
    /// The exact text that must be typed for a yes.
    #[serde(rename = "type")]
    pub typed: Option<Template>,
    /// An earlier query whose rows are shown with the question.
    pub show: Option<Name>,
    /// How many people must say yes (default 1); more than one needs a later version of runbook.
    #[schemars(range(min = 1))]
    pub approvers: Option<u32>,
    /// Where to go on a no; without it the run ends as declined.
    #[serde(rename = "else")]
    pub otherwise: Option<Goto>,
}
