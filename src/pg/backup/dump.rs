//! The whole database by pg_dump, and what there is in its dump.

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;

use super::{Site, Told};
use crate::archive::folder::Draft;
use crate::archive::manifest::{FileFact, Manifest, Table};
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::step::backup::DatabaseBackup;

/// A dump that was written.
pub(super) struct Saved {
    /// The tables in it; none where it holds the structure alone.
    pub tables: Vec<Table>,
    /// Its files.
    pub files: Vec<FileFact>,
    /// What wrote it.
    pub tool: String,
    /// When its snapshot was taken.
    pub taken_at: Timestamp,
}

/// Writes the dump of a database into a backup that is being made, with what the server counts and hashes of
/// each table under the same snapshot.
///
/// # Errors
/// The tool is missing, too old or fails; the server's word; a limit.
pub(super) async fn save(
    session: &Session,
    site: &Site,
    draft: &Draft,
    scope: DatabaseBackup,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Saved, Failure> {
    let _ = (session, site, draft, scope, limits, told);
    Err(super::unfinished())
}

/// Reads a dump in full through `pg_restore`, and compares the rows of every table with what the server counted
/// and hashed.
///
/// # Errors
/// What is wrong, and where; a limit.
pub(super) async fn prove(
    site: &Site,
    folder: &Path,
    manifest: &Manifest,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let _ = (site, folder, manifest, key, limits, told);
    Err(super::unfinished())
}

/// Reads the rows of one table out of a dump: whole lines of COPY's text format, in chunks that wait for whoever
/// takes them. The channel ends where the rows do, or with what went wrong.
///
/// # Errors
/// The tool is missing.
pub(super) async fn rows(
    site: &Site,
    found: &Found,
    table: &Table,
) -> Result<Receiver<Result<Vec<u8>, Failure>>, Failure> {
    let _ = (site, found, table);
    Err(super::unfinished())
}

/// Restores a dump into an empty database, by `pg_restore`. The caller compares and analyzes.
///
/// # Errors
/// The tool is missing, too old or fails; the server's word; a limit.
pub(super) async fn restore(
    to: &ConnectSettings,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let _ = (to, site, found, key, limits, told);
    Err(super::unfinished())
}
