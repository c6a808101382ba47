//! Which backups runs need: what they would roll back from is never deleted.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::archive::store::{self, Found};
use crate::cli::past;
use crate::engine::event::EventKind;
use crate::engine::outcome::Outcome;
use crate::record::error::RecordError;
use crate::record::log::Log;
use crate::record::run::RunRecord;
use crate::record::summary;
use crate::runbook::check::Proved;

/// Returns the backups that runs need, by id, and why: of runs that did not end, and of those whose changes are in
/// place and whose runbook rolls back from the backup.
pub(super) fn needed(base: Option<&Path>, folder: &Path) -> BTreeMap<String, String> {
    let Some(base) = base else {
        return BTreeMap::new();
    };
    // What cannot be listed is not deleted either.
    let stored = store::list(folder).unwrap_or_default();
    let made: Vec<(&Found, &str)> = stored
        .found
        .iter()
        .filter_map(|found| Some((found, found.manifest.made_by.run.as_deref()?)))
        .filter(|(found, _)| found.manifest.made_by.step.is_some())
        .collect();
    if made.is_empty() {
        return BTreeMap::new();
    }
    let put_back = put_back(base);
    let why = |(found, run): (&Found, &str)| {
        let why = reason(base, found, run, put_back.contains(&run.to_owned()))?;
        Some((found.manifest.id.clone(), why))
    };
    made.into_iter().filter_map(why).collect()
}

/// Returns the runs that an undo has put back.
fn put_back(base: &Path) -> Vec<String> {
    let runs = summary::all(base).unwrap_or_default();
    let done = runs.iter().filter_map(|begun| {
        let start = begun.what.as_ref().filter(|start| !start.dry_run)?;
        let of = start.undo_of.clone()?;
        let ended = summary::became(base, begun);
        (ended == summary::Became::Ended(Outcome::Done)).then_some(of)
    });
    done.collect()
}

/// Returns why a run needs a backup that it made. A run whose record is gone needs nothing: nobody can go on with it.
fn reason(base: &Path, found: &Found, run: &str, put_back: bool) -> Option<String> {
    let log = match RunRecord::read(base, run) {
        Ok(log) => log,
        Err(RecordError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return None,
        Err(_) => return Some(format!("nobody can read what became of run {run}")),
    };
    if log.facts.dry_run || put_back {
        return None;
    }
    let ended = log.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunFinished(finished) => Some(finished),
        _ => None,
    });
    match ended {
        None => Some(format!("run {run}, which did not end, may need it")),
        Some(finished) if finished.outcome == Outcome::Unknown => {
            Some(format!("nobody knows yet what became of run {run}"))
        }
        Some(finished) if finished.committed.is_empty() => None,
        Some(_) => rolls_back(&log, found)
            .then(|| format!("run {run} changed rows that it can put back from it")),
    }
}

/// Returns whether the runbook of a run has a rollback from the step that made a backup. One that cannot be read any
/// more may have.
fn rolls_back(log: &Log, found: &Found) -> bool {
    let Ok(Proved { runbook, .. }) = past::recorded(&log.facts) else {
        return true;
    };
    let made_by = found.manifest.made_by.step.as_deref();
    let mut sources = runbook.steps.iter().filter_map(|step| step.backup);
    sources.any(|id| Some(runbook.step(id).title.as_str()) == made_by)
}
