//! What a line tells of several steps at once: those of an atomic, or the items of a loop.

use super::line::{Line, flow};
use super::look::{Look, Mark};
use super::step::Told;
use crate::engine::change::Changes;
use crate::engine::event::Item;

/// How many parts are named.
const MOST_PARTS: usize = 12;

/// An atomic or a loop that is under way.
#[derive(Debug)]
pub(super) struct Compact {
    /// Its name.
    pub(super) name: String,
    /// Which item of a loop it works on.
    pub(super) item: Option<Item>,
    /// What it changed.
    pub(super) changes: Changes,
    /// Milliseconds that its parts took.
    pub(super) took_ms: f64,
    /// How many parts there were.
    pub(super) count: usize,
    /// Those that went well.
    parts: Vec<Line>,
    /// Those that did not, with what is to know of them.
    troubles: Vec<Line>,
    failed: Option<String>,
}

impl Compact {
    /// Returns one that has done nothing yet.
    pub(super) fn new(name: &str, item: Option<Item>) -> Self {
        Self {
            name: name.to_owned(),
            item,
            changes: Changes::default(),
            took_ms: 0.0,
            count: 0,
            parts: Vec::new(),
            troubles: Vec::new(),
            failed: None,
        }
    }

    /// Adds what a part told. What went well has no room for more than its line.
    pub(super) fn add(&mut self, name: &str, told: &Told, look: Look) {
        self.count += 1;
        let mut line = look.line().mark(told.mark).gap(1).plain(name);
        if !told.brief.is_empty() {
            line = line.gap(2).then(&told.brief);
        }
        if told.mark == Mark::Failed {
            self.failed = Some(name.to_owned());
        }
        if matches!(told.mark, Mark::Failed | Mark::Warning) {
            self.troubles.push(line);
            let body = told.body.iter().cloned();
            self.troubles.extend(body.map(|line| line.indented(2)));
        } else {
            self.parts.push(line);
        }
    }

    /// Returns which part failed last.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Draws the parts, and what is to know of those that did not go well.
    pub(super) fn body(&self, look: Look) -> Vec<Line> {
        let mut parts = self.parts.clone();
        if parts.len() > MOST_PARTS {
            let more = parts.len() - MOST_PARTS;
            parts.truncate(MOST_PARTS);
            let ellipsis = look.glyphs().ellipsis;
            parts.push(look.line().dim(&format!("{ellipsis} and {more} more")));
        }
        let mut lines = flow(&parts, 3, look);
        lines.extend(self.troubles.iter().cloned());
        lines
    }
}
