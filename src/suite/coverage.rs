//! Which ways of a runbook's graph the cases of its tests take.

use super::document::Suite;
use super::verdict::Played;
use crate::engine::event::Event;
use crate::runbook::check::Proved;

/// What the cases of one file take of their runbook's graph.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The runbook.
    pub runbook: String,
    /// The file of its tests, as messages show it.
    pub file: String,
    /// Every way of its graph, in the order of its steps.
    pub ways: Vec<Covered>,
    /// Ways that a run took although the graph does not have them: a defect of the program.
    pub unknown: Vec<String>,
}

/// A way of the graph, and who takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Its name, `STEP.WAY`.
    pub way: String,
    /// The cases that take it.
    pub cases: Vec<String>,
    /// Why the file says that no case takes it.
    pub untested: Option<String>,
}

impl Coverage {
    /// Returns how the cases of a file, all of them played, cover its runbook.
    pub fn of(_file: &str, _suite: &Suite, _proved: &Proved, _played: &[Played]) -> Self {
        Self::default()
    }

    /// Returns the ways that no case takes and that the file does not justify.
    pub fn missing(&self) -> impl Iterator<Item = &Covered> {
        self.ways
            .iter()
            .filter(|way| way.cases.is_empty() && way.untested.is_none())
    }

    /// Returns the ways that a case takes although the file says that none can: an error of the file.
    pub fn contradicted(&self) -> impl Iterator<Item = &Covered> {
        self.ways
            .iter()
            .filter(|way| !way.cases.is_empty() && way.untested.is_some())
    }

    /// Returns whether what the file says of its ways is so, and the graph has all that were taken.
    pub fn is_sound(&self) -> bool {
        self.contradicted().next().is_none() && self.unknown.is_empty()
    }

    /// Returns whether every way is taken, or justified.
    pub fn is_full(&self) -> bool {
        self.missing().next().is_none()
    }
}

/// Returns the names of all ways of a runbook, in the order of its steps.
pub fn ways(_proved: &Proved) -> Vec<String> {
    Vec::new()
}

/// Returns the names of the ways that a run took, in the order in which it did.
pub fn taken(_proved: &Proved, _events: &[Event]) -> Vec<String> {
    Vec::new()
}
