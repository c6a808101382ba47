//! `runbook report`: tells a past run again.

use crate::cli::Context;
use crate::cli::args::ReportArgs;
use crate::cli::error::CliError;

/// Tells a past run again.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &ReportArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`report` is not part of this version"))
}
