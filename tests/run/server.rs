//! One server for all tests, and a database of its own for each.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use runbook::pg::connect::Connected;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Place, Scratch, ScratchOptions};
use tokio::runtime::{Builder, Runtime};

const SCHEMA: &str = include_str!("../../runbooks/crm/sample/schema.sql");
const DATA: &str = include_str!("../../runbooks/crm/sample/data.sql");

/// The database that the others are copied from: the sample CRM.
pub(crate) const CRM: &str = "crm";

/// Nobody drops it: when this process ends, the server's watchdog stops it and removes its folder.
static SERVER: LazyLock<Scratch> = LazyLock::new(|| {
    let runtime = runtime();
    let options = ScratchOptions {
        settings: [("max_connections", "100"), ("deadlock_timeout", "100ms")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        place: Place::Memory,
        ..ScratchOptions::default()
    };
    let server = runtime.block_on(async {
        let server = scratch::start(&Environment::from_process(), options)
            .await
            .unwrap();
        server.create_database(CRM, None).await.unwrap();
        let crm = server.settings(CRM).connect().await.unwrap();
        let fill = format!("{SCHEMA}; SET sample.companies = 100; {DATA}; ANALYZE");
        crm.client.batch_execute(&fill).await.unwrap();
        server
    });
    // What speaks to the server is driven by this runtime, and gone with it: the template is unused.
    drop(runtime);
    server
});

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A database of a test, gone with it.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// Makes a copy of a template, or an empty one.
    pub(crate) fn new(template: Option<&str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        runtime()
            .block_on(SERVER.create_database(&name, template))
            .unwrap();
        Self { name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> String {
        SERVER.url(&self.name)
    }

    /// Returns its URL for another login.
    pub(crate) fn url_as(&self, login: &str) -> String {
        SERVER.url_for(login, &self.name)
    }

    /// Returns the server's folder, where its socket is.
    pub(crate) fn folder() -> String {
        SERVER.path().display().to_string()
    }

    /// Connects to it, beside the program.
    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        Connection::to("postgres").run(&drop);
    }
}

/// A session of a test, which waits for every answer.
pub(crate) struct Connection {
    runtime: Runtime,
    connected: Connected,
}

impl Connection {
    pub(crate) fn to(database: &str) -> Self {
        let runtime = runtime();
        let connected = runtime
            .block_on(SERVER.settings(database).connect())
            .unwrap();
        Self { runtime, connected }
    }

    /// Connects as a login of its own.
    pub(crate) fn of(login: &str, database: &str) -> Self {
        let runtime = runtime();
        let settings = SERVER.settings(database).with_user(login);
        let connected = runtime.block_on(settings.connect()).unwrap();
        Self { runtime, connected }
    }

    /// Runs a statement, and returns what the server says against it.
    pub(crate) fn tried(&self, sql: &str) -> Option<String> {
        let done = self
            .runtime
            .block_on(self.connected.client.batch_execute(sql));
        let error = done.err()?;
        let said = error
            .as_db_error()
            .map(|server| server.message().to_owned());
        Some(said.unwrap_or_else(|| error.to_string()))
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) {
        let done = self
            .runtime
            .block_on(self.connected.client.batch_execute(sql));
        assert!(done.is_ok(), "{sql}: {done:?}");
    }

    /// Runs a statement that the server refuses.
    #[track_caller]
    pub(crate) fn refused(&self, sql: &str) {
        let done = self
            .runtime
            .block_on(self.connected.client.batch_execute(sql));
        assert!(done.is_err(), "{sql}: {done:?}");
    }

    /// Reads rows as the server prints them: a line a row, values apart by ` | `.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> String {
        let messages = self
            .runtime
            .block_on(self.connected.client.simple_query(sql));
        let mut lines = Vec::new();
        for message in messages.unwrap_or_else(|error| panic!("{sql}: {error:?}")) {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let fields = (0..row.len()).map(|index| row.get(index).unwrap_or("null"));
                lines.push(fields.collect::<Vec<_>>().join(" | "));
            }
        }
        lines.join("\n")
    }
}
