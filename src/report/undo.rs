//! Draws what was put back, and what was not: the rows that someone changed since.

use super::line::{Line, paragraph};
use super::look::{Look, Mark, Tone};
use super::step::Told;
use super::table::{self, more_of};
use super::{amount, changes, failure};
use crate::base::words;
use crate::engine::change::Changes;
use crate::engine::conflict::{Clash, Conflict, ConflictColumn};
use crate::engine::failure::Failure;
use crate::runbook::data::{Column, Rows, oid};
use crate::step::query::Show;

/// How many rows with a conflict are shown.
const MOST_CONFLICTS: usize = 20;

/// What is being put back, and why.
#[derive(Clone, Debug, Default)]
pub(super) struct Undoing {
    /// The fixes and atomics.
    pub(super) of: Vec<String>,
    /// Why.
    pub(super) why: String,
}

impl Undoing {
    /// Returns what is put back, and why.
    pub(super) fn new(of: &[String], why: &str) -> Self {
        Self {
            of: of.to_vec(),
            why: why.to_owned(),
        }
    }

    /// Returns "a, b and c".
    pub(super) fn names(&self) -> String {
        if self.of.is_empty() {
            String::new()
        } else {
            words::list(&self.of)
        }
    }
}

/// What putting rows back came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undone<'a> {
    /// How many rows were put back.
    pub(super) restored: u64,
    /// The rows that were put back.
    pub(super) changes: &'a Changes,
    /// The rows that someone changed since.
    pub(super) conflicts: &'a [Conflict],
    /// Why nothing was put back.
    pub(super) failure: Option<&'a Failure>,
}

impl Undone<'_> {
    /// Returns "4 rows put back, 1 row left as it is".
    pub(super) fn words(&self, dry_run: bool) -> String {
        let would = if dry_run { " would be" } else { "" };
        let rows = amount::rows(self.restored);
        let left = amount::long(self.conflicts.len());
        match (self.failure.is_some(), self.restored, left) {
            (true, _, 0) => "failed, nothing was put back".to_owned(),
            (true, ..) | (false, 0, 1..) => {
                let verb = if left == 1 { "has" } else { "have" };
                format!(
                    "nothing{would} put back, {} {verb} changed since",
                    amount::rows(left)
                )
            }
            (false, 0, 0) => "nothing to put back".to_owned(),
            (false, _, 0) => format!("{rows}{would} put back"),
            (false, ..) => {
                let verb = if left == 1 { "it is" } else { "they are" };
                format!(
                    "{rows}{would} put back, {} left as {verb}",
                    amount::rows(left)
                )
            }
        }
    }

    /// Returns how it went.
    pub(super) fn mark(&self) -> Mark {
        match (self.failure.is_some(), self.conflicts.is_empty()) {
            (true, _) => Mark::Failed,
            (false, false) if self.restored == 0 => Mark::Failed,
            (false, false) => Mark::Warning,
            (false, true) => Mark::Undone,
        }
    }
}

/// Draws what was put back, the conflicts, and what went wrong.
pub(super) fn told(undone: &Undone, dry_run: bool, look: Look) -> Told {
    let tone = match undone.mark() {
        Mark::Failed => Tone::Bad,
        Mark::Warning => Tone::Warn,
        _ => Tone::Plain,
    };
    let summary = look.line().toned(tone, &undone.words(dry_run));
    let mut body = changes::draw(undone.changes, changes::MOST_LINES, look);
    body.extend(conflicts(undone.conflicts, look));
    if let Some(what) = undone.failure {
        body.extend(failure::draw(what, look));
    }
    Told {
        body,
        ..Told::new(undone.mark(), summary)
    }
}

/// Draws why rows are put back.
pub(super) fn why(text: &str, look: Look) -> Vec<Line> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    paragraph(&look.line(), Tone::Dim, text)
}

/// Draws the rows that are not as the fix left them: what happened to each, and its columns as a table.
pub(super) fn conflicts(conflicts: &[Conflict], look: Look) -> Vec<Line> {
    let shown = conflicts.iter().take(MOST_CONFLICTS);
    let mut lines: Vec<Line> = shown.flat_map(|conflict| draw(conflict, look)).collect();
    let more = conflicts.len().saturating_sub(MOST_CONFLICTS);
    if more > 0 {
        lines.push(more_of(&amount::rows(amount::long(more)), look));
    }
    lines
}

fn draw(conflict: &Conflict, look: Look) -> Vec<Line> {
    let first = look
        .line()
        .mark(Mark::Warning)
        .gap(1)
        .toned(Tone::Strong, &row(conflict))
        .plain(&format!(" {}", happened(conflict)));
    let table = columns(conflict);
    let body = table::draw(&table, Show::Table, usize::MAX, look.inside(2));
    let body = body.into_iter().map(|line| line.indented(2));
    [first].into_iter().chain(body).collect()
}

/// Returns "users id = 3".
pub(super) fn row(conflict: &Conflict) -> String {
    let side = |names: &[String]| match names {
        [only] => only.clone(),
        several => format!("({})", several.join(", ")),
    };
    if conflict.key.is_empty() {
        return conflict.table.clone();
    }
    if conflict.key_columns.is_empty() {
        return format!("{} {}", conflict.table, side(&conflict.key));
    }
    format!(
        "{} {} = {}",
        conflict.table,
        side(&conflict.key_columns),
        side(&conflict.key)
    )
}

/// Returns what happened to a row, in words.
pub(super) fn happened(conflict: &Conflict) -> String {
    let by = match &conflict.by {
        Some(by) => format!(" by {by}"),
        None => String::new(),
    };
    match conflict.clash {
        Clash::Edited => format!("was changed since{by}"),
        Clash::Deleted => format!("was deleted since{by}"),
        Clash::Exists => format!("was deleted, and is there again{by}"),
        Clash::LaterRun if by.is_empty() => "was changed by a later run too".to_owned(),
        Clash::LaterRun => format!("was changed later{by} too"),
    }
}

/// Returns the columns of a conflict as rows. A side on which there is no row is left out.
pub(super) fn columns(conflict: &Conflict) -> Rows {
    let sides: &[Side] = match conflict.clash {
        Clash::Edited | Clash::LaterRun => &[THEN, NOW, BACK],
        Clash::Deleted => &[THEN, BACK],
        Clash::Exists => &[NOW, BACK],
    };
    let heads = ["column"]
        .into_iter()
        .chain(sides.iter().map(|(head, _)| *head));
    let cells = |column: &ConflictColumn| {
        let values = sides
            .iter()
            .map(|(_, side)| side(column).map(|text| seen(text)));
        [Some(column.column.clone())]
            .into_iter()
            .chain(values)
            .collect()
    };
    Rows {
        columns: heads
            .map(|name| Column {
                name: name.to_owned(),
                kind: "text".to_owned(),
                oid: oid::TEXT,
                ..Column::default()
            })
            .collect(),
        rows: conflict.columns.iter().map(cells).collect(),
        count: amount::long(conflict.columns.len()),
    }
}

/// A side of a conflict: its heading, and its value of a column.
type Side = (&'static str, fn(&ConflictColumn) -> Option<&String>);

const THEN: Side = ("then", |column| column.then.as_ref());
const NOW: Side = ("now", |column| column.now.as_ref());
const BACK: Side = ("would become", |column| column.back.as_ref());

/// An empty text stands in quotes, else it would not be seen.
fn seen(text: &str) -> String {
    if text.is_empty() {
        "\"\"".to_owned()
    } else {
        text.to_owned()
    }
}
