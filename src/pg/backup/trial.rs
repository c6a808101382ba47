//! A backup is restored on trial, where it harms nobody, and compared.

mod database;
mod rows;

use super::{Site, Told};
use crate::archive::manifest::Holds;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::session::Session;

/// Restores a backup on trial and compares counts and hashes: rows into temporary tables like those that they
/// are of, tables and databases into a database that is dropped afterwards.
///
/// # Errors
/// What is wrong with it, or why it could not be tried.
pub async fn restore(
    session: &mut Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    match found.manifest.holds {
        Holds::Rows => rows::restore(session, site, found, key, limits, told).await,
        Holds::Tables | Holds::Database(_) => {
            database::restore(session, site, found, key, limits, told).await
        }
    }
}
