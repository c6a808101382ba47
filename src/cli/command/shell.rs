//! `runbook shell`: a read-only shell.

use crate::cli::Context;
use crate::cli::args::ShellArgs;
use crate::cli::error::CliError;

/// Does it.
///
/// # Errors
/// It is not built yet.
pub fn run(_: &Context<'_>, args: &ShellArgs) -> Result<u8, CliError> {
    Err(CliError::invalid(format!("not built yet: {args:?}")))
}
