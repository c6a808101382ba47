//! Rows on trial: into temporary tables like those that they are of, in a transaction that is taken back.

use tokio_postgres::Client;

use super::super::catalog::{self, Saved};
use super::super::progress::Meter;
use super::super::{Site, Told, load, refused};
use crate::archive::manifest::Table;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::base::words;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::failure;
use crate::pg::session::Session;
use crate::pg::session::snapshot::TEXTS;

/// Restores a backup of rows on trial.
///
/// # Errors
/// The tables are gone or take the rows no more; the login may not make temporary tables; what came is not what
/// was saved.
pub(super) async fn restore(
    session: &Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let beginning = session.beginning("READ WRITE", &[], limits)?;
    let client = session.client();
    let meter = Meter::new("restoring on trial", None);
    let work = async {
        let tried = async {
            batch(client, &format!("{}; {TEXTS}", beginning.text)).await?;
            for (index, table) in found.manifest.tables.iter().enumerate() {
                meter.now(format!("restoring rows of {} on trial", table.relation));
                one(client, site, found, table, key, index + 1).await?;
            }
            Ok(())
        };
        let tried = Box::pin(tried).await;
        let ended = batch(client, "ROLLBACK").await;
        tried.and(ended)
    };
    meter.telling(told, session.guarded(limits, work)).await
}

/// Restores the rows of one table into a temporary one, and has the server count and hash these.
async fn one(
    client: &Client,
    site: &Site,
    found: &Found,
    table: &Table,
    key: Option<&FileKey>,
    number: usize,
) -> Result<(), Failure> {
    let name = format!("pg_temp.runbook_trial_{number}");
    let make = format!(
        "CREATE TEMPORARY TABLE runbook_trial_{number} \
         (LIKE {} INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES) ON COMMIT DROP",
        table.relation
    );
    let of = |failure: Failure| {
        failure.note(format!(
            "while rows of {} were restored on trial",
            table.relation
        ))
    };
    batch(client, &make).await.map_err(of)?;
    load::copy_into(client, site, found, table, key, &name)
        .await
        .map_err(of)?;
    let there = Saved {
        oid: 0,
        relation: name,
        columns: table.columns.clone(),
        fingerprint: String::new(),
        key: Vec::new(),
        partitioned: false,
        bytes: 0,
    };
    let tally = catalog::tally(client, &there).await.map_err(of)?;
    if tally == table.tally {
        return Ok(());
    }
    let why = if tally.rows == table.tally.rows {
        "the server reads them otherwise than they were".to_owned()
    } else {
        format!(
            "{} came back, and {} were saved",
            words::count(tally.rows, "row"),
            table.tally.rows
        )
    };
    let failure = refused(format!(
        "rows of {} do not come back as they were: {why}",
        table.relation
    ));
    Err(failure.note(format!("the backup in {}", found.folder.display())))
}

async fn batch(client: &Client, text: &str) -> Result<(), Failure> {
    client
        .batch_execute(text)
        .await
        .map_err(|error| failure::of(&error, "", 0))
}
