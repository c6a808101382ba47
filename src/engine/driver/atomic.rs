//! Transactions of several steps: begun, committed, taken back, and begun again after errors that may pass.

use std::time::Instant;

use super::super::change::Changes;
use super::super::decide::{self, Act};
use super::super::event::{Decision, EventKind, Item};
use super::super::failure::{Failure, FailureKind};
use super::super::item::items;
use super::super::perform::{limits, same_as_approved, step_ref};
use super::super::port::{Close, World};
use super::super::scope::Current;
use super::super::state::Position;
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
    /// Rolls back the open transaction when the run goes on outside of it. Returns whether a loop of them goes
    /// on instead, with its next item.
    pub(super) async fn leave(&mut self, act: &Act) -> Result<bool, Untold> {
        let left = |open: &Open| decide::leaves(self.plan.runbook(), open.id, act);
        if !self.open.as_ref().is_some_and(left) {
            return Ok(false);
        }
        let Some(mut open) = self.open.take() else {
            return Ok(false);
        };
        let atomic = self.plan.runbook().step(open.id);
        let limits = self.limits();
        // A connection that is gone has rolled back as well.
        let _ = self.world.close(Close::Rollback, &limits).await;
        self.tell(EventKind::AtomicRolledBack {
            step: step_ref(self.plan.runbook(), atomic),
        })?;
        let said_no = matches!(self.state.position, Position::After(_, Decision::Else));
        if !said_no || !allows_more(atomic, &open) {
            return Ok(false);
        }
        open.failed += 1;
        self.next_item(open).await?;
        Ok(true)
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
    /// Where it does not, an atomic for each item of a list may go on with the next one.
    pub(super) async fn again_from_the_start(
        &mut self,
        failed: &Step,
        failure: &Failure,
        took_ms: f64,
    ) -> Result<bool, Untold> {
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
            if !may_pass_over(atomic, &open, failure) {
                return Ok(false);
            }
            self.fail(failed, failure.clone(), took_ms)?;
            open.failed += 1;
            self.next_item(open).await?;
            return Ok(true);
        }
        open.retries = retries;
        self.open_transaction(open).await?;
        Ok(true)
    }

    /// Opens the transaction of the next item, or ends the loop after the last one.
    async fn next_item(&mut self, mut open: Open) -> Result<(), Untold> {
        open.index += 1;
        open.retries = 0;
        if open.index < open.items.len() {
            return self.open_transaction(open).await;
        }
        let step = step_ref(self.plan.runbook(), self.plan.runbook().step(open.id));
        self.tell(EventKind::LoopFinished {
            step,
            items: open.items.len() as u64,
            count: open.count,
            failed: open.failed,
        })
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

    pub(super) async fn commit(&mut self, id: StepId) -> Result<(), Untold> {
        let Some(mut open) = self.open.take() else {
            // The proofs keep a run from coming here; were it to, it must not go on as if it had committed.
            let failure = Failure::new(FailureKind::Unsupported, "its transaction is not open");
            return self.fail(
                self.plan.runbook().step(id),
                failure.help("please report it: it is a defect"),
                0.0,
            );
        };
        let step = self.plan.runbook().step(open.id);
        let limits = limits(step, &self.cancel);
        let settled = self.world.settle(&limits).await;
        let item = open
            .items
            .get(open.index)
            .and_then(Option::as_ref)
            .map(|(_, item)| item.index);
        let approved = self.state.approval(open.id, item);
        let same = settled.and_then(|late| {
            open.changes.append(late);
            approved.map_or(Ok(()), |approved| {
                same_as_approved(&approved, &open.changes)
            })
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
            step: name,
            changes,
            took_ms: millis(open.started),
        })?;
        if step.common.for_each.is_none() {
            return Ok(());
        }
        self.next_item(open).await
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
        let passed_over = may_pass_over(step, &open, &failure);
        self.fail(step, failure, took_ms)?;
        if passed_over {
            open.failed += 1;
            return self.next_item(open).await;
        }
        Ok(())
    }
}

/// Returns whether a loop of transactions goes on after one of them failed.
fn may_pass_over(atomic: &Step, open: &Open, failure: &Failure) -> bool {
    let final_kind = matches!(failure.kind, FailureKind::Cancelled | FailureKind::InDoubt);
    !final_kind && allows_more(atomic, open)
}

/// Returns whether one more item of a loop may fail.
fn allows_more(atomic: &Step, open: &Open) -> bool {
    atomic.common.for_each.is_some()
        && open.failed < u64::from(atomic.common.max_failures.unwrap_or(0))
}
