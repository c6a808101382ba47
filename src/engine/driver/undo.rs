//! What a run puts back by itself: in a `rollback` step, and after an error or a Ctrl-C that nothing handles.

use std::time::{Duration, Instant};

use super::super::clock::millis;
use super::super::event::{Decision, EventKind, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::outcome::Outcome;
use super::super::perform::{Performed, limits};
use super::super::policy;
use super::super::port::{Limits, World};
use super::super::state::State;
use super::super::undo::{Lasting, PutBack, Way, Work, Works, put_back};
use super::{Driver, Untold};
use crate::engine::cancel::Cancel;
use crate::runbook::model::{Step, StepId};
use crate::step::rollback::{OnConflict, Rollback};

/// How long at most it is waited before a server that is not there is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

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
        let works = self.works(step)?;
        let limits = limits(step, &self.cancel);
        let on_conflict = rollback.on_conflict;
        let looked = self.held_to_put_back(&works, on_conflict, &limits).await?;
        let lasting = looked.as_deref().map_or(Lasting::Yes, Lasting::IfSame);
        let mut done = put_back(self.world, &works, on_conflict, lasting, &limits).await?;
        if step.backup.is_some() {
            // What the journal knows it by is the step; what a run tells is which units are put back by it.
            let done_with = works.iter().filter(|work| done.undone.contains(&work.unit));
            done.undone = done_with.flat_map(Work::covered).collect();
        }
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

    /// Holds statements that put back to the policy, by what they change; returns the digest of that.
    async fn held_to_put_back(
        &mut self,
        works: &[Work],
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Option<String>, Failure> {
        let policy = &self.plan.policy;
        let mut ways = works.iter().flat_map(|work| &work.ways);
        let has_statements = ways.any(|way| matches!(way, Way::Statements(..)));
        if !has_statements || policy.rules.is_empty() || policy.broken.is_some() {
            return Ok(None);
        }
        let looked = put_back(self.world, works, on_conflict, Lasting::No, limits).await?;
        if !looked.conflicts.is_empty() && on_conflict == OnConflict::Stop {
            return Ok(None);
        }
        let units: Vec<_> = works.iter().map(|work| work.unit).collect();
        let units = State::steps_of(&units);
        let rows = looked.changes.count();
        policy::at_putting_back(self.plan, &self.state, self.world, &units, rows).await?;
        Ok(Some(looked.changes.digest))
    }

    /// Returns what a `rollback` step puts back.
    fn works(&self, step: &Step) -> Result<Vec<Work>, Failure> {
        let (plan, state, surroundings) = (self.plan, &self.state, &self.surroundings);
        if let Some(backup) = step.backup {
            return Work::from_backup(plan, state, surroundings, step, backup)
                .map(|work| vec![work]);
        }
        let works = Works::of(plan, state, surroundings, &step.of)?;
        if !works.never.is_empty() && !step.of.is_empty() {
            return Err(never(&works.never));
        }
        Ok(works.works)
    }

    /// Puts back all that the run changed, since it failed. Where the server is not there for it, the run is
    /// cut short: whoever goes on with it puts it back then.
    pub(super) async fn undo(&mut self) -> Result<Result<(), Failure>, Untold> {
        let started = Instant::now();
        // What was cancelled is put back nevertheless; a second Ctrl-C ends the program.
        self.cancel = Cancel::never();
        self.tell(EventKind::UndoStarted {
            of: self.titles(&State::steps_of(&self.state.units)),
            why: self.reason(Outcome::Failed),
        })?;
        let (done, failure) = match self.put_all_back().await {
            Ok(done) => (done, None),
            Err(failure) if is_passing(&failure) => {
                let run = &self.plan.run;
                return Ok(Err(failure
                    .note("what the run changed is not put back yet")
                    .help(format!(
                        "put it back when the server is there again: runbook resume {run}"
                    ))));
            }
            Err(failure) => (PutBack::default(), Some(failure)),
        };
        self.tell(EventKind::UndoFinished {
            undone: done.undone,
            restored: done.restored,
            changes: done.changes,
            conflicts: done.conflicts,
            failure,
            took_ms: millis(started),
        })?;
        Ok(Ok(()))
    }

    /// Tries again for a while where the server is not there.
    async fn put_all_back(&mut self) -> Result<PutBack, Failure> {
        let works = Works::of(self.plan, &self.state, &self.surroundings, &[])?;
        let limits = self.limits();
        let mut wait = Duration::from_millis(250);
        loop {
            let all = &works.works;
            let tried = self.held_to_put_back(all, OnConflict::Stop, &limits).await;
            let tried = match tried {
                Ok(looked) => {
                    let lasting = looked.as_deref().map_or(Lasting::Yes, Lasting::IfSame);
                    put_back(self.world, all, OnConflict::Stop, lasting, &limits).await
                }
                Err(failure) => Err(failure),
            };
            match tried {
                Err(failure) if is_passing(&failure) && wait < LONGEST_WAIT => {}
                done => return done,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            // Where it fails, the next try says why.
            let _ = self.world.reconnect().await;
        }
    }

    pub(super) fn titles(&self, steps: &[StepId]) -> Vec<String> {
        let title = |id: &StepId| self.plan.runbook().step(*id).title.clone();
        steps.iter().map(title).collect()
    }
}

/// Returns whether a failure is none of putting back itself.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Connection | FailureKind::InDoubt | FailureKind::Target
    )
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
