//! Watches whom the open transaction keeps waiting, from a connection of its own: above the limits of the target
//! the transaction gives up. A short transaction is over before the watch begins.

mod waiter;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Session;
use crate::engine::failure::Failure;
use crate::pg::settings::ConnectSettings;
use crate::policy::target::Watchdog as Limits;
use waiter::Waiters;

/// A transaction that is over sooner than this is not watched: it costs nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(250);

/// How long it waits before it tries again to look.
const AGAIN: Duration = Duration::from_secs(5);

/// How long the server may take to answer.
const SILENCE: Duration = Duration::from_secs(10);

/// What watches the transactions of a session.
#[derive(Default)]
pub(super) struct Watchdog {
    /// From when on it gives up; where there are none, nothing is watched.
    limits: Option<Limits>,
    /// What there is to say that is no reason to give up.
    said: Arc<Mutex<Said>>,
    /// The watch of the open transaction.
    watch: Option<Watch>,
}

/// What is said of a watch, once a session: the next transaction would have the same to say.
#[derive(Default)]
struct Said {
    is_told: bool,
    text: Option<String>,
}

/// The watch of one transaction; it ends with it.
struct Watch {
    given_up: watch::Receiver<Option<Failure>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Its connection goes with it.
        self.task.abort();
    }
}

impl Session {
    /// Sets from when on a transaction gives up because others wait for it.
    pub fn set_watchdog(&mut self, limits: Option<Limits>) {
        let is_one = |limits: &Limits| limits.sessions.is_some() || limits.wait.is_some();
        self.watchdog.limits = limits.filter(is_one);
    }

    /// Returns once the open transaction is to give up: why. Never, where it keeps nobody waiting.
    pub async fn given_up(&self) -> Failure {
        if let Some(watch) = &self.watchdog.watch {
            let mut given_up = watch.given_up.clone();
            if let Ok(why) = given_up.wait_for(Option::is_some).await
                && let Some(failure) = why.clone()
            {
                return failure;
            }
        }
        std::future::pending().await
    }

    /// Refuses what comes next in a transaction that is to give up.
    pub(super) fn refuse_given_up(&self) -> Result<(), Failure> {
        let watch = self.watchdog.watch.as_ref();
        let why = watch.and_then(|watch| watch.given_up.borrow().clone());
        why.map_or(Ok(()), Err)
    }

    /// Begins to watch what has just begun; what was watched before is over.
    pub(super) fn begin_watch(&mut self) {
        let Some(limits) = self.watchdog.limits else {
            return;
        };
        let (sender, given_up) = watch::channel(None);
        let watcher = Watcher {
            settings: self
                .settings
                .clone()
                .with_application_name("runbook/watchdog"),
            pid: self.pid,
            knows_since: self.target.server_version_num() >= 140_000,
            limits,
        };
        let said = Arc::clone(&self.watchdog.said);
        let task = tokio::spawn(async move {
            let failure = watcher.watch(&said).await;
            // Where nobody listens any more, the transaction is over.
            let _ = sender.send(Some(failure));
        });
        self.watchdog.watch = Some(Watch { given_up, task });
    }

    /// Ends the watch.
    pub(super) fn end_watch(&mut self) {
        self.watchdog.watch = None;
    }

    /// Ends the watch before COMMIT, unless the transaction is to give up: what is sent from then on is not cancelled.
    pub(super) fn end_watch_to_commit(&mut self) -> Result<(), Failure> {
        let given_up = self.refuse_given_up();
        self.end_watch();
        given_up
    }

    /// Takes what there is to say of the watch.
    pub(super) fn take_said_by_watch(&self) -> Option<String> {
        self.watchdog.said.lock().ok()?.text.take()
    }
}

impl Watchdog {
    /// Returns one for a session that takes the place of this one's.
    pub(super) fn hand_over(&mut self) -> Self {
        Self {
            watch: None,
            ..std::mem::take(self)
        }
    }
}

/// What a watch needs.
struct Watcher {
    settings: ConnectSettings,
    /// Whose transaction it is.
    pid: i32,
    /// Whether the server knows since when a session waits.
    knows_since: bool,
    limits: Limits,
}

impl Watcher {
    /// Watches, and returns why the transaction is to give up.
    async fn watch(&self, said: &Mutex<Said>) -> Failure {
        tokio::time::sleep(PATIENCE).await;
        loop {
            match self.look().await {
                Ok(failure) => return failure,
                Err(why) => say(said, &why),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Looks until the transaction is to give up.
    async fn look(&self) -> Result<Failure, String> {
        let connected = self.settings.connect().await;
        let connected = connected.map_err(|error| {
            let text = error.to_string();
            // What to do about it stands below.
            text.lines().next().unwrap_or_default().to_owned()
        })?;
        let mut waiters = Waiters::new(self.pid, self.knows_since);
        loop {
            let found = tokio::time::timeout(SILENCE, waiters.look(&connected.client)).await;
            match found {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return Err(failure.message),
                Err(_) => return Err("the server does not answer".to_owned()),
            }
            if let Some(failure) = waiters.over(&self.limits) {
                return Ok(failure);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

/// Says that nobody watches.
fn say(said: &Mutex<Said>, why: &str) {
    if let Ok(mut said) = said.lock()
        && !said.is_told
    {
        said.is_told = true;
        said.text = Some(format!(
            "goes on without a watch over whom it keeps waiting: {why}"
        ));
    }
}
