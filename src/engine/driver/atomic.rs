//! Transactions of several steps: begun, committed, taken back, and begun again after errors that may pass.

use std::time::Instant;

use super::super::change::Changes;
use super::super::decide::{self, Act};
use super::super::event::{EventKind, Item};
use super::super::failure::{Failure, FailureKind};
use super::super::perform::{limits, same_as_approved, step_ref};
use super::super::port::{Close, World};
use super::super::rehearse::items;
use super::super::scope::Current;
use super::{Driver, Untold, millis};
use crate::runbook::model::{Step, StepId};

/// A transaction of several steps that is under way.
pub(super) struct Open {
    pub(super) id: StepId,
    items: Vec<Option<(Current, Item)>>,
    index: usize,
    started: Instant,
    retries: u32,
    failed: u64,
    pub(super) changes: Changes,
    /// The sum over all items.
    count: u64,
}

impl<W: World> Driver<'_, W> {
    /// Rolls back the open transaction when the run goes on outside of it.
    pub(super) async fn leave(&mut self, act: &Act) -> Result<(), Untold> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        if decide::leaves(self.plan.runbook(), open.id, act) {
            let step = self.plan.runbook().step(open.id);
            self.open = None;
            let limits = self.limits();
            // A connection that is gone has rolled back as well.
            let _ = self.world.close(Close::Rollback, &limits).await;
            self.tell(EventKind::AtomicRolledBack {
                step: step_ref(self.plan.runbook(), step),
            })?;
        }
        Ok(())
    }

    /// Returns the item that the open transaction works on.
    pub(super) fn current(&self) -> Vec<Current> {
        let item = |open: &Open| open.items.get(open.index).cloned().flatten();
        self.open
            .as_ref()
            .and_then(item)
            .map(|(current, _)| current)
            .into_iter()
            .collect()
    }

    /// Runs an atomic again from its first step, where its `retry` says that it does.
    pub(super) async fn again_from_the_start(&mut self, failure: &Failure) -> Result<bool, Untold> {
        let Some(mut open) = self.open.take() else {
            return Ok(false);
        };
        let atomic = self.plan.runbook().step(open.id);
        let limits = self.limits();
        let mut retries = open.retries;
        // The transaction is of no use any more, whether the atomic runs again or not.
        let _ = self.world.close(Close::Rollback, &limits).await;
        if !self.again(atomic, failure, &mut retries).await? {
            let step = step_ref(self.plan.runbook(), atomic);
            self.tell(EventKind::AtomicRolledBack { step })?;
            return Ok(false);
        }
        open.retries = retries;
        self.open_transaction(open).await?;
        Ok(true)
    }

    pub(super) async fn begin_atomic(&mut self, step: &Step) -> Result<(), Untold> {
        let items = match items(self.plan, &self.state, &self.surroundings, step) {
            Ok(items) => items,
            Err(failure) => return self.fail(step, failure, 0.0),
        };
        if items.is_empty() {
            let step = step_ref(self.plan.runbook(), step);
            return self.tell(EventKind::LoopFinished {
                step,
                items: 0,
                count: 0,
                failed: 0,
            });
        }
        self.open_transaction(Open {
            id: step.id,
            items,
            index: 0,
            started: Instant::now(),
            retries: 0,
            failed: 0,
            changes: Changes::default(),
            count: 0,
        })
        .await
    }

    pub(super) async fn open_transaction(&mut self, mut open: Open) -> Result<(), Untold> {
        let step = self.plan.runbook().step(open.id);
        let limits = limits(step, &self.cancel);
        if let Err(failure) = self.world.open(&limits).await {
            return self.fail(step, failure, 0.0);
        }
        open.started = Instant::now();
        open.changes = Changes::default();
        let item = open
            .items
            .get(open.index)
            .cloned()
            .flatten()
            .map(|(_, item)| item);
        self.open = Some(open);
        let step = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::AtomicStarted { step, item })
    }

    pub(super) async fn commit(&mut self) -> Result<(), Untold> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let step = self.plan.runbook().step(open.id);
        let limits = limits(step, &self.cancel);
        let item = open
            .items
            .get(open.index)
            .and_then(Option::as_ref)
            .map(|(_, item)| item.index);
        let approved = self.state.approval(open.id, item);
        let same = approved.map_or(Ok(()), |approved| {
            same_as_approved(&approved, &open.changes)
        });
        let closed = match same {
            Ok(()) => self.world.close(Close::Commit, &limits).await,
            Err(failure) => {
                let _ = self.world.close(Close::Rollback, &limits).await;
                Err(failure)
            }
        };
        self.tell_asides(step)?;
        let name = step_ref(self.plan.runbook(), step);
        if let Err(failure) = closed {
            return self.commit_failed(step, open, failure).await;
        }
        open.count += open.changes.count();
        self.changes.append(open.changes.clone());
        let changes = std::mem::take(&mut open.changes);
        self.tell(EventKind::AtomicCommitted {
            step: name.clone(),
            changes,
            took_ms: millis(open.started),
        })?;
        if step.common.for_each.is_none() {
            return Ok(());
        }
        open.index += 1;
        if open.index < open.items.len() {
            return self.open_transaction(open).await;
        }
        self.tell(EventKind::LoopFinished {
            step: name,
            items: open.items.len() as u64,
            count: open.count,
            failed: open.failed,
        })
    }

    pub(super) async fn commit_failed(
        &mut self,
        step: &Step,
        mut open: Open,
        failure: Failure,
    ) -> Result<(), Untold> {
        let mut retries = open.retries;
        if self.again(step, &failure, &mut retries).await? {
            open.retries = retries;
            return self.open_transaction(open).await;
        }
        let took_ms = millis(open.started);
        if failure.kind != FailureKind::InDoubt {
            let step = step_ref(self.plan.runbook(), step);
            self.tell(EventKind::AtomicRolledBack { step })?;
        }
        self.fail(step, failure, took_ms)
    }
}
