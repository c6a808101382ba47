//! What is said of a database's health: a line for each check, and what does not pass with its remedy.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;

use crate::base::words;
use crate::engine::event::{Assertion, Event, EventKind, Sink, StepResult, TargetFacts};
use crate::report::look::{Look, Mark};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) target: Option<TargetFacts>,
    pub(super) checks: Vec<Checked>,
    /// Why it could not look to the end.
    pub(super) failure: Option<String>,
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) items: Vec<Assertion>,
}

impl Found {
    /// Returns whether nothing deserves attention.
    pub(super) fn is_well(&self) -> bool {
        self.failure.is_none() && self.checks.iter().all(|check| check.passed)
    }
}

/// Listens to the run.
pub(super) struct Face {
    found: Rc<RefCell<Found>>,
}

impl Face {
    pub(super) fn new(found: Rc<RefCell<Found>>) -> Self {
        Self { found }
    }
}

impl Sink for Face {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        let mut found = self.found.borrow_mut();
        match &event.kind {
            EventKind::RunStarted(started) => found.target = Some(started.target.clone()),
            EventKind::StepFinished {
                step,
                result: StepResult::Check { passed, items, .. },
                ..
            } => found.checks.push(Checked {
                name: step.name.clone(),
                passed: *passed,
                items: items.clone(),
            }),
            EventKind::StepFailed { step, failure, .. } => {
                found.failure = Some(format!("{}: {}", step.name, failure.message));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Draws what was found.
pub(super) fn page(found: &Found, look: Look) -> String {
    let width = look.width.unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    if let Some(target) = &found.target {
        let place = format!(
            "{} at {} as {}, PostgreSQL {}",
            target.database, target.name, target.user, target.server_version
        );
        lines.extend(words::wrapped(&place, width));
    }
    for check in &found.checks {
        let passed = check.items.iter().filter(|item| item.passed).count();
        let mark = if check.passed {
            Mark::Passed
        } else {
            Mark::Warning
        };
        let name = check.name.trim_end_matches("_well").replace('_', " ");
        let count = match check.items.len() {
            0 | 1 => String::new(),
            all => format!("  {passed} of {all}"),
        };
        let line = look.line().mark(mark).gap(1).plain(&name).dim(&count);
        lines.push(format!("  {line}"));
        for item in check.items.iter().filter(|item| !item.passed) {
            lines.push(format!("      not so: {}", item.name));
            let remedy = item.otherwise.as_deref().unwrap_or_default();
            let remedy = words::wrapped(remedy, width.saturating_sub(8).max(20));
            let remedy = remedy.iter().filter(|line| !line.is_empty());
            lines.extend(remedy.map(|line| format!("        {line}")));
        }
    }
    if let Some(failure) = &found.failure {
        lines.extend(words::wrapped(
            &format!("It could not look further: {failure}"),
            width,
        ));
    }
    lines.push(verdict(found));
    lines.join("\n") + "\n"
}

fn verdict(found: &Found) -> String {
    let items = || found.checks.iter().flat_map(|check| &check.items);
    let all = items().count();
    let bad = items().filter(|item| !item.passed).count();
    match bad {
        0 if found.failure.is_some() => "Nobody knows whether it is well.".to_owned(),
        0 => format!("It is well: {all} of {all} checks passed."),
        bad => format!(
            "{} of {all} checks {} attention.",
            bad,
            if bad == 1 { "needs" } else { "need" }
        ),
    }
}
