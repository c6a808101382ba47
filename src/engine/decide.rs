//! What a run does next: a pure function of the runbook and the state.

use super::approval::Refusal;
use super::event::{Decision, StepResult};
use super::failure::FailureKind;
use super::outcome::Outcome;
use super::state::{Position, State, Way};
use crate::runbook::model::{Ending, OnFailure, Runbook, Step, StepId, Target};
use crate::step::Kind;
use crate::step::check::Severity;
use crate::step::text::Template;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Run a step, or open the transaction of an atomic.
    Run(StepId),
    /// Commit the transaction of an atomic.
    Commit(StepId),
    /// Put back all that the run changed.
    PutBack,
    /// End the run.
    End(End),
}

/// How to end.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// How.
    pub outcome: Outcome,
    /// What to say: a text of the runbook, read in the scope of the step that goes there.
    pub says: Option<(StepId, Template)>,
}

/// Decides what to do next.
pub fn next(runbook: &Runbook, state: &State) -> Act {
    match &state.position {
        Position::Start => Act::Run(runbook.entry),
        Position::In(id) => Act::Run(*id),
        Position::Opened(id) => match runbook.step(*id).inner.first() {
            Some(first) => Act::Run(*first),
            None => Act::Commit(*id),
        },
        Position::Skipped(id) | Position::Committed(id) => {
            let step = runbook.step(*id);
            go(runbook, state, step, &step.routes.next)
        }
        Position::After(id, decision) => after(runbook, state, runbook.step(*id), decision),
        Position::Failed(id) => failed(runbook, state, runbook.step(*id)),
        Position::PutBack(_) => end(remaining(state, unhandled(state)), None),
        // What is committed stays, and is told; the run can go on.
        Position::Waiting(_) => end(Outcome::Waiting, None),
        Position::Ended(outcome) => end(*outcome, None),
    }
}

fn after(runbook: &Runbook, state: &State, step: &Step, decision: &Decision) -> Act {
    let routes = &step.routes;
    let target = match decision {
        Decision::Next => &routes.next,
        Decision::Then => routes.then.as_ref().unwrap_or(&routes.next),
        Decision::Case(value) => routes
            .cases
            .iter()
            .find(|(case, _)| case == value)
            .map_or(&routes.next, |(_, target)| target),
        Decision::Else => match &routes.otherwise {
            Some(target) => target,
            None => return declined_or_failed(runbook, state, step),
        },
    };
    go(runbook, state, step, target)
}

/// Returns how a run ends by a no, or by what other people did not say.
fn refused(refusal: Option<Refusal>) -> Outcome {
    refusal.map_or(Outcome::Declined, Refusal::outcome)
}

/// A no for which the step has no `else`.
fn declined_or_failed(runbook: &Runbook, state: &State, step: &Step) -> Act {
    match state.result(step.id) {
        Some(StepResult::Confirm { refusal, .. }) => end(remaining(state, refused(*refusal)), None),
        Some(StepResult::Check {
            severity: Severity::Warning,
            ..
        }) => go(runbook, state, step, &step.routes.next),
        _ => failed(runbook, state, step),
    }
}

fn go(runbook: &Runbook, state: &State, from: &Step, target: &Target) -> Act {
    match target {
        Target::Step(id) => Act::Run(*id),
        Target::Commit(id) => Act::Commit(*id),
        Target::End(Ending::Done(text)) => say(Outcome::Done, from, text),
        Target::End(Ending::Stop(text)) => say(Outcome::Nothing, from, text),
        Target::End(Ending::Fail(text)) => say(remaining(state, Outcome::Failed), from, text),
        Target::End(Ending::OffEnd) => end(off_end(runbook, state, from), None),
    }
}

/// A list that runs off its end ends the run as the list was entered: a branch that a no or an error led
/// to does not end well by itself.
fn off_end(runbook: &Runbook, state: &State, from: &Step) -> Outcome {
    let place = |step: &Step| (step.scope, step.branch.clone());
    let mut inside = place(from);
    for (id, way) in state.trail.iter().rev() {
        if from.branch.is_none() || inside.1.is_none() {
            break;
        }
        let step = runbook.step(*id);
        if place(step) == inside {
            continue;
        }
        match (way, state.result(*id)) {
            (Way::Decided(Decision::Else), Some(StepResult::Confirm { refusal, .. })) => {
                return remaining(state, refused(*refusal));
            }
            (Way::Failed | Way::Decided(Decision::Else), _) => {
                return remaining(state, Outcome::Failed);
            }
            // It was entered well: what matters is how the list before it was entered.
            _ => inside = place(step),
        }
    }
    if from.branch.is_some() && !state.undone.is_empty() {
        return remaining(state, Outcome::RolledBack);
    }
    Outcome::Done
}

fn failed(runbook: &Runbook, state: &State, step: &Step) -> Act {
    let outcome = unhandled(state);
    if outcome == Outcome::Unknown {
        return end(Outcome::Unknown, None);
    }
    let cancelled = outcome == Outcome::Cancelled;
    let outer = step
        .atomic
        .and_then(|id| runbook.step(id).routes.on_error.as_ref());
    if let (Some(target), false) = (step.routes.on_error.as_ref().or(outer), cancelled) {
        return go(runbook, state, step, target);
    }
    let global = if cancelled {
        &runbook.on_cancel
    } else {
        &runbook.on_failure
    };
    match global {
        // A failure inside of the branch that handles failures is not handled by it again.
        OnFailure::Go(Target::Step(id)) if runbook.step(*id).branch != step.branch => Act::Run(*id),
        OnFailure::Go(target @ Target::End(_)) => go(runbook, state, step, target),
        // What could not be put back by a step is not tried again.
        OnFailure::Default | OnFailure::Rollback
            if !state.units.is_empty() && !matches!(step.kind, Kind::Rollback(_)) =>
        {
            Act::PutBack
        }
        _ => end(remaining(state, outcome), None),
    }
}

/// How a run ends after an error that nothing handles.
fn unhandled(state: &State) -> Outcome {
    let failed = matches!(state.trail.last(), Some((_, Way::Failed)));
    let failure = state.failure.as_ref().filter(|_| failed);
    match failure.map(|failure| failure.kind) {
        Some(FailureKind::InDoubt) => Outcome::Unknown,
        Some(FailureKind::Cancelled) => Outcome::Cancelled,
        _ => Outcome::Failed,
    }
}

/// A run that committed something does not end as if nothing remained of it.
fn remaining(state: &State, outcome: Outcome) -> Outcome {
    if !state.units.is_empty() || state.left {
        Outcome::Stopped
    } else if !state.undone.is_empty() {
        Outcome::RolledBack
    } else {
        outcome
    }
}

fn say(outcome: Outcome, from: &Step, text: &Template) -> Act {
    Act::End(End {
        outcome,
        says: Some((from.id, text.clone())),
    })
}

fn end(outcome: Outcome, says: Option<(StepId, Template)>) -> Act {
    Act::End(End { outcome, says })
}

/// Returns whether a step leaves the transaction that is open by going where it goes.
pub fn leaves(runbook: &Runbook, open: StepId, act: &Act) -> bool {
    match act {
        Act::Run(id) => runbook.step(*id).atomic != Some(open),
        Act::Commit(id) => *id != open,
        Act::PutBack | Act::End(_) => true,
    }
}

/// Returns whether a step is an atomic.
pub fn is_atomic(step: &Step) -> bool {
    matches!(step.kind, Kind::Atomic(_))
}
