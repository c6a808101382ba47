//! Restoring a backup into a database: a new one, or tables beside or in place of those that are there.

mod beside;
mod crew;
mod database;
mod replace;
mod sequence;
mod tasks;
pub(in crate::pg) mod wanted;

use tokio_postgres::Client;

use super::snapshot::SETTINGS;
use super::{Site, Told, refused};
use crate::archive::manifest::Table;
use crate::archive::row::Tally;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::base::words;
use crate::engine::backup::BackedTable;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::connect::Connected;
use crate::pg::failure;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::sql::ident::quote_ident;

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
    Box::pin(database::make(to, site, found, key, limits, told)).await?;
    Ok(found.manifest.tables.iter().map(backed).collect())
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
    Box::pin(beside::make(
        session,
        site,
        found,
        key,
        (table, name),
        limits,
    ))
    .await
}

/// Replaces all rows of tables by those of a backup, in one transaction: all of it or nothing, compared before
/// it is committed.
///
/// # Errors
/// Somebody changed a table since it was saved; a table is gone or has other columns; others reference it that are not replaced; as [`empty_database`].
pub async fn replace_tables(
    session: &mut Session,
    site: &Site,
    by: &Replacing<'_>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Vec<BackedTable>, Failure> {
    Box::pin(replace::all(session, site, by, limits, told)).await
}

/// What replaces the rows of tables.
pub struct Replacing<'a> {
    /// The backup.
    pub found: &'a Found,
    /// The key of its files, where it is encrypted.
    pub key: Option<&'a FileKey>,
    /// Which of its tables; all of them where none is named.
    pub tables: &'a [String],
    /// The tables as they were saved a moment ago, so that nothing is lost.
    pub saved: &'a [Table],
}

/// Refuses what [`replace_tables`] would refuse once it has begun: changes nothing, and locks nothing.
///
/// # Errors
/// A table is gone or has other columns; others reference it that are not replaced; the server's word.
pub async fn refuse_replacing(
    session: &Session,
    found: &Found,
    tables: &[String],
) -> Result<(), Failure> {
    Box::pin(replace::refuse(session, found, tables)).await
}

/// Texts of values that mean the same as when they were saved, names with their schemas, no rows hidden, and no
/// time-out of statements but the step's own: for one transaction of a session.
pub(in crate::pg) const TEXTS: &str = "\
    SET LOCAL standard_conforming_strings = on; \
    SET LOCAL search_path = ''; \
    SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL xmloption = 'content'; \
    SET LOCAL row_security = off; \
    SET LOCAL jit = off; \
    SET LOCAL statement_timeout = 0; \
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// Connects for work on a backup.
async fn connect(to: &ConnectSettings) -> Result<Connected, Failure> {
    let settings = to.clone().with_application_name("runbook/restore");
    let connected = Box::pin(settings.connect())
        .await
        .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
    run(&connected.client, SETTINGS).await?;
    Ok(connected)
}

/// Runs statements of our own.
async fn run(client: &Client, text: &str) -> Result<(), Failure> {
    client
        .batch_execute(text)
        .await
        .map_err(|error| failure::of(&error, text, 0))
}

fn backed(table: &Table) -> BackedTable {
    BackedTable {
        table: table.relation.clone(),
        rows: table.tally.rows,
    }
}

/// Has the server count and hash the rows that came, and compares them with those that were saved.
async fn compare(
    client: &Client,
    table: &Table,
    relation: &str,
    partitioned: bool,
) -> Result<(), Failure> {
    let now = tally(client, table, relation, partitioned).await?;
    if now == table.tally {
        return Ok(());
    }
    let rows = words::count(now.rows, "row");
    let how = if now.rows == table.tally.rows {
        format!("{rows} came, but some have other values")
    } else {
        format!("{rows} came, and {} were saved", table.tally.rows)
    };
    Err(
        refused(format!("what came to {relation} is not what was saved"))
            .note(how)
            .note("a trigger, a rule or a setting of the server may have changed them")
            .note("nothing of it was kept"),
    )
}

/// Has the server count and hash the rows of a table, by the columns that were saved.
async fn tally(
    client: &Client,
    table: &Table,
    relation: &str,
    partitioned: bool,
) -> Result<Tally, Failure> {
    let only = if partitioned { "" } else { "ONLY " };
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("t.{}", quote_ident(column)))
        .collect();
    let of = Tally::sql(&columns);
    let text = format!("SELECT {of} FROM {only}{relation} AS t");
    let rows = client
        .query_typed(&text, &[])
        .await
        .map_err(|error| failure::of(&error, &text, text.len()))?;
    rows.first()
        .and_then(|row| Tally::read(row.try_get(0).ok()?, row.try_get(1).ok()?))
        .ok_or_else(|| refused(format!("the server did not count the rows of {relation}")))
}
