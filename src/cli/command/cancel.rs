//! `runbook cancel`: ends a run that waits or was cut short.

use crate::cli::Context;
use crate::cli::args::CancelArgs;
use crate::cli::error::CliError;

/// Ends a run.
///
/// # Errors
/// What is wrong.
pub fn run(_: &Context<'_>, _: &CancelArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`cancel` is not part of this version"))
}
