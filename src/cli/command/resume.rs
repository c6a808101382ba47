//! `runbook resume`: goes on with a run that was cut short.

use crate::cli::Context;
use crate::cli::args::ResumeArgs;
use crate::cli::error::CliError;

/// Goes on with a run that was cut short.
///
/// # Errors
/// What is wrong with what is asked.
pub fn run(_context: &Context<'_>, _args: &ResumeArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`resume` is not part of this version"))
}
