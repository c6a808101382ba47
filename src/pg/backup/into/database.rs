//! A backup of tables becomes a database: types, tables, rows, keys, foreign keys, statistics.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::super::{Site, Told, dump, limit, refused};
use super::crew::Crew;
use super::tasks::Tasks;
use super::{connect, run};
use crate::archive::manifest::{Holds, Manifest, Table};
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::failure;
use crate::pg::settings::ConnectSettings;

/// Makes everything in an empty database, and compares it.
pub(super) async fn make(
    to: &ConnectSettings,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let manifest = &found.manifest;
    let is_dump = matches!(manifest.holds, Holds::Database(_));
    let partitioned = if is_dump {
        Box::pin(dump::restore(to, site, found, key, limits, told)).await?;
        let connected = limit::within(limits, None, connect(to)).await?;
        limit::within(
            limits,
            Some(&connected.canceller),
            partitioned(&connected.client, manifest),
        )
        .await?
    } else {
        refuse_undefined(manifest)?;
        let connected = limit::within(limits, None, connect(to)).await?;
        let work = async {
            define(&connected.client, manifest).await?;
            partitioned(&connected.client, manifest).await
        };
        limit::within(limits, Some(&connected.canceller), work).await?
    };
    let crew = Crew {
        to: to.clone(),
        site: site.clone(),
        found: found.clone(),
        key: key.cloned(),
        limits: limits.clone(),
        partitioned,
    };
    crew.work(Tasks::new(&manifest.tables, is_dump), told).await
}

/// A backup that does not say what its tables are cannot make them anew.
fn refuse_undefined(manifest: &Manifest) -> Result<(), Failure> {
    let of = |table: &&Table| table.definition.before.is_empty();
    match manifest.tables.iter().find(of) {
        None => Ok(()),
        Some(table) => Err(refused(format!(
            "the backup {} holds rows of {} alone, and not what the table is",
            manifest.id, table.relation
        ))
        .help("put the rows back where they came from: restore it without a new database")),
    }
}

/// Makes types and tables, in one transaction.
async fn define(client: &Client, manifest: &Manifest) -> Result<(), Failure> {
    run(
        client,
        "BEGIN; SET LOCAL check_function_bodies = off; SET LOCAL client_min_messages = warning",
    )
    .await?;
    for statement in &manifest.types {
        run(client, statement).await?;
    }
    let mut left: Vec<&Table> = manifest.tables.iter().collect();
    // What inherits from another table waits until that is there.
    while !left.is_empty() {
        let before = left.len();
        let (mut later, mut missing) = (Vec::new(), None);
        for table in left {
            match of_table(client, table).await? {
                None => {}
                Some(failure) => {
                    later.push(table);
                    missing.get_or_insert(failure);
                }
            }
        }
        if let Some(failure) = missing.filter(|_| later.len() == before) {
            return Err(failure);
        }
        left = later;
    }
    run(client, "COMMIT").await
}

/// Makes a table; returns why it cannot be made before another one.
async fn of_table(client: &Client, table: &Table) -> Result<Option<Failure>, Failure> {
    run(client, "SAVEPOINT runbook_table").await?;
    for statement in &table.definition.before {
        let Err(error) = client.batch_execute(statement).await else {
            continue;
        };
        let is_missing = error.code() == Some(&SqlState::UNDEFINED_TABLE);
        let failure = failure::of(&error, statement, 0)
            .note(format!("while the table {} was made", table.relation));
        if !is_missing {
            return Err(failure);
        }
        run(client, "ROLLBACK TO SAVEPOINT runbook_table").await?;
        return Ok(Some(failure));
    }
    run(client, "RELEASE SAVEPOINT runbook_table").await?;
    Ok(None)
}

/// Finds out which of the tables are partitioned.
async fn partitioned(client: &Client, manifest: &Manifest) -> Result<Vec<bool>, Failure> {
    let names: Vec<&str> = manifest
        .tables
        .iter()
        .map(|table| table.relation.as_str())
        .collect();
    let text = "\
        SELECT u.name, c.relkind = 'p' FROM unnest($1::text[]) WITH ORDINALITY AS u(name, place) \
        LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(u.name) ORDER BY u.place";
    let rows = client
        .query_typed(text, &[(&names, Type::TEXT_ARRAY)])
        .await
        .map_err(|error| failure::of(&error, text, text.len()))?;
    let kind = |row: &tokio_postgres::Row| {
        row.get::<_, Option<bool>>(1).ok_or_else(|| {
            let name: String = row.get(0);
            refused(format!("the table {name} did not come"))
        })
    };
    rows.iter().map(kind).collect()
}
