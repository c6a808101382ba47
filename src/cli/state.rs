//! Where the records of runs are.

use std::path::PathBuf;

use super::Context;
use super::error::CliError;

/// Returns the folder of the records: `--state-dir`, `$RUNBOOK_STATE`, or the user's own.
///
/// # Errors
/// The user has no folder, and none is named.
pub fn folder(context: &Context<'_>) -> Result<PathBuf, CliError> {
    let environment = &context.invocation.environment;
    let named = context.global.state_dir.clone();
    let named = named.or_else(|| environment.var("RUNBOOK_STATE").map(PathBuf::from));
    let own = || {
        // A relative one is invalid, says the specification of these folders.
        let state = environment.var("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.filter(|folder| folder.is_absolute());
        let state = state.or_else(|| Some(environment.home()?.join(".local/state")));
        Some(state?.join("runbook"))
    };
    match named.or_else(own) {
        Some(folder) => Ok(context.invocation.folder.join(folder)),
        None => Err(CliError::usage(
            "there is no folder for the records of runs: $HOME is not set",
        )
        .help("name one by --state-dir DIR or $RUNBOOK_STATE")),
    }
}
