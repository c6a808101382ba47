//! The fold: what each event does to the state.

use std::sync::Arc;

use super::{Asked, Batch, Committing, Position, Round, State, Way};
use crate::engine::event::{Decision, EventKind, Progress, StepRef, StepResult};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Unit;
use crate::engine::scope;

impl State {
    /// Takes in one event.
    pub fn apply(&mut self, event: &EventKind) {
        match event {
            EventKind::StepStarted { step, item, .. } => {
                self.item = item.as_ref().map(|item| item.index);
                self.begin(step);
                self.position = Position::In(step.id);
            }
            EventKind::StepRetried { step, .. } => self.begin(step),
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
                self.pass(step, result, decision);
                self.trail.push((step.id, Way::Decided(decision.clone())));
                self.position = Position::After(step.id, decision.clone());
            }
            EventKind::StepFailed { step, failure, .. } => {
                self.fail(step, failure);
                self.position = Position::Failed(step.id);
            }
            EventKind::LoopFinished { step, count, .. } => {
                // A loop over nothing has a result as well.
                self.results.entry(step.id).or_default();
                self.counts.insert(step.id, *count);
                self.position = Position::After(step.id, Decision::Next);
            }
            EventKind::RunFinished(finished) => {
                self.waited_ms = finished.waited_ms;
                self.position = Position::Ended(finished.outcome);
            }
            EventKind::RunStarted(started) => self.dry_run = started.dry_run,
            other => self.apply_transaction(other),
        }
    }

    /// Takes in what happened to a transaction, or what other people are asked.
    fn apply_transaction(&mut self, event: &EventKind) {
        match event {
            EventKind::ApprovalAsked {
                step,
                request,
                expires_at,
            } => {
                self.requests.insert(step.id, request.clone());
                self.asked = Some(Asked {
                    step: step.id,
                    request: request.clone(),
                    expires_at: *expires_at,
                });
                self.position = Position::Waiting(step.id);
            }
            EventKind::AtomicStarted { step, item } => {
                self.begin_unit();
                self.open = Some((step.id, item.as_ref().map(|item| item.index)));
                self.position = Position::Opened(step.id);
            }
            EventKind::AtomicCommitted { step, changes, .. } => {
                self.close(|round| round.count += changes.count());
                self.atomics.insert(step.id, changes.clone());
                self.position = Position::Committed(step.id);
            }
            EventKind::AtomicRolledBack { .. } => {
                self.committing = None;
                self.close(|round| round.failed += 1);
            }
            EventKind::Committing {
                step,
                unit,
                transaction,
                result,
                batch,
            } => {
                self.committing = Some(Committing {
                    step: step.clone(),
                    unit: *unit,
                    transaction: transaction.clone(),
                    result: result.clone(),
                    batch: batch.clone(),
                });
            }
            EventKind::BatchCommitted {
                unit,
                so_far,
                of,
                last,
                ..
            } => {
                self.committing = None;
                self.keep(*unit);
                self.batch = Some(Batch {
                    unit: *unit,
                    progress: Progress {
                        so_far: *so_far,
                        of: *of,
                        last: last.clone(),
                    },
                });
            }
            EventKind::UndoFinished {
                undone, conflicts, ..
            } => {
                self.put_back(undone, !conflicts.is_empty());
                if let Position::Failed(id) | Position::After(id, _) = self.position {
                    self.position = Position::PutBack(id);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, step: &StepRef) {
        let attempts = self.attempts.entry(step.id).or_default();
        *attempts = attempts.saturating_add(1);
    }

    /// Takes in that a confirm has its answer: nobody is asked any more.
    fn answered(&mut self, step: &StepRef) {
        self.asked.take_if(|asked| asked.step == step.id);
    }

    fn finish(&mut self, step: &StepRef, result: &StepResult) {
        self.answered(step);
        let unit = Unit {
            step: step.id,
            item: self.item,
            part: 0,
        };
        match result {
            // What a program did lasts, whatever it did.
            StepResult::Command { .. } if step.kind == "fix" => self.keep(unit),
            StepResult::Fix {
                committed: true, ..
            } if step.atomic.is_none() => self.keep(unit),
            StepResult::Confirm { approved, .. } => self.approved.extend(approved.iter().cloned()),
            StepResult::Rollback {
                undone, conflicts, ..
            } => self.put_back(undone, !conflicts.is_empty()),
            _ => {}
        }
        self.committing = None;
        self.batch = None;
        let results = self.results.entry(step.id).or_default();
        Arc::make_mut(results).push(result.clone());
    }

    /// Counts an item of a loop that has its outcome.
    fn pass(&mut self, step: &StepRef, result: &StepResult, decision: &Decision) {
        let (Some(item), None) = (self.item, &step.atomic) else {
            return;
        };
        let round = self.loops.entry(step.id).or_default();
        round.next = item + 1;
        if *decision == Decision::Else {
            round.failed += 1;
        } else {
            round.count += scope::count(result);
        }
    }

    fn fail(&mut self, step: &StepRef, failure: &Failure) {
        self.answered(step);
        if failure.kind != FailureKind::InDoubt {
            self.committing = None;
            if self.open.is_some_and(|(atomic, _)| atomic == step.id) {
                // It was cut short before, and failed now before it was open again.
                self.open = None;
            }
        }
        // Of what is in doubt nobody knows yet whether it failed.
        let is_known = failure.kind != FailureKind::InDoubt;
        if let (Some(item), None, true) = (self.item, &step.atomic, is_known) {
            let round = self.loops.entry(step.id).or_default();
            round.next = item + 1;
            round.failed += 1;
        }
        self.failure = Some(failure.clone());
        self.trail.push((step.id, Way::Failed));
    }

    /// Takes in that the open transaction of an atomic came to its end.
    fn close(&mut self, count: impl FnOnce(&mut Round)) {
        let Some((step, item)) = self.open.take() else {
            return;
        };
        if let Some(committed) = self.committing.take() {
            self.keep(committed.unit);
            self.end_unit(committed.unit);
        }
        if let Some(item) = item {
            let round = self.loops.entry(step).or_default();
            round.next = item + 1;
            count(round);
        }
    }

    fn keep(&mut self, unit: Unit) {
        // Of a batch the parts are known already.
        if !self.dry_run && !self.units.contains(&unit) {
            self.units.push(unit);
        }
    }

    fn put_back(&mut self, undone: &[Unit], left: bool) {
        self.units.retain(|unit| !undone.contains(unit));
        self.undone.extend(undone);
        self.left |= left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::model::StepId;

    fn step(id: usize) -> StepRef {
        StepRef {
            id: StepId(id),
            name: format!("step_{id}"),
            kind: "fix".to_owned(),
            atomic: None,
        }
    }

    #[test]
    fn an_atomic_that_failed_before_it_was_open_again_is_over() {
        let mut state = State::default();
        let (step_0, step_1) = (step(0), step(1));
        for event in [
            EventKind::AtomicStarted {
                step: step_0.clone(),
                item: None,
            },
            EventKind::RunResumed {
                actor: "ann".to_owned(),
            },
            EventKind::StepFailed {
                step: step_0,
                failure: Failure::new(FailureKind::Connection, "the server is gone"),
                took_ms: 0.0,
            },
            EventKind::StepStarted {
                step: step_1,
                about: None,
                item: None,
            },
        ] {
            state.apply(&event);
        }
        state.begin_again();
        assert_eq!(state.position, Position::In(StepId(1)));
    }
}
