//! `runbook demo`.

use crate::cli::Context;
use crate::cli::args::DemoArgs;
use crate::cli::error::CliError;

/// Does the command.
///
/// # Errors
/// Always: this build has no connection to a database.
pub fn run(_: &Context<'_>, _: &DemoArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`runbook demo` is not part of this build"))
}
