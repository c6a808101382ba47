//! Transactions that the journal knows: begun with their entry, and told of before they commit.

use super::super::event::{EventKind, Progress, StepResult};
use super::super::failure::Failure;
use super::super::journal::{Entry, Unit};
use super::super::perform::{Performed, limits, perform, step_ref};
use super::super::port::{Close, Limits, World};
use super::super::scope::Current;
use super::{Driver, Untold};
use crate::runbook::model::Step;

impl<W: World> Driver<'_, W> {
    /// Runs a fix in a transaction of its own.
    pub(super) async fn transact(
        &mut self,
        step: &Step,
        current: &[Current],
    ) -> Result<Result<Performed, Failure>, Untold> {
        let limits = limits(step, &self.cancel);
        let unit = Unit {
            step: step.id,
            item: current.first().map(|item| item.index),
            part: 0,
        };
        if let Err(failure) = self.open_unit(step, unit, &limits).await {
            return Ok(Err(failure));
        }
        let mut stage = self.stage(step, current);
        let performed = perform(&mut stage, step).await;
        match self.held_to(step, performed).await {
            Ok(performed) => Ok(self
                .commit_unit(step, unit, &performed.result, None, &limits)
                .await?
                .map(|()| performed)),
            Err(failure) => {
                // The first failure is the one that matters; the transaction ends with its connection anyway.
                let _ = self.world.close(Close::Rollback, &limits).await;
                Ok(Err(failure))
            }
        }
    }

    /// Holds what a fix has done to the policy.
    async fn held_to(
        &mut self,
        step: &Step,
        performed: Result<Performed, Failure>,
    ) -> Result<Performed, Failure> {
        let performed = performed?;
        self.held(step, rows_of(&performed.result)).await?;
        Ok(performed)
    }

    /// Opens the transaction of a unit; the journal gets its entry unless it is only a dry run.
    pub(super) async fn open_unit(
        &mut self,
        step: &Step,
        unit: Unit,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.world.open(limits).await?;
        if self.plan.dry_run {
            return Ok(());
        }
        let entry = self.entry(step, unit);
        let recorded = self.world.record(&entry, limits).await;
        if recorded.is_err() {
            let _ = self.world.close(Close::Rollback, limits).await;
        }
        recorded
    }

    /// Commits the transaction of a unit, once the record says that it is going to.
    pub(super) async fn commit_unit(
        &mut self,
        step: &Step,
        unit: Unit,
        result: &StepResult,
        batch: Option<&Progress>,
        limits: &Limits,
    ) -> Result<Result<(), Failure>, Untold> {
        if !self.plan.dry_run {
            let told = self.tell(EventKind::Committing {
                step: step_ref(self.plan.runbook(), step),
                unit,
                transaction: self.world.transaction(),
                result: result.clone(),
                batch: batch.cloned(),
            });
            if told.is_err() {
                // What is not recorded must not happen.
                let _ = self.world.close(Close::Rollback, limits).await;
                told?;
            }
        }
        Ok(self.world.close(Close::Commit, limits).await)
    }

    pub(super) fn entry(&self, step: &Step, unit: Unit) -> Entry {
        Entry {
            run: self.plan.run.clone(),
            unit,
            name: step.title.clone(),
            undo: false,
        }
    }
}

/// Returns how many rows a fix changed: those that its statements count, or with those of cascades and triggers.
fn rows_of(result: &StepResult) -> u64 {
    match result {
        StepResult::Fix { count, changes, .. } => changes.count().max(*count),
        _ => 0,
    }
}
