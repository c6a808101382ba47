//! A run's one connection: set up so that nothing depends on the login's own settings, with transactions
//! inside of one another by savepoints.

mod change;
mod counter;
mod image;
pub mod journal;
mod read;
mod table;
mod transaction;
pub mod units;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Statement};

use super::connect::Canceller;
use super::connect_error::ConnectError;
use super::failure;
use super::settings::ConnectSettings;
use crate::engine::event::{Blocker, TargetFacts};
use crate::engine::failure::{Failure, FailureKind};
use crate::runbook::data::Column;
use crate::sql::ident::quote_literal;
use counter::Watch;
use table::TableFacts;

/// What every session begins with. Texts of dates and numbers mean the same on every server; a fix does
/// not wait for locks for ever; a client that was killed does not leave its statement running.
const SETTINGS: &str = "\
    SET standard_conforming_strings = on; \
    SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'postgres'; \
    SET TimeZone = 'UTC'; \
    SET extra_float_digits = 1; \
    SET bytea_output = 'hex'; \
    SET statement_timeout = '10min'; \
    SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '10min'; \
    SELECT set_config('client_connection_check_interval', '2s', false) \
    WHERE current_setting('server_version_num')::int >= 140000";

const FACTS: &str = "\
    SELECT current_database()::text, current_user::text, current_setting('server_version'), \
           pg_backend_pid()::text, pg_is_in_recovery()::text, \
           CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') \
                THEN (SELECT system_identifier::text FROM pg_control_system()) END";

/// A session with what it knows of its server.
pub struct Session {
    settings: ConnectSettings,
    client: Client,
    canceller: Canceller,
    notices: UnboundedReceiver<DbError>,
    pid: i32,
    target: TargetFacts,
    /// How many transactions are open inside of one another.
    depth: usize,
    /// Whether deferred constraints were looked at since the last change.
    settled: bool,
    /// Whether a rollback failed: nothing may follow on this connection.
    broken: bool,
    /// Keys that the transaction's INSERTs were given.
    generated: Vec<(String, String)>,
    /// What reads the server's counters.
    watch: Option<Watch>,
    /// The id of a transaction whose COMMIT is under way, for who ends the program meanwhile.
    committing: Arc<Mutex<Option<String>>>,
    /// What begins the innermost transaction, until the first statement takes it along.
    pending: String,
    /// Settings that every transaction begins with.
    local: Vec<(String, String)>,
    /// Who writes the journal, and where.
    writer: Option<journal::Writer>,
    /// The head of the run's log.
    head: Option<String>,
    /// What the open transaction is recorded as.
    entries: Vec<crate::engine::journal::Entry>,
    /// Advisory locks that the session holds.
    locks: Vec<String>,
    /// The transaction's id, once it has changed something.
    xid: Option<String>,
    columns: HashMap<String, Vec<Column>>,
    /// What was prepared to learn columns: closing it would take a message of its own, so it ends with the session.
    described: Vec<Statement>,
    tables: HashMap<String, Option<Arc<TableFacts>>>,
    blockers: Arc<Mutex<Vec<Blocker>>>,
}

/// Returns the address of a place without the database, which is told apart.
fn server(place: &str) -> &str {
    place.rsplit_once('/').map_or(place, |(server, _)| server)
}

impl Session {
    /// Connects and sets the session up. `name` is what the output calls the target; without it the
    /// address does.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn connect(
        settings: &ConnectSettings,
        name: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let connected = settings.connect().await?;
        let client = connected.client;
        let wrong =
            |error: tokio_postgres::Error| ConnectError::from_driver(&connected.place, &error);
        let (set, facts) = tokio::join!(biased;
            client.batch_execute(SETTINGS),
            client.query_typed(FACTS, &[])
        );
        set.map_err(wrong)?;
        let facts = facts.map_err(wrong)?;
        let fact = |index: usize| {
            facts
                .first()
                .and_then(|row| row.get::<_, Option<String>>(index))
        };
        let target = TargetFacts {
            name: name.unwrap_or_else(|| server(&connected.place)).to_owned(),
            database: fact(0).unwrap_or_default(),
            user: fact(1).unwrap_or_default(),
            server_version: fact(2)
                .unwrap_or_default()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            system_identifier: fact(5),
            timeline: None,
            database_oid: None,
        };
        let pid = fact(3).and_then(|pid| pid.parse().ok()).unwrap_or_default();
        Ok(Self {
            settings: settings.clone(),
            canceller: connected.canceller,
            notices: connected.notices,
            client,
            pid,
            target,
            depth: 0,
            settled: false,
            broken: false,
            generated: Vec::new(),
            committing: Arc::default(),
            watch: None,
            pending: String::new(),
            local: Vec::new(),
            writer: None,
            head: None,
            entries: Vec::new(),
            locks: Vec::new(),
            xid: None,
            columns: HashMap::new(),
            described: Vec::new(),
            tables: HashMap::new(),
            blockers: Arc::default(),
        })
    }

    /// Returns what is known of the database.
    pub fn target(&self) -> &TargetFacts {
        &self.target
    }

    /// Returns where and how the session is connected.
    pub fn settings(&self) -> &ConnectSettings {
        &self.settings
    }

    /// Returns the driver's session, for statements of our own outside of runs.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sets the settings that every later transaction begins with.
    pub fn set_local(&mut self, settings: Vec<(String, String)>) {
        self.local = settings;
    }

    /// Takes an advisory lock until the session ends.
    ///
    /// # Errors
    /// Who has it.
    pub async fn lock(&mut self, key: &str) -> Result<(), Failure> {
        let text = format!(
            "SELECT pg_try_advisory_lock(h)::text, \
             (SELECT string_agg(format('%s (session %s of %s since %s)', coalesce(nullif(a.application_name, ''), 'unnamed'), \
                                       a.pid, a.usename, date_trunc('second', a.backend_start)), ', ') \
              FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
              WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = d.oid \
                AND l.classid::bigint = (h >> 32) & 4294967295 AND l.objid::bigint = h & 4294967295 \
                AND l.pid <> pg_backend_pid()) \
             FROM hashtextextended({}, 0) AS h, pg_database d WHERE d.datname = current_database()",
            quote_literal(&format!("runbook/{key}"))
        );
        let rows = self
            .client
            .query_typed(&text, &[])
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        let field = |index: usize| {
            rows.first()
                .and_then(|row| row.get::<_, Option<String>>(index))
        };
        if field(0).as_deref() == Some("true") {
            self.locks.push(key.to_owned());
            return Ok(());
        }
        let holder = field(1).unwrap_or_else(|| "another session".to_owned());
        Err(Failure::new(
            FailureKind::LockTimeout,
            format!("another run holds the lock `{key}`"),
        )
        .note(format!("it is held by {holder}"))
        .help("wait until that run is done"))
    }

    /// Returns where the id of a transaction stands while its COMMIT is under way.
    pub fn committing(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.committing)
    }

    /// Forgets what is known of tables and statements: the schema is another now.
    fn forget(&mut self) {
        self.tables.clear();
        self.columns.clear();
        self.described.clear();
    }

    /// Connects again when the connection was lost while no transaction was open: while a person thought,
    /// for example.
    ///
    /// # Errors
    /// As [`Self::reconnect`].
    pub async fn revive(&mut self) -> Result<(), Failure> {
        if self.depth == 0 && (self.broken || self.client.is_closed()) {
            self.reconnect().await?;
        }
        Ok(())
    }

    /// Connects again after the connection was lost.
    ///
    /// # Errors
    /// The server is not there, or it is another one.
    pub async fn reconnect(&mut self) -> Result<(), Failure> {
        let fresh = Self::connect(&self.settings, Some(&self.target.name))
            .await
            .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
        if fresh.target.system_identifier != self.target.system_identifier
            || fresh.target.database != self.target.database
        {
            return Err(Failure::new(
                FailureKind::Connection,
                "the address leads to another server than before",
            ));
        }
        let locks = std::mem::take(&mut self.locks);
        *self = Self {
            local: std::mem::take(&mut self.local),
            writer: self.writer.take(),
            head: self.head.take(),
            committing: Arc::clone(&self.committing),
            ..fresh
        };
        for (index, key) in locks.iter().enumerate() {
            if let Err(failure) = self.lock(key).await {
                // The next try must want them again.
                self.locks.extend_from_slice(&locks[index..]);
                self.broken = true;
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Returns what the server said beside results since the last time.
    pub fn take_notices(&mut self) -> Vec<String> {
        let mut messages = Vec::new();
        while let Ok(notice) = self.notices.try_recv() {
            if !notice.severity().eq_ignore_ascii_case("FATAL") {
                messages.push(notice.message().to_owned());
            }
        }
        messages
    }

    /// Returns who held a lock that the last statement waited for.
    pub fn take_blockers(&mut self) -> Vec<Blocker> {
        self.blockers
            .lock()
            .map(|mut blockers| std::mem::take(&mut *blockers))
            .unwrap_or_default()
    }
}
