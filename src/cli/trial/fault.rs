//! What goes wrong in a case, and when: the events of the run say which moment it is.

use super::contents::Contents;
use super::session::words;
use crate::engine::cancel::Canceller;
use crate::engine::event::{Event, EventKind, StepRef};
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::pg::settings::ConnectSettings;
use crate::step::shape::OneOrMany;
use crate::step::text::{Name, Sql, Template};
use crate::suite::document::Fault;
use tokio_postgres::Client;

/// What the run is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// What a step is for: a statement, a program, a backup.
    Work(FailureKind),
    /// What comes before or after that: beginning and ending of transactions, locks.
    Other,
}

/// The faults of a case, and the moment that its run has come to.
pub(super) struct Faults<'a> {
    armed: Vec<Armed<'a>>,
    /// The step that is at work, and the atomic that it is in.
    step: Option<StepRef>,
    atomic: Option<String>,
    /// What somebody else does before the next thing that the run does.
    due: Vec<&'a OneOrMany<Sql>>,
    /// What the next piece of work fails with.
    failing: Option<&'a str>,
    settings: ConnectSettings,
    somebody: Option<Client>,
    canceller: Canceller,
    trouble: Option<String>,
    /// What the tables would be were there no run: what they were before it, and what somebody else did.
    expected: Contents,
}

struct Armed<'a> {
    fault: &'a Fault,
    left: u32,
    came: bool,
}

impl<'a> Faults<'a> {
    /// Returns the faults of a case; `settings` are those of somebody else on its database.
    pub(super) fn new(
        faults: &'a [Fault],
        settings: ConnectSettings,
        canceller: Canceller,
        before: Contents,
    ) -> Self {
        let armed = faults.iter().map(|fault| Armed {
            fault,
            left: fault.times.unwrap_or(1).max(1),
            came: false,
        });
        Self {
            armed: armed.collect(),
            step: None,
            atomic: None,
            due: Vec::new(),
            failing: None,
            settings: settings.with_application_name("somebody else"),
            somebody: None,
            canceller,
            trouble: None,
            expected: before,
        }
    }

    /// Hears what happened: it may be the moment of a fault.
    pub(super) fn hear(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStarted { step, .. } => {
                self.step = Some(step.clone());
                self.reach(&step.name, |fault| fault.before.as_ref());
            }
            EventKind::AtomicStarted { step, .. } => {
                self.atomic = Some(step.name.clone());
                self.reach(&step.name, |fault| fault.before.as_ref());
            }
            EventKind::StepFinished { step, .. } => {
                self.step = None;
                self.reach(&step.name, |fault| fault.after.as_ref());
            }
            EventKind::AtomicCommitted { step, .. } => {
                self.atomic = None;
                self.reach(&step.name, |fault| fault.after.as_ref());
            }
            EventKind::AtomicRolledBack { .. } => self.atomic = None,
            EventKind::StepFailed { .. } => self.step = None,
            _ => {}
        }
    }

    /// Has those faults happen whose moment has come.
    fn reach(&mut self, name: &str, moment: impl Fn(&Fault) -> Option<&Name>) {
        for armed in &mut self.armed {
            let is_it = moment(armed.fault).is_some_and(|step| step.text() == name);
            if !is_it || armed.left == 0 {
                continue;
            }
            armed.left -= 1;
            armed.came = true;
            self.due.extend(&armed.fault.sql);
            if let Some(error) = &armed.fault.error {
                self.failing = Some(error.text());
            }
            if armed.fault.cancel {
                self.canceller.cancel();
            }
        }
    }

    /// Lets happen what is due before the run goes on; `pid` is its process on the server.
    ///
    /// # Errors
    /// What the run is about to do fails.
    pub(super) async fn before(&mut self, doing: Doing, pid: i32) -> Result<(), Failure> {
        self.settle().await;
        let Doing::Work(kind) = doing else {
            return Ok(());
        };
        let asks = self
            .step
            .as_ref()
            .is_some_and(|step| step.kind == "confirm");
        let mut failing = self.failing.take();
        for index in self.at_work() {
            let Some(armed) = self.armed.get_mut(index) else {
                continue;
            };
            let fault = armed.fault;
            // Of a confirm the question is meant, not its rehearsal.
            if asks && fault.error.is_none() {
                continue;
            }
            armed.left -= 1;
            armed.came = true;
            self.due.extend(&fault.sql);
            if fault.cancel {
                self.canceller.cancel();
                self.settle().await;
                return Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"));
            }
            if failing.is_none() {
                failing = fault.error.as_ref().map(Template::text);
            }
        }
        self.settle().await;
        match failing {
            None => Ok(()),
            Some("connection") => {
                self.terminate(pid).await;
                Err(failure::lost())
            }
            Some(error) => Err(failed(error, kind)),
        }
    }

    /// Lets happen what is due while a question stands; returns whether it is Ctrl-C.
    pub(super) async fn asked(&mut self) -> bool {
        let mut cancelled = false;
        for index in self.at_work() {
            let Some(armed) = self.armed.get_mut(index) else {
                continue;
            };
            if armed.fault.error.is_some() {
                continue;
            }
            armed.left -= 1;
            armed.came = true;
            self.due.extend(&armed.fault.sql);
            if armed.fault.cancel {
                self.canceller.cancel();
                cancelled = true;
            }
        }
        self.settle().await;
        cancelled
    }

    /// Returns the faults of the step that is at work.
    fn at_work(&self) -> Vec<usize> {
        let step = self.step.as_ref().map(|step| step.name.as_str());
        let at_work = [step, self.atomic.as_deref()];
        let is_it = |armed: &Armed<'_>| {
            let during = armed.fault.during.as_ref().map(Name::text);
            armed.left > 0 && during.is_some() && at_work.contains(&during)
        };
        let armed = self.armed.iter().enumerate();
        armed
            .filter(|(_, armed)| is_it(armed))
            .map(|(index, _)| index)
            .collect()
    }

    /// Lets somebody else do what is due.
    pub(super) async fn settle(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let before = self.look().await;
        for sql in std::mem::take(&mut self.due) {
            for sql in &sql.0 {
                if let Err(why) = self.run(sql.text()).await {
                    self.note(format!("somebody else's `{}`: {why}", sql.text().trim()));
                }
            }
        }
        if let (Some(before), Some(after)) = (before, self.look().await) {
            self.expected.add(&before, &after);
        }
    }

    /// Looks at the tables; nothing where somebody has locked one.
    async fn look(&mut self) -> Option<Contents> {
        let client = self.somebody().await.ok()?;
        Contents::read(client).await.ok()
    }

    async fn run(&mut self, sql: &str) -> Result<(), String> {
        let client = self.somebody().await?;
        client
            .batch_execute(sql)
            .await
            .map_err(|error| words(&error))
    }

    async fn somebody(&mut self) -> Result<&Client, String> {
        if self.somebody.as_ref().is_none_or(Client::is_closed) {
            let connected = self.settings.connect().await;
            let client = connected.map_err(|error| error.to_string())?.client;
            let set = client.batch_execute("SET lock_timeout = '2s'").await;
            set.map_err(|error| words(&error))?;
            self.somebody = Some(client);
        }
        self.somebody
            .as_ref()
            .ok_or_else(|| "there is no session".to_owned())
    }

    /// Ends the run's session on the server, and waits until it is gone.
    async fn terminate(&mut self, pid: i32) {
        let sql = format!(
            "DO $$ BEGIN PERFORM pg_terminate_backend({pid}); \
             WHILE EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid}) LOOP \
               PERFORM pg_sleep(0.002), pg_stat_clear_snapshot(); END LOOP; END $$"
        );
        if let Err(why) = self.run(&sql).await {
            self.note(format!("the run's session could not be ended: {why}"));
        }
    }

    fn note(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }

    /// Returns what the tables would be without the run, and why the case was not played as it is written: something
    /// failed, or its moment never came.
    pub(super) fn end(self) -> (Contents, Option<String>) {
        let left = self.armed.iter().find(|armed| !armed.came);
        let left = left.map(|armed| never(armed.fault));
        (self.expected, self.trouble.or(left))
    }
}

fn never(fault: &Fault) -> String {
    let moments = [
        ("before", &fault.before),
        ("during", &fault.during),
        ("after", &fault.after),
    ];
    let moment = moments
        .into_iter()
        .find_map(|(word, step)| Some(format!("{word} `{}`", step.as_ref()?)));
    format!(
        "the moment of the fault {} never came: the case proves nothing about it",
        moment.unwrap_or_default()
    )
}

/// Returns the failure of a class of errors, or of a message of the server.
fn failed(error: &str, kind: FailureKind) -> Failure {
    let (kind, message, sqlstate) = match error {
        "serialization" => (
            FailureKind::Serialization,
            "could not serialize access due to concurrent update",
            "40001",
        ),
        "lock_timeout" => (
            FailureKind::LockTimeout,
            "canceling statement due to lock timeout",
            "55P03",
        ),
        message => (kind, message, "P0001"),
    };
    let mut failure = Failure::new(kind, message);
    let is_servers = !matches!(kind, FailureKind::Command | FailureKind::Backup);
    failure.sqlstate = is_servers.then(|| sqlstate.to_owned());
    failure
}
