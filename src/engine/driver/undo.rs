//! What a run puts back by itself: in a `rollback` step, and after an error or a Ctrl-C that nothing handles.

use std::time::Instant;

use super::super::clock::millis;
use super::super::event::{Decision, EventKind, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::outcome::Outcome;
use super::super::perform::{Performed, limits};
use super::super::port::World;
use super::super::state::State;
use super::super::undo::{Lasting, PutBack, Works, put_back};
use super::{Driver, Untold};
use crate::engine::cancel::Cancel;
use crate::runbook::model::{Step, StepId};
use crate::step::rollback::{OnConflict, Rollback};

impl<W: World> Driver<'_, W> {
    /// Performs a `rollback` step.
    pub(super) async fn roll_back(
        &mut self,
        step: &Step,
        rollback: &Rollback,
    ) -> Result<Performed, Failure> {
        if self.plan.dry_run {
            return Ok(Performed {
                result: StepResult::WouldRun,
                decision: Decision::Next,
            });
        }
        let works = Works::of(self.plan, &self.state, &self.surroundings, &step.of)?;
        if !works.never.is_empty() && !step.of.is_empty() {
            return Err(never(&works.never));
        }
        let limits = limits(step, &self.cancel);
        let done = put_back(
            self.world,
            &works.works,
            rollback.on_conflict,
            Lasting::Yes,
            &limits,
        )
        .await?;
        let stopped = !done.conflicts.is_empty() && rollback.on_conflict == OnConflict::Stop;
        Ok(Performed {
            decision: if stopped {
                Decision::Else
            } else {
                Decision::Next
            },
            result: StepResult::Rollback {
                undone: done.undone,
                restored: done.restored,
                changes: done.changes,
                conflicts: done.conflicts,
            },
        })
    }

    /// Puts back all that the run changed, since it failed.
    pub(super) async fn undo(&mut self) -> Result<(), Untold> {
        let started = Instant::now();
        // What was cancelled is put back nevertheless; a second Ctrl-C ends the program.
        self.cancel = Cancel::never();
        let works = Works::of(self.plan, &self.state, &self.surroundings, &[]);
        self.tell(EventKind::UndoStarted {
            of: self.titles(&State::steps_of(&self.state.units)),
            why: self.reason(Outcome::Failed),
        })?;
        let limits = self.limits();
        let result = match &works {
            Ok(works) => {
                put_back(
                    self.world,
                    &works.works,
                    OnConflict::Stop,
                    Lasting::Yes,
                    &limits,
                )
                .await
            }
            Err(failure) => Err(failure.clone()),
        };
        let (done, failure) = match result {
            Ok(done) => (done, None),
            Err(failure) => (PutBack::default(), Some(failure)),
        };
        self.tell(EventKind::UndoFinished {
            undone: done.undone,
            restored: done.restored,
            changes: done.changes,
            conflicts: done.conflicts,
            failure,
            took_ms: millis(started),
        })
    }

    pub(super) fn titles(&self, steps: &[StepId]) -> Vec<String> {
        let title = |id: &StepId| self.plan.runbook().step(*id).title.clone();
        steps.iter().map(title).collect()
    }
}

fn never(fixes: &[String]) -> Failure {
    let names: Vec<&str> = fixes.iter().map(String::as_str).collect();
    Failure::new(
        FailureKind::Conflict,
        format!(
            "nothing can put back {}: it says `undo: none`, or runs a program",
            crate::base::words::list(&names)
        ),
    )
}
