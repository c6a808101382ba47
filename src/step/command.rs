//! A program that a step runs instead of a statement.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Template;

/// A program with its arguments, as a list: never a shell line, so no value can become a command.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Command(#[schemars(length(min = 1))] pub Vec<Template>);

/// What a command must come to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The exit code that counts as success.
    pub code: i32,
}
