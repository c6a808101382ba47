//! The picture of a runbook with the way that a run took.

use super::step::Went;
use super::story::{Passage, Story, What};
use crate::engine::event::{Decision, Event, EventKind, StepResult};
use crate::engine::journal::Unit;
use crate::engine::outcome::Outcome;
use crate::runbook::check::Proved;
use crate::runbook::picture::walk::{Fate, Footstep, Walk};
use crate::runbook::picture::{Picture, svg};

/// Draws the runbook of a run as SVG, with the way that the run took.
pub fn draw(proved: &Proved, events: &[Event]) -> String {
    svg::draw(&Picture::walked(proved, &walk(events)))
}

/// Returns the way that a run took.
fn walk(events: &[Event]) -> Walk {
    let story = Story::of(events);
    let mut walk = Walk::default();
    for passage in &story.passages {
        if passage.inner.is_empty() {
            walk.steps.extend(footstep(passage, &passage.what));
        }
        // What an atomic did that did not commit does not remain.
        let lost = matches!(passage.what, What::RolledBack | What::Failed(_));
        for inner in &passage.inner {
            let is_fix = matches!(inner.what, What::Result(StepResult::Fix { .. }, ..));
            walk.steps
                .extend(footstep(inner, &inner.what).map(|step| Footstep {
                    fate: if lost && is_fix {
                        Some(Fate::Undone)
                    } else {
                        step.fate
                    },
                    ..step
                }));
        }
    }
    // The items of a loop, and retries, are one step of the way: the last tells.
    walk.steps.dedup_by(|next, last| {
        let same = next.step == last.step;
        if same {
            *last = next.clone();
        }
        same
    });
    walk.undone = events
        .iter()
        .flat_map(undone)
        .map(|unit| unit.step)
        .collect();
    let is_undo = story
        .begun
        .is_some_and(|(begun, _)| begun.undo_of.is_some());
    let finished = story.finished.filter(|_| !is_undo);
    walk.end = finished.and_then(|(finished, _)| match finished.outcome {
        Outcome::Done | Outcome::Nothing => Some(true),
        Outcome::Unknown | Outcome::Cancelled | Outcome::Waiting => None,
        _ => Some(false),
    });
    walk
}

/// Returns what an event tells to be put back.
fn undone(event: &Event) -> &[Unit] {
    match &event.kind {
        EventKind::UndoFinished { undone, .. }
        | EventKind::StepFinished {
            result: StepResult::Rollback { undone, .. },
            ..
        } => undone,
        _ => &[],
    }
}

fn footstep(passage: &Passage, what: &What) -> Option<Footstep> {
    let step = passage.step?;
    let fate = match what {
        What::Result(_, Decision::Else, Went::Wrong) | What::Failed(_) | What::RolledBack => {
            Some(Fate::Failed)
        }
        What::Result(_, Decision::Else, _) => Some(Fate::No),
        What::Result(StepResult::WouldRun, ..) | What::Skipped => Some(Fate::Skipped),
        What::Result(..) | What::Committed(_) | What::Looped(..) => Some(Fate::Done),
        _ => None,
    };
    let way = match what {
        What::Result(
            StepResult::Check {
                switch: Some(_), ..
            },
            Decision::Else,
            _,
        ) => Some("else"),
        What::Result(_, Decision::Else, _) => Some("no"),
        What::Result(_, Decision::Case(value), _) => Some(value.as_str()),
        What::Result(StepResult::Check { .. } | StepResult::Confirm { .. }, ..) => Some("yes"),
        What::Failed(_) => Some("error"),
        _ => None,
    };
    Some(Footstep {
        step: step.id,
        fate,
        way: way.map(str::to_owned),
    })
}
