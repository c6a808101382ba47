//! One step of a run: once, for each item, and again after errors that may pass.

use std::time::{Duration, Instant};

use super::super::change::Changes;
use super::super::clock::millis;
use super::super::event::{Decision, EventKind, Item, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::impact;
use super::super::perform::{
    Performed, Stage, ask, has_transaction, limits, perform, prepare, step_ref,
};
use super::super::policy;
use super::super::port::World;
use super::super::rehearse::rehearse;
use super::super::scope::{self, Current};
use super::super::state::{Position, Round, State};
use super::approval::Yes;
use super::{Driver, Untold};
use crate::runbook::model::Step;
use crate::step::Kind;
use crate::step::common::Trouble;
use crate::step::confirm::Confirm;

/// How often a step runs again after a deadlock or a serialization failure, where its `retry` says nothing.
const SERIALIZATION_RETRIES: u32 = 3;

impl<W: World> Driver<'_, W> {
    pub(super) async fn each(
        &mut self,
        step: &Step,
        items: Vec<Option<(Current, Item)>>,
    ) -> Result<(), Untold> {
        let of = items.len() as u64;
        let allowed = u64::from(step.common.max_failures.unwrap_or(0));
        // Of a run that goes on, the first items have their outcome already.
        let first = self.round(step).next;
        for (current, item) in items.into_iter().flatten().skip(first) {
            let said_no =
                |state: &State| matches!(&state.position, Position::After(_, Decision::Else));
            if self.once(step, Some(item), &[current]).await? && !said_no(&self.state) {
                continue;
            }
            let failed = self.round(step).failed;
            let last = self.state.failure.as_ref().map(|failure| failure.kind);
            let is_final = matches!(last, Some(FailureKind::Cancelled | FailureKind::InDoubt));
            if failed > allowed || is_final {
                return Ok(());
            }
        }
        let round = self.round(step);
        let step = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::LoopFinished {
            step,
            items: of,
            count: round.count,
            failed: round.failed,
        })
    }

    /// Returns how far the loop of a step has come.
    pub(super) fn round(&self, step: &Step) -> Round {
        self.state.loops.get(&step.id).copied().unwrap_or_default()
    }

    /// Runs a step, again after errors that may pass; returns whether it succeeded.
    pub(super) async fn once(
        &mut self,
        step: &Step,
        item: Option<Item>,
        current: &[Current],
    ) -> Result<bool, Untold> {
        let plan = self.plan;
        let about = match &step.common.about {
            Some(about) => scope::context(plan, &self.state, &self.surroundings, step, current)
                .and_then(|context| context.render(about.text()))
                .ok(),
            None => None,
        };
        let name = step_ref(plan.runbook(), step);
        self.tell(EventKind::StepStarted {
            step: name.clone(),
            about,
            item,
        })?;
        let mut retry = 0;
        loop {
            let started = Instant::now();
            let waited = self.state.waited_ms;
            let Some(attempt) = self.attempt(step, current).await? else {
                // Other people are asked: the run ends here, and goes on here.
                return Ok(true);
            };
            self.tell_asides(step)?;
            let took_ms = millis(started) - (self.state.waited_ms - waited);
            let failure = match attempt {
                Ok(Performed { result, decision }) => {
                    self.note_changes(step, &result);
                    self.tell(EventKind::StepFinished {
                        step: name,
                        result,
                        decision,
                        took_ms,
                    })?;
                    return Ok(true);
                }
                Err(failure) => failure,
            };
            if self.again(step, &failure, &mut retry).await? {
                continue;
            }
            if step.atomic.is_some() && self.again_from_the_start(step, &failure, took_ms).await? {
                return Ok(true);
            }
            self.fail(step, failure, took_ms)?;
            return Ok(false);
        }
    }

    /// Does a step once; nothing where it waits for other people.
    async fn attempt(
        &mut self,
        step: &Step,
        current: &[Current],
    ) -> Result<Option<Result<Performed, Failure>>, Untold> {
        if let Kind::Confirm(confirm) = &step.kind {
            return self.confirm(step, confirm).await;
        }
        self.work(step, current).await.map(Some)
    }

    async fn work(
        &mut self,
        step: &Step,
        current: &[Current],
    ) -> Result<Result<Performed, Failure>, Untold> {
        if let Kind::Rollback(rollback) = &step.kind {
            return Ok(self.roll_back(step, rollback).await);
        }
        if let Kind::Fix(fix) = &step.kind
            && let Some(batch) = &fix.batch
        {
            return self.work_through(step, fix, batch, current).await;
        }
        if has_transaction(step) {
            return self.transact(step, current).await;
        }
        // What is done outside of transactions cannot be taken back once it is found to be too much.
        let is_final = matches!(&step.kind, Kind::Fix(fix) if fix.is_final());
        if is_final
            && !self.plan.dry_run
            && let Err(failure) = self.held(step, 0).await
        {
            return Ok(Err(failure));
        }
        let mut stage = self.stage(step, current);
        Ok(perform(&mut stage, step).await)
    }

    /// Holds a unit to the policy with the rows that it changed; those of the items before it count as well.
    pub(super) async fn held(&mut self, unit: &Step, rows: u64) -> Result<(), Failure> {
        let round = self.round(unit).count;
        // The counts of a loop are those of its statements: what triggers changed is in its results.
        let before = if unit.common.for_each.is_some() && unit.inner.is_empty() {
            round.max(self.state.rows_of(self.plan.runbook(), unit.id))
        } else {
            round
        };
        let rows = rows.saturating_add(before);
        policy::at_commit(self.plan, &self.state, self.world, unit, rows).await
    }

    pub(super) fn stage<'s>(&'s mut self, step: &Step, current: &'s [Current]) -> Stage<'s, W> {
        Stage {
            plan: self.plan,
            state: &self.state,
            surroundings: &self.surroundings,
            limits: limits(step, &self.cancel),
            items: current,
            // An atomic's approval is for all of it, and is looked at before its commit.
            approved: self
                .state
                .approval(step.id, current.first().map(|item| item.index), None),
            lasting: !self.plan.dry_run,
            world: self.world,
        }
    }

    /// Finds out whether what a confirm approves can be recorded at all, before anybody is asked in vain.
    async fn recordable(&mut self, confirm: &Step) -> Result<(), Failure> {
        let runbook = self.plan.runbook();
        let is_recorded = |step: &Step| matches!(&step.kind, Kind::Fix(fix) if !fix.is_final());
        let mut units = confirm.of.iter().flat_map(|id| runbook.step(*id).unit());
        let is_recorded = if confirm.of.is_empty() {
            // It is about what comes after it.
            policy::risk_of_confirm(self.plan, confirm).is_some()
                && runbook.steps.iter().any(is_recorded)
        } else {
            units.any(|id| is_recorded(runbook.step(id)))
        };
        if self.plan.dry_run || !is_recorded {
            return Ok(());
        }
        self.world.recordable().await
    }

    pub(super) async fn confirm(
        &mut self,
        step: &Step,
        confirm: &Confirm,
    ) -> Result<Option<Result<Performed, Failure>>, Untold> {
        if let Some(asked) = self.state.asked.take_if(|asked| asked.step == step.id) {
            if !self.goes_on_alone(&asked) {
                return self.heed(step, asked).await;
            }
            self.take_back(&asked.request).await;
        }
        let mut asking = match prepare(&self.stage(step, &[]), step, confirm) {
            Ok(asking) => asking,
            Err(failure) => return Ok(Some(Err(failure))),
        };
        if let Err(failure) = self.recordable(step).await {
            return Ok(Some(Err(failure)));
        }
        let name = step_ref(self.plan.runbook(), step);
        let mut approved = Vec::new();
        let mut at_stake = None;
        let mut shown = Changes::default();
        if !step.of.is_empty() {
            match rehearse(
                self.plan,
                &self.state,
                &self.surroundings,
                self.world,
                step,
                &self.cancel,
            )
            .await
            {
                Ok(rehearsal) => {
                    let limits = limits(step, &self.cancel);
                    at_stake = impact::of(
                        self.plan,
                        &self.state,
                        self.world,
                        (step, confirm),
                        &rehearsal,
                        &limits,
                    )
                    .await;
                    approved = rehearsal.approved;
                    let of = step
                        .of
                        .iter()
                        .map(|id| self.plan.runbook().step(*id).title.clone())
                        .collect();
                    shown = rehearsal.changes.clone();
                    self.tell(EventKind::Rehearsed {
                        step: name.clone(),
                        of,
                        changes: rehearsal.changes,
                    })?;
                }
                Err(failure) => return Ok(Some(Err(failure))),
            }
        }
        let risk = policy::risk_of_confirm(self.plan, step);
        let held = policy::at_question(self.plan, self.world, risk, shown.count()).await;
        if let Err(failure) = held {
            return Ok(Some(Err(failure)));
        }
        let needed = policy::of_confirm(self.plan, step, confirm, &shown);
        asking.question.answered_by = needed.answered_by;
        self.tell(EventKind::Asked {
            step: name,
            question: asking.question.text.clone(),
            typed: asking.question.typed.clone(),
            show: asking.show.clone(),
            impact: at_stake.clone(),
        })?;
        let others = needed.approvals.clone().filter(|_| !self.plan.dry_run);
        let started = Instant::now();
        let of_yes = if others.is_some() {
            Vec::new()
        } else {
            approved.clone()
        };
        let answer = ask(self.world, &asking.question, of_yes, &self.cancel).await;
        self.state.waited_ms += millis(started);
        let is_yes = matches!(&answer, Ok(performed) if performed.decision == Decision::Next);
        let Some(needs) = others.filter(|_| is_yes) else {
            return Ok(Some(answer));
        };
        let yes = Yes {
            asking,
            changes: shown,
            approved,
            impact: at_stake,
            needed,
        };
        let failure = self.ask_others(step, yes, needs).await?;
        Ok(failure.map(Err))
    }

    /// Tells who held a lock, and what the server said beside results.
    pub(super) fn tell_asides(&mut self, step: &Step) -> Result<(), Untold> {
        for message in self.world.notices() {
            self.tell(EventKind::Noticed { message })?;
        }
        let blockers = self.world.blockers();
        if !blockers.is_empty() {
            let step = step_ref(self.plan.runbook(), step);
            self.tell(EventKind::LockWaited { step, blockers })?;
        }
        Ok(())
    }

    pub(super) fn note_changes(&mut self, step: &Step, result: &StepResult) {
        let StepResult::Fix { changes, .. } = result else {
            return;
        };
        match (&mut self.open, step.atomic) {
            (Some(open), Some(_)) => open.changes.append(changes.clone()),
            _ => self.changes.append(changes.clone()),
        }
    }

    /// Waits before a step runs again, where its `retry` says that it does.
    pub(super) async fn again(
        &mut self,
        step: &Step,
        failure: &Failure,
        retry: &mut u32,
    ) -> Result<bool, Untold> {
        let Some((times, wait)) = patience(step, failure).filter(|_| !self.plan.dry_run) else {
            return Ok(false);
        };
        if *retry >= times {
            return Ok(false);
        }
        *retry += 1;
        self.tell(EventKind::StepRetried {
            step: step_ref(self.plan.runbook(), step),
            failure: failure.clone(),
            retry: *retry,
            of: times,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        })?;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.cancel.wait() => return Ok(false),
        }
        if failure.kind == FailureKind::Connection {
            return Ok(self.world.reconnect().await.is_ok());
        }
        Ok(true)
    }

    pub(super) fn fail(
        &mut self,
        step: &Step,
        failure: Failure,
        took_ms: f64,
    ) -> Result<(), Untold> {
        if failure.kind == FailureKind::Cancelled {
            // What handles a Ctrl-C must be able to run.
            self.cancel = crate::engine::cancel::Cancel::never();
        }
        let step = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::StepFailed {
            step,
            failure,
            took_ms,
        })
    }
}

/// Returns how often a step runs again after a failure, and how long it waits before. What the server took
/// back because of others who work at the same time runs again in any case: nobody made a mistake.
fn patience(step: &Step, failure: &Failure) -> Option<(u32, Duration)> {
    let trouble = failure.trouble()?;
    match &step.common.retry {
        Some(retry) if retry.on.contains(&trouble) => {
            let wait = retry.wait.map_or(Duration::from_secs(1), |wait| wait.0);
            Some((retry.times, wait))
        }
        _ if trouble == Trouble::Serialization && step.atomic.is_none() => {
            Some((SERIALIZATION_RETRIES, Duration::from_millis(100)))
        }
        _ => None,
    }
}
