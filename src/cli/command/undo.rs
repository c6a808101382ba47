//! `runbook undo`: puts back the rows that a run changed.

use crate::cli::Context;
use crate::cli::args::UndoArgs;
use crate::cli::error::CliError;

/// Puts back the rows that a run changed.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &UndoArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`undo` is not part of this version"))
}
