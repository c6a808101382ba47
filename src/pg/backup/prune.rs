//! Older backups of the same name, once a new one is good: deleted as its `keep` says, and never at the cost of
//! the new one.

use std::path::Path;

use jiff::Timestamp;

use super::Site;
use crate::archive::deletion;
use crate::archive::manifest::Manifest;
use crate::archive::retention::{Fate, fates};
use crate::archive::store::{self, Kind};
use crate::engine::backup::Order;
use crate::engine::failure::Failure;
use crate::pg::session::Session;

/// Deletes what the order does not keep beside the backup that was just made, and returns the ids. What
/// cannot be deleted stays, is said, and goes the next time: the new backup is good all the same.
pub(super) fn after(
    session: &mut Session,
    site: &Site,
    order: &Order,
    folder: &Path,
    manifest: &Manifest,
) -> Vec<String> {
    let mut gone = Vec::new();
    if let Err(failure) = delete(site, order, folder, manifest, &mut gone) {
        let text = format!("older backups were not deleted: {}", failure.message);
        session.say(text);
    }
    gone
}

fn delete(
    site: &Site,
    order: &Order,
    folder: &Path,
    manifest: &Manifest,
    gone: &mut Vec<String>,
) -> Result<(), Failure> {
    let (Some(keep), Some(backups)) = (order.keep, folder.parent()) else {
        return Ok(());
    };
    let stored = store::list(backups)?;
    let same = stored.of(&Kind::of(manifest));
    let unfinished = stored.is_unfinished(&order.name, &same);
    // Runs that began meanwhile may need one, and `to` may lead to another folder than that of all backups.
    let needed = site.needed.of(backups);
    let fated = fates(&same, keep, &needed, unfinished, Timestamp::now());
    for (found, fate) in fated {
        if fate == Fate::Goes && found.folder != folder {
            deletion::delete(&found.folder)?;
            gone.push(found.manifest.id.clone());
        }
    }
    Ok(())
}
