//! Where a run is: a fold over its events, so that what is recorded is enough to know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::Changes;
use super::event::{Approved, Decision, EventKind, StepRef, StepResult};
use super::failure::Failure;
use super::outcome::Outcome;
use crate::runbook::model::StepId;

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
    /// The sums of loops.
    pub counts: BTreeMap<StepId, u64>,
    /// The committed changes of atomics.
    pub atomics: BTreeMap<StepId, Changes>,
    /// What confirms approved.
    pub approved: Vec<Approved>,
    /// The fixes and atomics whose changes are committed.
    pub committed: Vec<StepId>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// Milliseconds that people took to answer.
    pub waited_ms: f64,
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
    /// The run is over.
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
    /// Takes in one event.
    pub fn apply(&mut self, event: &EventKind) {
        match event {
            EventKind::StepStarted { step, .. } => self.position = Position::In(step.id),
            EventKind::StepSkipped { step } => {
                self.trail.push((step.id, Way::Skipped));
                self.position = Position::Skipped(step.id);
            }
            EventKind::StepFinished {
                step,
                result,
                decision,
                ..
            } => {
                self.finish(step, result);
                self.trail.push((step.id, Way::Decided(decision.clone())));
                self.position = Position::After(step.id, decision.clone());
            }
            EventKind::StepFailed { step, failure, .. } => {
                self.failure = Some(failure.clone());
                self.trail.push((step.id, Way::Failed));
                self.position = Position::Failed(step.id);
            }
            EventKind::LoopFinished { step, count, .. } => {
                // A loop over nothing has a result as well.
                self.results.entry(step.id).or_default();
                self.counts.insert(step.id, *count);
                self.position = Position::After(step.id, Decision::Next);
            }
            EventKind::AtomicStarted { step, .. } => self.position = Position::Opened(step.id),
            EventKind::AtomicCommitted { step, changes, .. } => {
                self.commit(step.id);
                self.atomics.insert(step.id, changes.clone());
                self.position = Position::Committed(step.id);
            }
            EventKind::RunFinished(finished) => self.position = Position::Ended(finished.outcome),
            EventKind::RunStarted(started) => self.dry_run = started.dry_run,
            EventKind::LockWaited { .. }
            | EventKind::Noticed { .. }
            | EventKind::StepRetried { .. }
            | EventKind::Rehearsed { .. }
            | EventKind::Asked { .. }
            | EventKind::AtomicRolledBack { .. }
            | EventKind::RunResumed { .. }
            | EventKind::Committing { .. }
            | EventKind::BatchCommitted { .. }
            | EventKind::UndoStarted { .. }
            | EventKind::UndoFinished { .. } => {}
        }
    }

    fn finish(&mut self, step: &StepRef, result: &StepResult) {
        let id = step.id;
        match result {
            // What a program did lasts, whatever it did.
            StepResult::Command { .. } if step.kind == "fix" => self.commit(id),
            StepResult::Fix {
                committed: true, ..
            } if step.atomic.is_none() => self.commit(id),
            StepResult::Confirm { approved, .. } => self.approved.extend(approved.iter().cloned()),
            _ => {}
        }
        let results = self.results.entry(id).or_default();
        Arc::make_mut(results).push(result.clone());
    }

    fn commit(&mut self, id: StepId) {
        if !self.dry_run && !self.committed.contains(&id) {
            self.committed.push(id);
        }
    }

    /// Returns the latest result of a step.
    pub fn result(&self, id: StepId) -> Option<&StepResult> {
        self.results.get(&id)?.last()
    }

    /// Returns the digest that a person approved for a fix or atomic, or for one item of its `for_each`.
    /// Where others of its items were approved but not this one, nothing equals what is returned.
    pub fn approval(&self, id: StepId, item: Option<usize>) -> Option<String> {
        let mut of_step = self
            .approved
            .iter()
            .rev()
            .filter(|approved| approved.step == id)
            .peekable();
        of_step.peek()?;
        let found = of_step.find(|approved| approved.item == item);
        Some(found.map_or_else(
            || "not shown".to_owned(),
            |approved| approved.digest.clone(),
        ))
    }
}
