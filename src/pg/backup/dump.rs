//! The whole database by `pg_dump`, and what there is in its dump.
//!
//! | module | its one job |
//! |---|---|
//! | `save` | writes a dump, and counts and hashes every table under its snapshot |
//! | `files` | what the files of a dump are on disk: hashed, and encrypted where the backup is |
//! | `opened`, `entries`, `blocks` | a dump that can be read, what it consists of, and the rows in it |
//! | `prove` | reads all of a dump, and compares |
//! | `rows` | the rows of one table out of a dump |
//! | `restore` | a dump into an empty database |

mod blocks;
mod entries;
mod files;
mod opened;
mod prove;
mod restore;
mod rows;
mod save;

use jiff::Timestamp;

use super::refused;
use super::tools::Tools;
use crate::archive::manifest::{FileFact, Manifest, Table};
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::environment::Environment;

pub(super) use prove::prove;
pub(super) use restore::restore;
pub(super) use rows::rows;
pub(super) use save::save;

/// A dump that was written.
pub(super) struct Saved {
    /// The tables in it; where it holds the structure alone they have no rows.
    pub tables: Vec<Table>,
    /// Its files.
    pub files: Vec<FileFact>,
    /// What wrote it.
    pub tool: String,
    /// When its snapshot was taken.
    pub taken_at: Timestamp,
}

/// Finds the programs that read the dump of a backup.
fn tools_for(environment: &Environment, manifest: &Manifest) -> Result<Tools, Failure> {
    let tool = manifest.tool.as_deref().unwrap_or_default();
    let version = tool.strip_prefix("pg_dump (PostgreSQL) ").unwrap_or(tool);
    let version = version.split(' ').next().unwrap_or(version);
    Tools::find(environment, version)
}

/// Returns the failure of a dump that a program cannot read; what stopped the program is something else.
fn unreadable(backup: &std::path::Path, failure: Failure) -> Failure {
    if failure.kind != FailureKind::Backup {
        return failure;
    }
    let damaged = crate::archive::damaged(backup, &failure.message);
    failure.notes.into_iter().fold(damaged, Failure::note)
}

/// Waits for work in a thread of its own.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| refused(format!("work on the dump was lost: {error}")))?
}
