//! One snapshot that several connections see.

use jiff::Timestamp;
use tokio_postgres::{Client, Row};

use crate::engine::failure::{Failure, FailureKind};
use crate::pg::connect::{Canceller, Connected};
use crate::pg::failure;
use crate::pg::settings::ConnectSettings;
use crate::sql::ident::quote_literal;

/// What sessions of backups begin with: texts of values that mean the same on every server, names with their
/// schemas, no rows hidden, no time-out of statements, and nothing that can be changed.
pub(super) const SETTINGS: &str = "\
    SET standard_conforming_strings = on; \
    SET search_path = ''; \
    SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'postgres'; \
    SET TimeZone = 'UTC'; \
    SET extra_float_digits = 1; \
    SET bytea_output = 'hex'; \
    SET client_encoding = 'UTF8'; \
    SET row_security = off; \
    SET statement_timeout = 0; \
    SET lock_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = 0; \
    SET synchronize_seqscans = off; \
    SELECT set_config('client_connection_check_interval', '2s', false), set_config('idle_session_timeout', '0', false) \
    WHERE current_setting('server_version_num')::int >= 140000; \
    SELECT set_config('transaction_timeout', '0', false) \
    WHERE current_setting('server_version_num')::int >= 170000";

/// A snapshot, held by a connection of its own until it is dropped.
pub(super) struct Snapshot {
    connected: Connected,
    /// What other connections import it by, `pg_dump --snapshot` too.
    pub(super) id: String,
    /// When it was taken.
    pub(super) taken_at: Timestamp,
}

impl Snapshot {
    /// Takes a snapshot of tables, with their schemas and quoted. They are locked before it is taken: what
    /// is emptied or dropped later would be empty in it, and nobody can do that until it is dropped.
    ///
    /// # Errors
    /// No connection, or the server's word; a table is gone, or someone changes it.
    pub(super) async fn take_of(
        settings: &ConnectSettings,
        tables: &[String],
    ) -> Result<Self, Failure> {
        let lock = match tables {
            [] => String::new(),
            tables => format!("; LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", ")),
        };
        let (connected, rows) = open(settings, &lock, "SELECT pg_export_snapshot()").await?;
        let taken_at = Timestamp::now();
        let id = rows
            .first()
            .and_then(|row| row.try_get(0).ok())
            .ok_or_else(|| super::refused("the server gave no snapshot"))?;
        Ok(Self {
            connected,
            id,
            taken_at,
        })
    }

    /// Returns the connection that holds it: what it reads is of the snapshot.
    pub(super) fn client(&self) -> &Client {
        &self.connected.client
    }

    /// Returns the address that answered, as a connection says it.
    pub(super) fn place(&self) -> &str {
        &self.connected.place
    }

    /// Returns what cancels what that connection does.
    pub(super) fn canceller(&self) -> Canceller {
        self.connected.canceller.clone()
    }

    /// Fails where the connection that holds it and its locks is gone: someone may have emptied a table before it
    /// was copied then.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn held(&self) -> Result<(), Failure> {
        let held = self.client().query_typed("SELECT 1", &[]).await;
        held.map(drop).map_err(|error| {
            super::refused("the connection that held the snapshot was lost before all was copied")
                .note(failure::of(&error, "", 0).message)
                .help("run it again")
        })
    }

    /// Opens one more connection that sees the same, in a transaction that can only read.
    ///
    /// # Errors
    /// No connection, or the server's word.
    pub(super) async fn join(settings: &ConnectSettings, id: &str) -> Result<Connected, Failure> {
        let import = format!("SET TRANSACTION SNAPSHOT {}", quote_literal(id));
        Ok(open(settings, "", &import).await?.0)
    }
}

/// Connects, and begins a transaction that only reads with one statement.
async fn open(
    settings: &ConnectSettings,
    lock: &str,
    first: &str,
) -> Result<(Connected, Vec<Row>), Failure> {
    let settings = settings.clone().with_application_name("runbook/backup");
    let connected = Box::pin(settings.connect())
        .await
        .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{lock}");
    // The settings read something: in one message with BEGIN they would be a part of the transaction.
    let (set, begun, rows) = tokio::join!(biased;
        connected.client.batch_execute(SETTINGS),
        connected.client.batch_execute(&begin),
        connected.client.query_typed(first, &[])
    );
    set.map_err(|error| failure::of(&error, "", 0))?;
    begun.map_err(|error| failure::of(&error, "", 0))?;
    let rows = rows.map_err(|error| failure::of(&error, "", 0))?;
    Ok((connected, rows))
}
