//! The ways that a run took, read off its events.

use crate::engine::decide::{self, Act};
use crate::engine::event::{Decision, Event, EventKind, StepRef};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::state::State;
use crate::runbook::check::Proved;
use crate::runbook::graph::Way;
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;

/// The events of a run beside its runbook. What a run goes on with after each of them is decided as it was
/// then: by the state that the events before it come to.
pub(super) struct Trace<'a> {
    proved: &'a Proved,
    events: &'a [Event],
    state: State,
    ways: Vec<(StepId, Way)>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(proved: &'a Proved, events: &'a [Event]) -> Self {
        Self {
            proved,
            events,
            state: State::default(),
            ways: Vec::new(),
        }
    }

    /// Returns the ways, in the order in which they were taken.
    pub(super) fn ways(mut self) -> Vec<(StepId, Way)> {
        for (index, event) in self.events.iter().enumerate() {
            self.state.apply(&event.kind);
            let rest = self.events.get(index + 1..).unwrap_or_default();
            self.event(&event.kind, rest);
        }
        self.ways
    }

    /// Returns the step of an event; nothing where it is of another runbook.
    fn step(&self, step: &StepRef) -> Option<&'a Step> {
        let steps = &self.proved.runbook.steps;
        steps
            .get(step.id.0)
            .filter(|known| known.title == step.name)
    }

    fn take(&mut self, step: &Step, way: Way) {
        self.ways.push((step.id, way));
    }

    fn event(&mut self, event: &EventKind, rest: &[Event]) {
        match event {
            EventKind::StepSkipped { step } => {
                if let Some(step) = self.step(step) {
                    self.take(step, Way::Skipped);
                }
            }
            EventKind::StepFinished { step, decision, .. } => {
                if let Some(step) = self.step(step) {
                    self.decided(step, decision, rest);
                }
            }
            EventKind::StepFailed { step, failure, .. } => {
                if let Some(step) = self.step(step) {
                    self.failed(step, failure, rest);
                }
            }
            EventKind::LoopFinished { step, .. } => {
                if let Some(step) = self.step(step) {
                    self.take(step, Way::Next);
                }
            }
            EventKind::AtomicCommitted { step, .. } => {
                // A loop of them goes on when it is at its end.
                if let Some(step) = self.step(step)
                    && step.common.for_each.is_none()
                {
                    self.take(step, Way::Next);
                }
            }
            _ => {}
        }
    }

    fn decided(&mut self, step: &Step, decision: &Decision, rest: &[Event]) {
        match decision {
            // One item of a loop is done; the loop may not be.
            Decision::Next if step.common.for_each.is_some() => {}
            Decision::Next => self.take(step, Way::Next),
            Decision::Then => self.take(step, Way::Then),
            Decision::Case(value) => self.take(step, Way::Case(value.clone())),
            Decision::Else => {
                if step.common.for_each.is_some() && self.goes_on(step, rest) {
                    return;
                }
                self.take(step, Way::Else);
                // Without an `else`, a no is handled as an error.
                if step.routes.otherwise.is_none() && !warns(step) {
                    self.handled(step, Way::Error, rest);
                }
            }
        }
    }

    fn failed(&mut self, step: &Step, failure: &Failure, rest: &[Event]) {
        // What no case of a switch is for would be its `else`.
        if failure.kind == FailureKind::Guard
            && matches!(&step.kind, Kind::Check(check) if check.switch.is_some())
            && step.routes.otherwise.is_none()
        {
            self.take(step, Way::Else);
        }
        let way = match failure.kind {
            FailureKind::Cancelled => Way::Cancel,
            _ => Way::Error,
        };
        self.handled(step, way, rest);
    }

    /// Takes the way of an error that something handles; it is that of the atomic unless the step has its own.
    fn handled(&mut self, step: &Step, way: Way, rest: &[Event]) {
        let handled = match decide::next(&self.proved.runbook, &self.state) {
            Act::Run(_) => true,
            Act::End(end) => end.says.is_some(),
            Act::Commit(_) | Act::PutBack => false,
        };
        if !handled || self.goes_on(step, rest) {
            return;
        }
        let outer = step.atomic.map(|id| self.proved.runbook.step(id));
        let own = way == Way::Error && step.routes.on_error.is_some();
        match outer.filter(|_| !own) {
            Some(atomic) => self.take(atomic, way),
            None => self.take(step, way),
        }
    }

    /// Returns whether the loop that a step is in goes on although the step failed.
    fn goes_on(&self, step: &Step, rest: &[Event]) -> bool {
        let in_loop = |id: StepId| {
            let of_atomic = step.atomic.is_some_and(|atomic| atomic == id);
            let looping = self.proved.runbook.steps.get(id.0);
            (id == step.id || of_atomic)
                && looping.is_some_and(|looping| looping.common.for_each.is_some())
        };
        for event in rest {
            return match &event.kind {
                EventKind::StepStarted { step, .. }
                | EventKind::AtomicStarted { step, .. }
                | EventKind::LoopFinished { step, .. } => in_loop(step.id),
                EventKind::StepSkipped { .. }
                | EventKind::StepFinished { .. }
                | EventKind::StepFailed { .. }
                | EventKind::UndoStarted { .. }
                | EventKind::RunFinished(_) => false,
                _ => continue,
            };
        }
        false
    }
}

fn warns(step: &Step) -> bool {
    use crate::step::check::Severity;
    matches!(&step.kind, Kind::Check(check) if check.severity == Severity::Warning)
        || matches!(step.kind, Kind::Confirm(_))
}
