//! The results of tests for programs.

use super::coverage::Coverage;
use super::verdict::Played;

/// Returns the results as JSON.
pub fn json(_played: &[Played], _coverage: &[Coverage]) -> serde_json::Value {
    serde_json::Value::Null
}
