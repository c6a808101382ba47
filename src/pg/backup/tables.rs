//! A backup of whole tables: what it needs to know, in which order.

use tokio_postgres::Client;

use super::catalog::{self, Saved};
use super::copy::{self, entry};
use super::snapshot::Snapshot;
use super::{Content, Site, Told, definition, limit, rows, space};
use crate::archive::folder::Draft;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::failure;
use crate::pg::session::Session;

/// Which server and database it is, however it was reached: names in connection strings may lead to several.
const WHICH: &str = "\
    SELECT pg_postmaster_start_time()::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())";

/// Saves tables by the names that the run's session knows them by.
///
/// # Errors
/// As [`catalog::tables`]; one is changed or dropped meanwhile; no room; the server's word; a limit.
pub(super) async fn save(
    session: &Session,
    site: &Site,
    draft: &Draft,
    names: &[String],
    limits: &Limits,
    told: Told<'_>,
) -> Result<Content, Failure> {
    let found = rows::tables(session, names, limits).await?;
    let locked: Vec<String> = found.iter().map(|asked| asked.saved.from()).collect();
    let named: Vec<String> = found
        .into_iter()
        .map(|asked| asked.saved.relation)
        .collect();
    let taking = Snapshot::take_of(session.settings(), &locked);
    let snapshot = limit::within(limits, None, taking)
        .await
        .map_err(rows::gone)?;
    let client = snapshot.client();
    let looking = async {
        same_place(session.client(), client).await?;
        let tables = catalog::tables(client, &named).await.map_err(|failure| {
            failure.note("it was there a moment before: the schema is being changed")
        })?;
        let (types, definitions) = definition::of(client, &tables).await?;
        Ok((tables, types, definitions))
    };
    let canceller = snapshot.canceller();
    let (tables, types, definitions) = limit::within(limits, Some(&canceller), looking).await?;
    let bytes = tables.iter().map(|table| table.bytes).sum();
    space::check(draft.folder(), space::compressed(bytes))?;
    let order = copy::Order {
        settings: session.settings().clone(),
        snapshot: snapshot.id.clone(),
        tables: tables.clone(),
        folder: draft.folder().to_owned(),
        key: draft.key().cloned(),
        jobs: site.jobs,
        limits: limits.clone(),
    };
    let copied = copy::save(order, told).await?;
    // Without it someone may have emptied a table before it was copied.
    limit::within(limits, Some(&canceller), snapshot.held()).await?;
    Ok(content(tables, copied, types, definitions, &snapshot))
}

fn content(
    tables: Vec<Saved>,
    copied: Vec<copy::Copied>,
    types: Vec<String>,
    definitions: Vec<crate::archive::manifest::Definition>,
    snapshot: &Snapshot,
) -> Content {
    let (tables, files) = tables
        .into_iter()
        .zip(copied)
        .zip(definitions)
        .map(|((table, copied), definition)| entry(table, copied, None, definition))
        .unzip();
    Content {
        tables,
        types,
        files,
        tool: None,
        taken_at: snapshot.taken_at,
    }
}

/// Refuses a connection that leads elsewhere than the run's own.
async fn same_place(run: &Client, other: &Client) -> Result<(), Failure> {
    let ask = async |client: &Client| {
        let rows = client
            .query_typed(WHICH, &[])
            .await
            .map_err(|error| failure::of(&error, "", 0))?;
        let text = |index| {
            rows.first()
                .and_then(|row| row.try_get::<_, String>(index).ok())
        };
        Ok((text(0), text(1)))
    };
    let (run, other) = tokio::join!(ask(run), ask(other));
    if run? == other? {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Target,
        "a second connection leads to another server than that of the run",
    )
    .help("name one server in the connection string"))
}
