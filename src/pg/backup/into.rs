//! Restoring a backup into a database: a new one, or tables beside or in place of those that are there.

use super::{Site, Told};
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::backup::BackedTable;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;

/// Restores a backup of tables or of a database into an empty database, compares counts and hashes of all its
/// tables with those of the snapshot, and has it analyzed.
///
/// # Errors
/// The backup is damaged; the database refuses a part; what came is not what was saved.
pub async fn empty_database(
    to: &ConnectSettings,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Vec<BackedTable>, Failure> {
    let _ = (to, site, found, key, limits, told);
    Err(super::unfinished())
}

/// Restores one table of a backup as a new table beside the one that it was saved from: like it, with keys and
/// defaults, without foreign keys and triggers. In one transaction: all of it or nothing.
///
/// # Errors
/// There is a table of that name; as [`empty_database`].
pub async fn new_table(
    session: &mut Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    (table, name): (&str, &str),
    limits: &Limits,
) -> Result<BackedTable, Failure> {
    let _ = (session, site, found, key, table, name, limits);
    Err(super::unfinished())
}

/// Replaces all rows of tables by those of a backup, in one transaction: all of it or nothing, compared before
/// it is committed.
///
/// # Errors
/// A table is gone or has other columns; others reference it that are not replaced; as [`empty_database`].
pub async fn replace_tables(
    session: &mut Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    tables: &[String],
    limits: &Limits,
    told: Told<'_>,
) -> Result<Vec<BackedTable>, Failure> {
    let _ = (session, site, found, key, tables, limits, told);
    Err(super::unfinished())
}
