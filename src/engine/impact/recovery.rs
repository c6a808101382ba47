//! How what is done comes back: from the run's own records, from a backup that it made, from an older one, or not.

use super::{Newest, Saving};
use crate::engine::event::StepResult;
use crate::engine::pace::Earlier;
use crate::engine::plan::Plan;
use crate::engine::port::World;
use crate::engine::state::State;
use crate::runbook::model::{Runbook, Step};
use crate::step::Kind;

/// How many bytes of a backup are put back in a second, at a careful guess.
const BYTES_A_SECOND: u64 = 10_000_000;

/// The way back.
#[derive(Default)]
pub(super) struct Recovery {
    pub(super) seconds: Option<u64>,
    pub(super) earlier: Option<Earlier>,
    pub(super) command: Option<String>,
}

/// What is to be put back.
pub(super) struct Lost {
    /// Whether some of it only a backup puts back.
    pub(super) needs_backup: bool,
    /// Whether the run's own records put back the rest.
    pub(super) undoable: bool,
    /// How many rows change.
    pub(super) rows: u64,
    /// How many seconds it took to change them.
    pub(super) seconds: u64,
}

impl Recovery {
    /// Returns the way back.
    pub(super) fn of(plan: &Plan, lost: &Lost, backups: &[Saving]) -> Self {
        let backup = backups.last().filter(|_| lost.needs_backup);
        let (by_pace, guess, command) = match backup {
            Some(backup) => (
                plan.pace.of_restore(backup.rows),
                1 + backup.bytes / BYTES_A_SECOND,
                format!("runbook backup restore {}", backup.id),
            ),
            None if lost.undoable => (
                plan.pace.of_undo(lost.rows),
                1 + lost.seconds,
                format!("runbook undo {}", plan.run),
            ),
            None => return Self::default(),
        };
        Self {
            seconds: Some(by_pace.map_or(guess, |(seconds, _)| seconds)),
            earlier: by_pace.map(|(_, earlier)| earlier),
            command: Some(command),
        }
    }
}

/// Returns whether neither row images nor statements put back what a fix does.
pub(super) fn is_lost(step: &Step) -> bool {
    match &step.kind {
        Kind::Fix(fix) => fix.is_never_undone() || (fix.is_final() && step.undo.is_empty()),
        _ => false,
    }
}

/// Returns the backups that the run has made.
pub(super) fn backups(runbook: &Runbook, state: &State) -> Vec<Saving> {
    let steps = runbook.steps.iter();
    let steps = steps.filter(|step| matches!(step.kind, Kind::Backup(_)));
    let results = steps.filter_map(|step| Some((step, state.result(step.id)?)));
    results
        .filter_map(|(step, result)| match result {
            StepResult::Backup(backed) => Some(Saving {
                id: backed.id.clone(),
                bytes: backed.bytes,
                rows: backed.rows,
                verified: Some(backed.verified),
            }),
            StepResult::WouldRun => Some(Saving {
                id: step.title.clone(),
                bytes: 0,
                rows: 0,
                verified: None,
            }),
            _ => None,
        })
        .collect()
}

/// Returns the newest backup of the whole database. That none can be found is no failure.
pub(super) async fn newest<W: World>(world: &mut W) -> Option<Newest> {
    let taken_at = world.newest_backup().await.ok()??;
    let now = world.now().await.ok()?;
    let age = now.duration_since(taken_at).as_secs();
    Some(Newest {
        taken_at,
        age_seconds: u64::try_from(age).unwrap_or_default(),
    })
}
