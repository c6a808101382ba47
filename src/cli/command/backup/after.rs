//! What to do instead, where a run that made or restored a backup is to be gone on with, or put back.

use super::record::{CREATE, RESTORE};
use crate::cli::error::CliError;
use crate::engine::backup::RestoredInto;
use crate::engine::event::{EventKind, StepResult};
use crate::record::log::Log;
use crate::sql::ident::quote_ident;

/// Returns whether a run is one of `backup create` or `backup restore`.
fn is_ours(log: &Log) -> bool {
    log.facts.texts.is_empty() && [CREATE, RESTORE].contains(&log.facts.runbook.as_str())
}

/// Says what to do instead of going on with such a run that did not end; nothing of other runs.
pub(in crate::cli) fn instead_of_resuming(log: &Log) -> Option<CliError> {
    let run = &log.facts.run;
    let ended = log
        .events
        .iter()
        .any(|event| matches!(event.kind, EventKind::RunFinished(_)));
    if !is_ours(log) || ended {
        return None;
    }
    if log.facts.runbook == CREATE {
        let name = given(log, "backup").map(|id| name_in(&id).to_owned());
        let error = CliError::usage(format!(
            "run `{run}` was making a backup: nothing half done is kept, so that there is nothing to go on with"
        ));
        return Some(error.help(format!(
            "make it again: runbook backup create {}",
            name.unwrap_or_default()
        )));
    }
    let backup = given(log, "backup").unwrap_or_default();
    Some(
        CliError::usage(format!(
            "run `{run}` was restoring a backup: all of it or nothing, so that there is nothing to go on with"
        ))
        .help(format!("do it again: runbook backup restore {backup}")),
    )
}

/// Says what to do instead of putting such a run back; nothing of other runs.
pub(in crate::cli) fn instead_of_undoing(log: &Log) -> Option<CliError> {
    let run = &log.facts.run;
    if !is_ours(log) {
        return None;
    }
    if log.facts.runbook == CREATE {
        let id = given(log, "backup").unwrap_or_default();
        return Some(
            CliError::usage(format!(
                "run `{run}` made a backup, and changed nothing: there is nothing to put back"
            ))
            .help(format!("delete the backup: runbook backup prune {id}")),
        );
    }
    let error = |what: &str| CliError::usage(format!("run `{run}` {what}"));
    let results = log
        .events
        .iter()
        .rev()
        .filter_map(|event| match &event.kind {
            EventKind::StepFinished { result, .. } => Some(result),
            _ => None,
        });
    let mut restored = None;
    let mut before = None;
    for result in results {
        match result {
            StepResult::Restored(into) => restored = Some(into),
            StepResult::Backup(backed) => before = Some(&backed.id),
            _ => {}
        }
    }
    Some(match (restored, before) {
        (Some(_), Some(id)) => error("restored tables in place; what was there before it saved")
            .help(format!(
                "put that back: runbook backup restore {id} --in-place"
            )),
        (Some(into), None) => after_restore(error("restored a backup"), into, log),
        (None, _) if put_rows_back(log) => error("put rows back from a backup").help(
            "an undo takes back what runbooks changed; runbook report shows the rows as they were",
        ),
        (None, _) => error("restored nothing: there is nothing to put back"),
    })
}

fn after_restore(error: CliError, restored: &RestoredInto, log: &Log) -> CliError {
    let database = &log.facts.target.database;
    if let Some(aside) = &restored.aside {
        let (now, old) = (quote_ident(database), quote_ident(aside));
        let undone = quote_ident(&format!("{database}_undone"));
        return error.help(format!(
            "what was there before is the database {aside}: ALTER DATABASE {now} RENAME TO {undone}; ALTER DATABASE {old} RENAME TO {now}"
        ));
    }
    error.help(format!(
        "nothing that was there before was changed by it: drop the {}",
        restored.into
    ))
}

fn put_rows_back(log: &Log) -> bool {
    let put_back = |kind: &EventKind| matches!(kind, EventKind::UndoFinished { restored, failure: None, .. } if *restored > 0);
    log.events.iter().any(|event| put_back(&event.kind))
}

/// Returns what a run was given.
fn given(log: &Log, name: &str) -> Option<String> {
    let params = log.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted(started) => Some(&started.params),
        _ => None,
    })?;
    let given = params.iter().find(|shown| shown.name == name)?;
    Some(given.value.clone())
}

/// Returns the name in an id: without the date and time.
fn name_in(id: &str) -> &str {
    let mut ends = id.rmatch_indices('-').map(|(at, _)| at);
    let at = ends.find(|at| {
        id.get(at + 1..at + 9)
            .is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()))
            && id.as_bytes().get(at + 9) == Some(&b'-')
    });
    at.and_then(|at| id.get(..at)).unwrap_or(id)
}
