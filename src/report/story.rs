//! What happened in a run: its events put together to steps in order, each with its item, what was asked
//! and said meanwhile, what it came to, and how long it took.

mod teller;

use jiff::Timestamp;

use self::teller::Teller;
use super::step::Went;
use super::undo::{Undoing, Undone};
use crate::engine::approval::{Request, Standing};
use crate::engine::change::Changes;
use crate::engine::event::{
    Blocker, Decision, Event, EventKind, Item, RunFinished, RunStarted, StepRef, StepResult,
};
use crate::engine::failure::Failure;
use crate::engine::impact::Impact;
use crate::runbook::data::Rows;

/// What happened in a run.
#[derive(Debug, Default)]
pub(super) struct Story<'a> {
    /// How it began, and when.
    pub(super) begun: Option<(&'a RunStarted, Timestamp)>,
    /// That somebody went on without what the policy demands: why, who, and without what.
    pub(super) glass: Vec<(&'a str, &'a str, &'a [String])>,
    /// What happened, in order.
    pub(super) passages: Vec<Passage<'a>>,
    /// How it ended, and when; nothing while it runs, and of one that was cut short.
    pub(super) finished: Option<(&'a RunFinished, Timestamp)>,
}

/// A step, or what happened between steps.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    /// When it began.
    pub(super) at: Timestamp,
    /// The step; none of what is no step.
    pub(super) step: Option<&'a StepRef>,
    /// Which item of a `for_each` it worked on.
    pub(super) item: Option<&'a Item>,
    /// What it is for.
    pub(super) about: Option<&'a str>,
    /// What happened meanwhile.
    pub(super) asides: Vec<Aside<'a>>,
    /// What it came to.
    pub(super) what: What<'a>,
    /// Milliseconds that it took.
    pub(super) took_ms: Option<f64>,
    /// The steps of an atomic.
    pub(super) inner: Vec<Passage<'a>>,
}

/// What a passage came to.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// Nothing is known of its end.
    Open,
    /// It ran.
    Result(&'a StepResult, &'a Decision, Went),
    /// It failed.
    Failed(&'a Failure),
    /// It was left out.
    Skipped,
    /// An atomic committed.
    Committed(&'a Changes),
    /// An atomic rolled back.
    RolledBack,
    /// All items of a loop were worked on: how many, their count, how many failed.
    Looped(u64, u64, u64),
    /// Rows were put back.
    Undone(Undoing, Undone<'a>),
    /// Rows were about to be put back.
    Undoing(Undoing),
    /// The run ended here for the time being.
    Ended(&'a RunFinished),
    /// The run went on, by whom.
    Resumed(&'a str),
    /// The server said something before the first step.
    Noticed(&'a str),
}

/// What happened while a step ran.
#[derive(Debug)]
pub(super) enum Aside<'a> {
    /// It waited for a lock.
    Waited(&'a [Blocker]),
    /// The server said something.
    Noticed(&'a str),
    /// It failed, and ran again.
    Retried(&'a Failure, u32, u32),
    /// Changes were rehearsed.
    Rehearsed(&'a [String], &'a Changes),
    /// A person was asked, and what had to be typed for a yes.
    Asked(&'a str, Option<&'a str>, Option<&'a Rows>),
    /// What was at stake.
    AtStake(&'a Impact),
    /// Other people were asked, and until when they have.
    OthersAsked(&'a Request, Timestamp),
    /// What other people said.
    Said(&'a Standing),
    /// Parts of a batch were committed: how many rows of how many.
    Batch(u64, u64),
    /// Its transaction was about to commit, by this id.
    Committing(Option<&'a str>),
    /// Nothing of it remains.
    RolledBack,
}

impl<'a> Passage<'a> {
    fn new(at: Timestamp, step: Option<&'a StepRef>, what: What<'a>) -> Self {
        Self {
            at,
            step,
            item: None,
            about: None,
            asides: Vec::new(),
            what,
            took_ms: None,
            inner: Vec::new(),
        }
    }

    /// Returns whether it has not come to its end.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.what, What::Open | What::Undoing(_))
    }
}

impl<'a> Story<'a> {
    /// Puts events together.
    pub(super) fn of(events: &'a [Event]) -> Self {
        Teller::tell(events)
    }
}

/// Returns whether a run has come to its end, as far as it has told.
pub fn is_over(events: &[Event]) -> bool {
    let last = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunFinished(_) => Some(true),
        EventKind::RunResumed { .. } => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}
