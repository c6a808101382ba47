//! One snapshot that several connections see.

use tokio_postgres::Client;

use crate::engine::failure::Failure;
use crate::pg::connect::Connected;
use crate::pg::settings::ConnectSettings;

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
    SELECT set_config('client_connection_check_interval', '2s', false) \
    WHERE current_setting('server_version_num')::int >= 140000";

/// A snapshot, held by a connection of its own until it is dropped.
pub(super) struct Snapshot {
    connected: Connected,
    /// What other connections import it by, `pg_dump --snapshot` too.
    pub(super) id: String,
}

impl Snapshot {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// No connection, or the server's word.
    pub(super) async fn take(settings: &ConnectSettings) -> Result<Self, Failure> {
        let _ = settings;
        Err(super::unfinished())
    }

    /// Returns the connection that holds it: what it reads is of the snapshot.
    pub(super) fn client(&self) -> &Client {
        &self.connected.client
    }

    /// Opens one more connection that sees the same, in a transaction that can only read.
    ///
    /// # Errors
    /// No connection, or the server's word.
    pub(super) async fn join(settings: &ConnectSettings, id: &str) -> Result<Connected, Failure> {
        let _ = (settings, id);
        Err(super::unfinished())
    }
}
