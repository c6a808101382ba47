//! A private server that keeps what it commits through a crash.

use std::time::{Duration, Instant};

use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Scratch, ScratchOptions};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::SimpleQueryMessage;

/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server, and what speaks with it beside the program.
pub(crate) struct Server {
    runtime: Runtime,
    pub(crate) scratch: Scratch,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options = ScratchOptions {
            durable: true,
            ..ScratchOptions::default()
        };
        let scratch = runtime
            .block_on(scratch::start(&Environment::from_process(), options))
            .unwrap();
        Self { runtime, scratch }
    }

    /// Kills the server as kill -9 does.
    pub(crate) fn crash(&mut self) {
        self.scratch.crash().unwrap();
    }

    /// Starts it again, and returns once it has recovered, and others have written.
    ///
    /// Transactions that a crash lost leave their ids to the next ones: who asks only for the fate of an id may be
    /// told of another one's.
    pub(crate) fn restart(&mut self) {
        self.runtime.block_on(self.scratch.restart()).unwrap();
        self.rows("CREATE TABLE IF NOT EXISTS others (n int)");
        self.rows(
            "DO $$ BEGIN FOR n IN 1..30 LOOP INSERT INTO others VALUES (n); COMMIT; END LOOP; END $$",
        );
    }

    /// Runs statements, and returns rows as the server prints them: a line a row, values apart by ` | `. A session of
    /// its own each time: those of before may have been lost with the server.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> String {
        let messages = self.runtime.block_on(async {
            let connected = self.scratch.settings("postgres").connect().await.unwrap();
            connected.client.simple_query(sql).await
        });
        let mut lines = Vec::new();
        for message in messages.unwrap_or_else(|error| panic!("{sql}: {error:?}")) {
            if let SimpleQueryMessage::Row(row) = message {
                let fields = (0..row.len()).map(|index| row.get(index).unwrap_or("null"));
                lines.push(fields.collect::<Vec<_>>().join(" | "));
            }
        }
        lines.join("\n")
    }

    /// Returns the number that a query of one value says.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql).parse().unwrap()
    }

    /// Waits until a query of one boolean says true.
    #[track_caller]
    pub(crate) fn until(&self, sql: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.rows(sql) != "t" {
            assert!(Instant::now() < deadline, "it never came: {sql}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends a session as an administrator does, and waits until it is gone.
    pub(crate) fn terminate(&self, pid: i32) {
        self.rows(&format!("SELECT pg_terminate_backend({pid})"));
        self.until(&format!(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})"
        ));
    }
}
