//! Transactions of several steps: begun, committed, taken back, and begun again after errors that may pass.

use std::time::Instant;

use super::super::change::Changes;
use super::super::clock::millis;
use super::super::decide::{self, Act};
use super::super::event::{Decision, EventKind, Item, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::item::items;
use super::super::journal::Unit;
use super::super::perform::{limits, same_as_approved, step_ref};
use super::super::port::{Close, Limits, World};
use super::super::scope::Current;
use super::super::state::Position;
use super::{Driver, Untold};
use crate::runbook::data::Rows;
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;

/// A transaction of several steps that is under way.
pub(super) struct Open {
    pub(super) id: StepId,
    items: Vec<Option<(Current, Item)>>,
    index: usize,
    started: Instant,
    retries: u32,
    pub(super) changes: Changes,
}

impl Open {
    /// Returns the item that it works on.
    fn item(&self) -> Option<&Item> {
        let item = self.items.get(self.index)?;
        item.as_ref().map(|(_, item)| item)
    }
}

impl<W: World> Driver<'_, W> {
    /// Rolls back the open transaction when the run goes on outside of it. Returns whether a loop of them goes
    /// on instead, with its next item.
    pub(super) async fn leave(&mut self, act: &Act) -> Result<bool, Untold> {
        let left = |open: &Open| decide::leaves(self.plan.runbook(), open.id, act);
        if !self.open.as_ref().is_some_and(left) {
            return Ok(false);
        }
        let Some(open) = self.open.take() else {
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
        if !said_no || !self.allows_more(atomic) {
            return Ok(false);
        }
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
            if !self.may_pass_over(atomic, failure) {
                return Ok(false);
            }
            self.fail(failed, failure.clone(), took_ms)?;
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
        self.open_item(open).await
    }

    async fn open_item(&mut self, open: Open) -> Result<(), Untold> {
        if open.index < open.items.len() {
            return self.open_transaction(open).await;
        }
        let step = self.plan.runbook().step(open.id);
        let round = self.round(step);
        self.tell(EventKind::LoopFinished {
            step: step_ref(self.plan.runbook(), step),
            items: open.items.len() as u64,
            count: round.count,
            failed: round.failed,
        })
    }

    pub(super) async fn begin_atomic(&mut self, step: &Step) -> Result<(), Untold> {
        let items = match items(self.plan, &self.state, &self.surroundings, step) {
            Ok(items) => items,
            Err(failure) => return self.fail(step, failure, 0.0),
        };
        // Of a run that goes on, the first items have their outcome already.
        let index = self.round(step).next;
        let open = Open {
            id: step.id,
            items,
            index,
            started: Instant::now(),
            retries: 0,
            changes: Changes::default(),
        };
        self.open_item(open).await
    }

    /// Returns what the journal knows an open transaction by: only if it can change anything.
    fn unit(&self, open: &Open) -> Option<Unit> {
        let runbook = self.plan.runbook();
        let step = runbook.step(open.id);
        let changes = |id: &StepId| matches!(runbook.step(*id).kind, Kind::Fix(_));
        step.inner.iter().any(changes).then(|| Unit {
            step: open.id,
            item: open.item().map(|item| item.index),
            part: 0,
        })
    }

    pub(super) async fn open_transaction(&mut self, mut open: Open) -> Result<(), Untold> {
        let step = self.plan.runbook().step(open.id);
        let limits = limits(step, &self.cancel);
        let opened = match self.unit(&open) {
            Some(unit) => self.open_unit(step, unit, &limits).await,
            None => self.world.open(&limits).await,
        };
        if let Err(failure) = opened {
            return self.fail(step, failure, 0.0);
        }
        open.started = Instant::now();
        open.changes = Changes::default();
        let item = open.item().cloned();
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
        let item = open.item().map(|item| item.index);
        let approved = self.state.approval(open.id, item, None);
        let mut same = settled.and_then(|late| {
            open.changes.append(late);
            approved.map_or(Ok(()), |approved| {
                same_as_approved(&approved, &open.changes)
            })
        });
        if same.is_ok() {
            same = self.held(step, open.changes.count()).await;
        }
        let closed = match same {
            Ok(()) => self.commit_open(step, &open, &limits).await?,
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

    async fn commit_open(
        &mut self,
        step: &Step,
        open: &Open,
        limits: &Limits,
    ) -> Result<Result<(), Failure>, Untold> {
        let Some(unit) = self.unit(open) else {
            return Ok(self.world.close(Close::Commit, limits).await);
        };
        let result = StepResult::Fix {
            count: open.changes.count(),
            rows: Rows::default(),
            changes: open.changes.clone(),
            committed: true,
        };
        self.commit_unit(step, unit, &result, None, limits).await
    }

    /// Returns whether a loop of transactions goes on after one of them failed. It counts as failed already.
    fn may_pass_over(&self, atomic: &Step, failure: &Failure) -> bool {
        let final_kind = matches!(failure.kind, FailureKind::Cancelled | FailureKind::InDoubt);
        !final_kind && self.allows_more(atomic)
    }

    /// Returns whether as many items of a loop may fail as have.
    fn allows_more(&self, atomic: &Step) -> bool {
        atomic.common.for_each.is_some()
            && self.round(atomic).failed <= u64::from(atomic.common.max_failures.unwrap_or(0))
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
        let passed_over = self.may_pass_over(step, &failure);
        self.fail(step, failure, took_ms)?;
        if passed_over {
            return self.next_item(open).await;
        }
        Ok(())
    }
}
