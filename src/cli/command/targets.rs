//! `runbook targets`: the targets of `runbook.yaml`, and whether they are what they should be.

use crate::cli::Context;
use crate::cli::args::TargetsArgs;
use crate::cli::error::CliError;

/// Lists the targets, and checks them.
///
/// # Errors
/// What is wrong.
pub fn run(_: &Context<'_>, _: &TargetsArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`targets` is not part of this version"))
}
