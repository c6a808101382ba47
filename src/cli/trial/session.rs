//! The others on the database of a case: open, with their transactions, while the run goes on.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::{Client, Error};

use super::contents::Contents;
use crate::pg::settings::ConnectSettings;
use crate::suite::document::Session;

/// How long a session may take to come to wait for somebody.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the tables after each statement of a session: what it commits is not the run's.
pub(super) struct Looking<'a> {
    /// The session that looks; it does not wait for locks.
    pub(super) client: &'a Client,
    /// What is in the tables.
    pub(super) seen: &'a mut Contents,
    /// Whether somebody has locked a table: what was seen before is so as long as nobody commits.
    pub(super) locked: bool,
}

impl Looking<'_> {
    async fn look(&mut self) {
        if self.locked {
            return;
        }
        match Contents::read(self.client).await {
            Ok(now) => *self.seen = now,
            Err(_) => self.locked = true,
        }
    }
}

/// Sessions that are open.
#[derive(Default)]
pub(super) struct Others {
    idle: Vec<Client>,
    waiting: Vec<(i32, JoinHandle<Result<(), Error>>)>,
}

impl Others {
    /// Opens the sessions of a case, one after the other.
    ///
    /// # Errors
    /// Why one of them cannot do what its author says.
    pub(super) async fn open(
        sessions: &[Session],
        settings: &ConnectSettings,
        looking: &mut Looking<'_>,
    ) -> Result<Self, String> {
        let mut others = Self::default();
        for session in sessions {
            let name = session.session.text();
            let opened = others.add(session, settings, looking).await;
            opened.map_err(|why| format!("session `{name}`: {why}"))?;
        }
        Ok(others)
    }

    async fn add(
        &mut self,
        session: &Session,
        settings: &ConnectSettings,
        looking: &mut Looking<'_>,
    ) -> Result<(), String> {
        let mut settings = settings
            .clone()
            .with_application_name(session.session.text());
        if let Some(login) = &session.login {
            settings = settings.with_user(login.text());
        }
        let connected = settings
            .connect()
            .await
            .map_err(|error| error.to_string())?;
        for sql in session.sql.iter().flat_map(|sql| &sql.0) {
            let ran = connected.client.batch_execute(sql.text()).await;
            ran.map_err(|error| format!("{}: {}", sql.text().trim(), words(&error)))?;
            looking.look().await;
        }
        let Some(sql) = &session.waits else {
            self.idle.push(connected.client);
            return Ok(());
        };
        let pid = "SELECT pg_backend_pid()";
        let pid = connected.client.query_one(pid, &[]).await;
        let pid: i32 = pid.map_err(|error| words(&error))?.get(0);
        let (text, client) = (sql.text().to_owned(), connected.client);
        let mut task = tokio::spawn(async move {
            let ran = client.batch_execute(&text).await;
            if ran.is_ok() {
                // Its transaction stays open as long as the case goes on.
                std::future::pending::<()>().await;
            }
            ran
        });
        let ended = tokio::select! {
            ended = &mut task => Some(ended),
            waits = until_it_waits(&settings, pid) => {
                waits?;
                None
            }
        };
        match ended {
            Some(Ok(Err(error))) => Err(format!("{}: {}", sql.text().trim(), words(&error))),
            _ => {
                self.waiting.push((pid, task));
                Ok(())
            }
        }
    }

    /// Ends all of them: what they have not committed is rolled back. Those that wait end first, so that none of
    /// them gets what another one gives up by that.
    pub(super) async fn end(&mut self, client: &Client) {
        for (pid, task) in self.waiting.drain(..) {
            let end = "SELECT pg_terminate_backend($1), pg_sleep(0.005)";
            // Where it is gone already, there is nothing to end.
            let _ = client.execute(end, &[&pid]).await;
            task.abort();
        }
        self.idle.clear();
    }
}

/// Waits until a statement waits for somebody's lock, or is done.
async fn until_it_waits(settings: &ConnectSettings, pid: i32) -> Result<(), String> {
    let question = "SELECT count(*) FROM pg_stat_activity \
                    WHERE pid = $1 AND (wait_event_type = 'Lock' OR state <> 'active')";
    let watching = settings.clone().with_application_name("runbook/test");
    let watching = watching
        .connect()
        .await
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let row = watching.client.query_one(question, &[&pid]).await;
        let row = row.map_err(|error| words(&error))?;
        if row.get::<_, i64>(0) > 0 || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the server's words, or the driver's where it has none.
pub(super) fn words(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |server| server.message().to_owned())
}
