//! Older backups of the same name, once a new one is good: deleted as its `keep` says, and never at the cost of
//! the new one.

use std::path::Path;

use jiff::Timestamp;

use super::Site;
use crate::archive::deletion;
use crate::archive::manifest::Manifest;
use crate::archive::retention::{Fate, fates};
use crate::archive::store::{self, Found};
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
    let same: Vec<Found> = stored
        .found
        .into_iter()
        .filter(|found| found.manifest.name == order.name && is_same(&found.manifest, manifest))
        .collect();
    // Another one of the name may be on its way: nobody knows yet whether it becomes good.
    let beginning = format!(".{}-", order.name);
    let unfinished = stored.partial.iter().any(|path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(&beginning)
    });
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

/// Returns whether two backups are of one database. Where the login may not read which cluster it is, the address
/// and the name say it.
fn is_same(one: &Manifest, other: &Manifest) -> bool {
    let (one, other) = (&one.source, &other.source);
    let place = |facts: &crate::engine::event::TargetFacts| {
        (facts.system_identifier.is_none()).then(|| facts.name.clone())
    };
    one.system_identifier == other.system_identifier
        && one.database == other.database
        && place(one) == place(other)
}
