//! A file of tests beside its runbook: what can be known to be wrong with it before a case is played.

use super::document::Suite;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Source;
use crate::runbook::check::Proved;

/// A file of tests that fits its runbook.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is worth knowing about it.
    pub warnings: Vec<Diagnostic>,
}

/// Checks a file of tests against its runbook.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text, warnings included.
pub fn check(
    _source: &Source,
    _suite: &Suite,
    _proved: &Proved,
) -> Result<Checked, Vec<Diagnostic>> {
    Ok(Checked::default())
}
