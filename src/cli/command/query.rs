//! `runbook query`.

use crate::cli::Context;
use crate::cli::args::QueryArgs;
use crate::cli::error::CliError;

/// Does the command.
///
/// # Errors
/// Always: this build has no connection to a database.
pub fn run(_: &Context<'_>, _: &QueryArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`runbook query` is not part of this build"))
}
