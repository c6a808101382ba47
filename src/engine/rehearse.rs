//! Rehearses the fixes that a `confirm` asks about: for real, in a transaction that is rolled back.

use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::change::Changes;
use super::decide::{self, Act};
use super::event::{Approved, Decision, EventKind, StepResult};
use super::failure::{Failure, FailureKind};
use super::impact;
use super::item::{items, skipped};
use super::lock::TableLock;
use super::perform::{
    Performed, Stage, check_guard, has_transaction, limits, perform, perform_part, step_ref, whole,
};
use super::plan::Plan;
use super::port::{Close, World};
use super::scope::{Current, Surroundings};
use super::state::State;
use crate::runbook::model::Step;
use crate::step::Kind;
use crate::step::fix::{Batch, Fix};

/// What was rehearsed: the changes in all, the digest of each fix or atomic, and what it locked.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    pub(super) changes: Changes,
    pub(super) approved: Vec<Approved>,
    /// The locks that it took, where it is told what is at stake.
    pub(super) locks: Vec<TableLock>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Rehearses the fixes and atomics that a confirm is about, in their order.
pub(super) async fn rehearse<W: World>(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    world: &mut W,
    confirm: &Step,
    cancel: &Cancel,
) -> Result<Rehearsal, Failure> {
    let limits = limits_without_timeout(cancel);
    let began = Instant::now();
    world.open(&limits).await?;
    let mut rehearser = Rehearser {
        plan,
        surroundings,
        world,
        cancel,
        state: state.clone(),
        rehearsal: Rehearsal::default(),
    };
    let result = rehearser.all(confirm).await;
    let mut rehearsal = rehearser.rehearsal;
    rehearsal.took = began.elapsed();
    if result.is_ok()
        && let Kind::Confirm(asked) = &confirm.kind
        && impact::is_told(plan, confirm, asked, &rehearsal.changes)
    {
        // What others wait for is told as far as it is known.
        rehearsal.locks = world.locks().await.unwrap_or_default();
    }
    let closed = world.close(Close::Rollback, &limits).await;
    result.map_err(|failure| failure.note("found by the rehearsal: nothing was changed"))?;
    closed?;
    Ok(rehearsal)
}

fn limits_without_timeout(cancel: &Cancel) -> super::port::Limits {
    super::port::Limits {
        // The step's time-out is for the person; each rehearsed step has its own.
        deadline: None,
        cancel: cancel.clone(),
    }
}

struct Rehearser<'a, W> {
    plan: &'a Plan,
    surroundings: &'a Surroundings,
    world: &'a mut W,
    cancel: &'a Cancel,
    state: State,
    rehearsal: Rehearsal,
}

impl<W: World> Rehearser<'_, W> {
    async fn all(&mut self, confirm: &Step) -> Result<(), Failure> {
        for id in &confirm.of {
            self.unit(self.plan.runbook().step(*id)).await?;
        }
        Ok(())
    }

    async fn unit(&mut self, unit: &Step) -> Result<(), Failure> {
        if self.skipped(unit, &[])? {
            self.approve(unit, None, None, Changes::default());
            return Ok(());
        }
        for item in items(self.plan, &self.state, self.surroundings, unit)? {
            let index = item.as_ref().map(|(_, item)| item.index);
            let current: Vec<Current> = item.into_iter().map(|(current, _)| current).collect();
            if let Kind::Fix(fix) = &unit.kind
                && let Some(batch) = &fix.batch
            {
                self.parts(unit, fix, batch, index, &current).await?;
                continue;
            }
            let changes = if decide::is_atomic(unit) {
                self.atomic(unit, &current).await?
            } else {
                self.step(unit, &current).await?
            };
            self.approve(unit, index, None, changes);
        }
        Ok(())
    }

    /// Rehearses each part of a batch: a yes holds for each by itself.
    async fn parts(
        &mut self,
        unit: &Step,
        fix: &Fix,
        batch: &Batch,
        item: Option<usize>,
        current: &[Current],
    ) -> Result<(), Failure> {
        let (mut after, mut so_far) = (None, 0);
        for part in 0.. {
            let mut stage = self.stage(unit, current);
            let limits = stage.limits.clone();
            let bound = whole(&stage, unit)?;
            let after_key = after.as_deref();
            let found = stage
                .world
                .part(&bound, after_key, batch.size, &limits)
                .await?;
            stage.world.open(&limits).await?;
            let performed = perform_part(&mut stage, unit, fix, &found.bound).await;
            let (count, changes) = performed.map_err(|failure| at(unit, failure))?;
            so_far += count;
            stage.world.close(Close::Commit, &limits).await?;
            if !found.more {
                check_guard(&stage, unit, fix, so_far).map_err(|failure| at(unit, failure))?;
            }
            self.approve(unit, item, Some(part), changes);
            if !found.more {
                break;
            }
            after = Some(found.last);
        }
        Ok(())
    }

    fn stage<'s>(&'s mut self, step: &Step, current: &'s [Current]) -> Stage<'s, W> {
        Stage {
            plan: self.plan,
            state: &self.state,
            surroundings: self.surroundings,
            world: self.world,
            limits: limits(step, self.cancel),
            items: current,
            lasting: false,
            approved: None,
        }
    }

    fn approve(&mut self, unit: &Step, item: Option<usize>, part: Option<u32>, changes: Changes) {
        self.rehearsal.approved.push(Approved {
            step: unit.id,
            item,
            part,
            digest: changes.digest.clone(),
        });
        self.rehearsal.changes.append(changes);
    }

    /// Follows the steps of an atomic as the run would.
    async fn atomic(&mut self, atomic: &Step, current: &[Current]) -> Result<Changes, Failure> {
        let runbook = self.plan.runbook();
        let mut changes = Changes::default();
        self.state.apply(&EventKind::AtomicStarted {
            step: step_ref(runbook, atomic),
            item: None,
        });
        loop {
            let act = decide::next(runbook, &self.state);
            match act {
                Act::Run(id) if !decide::leaves(runbook, atomic.id, &act) => {
                    changes.append(self.step(runbook.step(id), current).await?);
                }
                Act::Commit(id) if id == atomic.id => {
                    changes.append(
                        self.world
                            .settle(&limits_without_timeout(self.cancel))
                            .await?,
                    );
                    return Ok(changes);
                }
                _ => return Err(self.leaves(atomic)),
            }
        }
    }

    fn leaves(&self, atomic: &Step) -> Failure {
        let at = self
            .state
            .trail
            .last()
            .map(|(id, _)| self.plan.runbook().step(*id));
        let name = at.map_or("a step", |step| step.title.as_str());
        let mut failure = Failure::new(
            FailureKind::Guard,
            format!("`{}` would roll back: `{name}` says no", atomic.title),
        );
        if let Some(StepResult::Check {
            items, otherwise, ..
        }) = at.and_then(|step| self.state.result(step.id))
        {
            for item in items.iter().filter(|item| !item.passed) {
                let seen = item.found.as_ref().or(item.why.as_ref());
                let seen = seen.map(|seen| format!(": {seen}")).unwrap_or_default();
                failure = failure.note(format!("not so: {}{seen}", item.name));
                failure.help.extend(item.otherwise.clone());
            }
            failure.help.extend(otherwise.clone());
        }
        failure
    }

    async fn step(&mut self, step: &Step, current: &[Current]) -> Result<Changes, Failure> {
        let runbook = self.plan.runbook();
        if step.atomic.is_some() && self.skipped(step, current)? {
            self.state.apply(&EventKind::StepSkipped {
                step: step_ref(runbook, step),
            });
            return Ok(Changes::default());
        }
        let mut stage = self.stage(step, current);
        let own = has_transaction(step);
        if own {
            stage.world.open(&stage.limits).await?;
        }
        let performed = perform(&mut stage, step).await;
        if own {
            let how = if performed.is_ok() {
                Close::Commit
            } else {
                Close::Rollback
            };
            let closed = stage.world.close(how, &stage.limits).await;
            if performed.is_ok() {
                closed.map_err(|failure| at(step, failure))?;
            }
        }
        let Performed { result, decision } = performed.map_err(|failure| at(step, failure))?;
        let changes = match &result {
            StepResult::Fix { changes, .. } => changes.clone(),
            StepResult::WouldRun if matches!(step.kind, Kind::Fix(_)) => {
                let unseen = format!(
                    "{}: cannot be rehearsed, and runs for real after a yes",
                    step.title
                );
                Changes::of(Vec::new(), vec![unseen])
            }
            _ => Changes::default(),
        };
        self.state.apply(&EventKind::StepFinished {
            step: step_ref(runbook, step),
            result,
            decision: if step.atomic.is_some() {
                decision
            } else {
                Decision::Next
            },
            took_ms: 0.0,
        });
        Ok(changes)
    }

    fn skipped(&self, step: &Step, current: &[Current]) -> Result<bool, Failure> {
        skipped(self.plan, &self.state, self.surroundings, step, current)
    }
}

fn at(step: &Step, failure: Failure) -> Failure {
    Failure {
        message: format!("`{}`: {}", step.title, failure.message),
        ..failure
    }
}
