//! Where backups are: the folder of all of them, and what they are made with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::CliError;
use super::{Context, state};
use crate::archive::seal::Keys;
use crate::pg::backup::Site;

/// Returns where backups are: in the folder that is named, `$RUNBOOK_BACKUPS`, or beside the records of runs.
///
/// # Errors
/// The user has no folder, and none is named.
pub(super) fn site(context: &Context<'_>, named: Option<&Path>) -> Result<Site, CliError> {
    let environment = &context.invocation.environment;
    let variable = || environment.var("RUNBOOK_BACKUPS").map(PathBuf::from);
    let folder = match named.map(Path::to_owned).or_else(variable) {
        Some(folder) => context.invocation.folder.join(folder),
        None => state::folder(context)?.join("backups"),
    };
    Ok(Site {
        folder,
        environment: environment.clone(),
        jobs: std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8)),
        keys: Keys::default(),
        made: Arc::default(),
        needed: BTreeMap::new(),
    })
}
