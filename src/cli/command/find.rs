//! `runbook find`: ranks the runbooks for a problem.

use crate::cli::Context;
use crate::cli::args::FindArgs;
use crate::cli::error::CliError;

/// Does it.
///
/// # Errors
/// It is not built yet.
pub fn run(_: &Context<'_>, args: &FindArgs) -> Result<u8, CliError> {
    Err(CliError::invalid(format!("not built yet: {args:?}")))
}
