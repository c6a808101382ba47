//! `runbook init`: creates the journal.

use crate::cli::Context;
use crate::cli::args::InitArgs;
use crate::cli::error::CliError;

/// Creates the journal.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &InitArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`init` is not part of this version"))
}
