//! `runbook health`: whether the database is well.

use crate::cli::Context;
use crate::cli::args::HealthArgs;
use crate::cli::error::CliError;

/// Does it.
///
/// # Errors
/// It is not built yet.
pub fn run(_: &Context<'_>, args: &HealthArgs) -> Result<u8, CliError> {
    Err(CliError::invalid(format!("not built yet: {args:?}")))
}
