//! `runbook run`.

use crate::cli::Context;
use crate::cli::args::RunArgs;
use crate::cli::error::CliError;
use crate::runbook::check::Proved;

/// Does the command.
///
/// # Errors
/// Always: this build has no connection to a database.
pub fn run(_: &Context<'_>, _: &RunArgs, _: Option<Proved>) -> Result<u8, CliError> {
    Err(CliError::usage("`runbook run` is not part of this build"))
}
