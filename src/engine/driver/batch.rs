//! A `batch`: one statement over many rows, in several transactions, each a unit of its own.

use std::time::Duration;

use super::super::change::Changes;
use super::super::event::{Decision, EventKind, Progress, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::journal::Unit;
use super::super::perform::{
    Performed, ROLLED_BACK, check_guard, limits, perform_part, step_ref, whole,
};
use super::super::port::{Close, World};
use super::super::scope::Current;
use super::{Driver, Untold};
use crate::runbook::data::Rows;
use crate::runbook::model::Step;
use crate::step::fix::{Batch, Fix};

impl<W: World> Driver<'_, W> {
    /// Works through all parts of a batch; of a run that goes on, through those that are left.
    pub(super) async fn work_through(
        &mut self,
        step: &Step,
        fix: &Fix,
        batch: &Batch,
        current: &[Current],
    ) -> Result<Result<Performed, Failure>, Untold> {
        let mut unit = Unit {
            step: step.id,
            item: current.first().map(|item| item.index),
            part: 0,
        };
        let before = self
            .state
            .batch
            .clone()
            .filter(|batch| batch.unit.step == unit.step && batch.unit.item == unit.item);
        let mut progress = before.as_ref().map(|batch| batch.progress.clone());
        if let Some(before) = before {
            unit.part = before.unit.part + 1;
        }
        let mut changes = Changes::default();
        loop {
            if progress.as_ref().is_some_and(|done| done.last.is_empty()) {
                break;
            }
            match self
                .part(step, fix, batch, current, unit, progress.as_ref())
                .await?
            {
                Ok((now, changed)) => {
                    changes.append(changed);
                    progress = Some(now);
                    unit.part += 1;
                }
                Err(failure) => return Ok(Err(failure)),
            }
            if let Some(pause) = batch.pause
                && let Err(failure) = self.pause(pause.0).await
            {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(Performed {
            result: StepResult::Fix {
                count: progress.map_or(0, |progress| progress.so_far),
                rows: Rows::default(),
                changes,
                committed: !self.plan.dry_run,
            },
            decision: Decision::Next,
        }))
    }

    /// Does one part, and returns how far the batch has come with it.
    async fn part(
        &mut self,
        step: &Step,
        fix: &Fix,
        batch: &Batch,
        current: &[Current],
        unit: Unit,
        before: Option<&Progress>,
    ) -> Result<Result<(Progress, Changes), Failure>, Untold> {
        let limits = limits(step, &self.cancel);
        let stage = self.stage(step, current);
        let bound = match whole(&stage, step) {
            Ok(bound) => bound,
            Err(failure) => return Ok(Err(failure)),
        };
        let after = before.map(|done| done.last.as_slice());
        let part = match self.world.part(&bound, after, batch.size, &limits).await {
            Ok(part) => part,
            Err(failure) => return Ok(Err(failure)),
        };
        let of = before.map_or(part.of, |done| done.of);
        if before.is_none()
            && let Err(failure) = check_guard(&self.stage(step, current), step, fix, of)
        {
            return Ok(Err(failure));
        }
        if let Err(failure) = self.open_unit(step, unit, &limits).await {
            return Ok(Err(failure));
        }
        let mut stage = self.stage(step, current);
        stage.approved = stage.state.approval(step.id, unit.item, Some(unit.part));
        let mut performed = perform_part(&mut stage, step, fix, &part.bound).await;
        let mut so_far = before.map_or(0, |done| done.so_far);
        if let Ok((count, _)) = &performed {
            so_far += count;
            if !part.more
                && let Err(mut failure) = check_guard(&stage, step, fix, so_far)
            {
                if before.is_some() {
                    // What it says of one transaction is not so of several.
                    failure.notes.retain(|note| note != ROLLED_BACK);
                    failure = failure
                        .note("this part is rolled back; the parts before it were committed");
                }
                performed = Err(failure);
            }
        }
        if let Ok((_, changes)) = &performed
            // All that it is going to change, and all that it has changed, is held to the policy together.
            && let Err(failure) = self.held(step, of.max(so_far).max(changes.count())).await
        {
            performed = Err(failure);
        }
        let (count, changes) = match performed {
            Ok(performed) => performed,
            Err(failure) => {
                // The first failure is the one that matters.
                let _ = self.world.close(Close::Rollback, &limits).await;
                return Ok(Err(failure));
            }
        };
        let progress = Progress {
            so_far,
            of,
            last: if part.more { part.last } else { Vec::new() },
        };
        let result = StepResult::Fix {
            count,
            rows: Rows::default(),
            changes: changes.clone(),
            committed: true,
        };
        let committed = self
            .commit_unit(step, unit, &result, Some(&progress), &limits)
            .await?;
        if let Err(failure) = committed {
            return Ok(Err(failure));
        }
        self.tell_part(step, unit, count, &progress)?;
        Ok(Ok((progress, changes)))
    }

    pub(super) fn tell_part(
        &mut self,
        step: &Step,
        unit: Unit,
        count: u64,
        progress: &Progress,
    ) -> Result<(), Untold> {
        if self.plan.dry_run {
            return Ok(());
        }
        self.tell(EventKind::BatchCommitted {
            step: step_ref(self.plan.runbook(), step),
            unit,
            count,
            so_far: progress.so_far,
            of: progress.of,
            last: progress.last.clone(),
        })
    }

    async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.cancel.wait() => Err(Failure::new(
                FailureKind::Cancelled,
                "cancelled between two parts of the batch",
            )),
        }
    }
}
