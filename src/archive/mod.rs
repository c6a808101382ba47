//! Backups on disk: their files, their manifest, and which of them are kept. Knows nothing of servers.
//!
//! # The folder of a backup
//!
//! A backup is one folder, readable by its user only (folders 0700, files 0600):
//!
//! ```text
//! manifest.json        what it holds, and SHA-256 of every other file; written last
//! tables/0001.copy.zst the rows of a table, as COPY prints them, compressed
//! dump/                what pg_dump wrote, of the backup of a database
//! key.age              of an encrypted one: the key of its files, for its recipients or by its passphrase
//! notes.json           what became of it since: restored on trial, pinned; the only file that changes
//! ```
//!
//! Until it is good its folder is called `.ID.partial`: it gets its name when all of it is on disk and was
//! read back in full. So a folder that has the name of a backup is one, or was damaged since.
//!
//! Without this program its rows come back by `zstd -dc tables/0001.copy.zst | psql -c 'COPY t FROM STDIN'`
//! (the manifest says which table and columns); encrypted files are opened by `age -d -i KEY` first, where
//! KEY is what `age -d key.age` gives.

pub mod deletion;
pub mod files;
pub mod folder;
pub mod manifest;
pub mod name;
pub mod notes;
pub mod proof;
pub mod retention;
pub mod row;
pub mod seal;
pub mod store;
pub mod table_file;

#[cfg(test)]
mod sample;

use std::fmt::Display;
use std::path::Path;

use crate::engine::failure::{Failure, FailureKind};

/// Returns the failure of a file or folder.
pub(crate) fn io(what: &str, path: &Path, error: &dyn Display) -> Failure {
    Failure::new(
        FailureKind::Backup,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

/// Returns whether a failure says that a backup is not what was written, and not that something else is in its
/// way.
pub fn is_damage(path: &Path, failure: &Failure) -> bool {
    failure.kind == FailureKind::Backup && failure.message.starts_with(&beginning(path))
}

fn beginning(path: &Path) -> String {
    format!("the backup in {} is damaged: ", path.display())
}

/// Returns the failure of a backup that is not what was written.
pub(crate) fn damaged(path: &Path, why: impl Display) -> Failure {
    Failure::new(FailureKind::Backup, format!("{}{why}", beginning(path)))
        .help("restore another one: `runbook backup list` shows which are good")
}
