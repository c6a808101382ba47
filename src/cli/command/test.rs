//! `runbook test`: runs the tests of runbooks.

use crate::cli::Context;
use crate::cli::args::TestArgs;
use crate::cli::error::CliError;

/// Does it.
///
/// # Errors
/// It is not built yet.
pub fn run(_: &Context<'_>, args: &TestArgs) -> Result<u8, CliError> {
    Err(CliError::invalid(format!("not built yet: {args:?}")))
}
