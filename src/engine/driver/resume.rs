//! Goes on with a run that was cut short: finds out what became of what was under way, and where it goes on.

use std::collections::BTreeMap;

use super::super::event::{Decision, Event, EventKind, StepRef, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::item::items;
use super::super::outcome::Outcome;
use super::super::perform::{bind, step_ref, template};
use super::super::port::World;
use super::super::scope;
use super::super::state::{Committing, Position, State};
use super::{Driver, Untold};
use crate::engine::change::Changes;
use crate::runbook::data::Rows;
use crate::runbook::model::Step;
use crate::step::Kind;

/// What is known of a run that was cut short.
#[derive(Debug)]
pub struct Past {
    /// Where it is.
    pub state: State,
    /// The number of its last event.
    pub seq: u64,
    /// When it began.
    pub started_at: String,
    /// Milliseconds of it that are known of.
    pub elapsed_ms: f64,
    /// Who goes on with it.
    pub actor: String,
    /// What people say became of steps that nobody can ask for: whether they were done.
    pub assume: BTreeMap<String, bool>,
    /// Whether it goes on as if Ctrl-C had been pressed where it was cut short.
    pub cancelled: bool,
    /// Whether it only goes on to its end: that is held to the policy where it changes something, and not before.
    pub is_ending: bool,
}

impl Past {
    /// Folds the events of a record.
    pub fn of(events: &[Event], actor: String, assume: BTreeMap<String, bool>) -> Self {
        let mut state = State::default();
        for event in events {
            state.apply(&event.kind);
        }
        let last = events.last();
        Self {
            state,
            seq: last.map_or(0, |event| event.seq),
            started_at: events
                .first()
                .map(|event| event.at.to_string())
                .unwrap_or_default(),
            elapsed_ms: last.map_or(0.0, |event| event.elapsed_ms),
            actor,
            assume,
            cancelled: false,
            is_ending: false,
        }
    }

    /// Returns how the run ended, unless it can go on.
    pub fn over(&self) -> Option<Outcome> {
        match self.state.position {
            Position::Ended(Outcome::Unknown | Outcome::Waiting) | Position::Start => None,
            Position::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }
}

impl<W: World> Driver<'_, W> {
    /// Finds out what became of what was under way.
    pub(super) async fn resolve(
        &mut self,
        assume: &BTreeMap<String, bool>,
    ) -> Result<Result<(), Failure>, Untold> {
        if let Some(pending) = self.state.committing.clone() {
            match self.outcome_of(&pending).await {
                Ok(true) => self.was_committed(pending)?,
                Ok(false) => self.state.begin_again(),
                Err(failure) => return Ok(Err(failure)),
            }
        } else {
            self.state.begin_again();
        }
        if let Position::In(id) = self.state.position {
            let step = self.plan.runbook().step(id);
            if matches!(&step.kind, Kind::Fix(fix) if fix.is_final()) {
                match self.was_done(step, assume).await {
                    Ok(true) => self.skip_done(step)?,
                    Ok(false) => {}
                    Err(failure) => return Ok(Err(failure)),
                }
            }
        }
        self.state.continue_loop(self.plan.runbook());
        Ok(Ok(()))
    }

    async fn outcome_of(&mut self, pending: &Committing) -> Result<bool, Failure> {
        let step = self.plan.runbook().step(pending.unit.step);
        let entry = self.entry(step, pending.unit);
        let limits = self.limits();
        self.world
            .recorded(&entry, pending.transaction.as_deref(), &limits)
            .await
    }

    /// Tells what could not be told before.
    fn was_committed(&mut self, pending: Committing) -> Result<(), Untold> {
        let Committing {
            step,
            unit,
            result,
            batch,
            ..
        } = pending;
        if let Some(progress) = batch {
            let count = scope::count(&result);
            self.tell_part(self.plan.runbook().step(unit.step), unit, count, &progress)?;
            self.state.begin_again();
            return Ok(());
        }
        if self.state.open.is_some() {
            let changes = match result {
                StepResult::Fix { changes, .. } => changes,
                _ => Changes::default(),
            };
            return self.tell(EventKind::AtomicCommitted {
                step,
                changes,
                took_ms: 0.0,
            });
        }
        self.tell_done(step, result)
    }

    fn tell_done(&mut self, step: StepRef, result: StepResult) -> Result<(), Untold> {
        self.tell(EventKind::StepFinished {
            step,
            result,
            decision: Decision::Next,
            took_ms: 0.0,
        })
    }

    /// Returns whether a step was done that no transaction holds together: its `verify` knows, or a person.
    async fn was_done(
        &mut self,
        step: &Step,
        assume: &BTreeMap<String, bool>,
    ) -> Result<bool, Failure> {
        if let Some(done) = assume.get(&step.title) {
            return Ok(*done);
        }
        let Some(sql) = &step.verify else {
            let name = &step.title;
            return Err(Failure::new(
                FailureKind::InDoubt,
                format!("`{name}` was under way when the run was cut short, and nothing can tell whether it was done"),
            )
            .note("it runs a program, or outside of transactions; its step has no `verify`")
            .help(format!("look, then say what became of it: runbook resume {run} --assume {name}=done, or {name}=undone", run = self.plan.run)));
        };
        let next = self.round(step).next;
        let items = items(self.plan, &self.state, &self.surroundings, step)?;
        let current: Vec<_> = items
            .into_iter()
            .flatten()
            .map(|(current, _)| current)
            .filter(|current| current.index == next)
            .collect();
        let context = scope::context(self.plan, &self.state, &self.surroundings, step, &current)
            .map_err(template)?;
        let bound = bind(&context, sql)?;
        let limits = self.limits();
        let rows = self.world.read(&bound, 2, &limits).await?;
        match rows.rows.as_slice() {
            [row] if matches!(row.as_slice(), [Some(value)] if value == "t") => Ok(true),
            [row] if matches!(row.as_slice(), [Some(value)] if value == "f") => Ok(false),
            _ => Err(Failure::new(
                FailureKind::Statement,
                format!("the `verify` of `{}` returns no single boolean", step.title),
            )
            .help("SELECT EXISTS (…) returns one")),
        }
    }

    fn skip_done(&mut self, step: &Step) -> Result<(), Untold> {
        let result = StepResult::Fix {
            count: 0,
            rows: Rows::default(),
            changes: Changes::default(),
            committed: true,
        };
        self.tell_done(step_ref(self.plan.runbook(), step), result)
    }
}
