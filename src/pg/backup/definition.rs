//! The statements that make a table anew in another database.

use tokio_postgres::Client;

use super::catalog::Saved;
use crate::archive::manifest::Definition;
use crate::engine::failure::Failure;

/// Returns what makes tables anew in another database, by the catalog as the connection's transaction sees it:
/// first the types that they need, then for each table, in order, its own statements. The search path must be
/// empty, so that everything is printed with its schema.
///
/// # Errors
/// A table needs what a backup of tables does not bring; the server's word.
pub(super) async fn of(
    client: &Client,
    tables: &[Saved],
) -> Result<(Vec<String>, Vec<Definition>), Failure> {
    let _ = (client, tables);
    Err(super::unfinished())
}
