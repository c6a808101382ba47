//! A backup of tables or of a database, tried in a database that is dropped afterwards.

use crate::archive::manifest::Holds;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::fresh::Fresh;
use crate::pg::backup::{Site, Told, into, refused};
use crate::pg::session::Session;
use crate::step::backup::DatabaseBackup;

/// Restores it and compares counts and hashes.
pub(super) async fn restore(
    session: &Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    if found.manifest.holds == Holds::Database(DatabaseBackup::Data) {
        return Err(refused(
            "a backup of the data alone cannot be restored on trial: there would be no tables for it",
        )
        .note("reading all of it back and comparing it is how such a backup is verified")
        .help("verify it without restoring it; or save the structure too, with `database: full`"));
    }
    let (fresh, ()) = Fresh::filled(session.settings(), async |to| {
        let filling = into::empty_database(to, site, found, key, limits, told);
        Box::pin(filling).await.map(drop)
    })
    .await?;
    fresh.discard().await
}
