//! `runbook backup pin` and `unpin`: whether a backup is kept for ever.

use std::path::Path;

use crate::archive::notes::Notes;
use crate::cli::args::{PinArgs, UnpinArgs};
use crate::cli::error::CliError;
use crate::cli::{Context, backups, runner};
use crate::engine::outcome::exit;

/// Has a backup be kept for ever.
///
/// # Errors
/// There is none of that name, or its notes cannot be written.
pub(super) fn pin(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &PinArgs,
) -> Result<u8, CliError> {
    let folder = backups::folder(context, folder)?;
    let found = backups::find(&folder, &args.backup)?;
    let by = runner::person(context);
    let why = match args.why.join(" ").trim() {
        "" => format!("pinned by {by}"),
        why => format!("{why} ({by})"),
    };
    Notes::change(&found.folder, |notes| notes.pinned = Some(why.clone()))?;
    context.invocation.print(&format!(
        "{} is kept until it is unpinned: {why}\n",
        found.manifest.id
    ))?;
    Ok(exit::DONE)
}

/// Has a backup be kept no longer than others.
///
/// # Errors
/// There is none of that name, or its notes cannot be written.
pub(super) fn unpin(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &UnpinArgs,
) -> Result<u8, CliError> {
    let folder = backups::folder(context, folder)?;
    let found = backups::find(&folder, &args.backup)?;
    let id = &found.manifest.id;
    let mut was = None;
    Notes::change(&found.folder, |notes| was = notes.pinned.take())?;
    let said = match was {
        None => format!("{id} was not pinned\n"),
        Some(why) => {
            format!("{id} is kept as long as others of its name; it was pinned: {why}\n")
        }
    };
    context.invocation.print(&said)?;
    Ok(exit::DONE)
}
