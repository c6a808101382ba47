//! The one loop that runs a runbook: asks [`decide`] what is next, performs it, tells what happened, and
//! folds that into the state.

use std::time::Instant;

use jiff::Timestamp;

use super::cancel::Cancel;
use super::change::Changes;
use super::decide::{self, Act, End};
use super::event::{Decision, Event, EventKind, Item, RunFinished, RunStarted, Shown, StepResult};
use super::failure::{Failure, FailureKind};
use super::outcome::Outcome;
use super::perform::{Performed, Stage, ask, limits, perform, prepare, step_ref};
use super::plan::Plan;
use super::port::{Close, World};
use super::rehearse::{items, rehearse, skipped};
use super::scope::{self, Current, Surroundings};
use super::state::{Position, State};
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;

/// Why a run could not go on telling: what is not recorded must not happen.
#[derive(Debug, thiserror::Error)]
#[error("the run's events could not be written: {0}")]
pub struct Untold(#[from] pub std::io::Error);

/// Runs a plan to its end.
///
/// # Errors
/// An event could not be written; what was open is rolled back then.
pub async fn run<W: World>(
    plan: &Plan,
    world: &mut W,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    let surroundings = Surroundings {
        target: world.target(),
        started_at: Timestamp::now().to_string(),
    };
    let mut driver = Driver {
        plan,
        world,
        surroundings,
        state: State::default(),
        cancel,
        started: Instant::now(),
        seq: 0,
        open: None,
        changes: Changes::default(),
    };
    let result = driver.run().await;
    if result.is_err() && driver.open.is_some() {
        let limits = driver.limits();
        // The reason to stop is already known; the server rolls back with the connection in any case.
        let _ = driver.world.close(Close::Rollback, &limits).await;
    }
    result
}

/// A transaction of several steps that is under way.
struct Open {
    id: StepId,
    items: Vec<Option<(Current, Item)>>,
    index: usize,
    started: Instant,
    retries: u32,
    failed: u64,
    changes: Changes,
    /// The sum over all items.
    count: u64,
}

struct Driver<'a, W> {
    plan: &'a Plan,
    world: &'a mut W,
    surroundings: Surroundings,
    state: State,
    cancel: Cancel,
    started: Instant,
    seq: u64,
    open: Option<Open>,
    /// All changes of a dry run.
    changes: Changes,
}

impl<W: World> Driver<'_, W> {
    async fn run(&mut self) -> Result<RunFinished, Untold> {
        self.begin()?;
        if let Err(failure) = self.prepare().await {
            return self.finish_with(failure).await;
        }
        loop {
            let act = decide::next(self.plan.runbook(), &self.state);
            self.leave(&act).await?;
            match act {
                Act::Run(id) => self.enter(id).await?,
                Act::Commit(_) => self.commit().await?,
                Act::End(end) => return self.finish(end).await,
            }
        }
    }

    fn begin(&mut self) -> Result<(), Untold> {
        let plan = self.plan;
        let runbook = plan.runbook();
        let params = runbook.params().iter().filter_map(|(name, param)| {
            let shown = &plan.arguments.get(name)?.shown;
            let value = if param.secret {
                "•••".to_owned()
            } else {
                shown.clone()
            };
            Some(Shown {
                name: name.clone(),
                value,
            })
        });
        self.tell(EventKind::RunStarted(Box::new(RunStarted {
            run: plan.run.clone(),
            runbook: runbook.name.clone(),
            title: runbook.title.text().to_owned(),
            hash: plan.hash.clone(),
            risk: runbook.risk,
            dry_run: plan.dry_run,
            actor: plan.actor.clone(),
            target: self.surroundings.target.clone(),
            params: params.collect(),
            not_rehearsed: if plan.dry_run {
                plan.not_rehearsed()
            } else {
                Vec::new()
            },
        })))
    }

    /// Takes the run's lock, and opens the transaction of a dry run.
    async fn prepare(&mut self) -> Result<(), Failure> {
        let runbook = self.plan.runbook();
        let scope = crate::runbook::model::ScopeId(0);
        let context = scope::of_scope(self.plan, &self.state, &self.surroundings, scope)
            .map_err(super::perform::template)?;
        let render = |text: &crate::step::text::Template| {
            context
                .render(text.text())
                .map_err(super::perform::template)
        };
        let mut settings = Vec::new();
        for (name, text) in &runbook.session {
            settings.push((name.clone(), render(text)?));
        }
        self.world.settings(settings);
        if let Some(lock) = &runbook.lock {
            let key = render(lock)?;
            self.world.lock(&key).await?;
        }
        if self.plan.dry_run {
            let limits = self.limits();
            self.world.open(&limits).await?;
        }
        Ok(())
    }

    fn limits(&self) -> super::port::Limits {
        super::port::Limits {
            deadline: None,
            cancel: self.cancel.clone(),
        }
    }

    fn tell(&mut self, kind: EventKind) -> Result<(), Untold> {
        self.state.apply(&kind);
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: Timestamp::now(),
            elapsed_ms: millis(self.started),
            kind,
        };
        Ok(self.world.tell(&event)?)
    }

    /// Rolls back the open transaction when the run goes on outside of it.
    async fn leave(&mut self, act: &Act) -> Result<(), Untold> {
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

    async fn enter(&mut self, id: StepId) -> Result<(), Untold> {
        let plan = self.plan;
        let step = plan.runbook().step(id);
        if self.cancel.is_set() {
            self.cancel = Cancel::never();
            let failure = Failure::new(FailureKind::Cancelled, "cancelled before it began");
            return self.fail(step, failure, 0.0);
        }
        let current = self.current();
        match skipped(plan, &self.state, &self.surroundings, step, &current) {
            Ok(false) => {}
            Ok(true) => {
                let step = step_ref(plan.runbook(), step);
                return self.tell(EventKind::StepSkipped { step });
            }
            Err(failure) => return self.fail(step, failure, 0.0),
        }
        if decide::is_atomic(step) {
            return self.begin_atomic(step).await;
        }
        if step.common.for_each.is_none() {
            self.once(step, None, &current).await?;
            return Ok(());
        }
        match items(plan, &self.state, &self.surroundings, step) {
            Ok(items) => self.each(step, items).await,
            Err(failure) => self.fail(step, failure, 0.0),
        }
    }

    /// Returns the item that the open transaction works on.
    fn current(&self) -> Vec<Current> {
        let item = |open: &Open| open.items.get(open.index).cloned().flatten();
        self.open
            .as_ref()
            .and_then(item)
            .map(|(current, _)| current)
            .into_iter()
            .collect()
    }

    async fn each(
        &mut self,
        step: &Step,
        items: Vec<Option<(Current, Item)>>,
    ) -> Result<(), Untold> {
        let (mut failed, mut count, of) = (0, 0, items.len() as u64);
        let allowed = u64::from(step.common.max_failures.unwrap_or(0));
        for (current, item) in items.into_iter().flatten() {
            let said_no =
                |state: &State| matches!(&state.position, Position::After(_, Decision::Else));
            if self.once(step, Some(item), &[current]).await? && !said_no(&self.state) {
                count += self.state.results.get(&step.id).map_or(0, scope::count);
                continue;
            }
            failed += 1;
            let cancelled = self
                .state
                .failure
                .as_ref()
                .is_some_and(|failure| failure.kind == FailureKind::Cancelled);
            if failed > allowed || cancelled {
                return Ok(());
            }
        }
        let step = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::LoopFinished {
            step,
            items: of,
            count,
            failed,
        })
    }

    /// Runs a step, again after errors that may pass; returns whether it succeeded.
    async fn once(
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
            let attempt = self.attempt(step, current).await?;
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
            if step.atomic.is_some() && self.again_from_the_start(&failure).await? {
                return Ok(true);
            }
            self.fail(step, failure, took_ms)?;
            return Ok(false);
        }
    }

    async fn attempt(
        &mut self,
        step: &Step,
        current: &[Current],
    ) -> Result<Result<Performed, Failure>, Untold> {
        if let Kind::Confirm(confirm) = &step.kind {
            return self.confirm(step, confirm).await;
        }
        let mut stage = self.stage(step, current);
        let deadline = stage.limits.deadline;
        let work = perform(&mut stage, step);
        Ok(match deadline {
            // The statement is cancelled on the server by its own limit; this is for all else.
            Some(at) => tokio::time::timeout_at(at + std::time::Duration::from_secs(10), work)
                .await
                .unwrap_or_else(|_| {
                    Err(Failure::new(
                        FailureKind::Timeout,
                        "the step took longer than its time-out",
                    ))
                }),
            None => work.await,
        })
    }

    fn stage<'s>(&'s mut self, step: &Step, current: &'s [Current]) -> Stage<'s, W> {
        Stage {
            plan: self.plan,
            state: &self.state,
            surroundings: &self.surroundings,
            limits: limits(step, &self.cancel),
            items: current,
            // An atomic's approval is for all of it, and is looked at before its commit.
            approved: self
                .state
                .approval(step.id)
                .map(str::to_owned)
                .filter(|_| step.common.for_each.is_none()),
            world: self.world,
        }
    }

    async fn confirm(
        &mut self,
        step: &Step,
        confirm: &crate::step::confirm::Confirm,
    ) -> Result<Result<Performed, Failure>, Untold> {
        let asking = match prepare(&self.stage(step, &[]), step, confirm) {
            Ok(asking) => asking,
            Err(failure) => return Ok(Err(failure)),
        };
        let name = step_ref(self.plan.runbook(), step);
        let mut approved = Vec::new();
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
                    approved = rehearsal.approved;
                    let of = step
                        .of
                        .iter()
                        .map(|id| self.plan.runbook().step(*id).title.clone())
                        .collect();
                    self.tell(EventKind::Rehearsed {
                        step: name.clone(),
                        of,
                        changes: rehearsal.changes,
                    })?;
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        self.tell(EventKind::Asked {
            step: name,
            question: asking.question.text.clone(),
            typed: asking.question.typed.clone(),
            show: asking.show,
        })?;
        let started = Instant::now();
        let answer = ask(self.world, &asking.question, approved, &self.cancel).await;
        self.state.waited_ms += millis(started);
        Ok(answer)
    }

    /// Tells who held a lock, and what the server said beside results.
    fn tell_asides(&mut self, step: &Step) -> Result<(), Untold> {
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

    fn note_changes(&mut self, step: &Step, result: &StepResult) {
        let StepResult::Fix { changes, .. } = result else {
            return;
        };
        match (&mut self.open, step.atomic) {
            (Some(open), Some(_)) => open.changes.append(changes.clone()),
            _ => self.changes.append(changes.clone()),
        }
    }

    /// Waits before a step runs again, where its `retry` says that it does.
    async fn again(
        &mut self,
        step: &Step,
        failure: &Failure,
        retry: &mut u32,
    ) -> Result<bool, Untold> {
        let (Some(policy), Some(trouble)) = (&step.common.retry, failure.trouble()) else {
            return Ok(false);
        };
        if *retry >= policy.times || !policy.on.contains(&trouble) || self.plan.dry_run {
            return Ok(false);
        }
        *retry += 1;
        let wait = policy
            .wait
            .map_or(std::time::Duration::from_secs(1), |wait| wait.0);
        self.tell(EventKind::StepRetried {
            step: step_ref(self.plan.runbook(), step),
            failure: failure.clone(),
            retry: *retry,
            of: policy.times,
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

    /// Runs an atomic again from its first step, where its `retry` says that it does.
    async fn again_from_the_start(&mut self, failure: &Failure) -> Result<bool, Untold> {
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

    fn fail(&mut self, step: &Step, failure: Failure, took_ms: f64) -> Result<(), Untold> {
        let step = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::StepFailed {
            step,
            failure,
            took_ms,
        })
    }

    async fn begin_atomic(&mut self, step: &Step) -> Result<(), Untold> {
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

    async fn open_transaction(&mut self, mut open: Open) -> Result<(), Untold> {
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

    async fn commit(&mut self) -> Result<(), Untold> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let step = self.plan.runbook().step(open.id);
        let limits = limits(step, &self.cancel);
        let approved = self
            .state
            .approval(open.id)
            .filter(|_| step.common.for_each.is_none());
        let same = approved.map_or(Ok(()), |approved| {
            super::perform::same_as_approved(approved, &open.changes)
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

    async fn commit_failed(
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

    async fn finish_with(&mut self, failure: Failure) -> Result<RunFinished, Untold> {
        let says = failure.message.clone();
        self.state.failure = Some(failure);
        self.conclude(Outcome::Failed, says).await
    }

    async fn finish(&mut self, end: End) -> Result<RunFinished, Untold> {
        let says = match &end.says {
            Some((id, text)) => {
                let step = self.plan.runbook().step(*id);
                scope::context(self.plan, &self.state, &self.surroundings, step, &[])
                    .and_then(|context| context.render(text.text()))
                    .unwrap_or_else(|why| format!("{} ({why})", text.text()))
            }
            None => self.reason(end.outcome),
        };
        self.conclude(end.outcome, says).await
    }

    /// Says why a run ended for which the runbook has no words.
    fn reason(&self, outcome: Outcome) -> String {
        let last = self
            .state
            .trail
            .last()
            .map(|(id, _)| self.plan.runbook().step(*id));
        let name = last.map_or("", |step| step.title.as_str());
        match (outcome, &self.state.failure) {
            (Outcome::Done | Outcome::Nothing, _) => String::new(),
            (Outcome::Declined, _) => {
                match last.and_then(|step| self.state.results.get(&step.id)) {
                    Some(StepResult::Confirm { why: Some(why), .. }) => why.clone(),
                    _ => format!("`{name}` was answered with no"),
                }
            }
            (_, Some(failure)) => format!("`{name}`: {}", failure.message),
            (_, None) => format!("`{name}` says no"),
        }
    }

    async fn conclude(&mut self, outcome: Outcome, says: String) -> Result<RunFinished, Untold> {
        let aborted = if self.plan.dry_run {
            Some(self.world.abort().await.unwrap_or(false))
        } else {
            None
        };
        let title = |id: &StepId| self.plan.runbook().step(*id).title.clone();
        let finished = RunFinished {
            outcome,
            says,
            committed: self.state.committed.iter().map(title).collect(),
            aborted,
            changes: self.plan.dry_run.then(|| std::mem::take(&mut self.changes)),
            took_ms: millis(self.started),
            waited_ms: self.state.waited_ms,
        };
        self.tell(EventKind::RunFinished(Box::new(finished.clone())))?;
        Ok(finished)
    }
}

fn millis(since: Instant) -> f64 {
    // Microseconds are as exact as anybody reads them.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a run of 285 years would lose a microsecond"
    )]
    let micros = since.elapsed().as_micros() as f64;
    micros / 1000.0
}
