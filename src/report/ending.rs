//! Draws how a run ended: what happened, what remains, and what to do next.

use super::line::{Line, paragraph, prose};
use super::look::{Look, Tone};
use super::{amount, changes, failure};
use crate::base::words;
use crate::engine::event::{RunFinished, RunStarted};
use crate::engine::outcome::Outcome;

/// Draws the ending.
pub(super) fn draw(finished: &RunFinished, begun: Option<&RunStarted>, look: Look) -> Vec<Line> {
    let command = command(finished, begun);
    let first = first(finished, look);
    let mut lines = match &command {
        Some(command) if finished.outcome == Outcome::Done => {
            vec![first.plain(&format!(" {command}"))]
        }
        _ => vec![first],
    };
    lines.extend(says(finished, look));
    lines.extend(rehearsed(finished, look));
    if let Some(words) = remains(finished) {
        lines.extend(prose(&look.line(), Tone::Plain, &words));
    }
    if let Some(text) = next(finished) {
        lines.extend(failure::help(text, look));
    }
    if let Some(command) = command.filter(|_| finished.outcome != Outcome::Done) {
        lines.extend(paragraph(&look.line(), Tone::Plain, &command));
    }
    lines
}

/// Returns the command that comes next, where there is one. A dry run has left nothing to put back, and
/// what was put back is not put back again.
pub(super) fn command(finished: &RunFinished, begun: Option<&RunStarted>) -> Option<String> {
    let begun = begun.filter(|begun| !begun.dry_run)?;
    match finished.outcome {
        Outcome::Done | Outcome::Stopped if finished.undoable && begun.undo_of.is_none() => {
            Some(format!("Undo with: runbook undo {}", begun.run))
        }
        Outcome::Unknown => go_on(begun),
        Outcome::Waiting => {
            let (run, flag) = (&begun.run, begun.target.flag());
            // Each stands on a line of its own, to be copied whole.
            Some(format!(
                "Ask another person to run: runbook approve {run}{flag}\nThen go on with: runbook resume {run}{flag}"
            ))
        }
        _ => None,
    }
}

/// Returns the command that goes on with a run that did not come to its end. Of a dry run nothing lasts, and
/// an undo is done as a whole or not at all: it is asked for again.
pub(super) fn go_on(begun: &RunStarted) -> Option<String> {
    match &begun.undo_of {
        _ if begun.dry_run => None,
        Some(of) => Some(format!("Go on with: runbook undo {of}")),
        None => Some(format!("Go on with: runbook resume {}", begun.run)),
    }
}

/// Draws what the run has to say at its end.
pub(super) fn says(finished: &RunFinished, look: Look) -> Vec<Line> {
    if finished.says.trim().is_empty() {
        return Vec::new();
    }
    prose(&look.line(), Tone::Plain, &finished.says)
}

/// Draws "Done in 2.4 s (2.3 s waiting for you)."
pub(super) fn first(finished: &RunFinished, look: Look) -> Line {
    let took = amount::duration(finished.took_ms);
    // Less is no answer of a person.
    let waited = if finished.waited_ms < 100.0 {
        ".".to_owned()
    } else {
        format!(
            " ({} waiting for you).",
            amount::duration(finished.waited_ms)
        )
    };
    let (tone, word, link) = match finished.outcome {
        Outcome::Done => (Tone::Good, "Done", "in"),
        Outcome::Nothing => (Tone::Good, "Nothing to do", "after"),
        Outcome::Failed => (Tone::Bad, "Failed", "after"),
        Outcome::RolledBack => (Tone::Warn, "Rolled back", "after"),
        Outcome::Declined => (Tone::Warn, "Declined", "after"),
        Outcome::Stopped => (Tone::Bad, "Stopped with changes left in place", "after"),
        Outcome::Unknown => (Tone::Bad, "Outcome unknown", "after"),
        Outcome::Cancelled => (Tone::Warn, "Cancelled", "after"),
        Outcome::Waiting => (Tone::Warn, "Waiting for approval", "after"),
        Outcome::Expired => (Tone::Warn, "Approval expired", "after"),
        Outcome::Withdrawn => (Tone::Warn, "Withdrawn", "after"),
        Outcome::Contradicted => (Tone::Warn, "Not what was approved", "after"),
    };
    look.line()
        .toned(tone, word)
        .plain(&format!(" {link} {took}{waited}"))
}

/// Draws what a dry run would have changed, and that it did not.
fn rehearsed(finished: &RunFinished, look: Look) -> Vec<Line> {
    let mut lines = Vec::new();
    // A run that failed before its first change says nothing of what the others would have done.
    let is_good = matches!(finished.outcome, Outcome::Done | Outcome::Nothing);
    let changes = finished.changes.as_ref();
    if let Some(changes) = changes.filter(|changes| is_good || !changes.tables.is_empty()) {
        let words = if changes.tables.is_empty() {
            "It would change nothing.".to_owned()
        } else {
            format!("It would change {}:", changes::summary(changes))
        };
        lines.push(look.line().plain(&words));
        let counts = changes::counts(changes, look.inside(2));
        lines.extend(counts.into_iter().map(|line| line.indented(2)));
    }
    lines.extend(match finished.aborted {
        Some(true) => Some(look.line().toned(
            Tone::Good,
            "Everything is rolled back, as the server confirms.",
        )),
        Some(false) => Some(look.line().toned(
            Tone::Bad,
            "Dry run: the server does not say that the transaction is aborted!",
        )),
        None => None,
    });
    lines
}

/// Returns what is committed of a run that did not come to its good end, and what was put back.
pub(super) fn remains(finished: &RunFinished) -> Option<String> {
    let (committed, undone) = (&finished.committed, &finished.undone);
    let put_back = |sentence: String| match undone.as_slice() {
        [] => sentence,
        undone => format!("{sentence} Put back: {}.", words::list(undone)),
    };
    match finished.outcome {
        Outcome::Done | Outcome::Nothing => None,
        Outcome::Unknown if committed.is_empty() => Some(put_back(
            "COMMIT was sent, and nobody can say what became of it: the change may be there or not."
                .to_owned(),
        )),
        Outcome::Unknown => Some(put_back(format!(
            "COMMIT was sent, and nobody can say what became of it. Committed before: {}.",
            words::list(committed)
        ))),
        Outcome::RolledBack if undone.is_empty() => {
            Some("What it had changed was put back.".to_owned())
        }
        _ if !committed.is_empty() => Some(put_back(format!(
            "Committed, and still there: {}.",
            words::list(committed)
        ))),
        _ if !undone.is_empty() => Some(format!(
            "What it had changed was put back: {}.",
            words::list(undone)
        )),
        _ => Some("Nothing was changed.".to_owned()),
    }
}

/// Returns what to do next.
pub(super) fn next(finished: &RunFinished) -> Option<&'static str> {
    if finished.aborted == Some(false) {
        return Some("look at the tables above before anything else runs on this database");
    }
    match finished.outcome {
        Outcome::Stopped => Some("look at what is in place before you run it again"),
        Outcome::Unknown => {
            Some("look whether the change is there; do not run it again before you know")
        }
        _ => None,
    }
}
