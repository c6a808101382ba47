//! The newest backup that all of a database can come back from.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::archive::manifest::Holds;
use crate::archive::store::{self, Found};
use crate::engine::event::TargetFacts;
use crate::engine::failure::Failure;
use crate::step::backup::DatabaseBackup;

/// How far the clock of whoever made a backup may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Returns when the newest good backup of the whole database was made that is of this very one. All backups were read
/// back in full when they were made; what was found damaged since is none.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn of(folder: &Path, target: &TargetFacts) -> Result<Option<Timestamp>, Failure> {
    let stored = store::list(folder)?;
    let now = Timestamp::now();
    let is_whole = |found: &&Found| {
        let manifest = &found.manifest;
        found.is_good()
            && manifest.holds == Holds::Database(DatabaseBackup::Full)
            && is_of(&manifest.source, target)
            // What is said to be of the future would be young for ever.
            && manifest.taken_at.duration_since(now) <= AHEAD
    };
    let newest = stored.found.iter().find(is_whole);
    Ok(newest.map(|found| found.manifest.taken_at))
}

/// Returns whether a backup is of this very database: another one of the same name is not it.
fn is_of(source: &TargetFacts, target: &TargetFacts) -> bool {
    let cluster = match (&source.system_identifier, &target.system_identifier) {
        (Some(source), Some(target)) => source == target,
        _ => source.name == target.name,
    };
    let oid = match (source.database_oid, target.database_oid) {
        (Some(source), Some(target)) => source == target,
        _ => true,
    };
    cluster && oid && source.database == target.database
}
