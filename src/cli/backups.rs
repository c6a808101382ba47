//! Where backups are: the folder of all of them, what they are made with and opened by, and what keeps them.

mod keys;
mod needed;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::CliError;
use super::{Context, connection, state};
use crate::archive::seal::Keys;
use crate::archive::store::{self, Found};
use crate::pg::backup::{Needed, Site};

use needed::needed;

pub(super) use keys::{keys_for, new_passphrase, passphrase_of};
pub(super) use words::{Standing, age, held, holds, moment, of_database};

/// Returns where backups are: in the folder that is named, `$RUNBOOK_BACKUPS`, or beside the records of runs.
///
/// # Errors
/// The user has no folder, and none is named.
pub(super) fn site(context: &Context<'_>, named: Option<&Path>) -> Result<Site, CliError> {
    let environment = &context.invocation.environment;
    let folder = folder(context, named)?;
    let base = state::folder(context).ok();
    let target = connection::target(context)?.map(|(target, _)| target);
    Ok(Site {
        needed: Needed::by(move |folder| needed(base.as_deref(), folder)),
        folder,
        environment: environment.clone(),
        jobs: std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8)),
        keys: Keys::default(),
        made: Arc::default(),
        keep: target.as_ref().and_then(|target| target.keep),
        encrypt: target
            .map(|target| target.encrypt.clone())
            .unwrap_or_default(),
    })
}

/// Returns the same for what only reads: nobody asks which backups runs need.
///
/// # Errors
/// As [`site`].
pub(super) fn reading(context: &Context<'_>, named: Option<&Path>) -> Result<Site, CliError> {
    Ok(Site {
        folder: folder(context, named)?,
        environment: context.invocation.environment.clone(),
        jobs: 1,
        keys: Keys::default(),
        made: Arc::default(),
        needed: Needed::default(),
        keep: None,
        encrypt: Vec::new(),
    })
}

/// Returns the flag that a command needs in order to find backups where this one did: nothing where no folder and no
/// target was named.
pub(super) fn folder_flag(context: &Context<'_>, named: Option<&Path>) -> String {
    let Some(folder) = named else {
        return connection::name_flag(context);
    };
    let folder = folder.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@~".contains(letter);
    if folder.chars().all(is_plain) {
        format!(" --folder {folder}")
    } else {
        format!(" --folder '{}'", folder.replace('\'', "'\\''"))
    }
}

/// Returns the folder of all backups: the one that is named, that of the target, `$RUNBOOK_BACKUPS`, or the one beside
/// the records of runs.
///
/// # Errors
/// The user has no folder, and none is named.
pub(super) fn folder(context: &Context<'_>, named: Option<&Path>) -> Result<PathBuf, CliError> {
    let environment = &context.invocation.environment;
    if let Some(named) = named {
        return Ok(context.invocation.folder.join(named));
    }
    if let Some((target, project)) = connection::target(context)?
        && let Some(folder) = &target.backup_folder
    {
        return Ok(connection::expanded(folder, &project.folder, environment));
    }
    match environment.var("RUNBOOK_BACKUPS") {
        Some(folder) => Ok(context.invocation.folder.join(folder)),
        None => Ok(state::folder(context)?.join("backups")),
    }
}

/// Finds a backup that a person names. Where there is none, the command line is wrong.
///
/// # Errors
/// There is none, or there are several; says which names are near.
pub(super) fn find(folder: &Path, called: &str) -> Result<Found, CliError> {
    store::find(folder, called).map_err(|failure| {
        let usage = CliError::usage(failure.message.clone());
        // A backup that is there and damaged is no mistake of who names it.
        if folder.join(called).is_dir() {
            return failure.into();
        }
        failure.help.into_iter().fold(usage, CliError::help)
    })
}
