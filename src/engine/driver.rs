//! The one loop that runs a runbook: asks [`decide`] what is next, performs it, tells what happened, and
//! folds that into the state.

mod approval;
mod atomic;
mod batch;
mod ending;
mod resume;
mod step;
mod transaction;
mod undo;

use jiff::Timestamp;

use super::cancel::Cancel;
use super::change::Changes;
use super::clock::Clock;
use super::decide::{self, Act};
use super::event::{EventKind, RunFinished, RunStarted, Shown};
use super::failure::{Failure, FailureKind};
use super::item::{items, skipped};
use super::perform::step_ref;
use super::plan::Plan;
use super::policy;
use super::port::{Close, World};
use super::scope::{self, Surroundings};
use super::state::State;
use crate::runbook::model::{ScopeId, StepId};
use atomic::Open;
pub use resume::Past;

/// Why a run could not go on telling: what is not recorded must not happen.
#[derive(Debug, thiserror::Error)]
#[error("the run's events could not be written: {0}")]
pub struct Untold(#[from] pub std::io::Error);

/// How a run came to its end, or why it is cut short: it can go on later then, from where it was.
pub type Came = Result<Result<RunFinished, Failure>, Untold>;

/// Runs a plan to its end.
///
/// # Errors
/// An event could not be written; what was open is rolled back then.
pub async fn run<W: World>(plan: &Plan, world: &mut W, cancel: Cancel) -> Came {
    let mut driver = Driver::new(plan, world, cancel, Timestamp::now().to_string());
    driver.begin()?;
    let result = driver.run().await;
    driver.end(result).await
}

/// Goes on with a run that was cut short, to its end.
///
/// # Errors
/// As [`run`].
pub async fn resume<W: World>(plan: &Plan, world: &mut W, cancel: Cancel, past: Past) -> Came {
    let mut driver = Driver::new(plan, world, cancel, past.started_at);
    driver.clock.go_on(past.seq, past.elapsed_ms);
    driver.state = past.state;
    if let Some(came) = driver.still_waiting(&past.actor).await? {
        return Ok(came);
    }
    if let Err(failure) = driver.prepare(!past.is_ending).await {
        return Ok(Err(failure));
    }
    let by = past.actor.clone();
    driver.tell(EventKind::RunResumed { actor: past.actor })?;
    driver.by = by;
    if let Err(failure) = driver.break_glass().await? {
        return Ok(Err(failure));
    }
    if let Err(failure) = driver.resolve(&past.assume).await? {
        return Ok(Err(failure));
    }
    if !past.is_ending
        && let Err(failure) = driver.still_granted().await
    {
        return Ok(Err(failure));
    }
    if past.cancelled {
        let (canceller, cancel) = Cancel::new();
        canceller.cancel();
        driver.cancel = cancel;
    }
    let result = driver.go_on().await;
    driver.end(result).await
}

struct Driver<'a, W> {
    plan: &'a Plan,
    world: &'a mut W,
    surroundings: Surroundings,
    state: State,
    cancel: Cancel,
    clock: Clock,
    open: Option<Open>,
    /// The keys of the locks that the run holds.
    locks: Vec<String>,
    /// All changes of a dry run.
    changes: Changes,
    /// Who runs it now.
    by: String,
}

impl<'a, W: World> Driver<'a, W> {
    fn new(plan: &'a Plan, world: &'a mut W, cancel: Cancel, started_at: String) -> Self {
        let target = world.target();
        Self {
            plan,
            world,
            surroundings: Surroundings { target, started_at },
            state: State::default(),
            cancel,
            clock: Clock::start(),
            open: None,
            locks: Vec::new(),
            changes: Changes::default(),
            by: plan.actor.clone(),
        }
    }

    async fn run(&mut self) -> Came {
        if let Err(mut failure) = self.prepare(true).await {
            // No step shows it: what to do is said with the rest, or nowhere.
            failure.notes.append(&mut failure.help);
            return self.finish_with(failure).await.map(Ok);
        }
        if let Err(failure) = self.break_glass().await? {
            return self.finish_with(failure).await.map(Ok);
        }
        self.go_on().await
    }

    /// What could not be told did not happen: the open transaction is taken back.
    async fn end(&mut self, result: Came) -> Came {
        if result.is_err() && self.open.is_some() {
            let limits = self.limits();
            // The reason to stop is already known; the server rolls back with the connection in any case.
            let _ = self.world.close(Close::Rollback, &limits).await;
        }
        result
    }

    async fn go_on(&mut self) -> Came {
        loop {
            let act = decide::next(self.plan.runbook(), &self.state);
            if self.leave(&act).await? {
                continue;
            }
            match act {
                Act::Run(id) => self.enter(id).await?,
                Act::Commit(id) => self.commit(id).await?,
                Act::PutBack => {
                    if let Err(failure) = self.undo().await? {
                        return Ok(Err(failure));
                    }
                }
                Act::End(end) => return self.finish(end).await.map(Ok),
            }
        }
    }

    fn begin(&mut self) -> Result<(), Untold> {
        let plan = self.plan;
        let runbook = plan.runbook();
        self.tell(EventKind::RunStarted(Box::new(RunStarted {
            run: plan.run.clone(),
            runbook: runbook.name.clone(),
            title: runbook.title.text().to_owned(),
            hash: plan.hash.clone(),
            risk: runbook.risk,
            dry_run: plan.dry_run,
            actor: plan.actor.clone(),
            target: self.surroundings.target.clone(),
            params: self.shown(),
            undo_of: None,
            glass: plan.policy.broken.clone(),
            not_rehearsed: if plan.dry_run {
                plan.not_rehearsed()
            } else {
                Vec::new()
            },
        })))
    }

    /// Returns the parameters as people see them.
    fn shown(&self) -> Vec<Shown> {
        let params = self.plan.runbook().params().iter();
        let shown = params.filter_map(|(name, param)| {
            let shown = &self.plan.arguments.get(name)?.shown;
            let value = if param.secret { "•••" } else { shown };
            Some(Shown {
                name: name.clone(),
                value: value.to_owned(),
            })
        });
        shown.collect()
    }

    /// Says, where it is so, that the run goes on without what the policy demands: before anything is changed.
    async fn break_glass(&mut self) -> Result<Result<(), Failure>, Untold> {
        let Some(reason) = &self.plan.policy.broken else {
            return Ok(Ok(()));
        };
        let lifted = match policy::lifted(self.plan, self.world).await {
            Ok(lifted) => lifted,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = self.world.break_glass(reason, &lifted).await {
            return Ok(Err(failure));
        }
        self.tell(EventKind::BrokeGlass {
            reason: reason.clone(),
            by: self.by.clone(),
            lifted,
        })?;
        Ok(Ok(()))
    }

    /// Holds the run to the policy, takes its lock, and opens the transaction of a dry run.
    async fn prepare(&mut self, is_held: bool) -> Result<(), Failure> {
        if is_held {
            policy::at_start(self.plan, self.world).await?;
        }
        let runbook = self.plan.runbook();
        let scope = ScopeId(0);
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
        self.lock(scope).await?;
        if self.plan.dry_run {
            let limits = self.limits();
            self.world.open(&limits).await?;
        }
        Ok(())
    }

    /// Takes the lock of a scope, once: the runbook's own at the start, that of a used one at its first step,
    /// when its parameters are known.
    async fn lock(&mut self, scope: ScopeId) -> Result<(), Failure> {
        let Some(lock) = &self.plan.runbook().scopes[scope.0].lock else {
            return Ok(());
        };
        let context = scope::of_scope(self.plan, &self.state, &self.surroundings, scope)
            .map_err(super::perform::template)?;
        let key = context
            .render(lock.text())
            .map_err(super::perform::template)?;
        if !self.locks.contains(&key) {
            self.world.lock(&key).await?;
            self.locks.push(key);
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
        let event = self.clock.event(kind);
        Ok(self.world.tell(&event)?)
    }

    async fn enter(&mut self, id: StepId) -> Result<(), Untold> {
        let plan = self.plan;
        let step = plan.runbook().step(id);
        if self.cancel.is_set() {
            self.cancel = Cancel::never();
            let failure = Failure::new(FailureKind::Cancelled, "cancelled before it began");
            return self.fail(step, failure, 0.0);
        }
        if let Err(failure) = self.lock(step.scope).await {
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
}
