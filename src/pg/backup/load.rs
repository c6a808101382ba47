//! The rows of a backup's table on their way back: from its own file, or out of a dump.

use tokio_postgres::Client;

use super::Site;
use crate::archive::manifest::Table;
use crate::archive::row::Tally;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::Failure;

/// The rows of a backup's table, in whole lines of COPY's text format.
pub struct Lines {}

impl Lines {
    /// Opens the rows of a table. Those that are in a dump are read by `pg_restore`.
    ///
    /// # Errors
    /// The backup is damaged, or the program for its dump is missing.
    pub async fn open(
        site: &Site,
        found: &Found,
        table: &Table,
        key: Option<&FileKey>,
    ) -> Result<Self, Failure> {
        let _ = (site, found, table, key);
        Err(super::unfinished())
    }

    /// Returns the next lines with their newlines, none at the end. What came before may only be kept when the
    /// end was reached: it proves the file, its count and its hash.
    ///
    /// # Errors
    /// The backup is damaged.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        Err(super::unfinished())
    }
}

/// Copies all rows of a backup's table into a table of a database, by its saved columns, in the open
/// transaction, and returns what came: the caller compares it with what the server counts there.
///
/// # Errors
/// As [`Lines::open`]; the server's word.
pub async fn copy_into(
    client: &Client,
    site: &Site,
    found: &Found,
    table: &Table,
    key: Option<&FileKey>,
    relation: &str,
) -> Result<Tally, Failure> {
    let _ = (client, site, found, table, key, relation);
    Err(super::unfinished())
}
