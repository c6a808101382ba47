//! What every step may have beside the keys of its kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Goto;
use super::shape::Span;
use super::text::{Expression, Name, Template};

/// The names of the keys of [`Common`], in the order in which they are taught.
pub const KEYS: [&str; 10] = [
    "about",
    "when",
    "timeout",
    "retry",
    "next",
    "on_error",
    "for_each",
    "as",
    "parallel",
    "max_failures",
];

/// The keys that every step may have.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// What the step is for.
    pub about: Option<Template>,
    /// Skips the step unless this expression is true.
    pub when: Option<Expression>,
    /// How long the step may take; its statements are cancelled on the server then.
    pub timeout: Option<Span>,
    /// Runs the whole step again after errors that may pass.
    pub retry: Option<Retry>,
    /// Where to go after the step, instead of to the next of its list.
    pub next: Option<Goto>,
    /// Where to go after an error, once the retries are spent.
    pub on_error: Option<Goto>,
    /// Runs the step once for each item of this list.
    pub for_each: Option<Expression>,
    /// The name of the item inside a `for_each`.
    #[serde(rename = "as")]
    pub item: Option<Name>,
    /// How many items may be worked on at a time; this version works on one.
    #[schemars(range(min = 1))]
    pub parallel: Option<u32>,
    /// How many items may fail before the loop does.
    pub max_failures: Option<u32>,
}

/// When and how often a step runs again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many times at most, beside the first.
    #[schemars(range(min = 1, max = 100))]
    pub times: u32,
    /// How long to wait before each (default 1s).
    pub wait: Option<Span>,
    /// After which errors (default: all of these).
    #[serde(default = "Trouble::all")]
    pub on: Vec<Trouble>,
}

/// Errors that may pass when the step runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// A serialization failure or a deadlock.
    Serialization,
    /// A lock that was not to be had in time.
    LockTimeout,
    /// A lost connection, before COMMIT was sent.
    Connection,
}

impl Trouble {
    fn all() -> Vec<Self> {
        vec![Self::Serialization, Self::LockTimeout, Self::Connection]
    }
}
