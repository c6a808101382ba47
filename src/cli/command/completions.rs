//! `runbook completions`: the script by which a shell asks the program itself, so that the names of runbooks
//! and their parameters are completed too.

use crate::cli::Context;
use crate::cli::args::{self, CompletionsArgs};
use crate::cli::error::CliError;
use crate::engine::outcome::exit;

/// Prints the script.
///
/// # Errors
/// [`CliError::Usage`] for an unknown shell.
pub fn run(context: &Context<'_>, args: &CompletionsArgs) -> Result<u8, CliError> {
    context.invocation.print(&args::script(&args.shell)?)?;
    Ok(exit::DONE)
}
