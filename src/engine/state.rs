//! Where a run is: a fold over its events, so that what is recorded is enough to know it.

mod fold;
mod made;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::approval::Request;
use super::change::Changes;
use super::event::{Approved, Decision, Progress, StepRef, StepResult};
use super::failure::{Failure, FailureKind};
use super::journal::Unit;
use super::outcome::Outcome;
use crate::runbook::model::{Runbook, StepId};

/// Where a run is, and what it knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What happened last.
    pub position: Position,
    /// Whether nothing that is done lasts.
    pub dry_run: bool,
    /// The steps that ran, in order, and how each ended.
    pub trail: Vec<(StepId, Way)>,
    /// The results of each step, in order; a loop has several.
    pub results: BTreeMap<StepId, Arc<Vec<StepResult>>>,
    /// How often steps began, those included that were cut short and that failed.
    attempts: BTreeMap<StepId, u32>,
    /// The sums of loops.
    pub counts: BTreeMap<StepId, u64>,
    /// The committed changes of atomics.
    pub atomics: BTreeMap<StepId, Changes>,
    /// What confirms approved.
    pub approved: Vec<Approved>,
    /// The units whose changes are committed and stay in place, in order.
    pub units: Vec<Unit>,
    /// Those whose changes were put back.
    pub undone: Vec<Unit>,
    /// Whether rows were left as they are while others were put back.
    pub left: bool,
    /// The transaction that was about to commit, until it is known what became of it.
    pub committing: Option<Committing>,
    /// The transaction of an atomic that is open, and the item that it works on.
    pub open: Option<(StepId, Option<usize>)>,
    /// The item that a step works on.
    item: Option<usize>,
    /// How far loops have come.
    pub loops: BTreeMap<StepId, Round>,
    /// How far the batch that is under way has come.
    pub batch: Option<Batch>,
    /// Which results are of the transaction of an atomic that committed, by step.
    made: BTreeMap<Unit, BTreeMap<StepId, usize>>,
    /// How many results each step had when the transaction of an atomic was opened last.
    began: BTreeMap<StepId, usize>,
    /// What other people are asked, until it is known what they said.
    pub asked: Option<Asked>,
    /// What they were asked last by each confirm.
    pub requests: BTreeMap<StepId, Box<Request>>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// Milliseconds that people took to answer.
    pub waited_ms: f64,
}

/// A transaction that was about to commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Committing {
    /// The fix or atomic.
    pub step: StepRef,
    /// What the journal knows it by.
    pub unit: Unit,
    /// Its id on the server.
    pub transaction: Option<String>,
    /// What it comes to when it is committed.
    pub result: StepResult,
    /// How far its batch has come then.
    pub batch: Option<Progress>,
}

/// What other people are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The confirm.
    pub step: StepId,
    /// What.
    pub request: Box<Request>,
    /// Until when they can say something.
    pub expires_at: Timestamp,
}

/// How far a loop has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The first item that has no outcome yet.
    pub next: usize,
    /// How many items failed.
    pub failed: u64,
    /// The sum of the counts of the others.
    pub count: u64,
}

/// How far a batch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The part that committed last.
    pub unit: Unit,
    /// How far it has come with it.
    pub progress: Progress,
}

/// What happened last.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Position {
    /// Nothing yet.
    #[default]
    Start,
    /// A step is under way.
    In(StepId),
    /// A step decided.
    After(StepId, Decision),
    /// A step was left out.
    Skipped(StepId),
    /// A step failed.
    Failed(StepId),
    /// The transaction of an atomic is open.
    Opened(StepId),
    /// It committed.
    Committed(StepId),
    /// What a step that failed had led to was put back, as far as it could be.
    PutBack(StepId),
    /// A confirm waits for other people.
    Waiting(StepId),
    /// The run is over, or waits.
    Ended(Outcome),
}

/// How a step on the trail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It decided.
    Decided(Decision),
    /// It was left out.
    Skipped,
    /// It failed.
    Failed,
}

impl State {
    /// Goes back to the beginning of what was under way, and is not any more.
    pub fn begin_again(&mut self) {
        let under_way = match (self.open.take(), self.committing.take()) {
            (Some((atomic, _)), _) => Some(atomic),
            (None, Some(committing)) => Some(committing.step.id),
            // What a run ended with that nobody could say anything of is begun again.
            (None, None) => match (&self.position, self.trail.last(), &self.asked) {
                (Position::Ended(Outcome::Unknown), Some((step, Way::Failed)), _) => Some(*step),
                (Position::Ended(Outcome::Waiting) | Position::Waiting(_), _, Some(asked)) => {
                    Some(asked.step)
                }
                _ => None,
            },
        };
        if let Some(step) = under_way {
            self.position = Position::In(step);
        }
    }

    /// Goes back to a loop that is not at its end.
    pub fn continue_loop(&mut self, runbook: &Runbook) {
        let (Position::After(id, _)
        | Position::Failed(id)
        | Position::Committed(id)
        | Position::Skipped(id)) = self.position
        else {
            return;
        };
        let step = runbook.step(id);
        let step = step.atomic.map_or(step, |atomic| runbook.step(atomic));
        let round = self.loops.get(&step.id).copied().unwrap_or_default();
        let allowed = u64::from(step.common.max_failures.unwrap_or(0));
        let under_way = round.next > 0 && !self.counts.contains_key(&step.id);
        let last = self.failure.as_ref().map(|failure| failure.kind);
        let cancelled =
            matches!(self.position, Position::Failed(_)) && last == Some(FailureKind::Cancelled);
        if step.common.for_each.is_some() && under_way && round.failed <= allowed && !cancelled {
            self.position = Position::In(step.id);
        }
    }

    /// Returns the fixes and atomics of units, each once.
    pub fn steps_of(units: &[Unit]) -> Vec<StepId> {
        let mut steps = Vec::new();
        for unit in units {
            if !steps.contains(&unit.step) {
                steps.push(unit.step);
            }
        }
        steps
    }

    /// Returns how often a step began, the time included that it is in.
    pub fn attempts(&self, id: StepId) -> u32 {
        self.attempts.get(&id).copied().unwrap_or_default()
    }

    /// Returns the latest result of a step.
    pub fn result(&self, id: StepId) -> Option<&StepResult> {
        self.results.get(&id)?.last()
    }

    /// Returns how many rows a fix or atomic changed, with those of triggers and cascades; of a batch that is under way
    /// nothing yet.
    pub fn rows_of(&self, runbook: &Runbook, unit: StepId) -> u64 {
        let steps = runbook.step(unit).unit();
        let results = steps.iter().filter_map(|id| self.results.get(id));
        let results = results.flat_map(|results| results.iter());
        let rows = results.map(|result| match result {
            StepResult::Fix { count, changes, .. } => changes.count().max(*count),
            _ => 0,
        });
        rows.sum()
    }

    /// Returns the digest that a person approved for a fix or atomic, or for one item of its `for_each`
    /// or one part of its `batch`.
    /// Where others of its items were approved but not this one, nothing equals what is returned.
    pub fn approval(&self, id: StepId, item: Option<usize>, part: Option<u32>) -> Option<String> {
        let mut of_step = self
            .approved
            .iter()
            .rev()
            .filter(|approved| approved.step == id)
            .peekable();
        of_step.peek()?;
        let found = of_step.find(|approved| approved.item == item && approved.part == part);
        Some(found.map_or_else(
            || "not shown".to_owned(),
            |approved| approved.digest.clone(),
        ))
    }
}
