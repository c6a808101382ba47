//! Whom to tell how a run goes: `notify:` of a runbook, of a target, or of all targets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::source::Spanned;
use crate::step::shape::{OneOrMany, Span};
use crate::step::text::Template;

/// Tells a program or a web hook how a run goes. What it tells holds no secret; that it could not tell is
/// reported, and never stops a run.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// What is told (default: waiting, done and failed).
    pub on: Option<OneOrMany<Moment>>,
    /// A program and its arguments; it reads the message as JSON from its standard input.
    pub command: Option<Vec<Template>>,
    /// An address that the message is sent to as JSON: `https://…`, or `$NAME`, an environment variable that
    /// holds it. Such addresses are secrets.
    pub webhook: Option<Spanned<String>>,
    /// How long it may take (default 10s).
    pub timeout: Option<Span>,
}

/// What of a run is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It began.
    Start,
    /// It waits for the approval of other people.
    Waiting,
    /// It came to its good end.
    Done,
    /// It ended otherwise.
    Failed,
    /// Somebody broke the glass: told whether it is listed or not.
    BrokeGlass,
}
