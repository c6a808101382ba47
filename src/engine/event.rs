//! What a run tells: the only output of the engine. Everything that is shown, written or replayed is made
//! of these events.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::approval::{Request, Standing};
use super::backup::Progressing;
use super::change::Changes;
use super::conflict::Conflict;
use super::failure::Failure;
use super::impact::Impact;
use super::journal::Unit;
use super::outcome::Outcome;
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;
use crate::sql::risk::Risk;

mod result;
mod target;

pub use result::{Approved, Assertion, Decision, Saved, StepResult};
pub use target::TargetFacts;

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts the events of a run from 1, without gaps.
    pub seq: u64,
    /// When it happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Milliseconds since the run started.
    pub elapsed_ms: f64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A run began.
    RunStarted(Box<RunStarted>),
    /// A run that had been cut short goes on.
    RunResumed {
        /// Who goes on with it.
        actor: String,
    },
    /// A step began.
    StepStarted {
        /// The step.
        step: StepRef,
        /// What it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        about: Option<String>,
        /// Which item of a `for_each` it works on.
        #[serde(skip_serializing_if = "Option::is_none")]
        item: Option<Item>,
    },
    /// A statement waits for a lock.
    LockWaited {
        /// The step.
        step: StepRef,
        /// Who holds it.
        blockers: Vec<Blocker>,
    },
    /// The server said something beside results.
    Noticed {
        /// What it said.
        message: String,
    },
    /// A step failed and runs again.
    StepRetried {
        /// The step.
        step: StepRef,
        /// Why.
        failure: Failure,
        /// Which retry this is, from 1.
        retry: u32,
        /// How many there may be.
        of: u32,
        /// Milliseconds until it runs again.
        wait_ms: u64,
    },
    /// A confirm's fixes were rehearsed, and these are the changes that it asks about.
    Rehearsed {
        /// The confirm.
        step: StepRef,
        /// The fixes or atomics.
        of: Vec<String>,
        /// What they would change.
        changes: Changes,
    },
    /// A person is asked.
    Asked {
        /// The confirm.
        step: StepRef,
        /// The question.
        question: String,
        /// The text that must be typed for a yes.
        #[serde(skip_serializing_if = "Option::is_none")]
        typed: Option<String>,
        /// Rows to look at beside.
        #[serde(skip_serializing_if = "Option::is_none")]
        show: Option<Rows>,
        /// What is at stake, where that is much.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        impact: Option<Box<Impact>>,
    },
    /// Somebody went on without what the target's policy demands.
    BrokeGlass {
        /// Why, in their words.
        reason: String,
        /// Who.
        by: String,
        /// What the policy demands that is not there.
        lifted: Vec<String>,
    },
    /// Other people are asked to approve; the run ends as waiting then, and goes on by `runbook resume`.
    ApprovalAsked {
        /// The confirm.
        step: StepRef,
        /// What they are asked.
        request: Box<Request>,
        /// Until when.
        #[schemars(with = "String", extend("format" = "date-time"))]
        expires_at: Timestamp,
    },
    /// What they said, as far as it is known when the run goes on.
    ApprovalSeen {
        /// The confirm.
        step: StepRef,
        /// Where the request stands.
        standing: Standing,
    },
    /// A step was left out because its `when` was not true.
    StepSkipped {
        /// The step.
        step: StepRef,
    },
    /// A step ran; what it decided may still be a no.
    StepFinished {
        /// The step.
        step: StepRef,
        /// What it came to.
        result: StepResult,
        /// What a run does next because of it.
        decision: Decision,
        /// Milliseconds that it took, waiting for people left out.
        took_ms: f64,
    },
    /// A step failed, and no retry is left.
    StepFailed {
        /// The step.
        step: StepRef,
        /// Why.
        failure: Failure,
        /// Milliseconds that it took.
        took_ms: f64,
    },
    /// All items of a `for_each` were worked on.
    LoopFinished {
        /// The step.
        step: StepRef,
        /// How many items there were.
        items: u64,
        /// The sum of their counts.
        count: u64,
        /// How many failed.
        failed: u64,
    },
    /// A transaction of several steps began.
    AtomicStarted {
        /// The atomic.
        step: StepRef,
        /// Which item of a `for_each` it works on.
        #[serde(skip_serializing_if = "Option::is_none")]
        item: Option<Item>,
    },
    /// It committed.
    AtomicCommitted {
        /// The atomic.
        step: StepRef,
        /// What it changed.
        changes: Changes,
        /// Milliseconds that it took.
        took_ms: f64,
    },
    /// It rolled back: nothing of it remains.
    AtomicRolledBack {
        /// The atomic.
        step: StepRef,
    },
    /// A transaction did all its work, and is about to commit. It is on disk before COMMIT is sent, so that
    /// whoever finds the run cut short knows what to ask for.
    Committing {
        /// The fix or atomic.
        step: StepRef,
        /// What the journal knows the transaction by.
        unit: Unit,
        /// Its id on the server, where it changed something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transaction: Option<String>,
        /// What it comes to when it is committed.
        result: StepResult,
        /// How far its `batch` has come then, where it is a part of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<Progress>,
    },
    /// A part of a `batch` committed.
    BatchCommitted {
        /// The fix.
        step: StepRef,
        /// The part.
        unit: Unit,
        /// How many rows it changed.
        count: u64,
        /// The rows that are done up to here.
        so_far: u64,
        /// How many rows there are to do.
        of: u64,
        /// The last key of the part, from which the next one goes on.
        last: Vec<String>,
    },
    /// What the run changed is being put back, newest first.
    UndoStarted {
        /// The fixes and atomics.
        of: Vec<String>,
        /// Why.
        why: String,
    },
    /// It was put back, or not.
    UndoFinished {
        /// What was put back.
        undone: Vec<Unit>,
        /// How many rows were put back.
        restored: u64,
        /// The rows that were put back.
        changes: Changes,
        /// The rows that someone changed since.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<Conflict>,
        /// Why nothing was put back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Milliseconds that it took.
        took_ms: f64,
    },
    /// The run ended.
    RunFinished(Box<RunFinished>),
}

/// How far a batch has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// How many rows are done.
    pub so_far: u64,
    /// How many rows there are to do.
    pub of: u64,
    /// The last key that is done; none once all are.
    pub last: Vec<String>,
}

/// How a run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// The run's id.
    pub run: String,
    /// The runbook's name.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// SHA-256 of its text.
    pub hash: String,
    /// Its risk.
    pub risk: Risk,
    /// Whether everything is rolled back at the end.
    pub dry_run: bool,
    /// Who runs it: the database login, the user of the machine and its name.
    pub actor: String,
    /// The database that it runs on.
    pub target: TargetFacts,
    /// The parameters, as people see them; secrets are masked.
    pub params: Vec<Shown>,
    /// The run that this one puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
    /// What a dry run cannot rehearse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_rehearsed: Vec<String>,
    /// Why the glass was broken: the run goes on without what the target's policy demands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glass: Option<String>,
}

/// A name and a value, as people see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A step, as events name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRef {
    /// Its index in the runbook.
    #[schemars(with = "usize")]
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The `atomic` that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atomic: Option<String>,
}

/// An item of a `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Which it is, from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
    /// What it is.
    pub label: String,
}

/// A session that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocker {
    /// Its process id on the server.
    pub pid: i32,
    /// Its login.
    pub user: String,
    /// What it calls itself.
    pub application: String,
    /// What it does or did last.
    pub query: String,
    /// Seconds since its transaction began.
    pub seconds: i64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFinished {
    /// How.
    pub outcome: Outcome,
    /// What is to say about it.
    pub says: String,
    /// The fixes and atomics whose changes are committed, and were not put back.
    pub committed: Vec<String>,
    /// Those whose changes were put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<String>,
    /// Whether any of what is committed can be put back.
    #[serde(default)]
    pub undoable: bool,
    /// Of a dry run: whether the server says that its transaction is aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<bool>,
    /// Of a dry run: all changes that it would make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Milliseconds that it took.
    pub took_ms: f64,
    /// Milliseconds of them that people took to answer.
    pub waited_ms: f64,
}

/// Who listens to a run.
pub trait Sink {
    /// Takes an event.
    ///
    /// # Errors
    /// The event could not be written: the run stops, since what is not recorded must not happen.
    fn take(&mut self, event: &Event) -> std::io::Result<()>;

    /// Takes how far long work is. Nothing of it is kept: who only records events does nothing.
    fn progress(&mut self, _: &Progressing) {}
}
