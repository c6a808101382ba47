//! The events of a record, for an auditor: each with its place in the chain, and only where all of it is whole.

use std::fs;

use serde_json::Value;

use super::audit::{Audit, Auditor};
use super::facts::Facts;
use super::log::Walk;
use super::run::{EVENTS, FACTS};
use super::store;

/// The record of a run as it was written.
#[derive(Clone, Debug)]
pub struct Whole {
    /// What the run was given.
    pub facts: Facts,
    /// Its events.
    pub lines: Vec<Line>,
}

/// An event, and the chain after it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The event, as it stands in the log, without the chain.
    pub event: Value,
    /// The value of the chain after it.
    pub chain: String,
}

impl Auditor {
    /// Finds out about a run, and returns its record where nothing is wrong with it. Both are of the same bytes.
    pub fn export(&self, run: &str) -> (Audit, Option<Whole>) {
        let folder = store::folder(&self.base, run);
        let read = |name| fs::read(folder.join(name));
        let (Ok(facts), Ok(log)) = (read(FACTS), read(EVENTS)) else {
            return (self.audit(run), None);
        };
        let mut audit = Audit::new(run);
        self.follow(&mut audit, &folder, &facts, &log);
        if !audit.findings.is_empty() {
            return (audit, None);
        }
        let whole = Facts::parse(run, &folder.join(FACTS), &facts).ok();
        let whole = whole.map(|facts_of| Whole {
            lines: lines(&Walk::new(&facts, &log)),
            facts: facts_of,
        });
        (audit, whole)
    }
}

fn lines(walk: &Walk<'_>) -> Vec<Line> {
    let line = |line: &super::log::Line<'_>| {
        let mut event: Value = serde_json::from_slice(line.bytes).ok()?;
        if let Value::Object(fields) = &mut event {
            fields.shift_remove("chain");
        }
        Some(Line {
            event,
            chain: line.head.to_owned(),
        })
    };
    walk.lines.iter().filter_map(line).collect()
}
