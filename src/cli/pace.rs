//! How long it took before to put rows back on a target, by the records of this machine.

use std::path::Path;

use super::previous;
use crate::engine::event::TargetFacts;
use crate::engine::pace::{Pace, Took};
use crate::record;
use crate::record::summary::{self, Begun, Start};
use crate::runbook::model::{Runbook, Step};

/// What the history calls a run that restores a backup.
pub(super) const RESTORE: &str = "backup restore";

/// How many of each kind are looked at: what is long ago says little of today's server.
const MOST: usize = 5;

/// Returns how long it took before, where a run may tell it: where it asks about what it changes. What cannot be read
/// says nothing.
pub(super) fn of(base: &Path, runbook: &Runbook, target: &TargetFacts) -> Pace {
    let asks = |step: &Step| !step.of.is_empty();
    if !runbook.steps.iter().any(asks) {
        return Pace::default();
    }
    let begun = summary::all(base).unwrap_or_default();
    let took = |is_one: &dyn Fn(&Start) -> bool| {
        let runs = begun.iter().filter(|begun| {
            let what = begun.what.as_ref();
            what.is_some_and(|what| previous::is_on(what, target) && is_one(what))
        });
        let took = |begun: &Begun| record::pace::took(base, &begun.run);
        runs.filter_map(took).take(MOST).collect::<Vec<Took>>()
    };
    Pace {
        restores: took(&|what| what.runbook == RESTORE),
        undos: took(&|what| what.undo_of.is_some()),
    }
}
