//! `runbook doctor`: what is missing to work safely, and how to mend it.

use crate::cli::Context;
use crate::cli::args::DoctorArgs;
use crate::cli::error::CliError;

/// Looks at everything that a run needs.
///
/// # Errors
/// What is wrong.
pub fn run(_: &Context<'_>, _: &DoctorArgs) -> Result<u8, CliError> {
    Err(CliError::usage("`doctor` is not part of this version"))
}
