//! What a table is: found by its name, with everything that must be known to save all of it.

use tokio_postgres::Client;

use crate::archive::row::Tally;
use crate::engine::failure::Failure;

/// A table that is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its OID.
    pub oid: u32,
    /// Its name with its schema, quoted.
    pub relation: String,
    /// Its columns, all but generated ones, unquoted.
    pub columns: Vec<String>,
    /// Its columns in words, as `session::fingerprint` gives them.
    pub fingerprint: String,
    /// The columns of a unique key without NULL: the primary key, else the shortest one.
    pub key: Vec<String>,
    /// Whether it is partitioned: its rows are those of its partitions.
    pub partitioned: bool,
    /// About how many bytes it has on the server, partitions and TOAST included.
    pub bytes: u64,
}

impl Saved {
    /// Returns SQL for the text of a row, all saved columns in order; `of` is what the FROM calls the table.
    pub fn record(&self, of: &str) -> String {
        let _ = of;
        String::new()
    }

    /// Returns the table as a FROM names it: without those that inherit from it.
    pub fn from(&self) -> String {
        String::new()
    }
}

/// Finds tables by their names as an author writes them. A table that others inherit from brings these
/// along as tables of their own. Views, foreign tables and whatever else has no rows of its own are refused,
/// and so are tables of which the login may not read everything: by its rights, or by row-level security.
///
/// # Errors
/// All names of which there is no such table, with the nearest; why one cannot be saved.
pub async fn tables(client: &Client, names: &[String]) -> Result<Vec<Saved>, Failure> {
    let _ = (client, names);
    Err(super::unfinished())
}

/// Finds all tables of the database that hold rows, of all schemas but the system's. The rows of partitions
/// are theirs, not their root's.
///
/// # Errors
/// As [`tables`].
pub async fn all(client: &Client) -> Result<Vec<Saved>, Failure> {
    let _ = client;
    Err(super::unfinished())
}

/// Has the server count and hash the saved columns of a table, in the open transaction.
///
/// # Errors
/// The server's word.
pub async fn tally(client: &Client, table: &Saved) -> Result<Tally, Failure> {
    let _ = (client, table);
    Err(super::unfinished())
}
