//! A run's one connection: set up so that nothing depends on the login's own settings, with transactions
//! inside of one another by savepoints.

mod alone;
pub mod approval;
mod capture;
pub mod capture_row;
mod change;
mod clock;
mod counter;
mod durable;
pub mod fingerprint;
mod guard;
mod hidden;
pub mod identity;
mod image;
pub mod image_file;
pub mod journal;
mod lease;
mod locks;
pub mod member;
mod part;
mod reach;
mod read;
mod restore;
mod sensitive;
mod settle;
pub(in crate::pg) mod snapshot;
mod spool;
mod stream;
mod sweep;
mod table;
mod transaction;
mod undoable;
pub mod units;
mod watch;
mod watchdog;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Statement};

use super::connect::Canceller;
use super::connect_error::ConnectError;
use super::settings::ConnectSettings;
use crate::engine::event::{Blocker, TargetFacts};
use crate::engine::failure::{Failure, FailureKind};
use crate::runbook::data::Column;
use crate::runbook::sensitive::Sensitive;
use counter::Watch;
use hidden::Hidden;
use identity::{FACTS, Facts};
use journal::entry::Entered;
use journal::schema::Standing;
use table::TableFacts;

/// What every session begins with. Texts of dates and numbers mean the same on every server; a fix does
/// not wait for locks for ever; a client that was killed does not leave its statement running; what is committed
/// is on disk.
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
    SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT set_config('client_connection_check_interval', '2s', false) \
    WHERE current_setting('server_version_num')::int >= 140000";

/// A session with what it knows of its server.
pub struct Session {
    settings: ConnectSettings,
    client: Client,
    canceller: Canceller,
    notices: UnboundedReceiver<DbError>,
    pid: i32,
    target: TargetFacts,
    /// Whether the server only follows another one.
    replica: bool,
    /// What the schema `runbook` is.
    journal: Standing,
    /// How many transactions are open inside of one another.
    depth: usize,
    /// Whether deferred constraints were looked at since the last change.
    settled: bool,
    /// Whether a rollback failed: nothing may follow on this connection.
    broken: bool,
    /// What becomes of rows that row-level security hides.
    hidden: Hidden,
    /// Keys that the transaction's INSERTs were given.
    generated: HashSet<(String, String)>,
    /// What the statements since constraints were last looked at may change.
    reaches: Vec<reach::Reach>,
    /// Row images that go to a file at COMMIT.
    spooled: Mutex<Option<spool::Spool>>,
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
    /// What the server said of these entries.
    entered: Mutex<Entered>,
    /// How many rows the open transaction changed.
    changed: u64,
    /// What `entries` and `changed` were when each of the open transactions began.
    marks: Vec<(usize, u64)>,
    /// Advisory locks that the session holds.
    locks: Vec<String>,
    /// What of the run's locks outlives the session.
    leases: lease::Leases,
    /// What there is to say beside results, besides what the server said.
    said: Vec<String>,
    /// The transaction's id, once it has changed something.
    xid: Option<String>,
    /// The columns whose values nobody is to see.
    sensitive: Vec<Sensitive>,
    columns: HashMap<String, Vec<Column>>,
    /// What was prepared to learn columns: closing it would take a message of its own, so it ends with the session.
    described: Vec<Statement>,
    tables: HashMap<String, Option<Arc<TableFacts>>>,
    blockers: Arc<Mutex<Vec<Blocker>>>,
    /// What watches whom the open transaction keeps waiting.
    watchdog: watchdog::Watchdog,
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
        let set_up = format!("{SETTINGS}{}", settings.profile().settings());
        let wrong =
            |error: tokio_postgres::Error| ConnectError::from_driver(&connected.place, &error);
        let (set, facts) = tokio::join!(biased;
            client.batch_execute(&set_up),
            client.query_typed(FACTS, &[])
        );
        set.map_err(wrong)?;
        let facts = facts.map_err(wrong)?;
        let profile = settings.profile();
        let name = name.or(profile.name.as_deref());
        let name = name.unwrap_or_else(|| server(&connected.place)).to_owned();
        let facts = Facts::read(facts.first(), name, profile);
        Ok(Self {
            settings: settings.clone(),
            canceller: connected.canceller,
            notices: connected.notices,
            client,
            pid: facts.pid,
            target: facts.target,
            replica: facts.replica,
            journal: facts.journal,
            depth: 0,
            settled: false,
            broken: false,
            hidden: Hidden::default(),
            generated: HashSet::new(),
            reaches: Vec::new(),
            spooled: Mutex::default(),
            committing: Arc::default(),
            watch: None,
            pending: String::new(),
            local: Vec::new(),
            writer: None,
            head: None,
            entries: Vec::new(),
            entered: Mutex::default(),
            changed: 0,
            marks: Vec::new(),
            locks: Vec::new(),
            leases: lease::Leases::default(),
            said: Vec::new(),
            xid: None,
            sensitive: profile.sensitive.clone(),
            columns: HashMap::new(),
            described: Vec::new(),
            tables: HashMap::new(),
            blockers: Arc::default(),
            watchdog: watchdog::Watchdog::default(),
        })
    }

    /// Returns what is known of the database.
    pub fn target(&self) -> &TargetFacts {
        &self.target
    }

    /// Returns the id of its process on the server.
    pub fn pid(&self) -> i32 {
        self.pid
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
        // What a table's name means may depend on them.
        self.forget();
        self.local = settings;
    }

    /// Has something said beside results, as what the server says.
    pub(in crate::pg) fn say(&mut self, text: impl Into<String>) {
        self.said.push(text.into());
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
    /// The server is not there, it is another one, or someone else has the run's lock meanwhile.
    pub async fn reconnect(&mut self) -> Result<(), Failure> {
        let locks = std::mem::take(&mut self.locks);
        if let Err(failure) = self.connect_again().await {
            self.locks = locks;
            return Err(failure);
        }
        self.lock_again(locks).await
    }

    /// Connects again, without the run's locks.
    async fn connect_again(&mut self) -> Result<(), Failure> {
        let fresh = Self::connect(&self.settings, Some(&self.target.name))
            .await
            .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
        if let Some(failure) = identity::other_target(&self.target, &fresh.target, false) {
            return Err(failure.note("the connection was lost and opened again"));
        }
        if fresh.replica && !self.replica {
            return fresh.refuse_replica();
        }
        *self = Self {
            local: std::mem::take(&mut self.local),
            writer: self.writer.take(),
            head: self.head.take(),
            leases: std::mem::take(&mut self.leases),
            said: std::mem::take(&mut self.said),
            hidden: self.hidden,
            sensitive: std::mem::take(&mut self.sensitive),
            committing: Arc::clone(&self.committing),
            watchdog: self.watchdog.hand_over(),
            ..fresh
        };
        Ok(())
    }

    /// Takes the locks again that the session had before it was connected again.
    async fn lock_again(&mut self, locks: Vec<String>) -> Result<(), Failure> {
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
        let mut messages = std::mem::take(&mut self.said);
        messages.extend(self.take_said_by_watch());
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
