//! The run before this one: what is new since then is what an incremental backup is about.

use std::path::Path;

use super::error::CliError;
use crate::engine::event::TargetFacts;
use crate::engine::outcome::Outcome;
use crate::pg::session::identity::other_target;
use crate::record::summary::{self, Became, Begun, Start};
use crate::runbook::model::Runbook;

/// Returns when the last run of a runbook on a database began that came to its end, by the records of this
/// machine. It is looked for only where the runbook asks for it.
///
/// # Errors
/// The records cannot be read.
pub(super) fn of(
    base: &Path,
    runbook: &Runbook,
    target: &TargetFacts,
) -> Result<Option<String>, CliError> {
    let asks = |text: &str| text.contains("run") && text.contains("previous");
    if !(runbook.texts().iter()).any(|source| asks(source.text())) {
        return Ok(None);
    }
    let begun = summary::all(base)?;
    let last = begun.iter().find(|begun| {
        is_like(begun, &runbook.name, target)
            && summary::became(base, begun) == Became::Ended(Outcome::Done)
    });
    // The server knows microseconds; what it would round up would be after the beginning.
    Ok(last.map(|begun| {
        let micros = begun.at.as_microsecond();
        jiff::Timestamp::from_microsecond(micros)
            .map_or(begun.at, |at| at)
            .to_string()
    }))
}

/// Returns whether a run is one of the runbook on the same database, and not one that left no trace.
fn is_like(begun: &Begun, name: &str, target: &TargetFacts) -> bool {
    let Some(what) = &begun.what else {
        return false;
    };
    what.runbook == name && what.undo_of.is_none() && is_on(what, target)
}

/// Returns whether a run was on the same database, and not one that left no trace.
pub(super) fn is_on(what: &Start, target: &TargetFacts) -> bool {
    let known = what.target.system_identifier.is_some() && target.system_identifier.is_some();
    !what.dry_run
        && other_target(&what.target, target, true).is_none()
        && (known || what.target.name == target.name)
}
