//! A connection to another database of the same server: from it databases are renamed and dropped.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::refused;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::connect::Connected;
use crate::pg::failure;
use crate::pg::settings::ConnectSettings;

/// What such a connection begins with: what it does is on disk when it is done, waits for nobody for long, and may
/// make a database beside one that was closed for writing so that it can be restored. A connection that holds a
/// database is not ended for doing nothing.
const SETTINGS: &str = "\
    SET search_path = pg_catalog; \
    SET standard_conforming_strings = on; \
    SET statement_timeout = 0; \
    SET lock_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = 0; \
    SET default_transaction_read_only = off; \
    SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT set_config('client_connection_check_interval', '2s', false), set_config('idle_session_timeout', '0', false) \
    WHERE current_setting('server_version_num')::int >= 140000";

/// Other databases that the login may connect to; template1 last, since a connection to it keeps others from
/// making databases.
const OTHERS: &str = "\
    SELECT datname::text FROM pg_catalog.pg_database \
    WHERE datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') AND datname <> 'postgres' \
    ORDER BY datname = 'template1', datname";

/// Connects to a database of the server that is none of these.
///
/// # Errors
/// The login may connect to no other one.
pub(super) async fn connect(
    settings: &ConnectSettings,
    but: &[&str],
) -> Result<Connected, Failure> {
    let wanted = |name: &str| !but.contains(&name);
    let mut last = None;
    if wanted("postgres") {
        match open(settings, "postgres").await {
            Ok(connected) => return Ok(connected),
            Err(failure) => last = Some(failure),
        }
    }
    for name in others(settings).await?.iter().filter(|name| wanted(name)) {
        match open(settings, name).await {
            Ok(connected) => return Ok(connected),
            Err(failure) => last = Some(failure),
        }
    }
    let failure = refused("the login may connect to no other database of the server")
        .note("a database can only be renamed or dropped while connected to another one")
        .help("let it connect to the database postgres");
    Err(match last {
        Some(last) => failure.note(last.message),
        None => failure,
    })
}

/// Runs statements.
///
/// # Errors
/// The server's word.
pub(super) async fn run(client: &Client, statements: &str) -> Result<(), Failure> {
    client
        .batch_execute(statements)
        .await
        .map_err(|error| failure::of(&error, "", 0))
}

/// Reads rows.
///
/// # Errors
/// The server's word.
pub(super) async fn rows(client: &Client, query: &str, of: &[&str]) -> Result<Vec<Row>, Failure> {
    let params: Vec<_> = of
        .iter()
        .map(|value| {
            (
                value as &(dyn tokio_postgres::types::ToSql + Sync),
                Type::TEXT,
            )
        })
        .collect();
    client
        .query_typed(query, &params)
        .await
        .map_err(|error| failure::of(&error, "", 0))
}

/// Reads a column that must be there.
///
/// # Errors
/// It is not of that type.
pub(super) fn field<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, Failure> {
    row.try_get(index)
        .map_err(|error| failure::of(&error, "", 0))
}

async fn open(settings: &ConnectSettings, database: &str) -> Result<Connected, Failure> {
    let settings = settings
        .clone()
        .with_database(database)
        .with_application_name("runbook/backup");
    // Connecting is much to remember, and many wait for it.
    let connected = Box::pin(settings.connect())
        .await
        .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
    run(&connected.client, SETTINGS).await?;
    Ok(connected)
}

/// Connects to the database of the settings themselves.
///
/// # Errors
/// No connection.
pub(super) async fn here(settings: &ConnectSettings) -> Result<Connected, Failure> {
    open(settings, settings.database()).await
}

/// Lists the other databases, from the settings' own or else from template1.
async fn others(settings: &ConnectSettings) -> Result<Vec<String>, Failure> {
    let connected = match here(settings).await {
        Ok(connected) => connected,
        Err(failure) => match open(settings, "template1").await {
            Ok(connected) => connected,
            Err(_) => return Err(failure),
        },
    };
    let found = rows(&connected.client, OTHERS, &[]).await?;
    found.iter().map(|row| field(row, 0)).collect()
}
