//! Where the records of runs are.

use std::path::PathBuf;

use super::Context;
use super::error::CliError;
use crate::pg::environment::Environment;

/// Returns the folder of the records: `--state-dir`, `$RUNBOOK_STATE`, or the user's own.
///
/// # Errors
/// The user has no folder, and none is named.
pub fn folder(context: &Context<'_>) -> Result<PathBuf, CliError> {
    match of(
        context.global.state_dir.clone(),
        &context.invocation.environment,
    ) {
        Some(folder) => Ok(context.invocation.folder.join(folder)),
        None => Err(CliError::usage(
            "there is no folder for the records of runs: $HOME is not set",
        )
        .help("name one by --state-dir DIR or $RUNBOOK_STATE")),
    }
}

/// Returns the folder as it is named, or as the environment says.
pub(super) fn of(named: Option<PathBuf>, environment: &Environment) -> Option<PathBuf> {
    let named = named.or_else(|| environment.var("RUNBOOK_STATE").map(PathBuf::from));
    let own = || {
        // A relative one is invalid, says the specification of these folders.
        let state = environment.var("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.filter(|folder| folder.is_absolute());
        let state = state.or_else(|| Some(environment.home()?.join(".local/state")));
        Some(state?.join("runbook"))
    };
    named.or_else(own)
}
