//! `runbook history`: lists past runs.

use crate::cli::Context;
use crate::cli::args::HistoryArgs;
use crate::cli::error::CliError;

/// Lists past runs.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &HistoryArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`history` is not part of this version"))
}
