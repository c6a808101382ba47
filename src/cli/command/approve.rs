//! `runbook approve`: another person approves a run, or declines.

use crate::cli::Context;
use crate::cli::args::ApproveArgs;
use crate::cli::error::CliError;

/// Approves, declines, or lists what waits.
///
/// # Errors
/// What is wrong.
pub fn run(_: &Context<'_>, _: &ApproveArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`approve` is not part of this version"))
}
