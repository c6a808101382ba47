//! `runbook audit`: proves that the records of runs are whole.

use crate::cli::Context;
use crate::cli::args::AuditArgs;
use crate::cli::error::CliError;

/// Proves that the records of runs are whole.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &AuditArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`audit` is not part of this version"))
}
