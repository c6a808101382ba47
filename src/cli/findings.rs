//! What was found in runbooks, in the forms that people and programs read.

use std::fmt::Write as _;

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::source::{Position, Source};
use crate::base::words;

mod github;
mod json;
mod sarif;

pub(in crate::cli) use github::github;
pub(in crate::cli) use json::json;
pub(in crate::cli) use sarif::sarif;

/// One runbook that was checked, and what was found in it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Checked {
    /// Its path as messages show it.
    pub(in crate::cli) file: String,
    /// Its text; none where it could not be read.
    pub(in crate::cli) source: Option<Source>,
    /// What was found.
    pub(in crate::cli) diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Returns whether it is a file of tests.
    fn is_test(&self) -> bool {
        self.file.ends_with(".test.yaml")
    }

    /// Returns how many diagnostics of a severity there are.
    pub(in crate::cli) fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// Returns where a diagnostic begins and ends; nothing for what concerns the whole file.
    fn place(&self, diagnostic: &Diagnostic) -> Option<(Position, Position)> {
        let source = self.source.as_ref()?;
        let span = diagnostic.span()?;
        Some((source.position(span.start), source.position(span.end)))
    }
}

/// Draws every finding for people.
pub(in crate::cli) fn human(all: &[Checked], colored: bool) -> String {
    let mut text = String::new();
    for checked in all {
        let unread = Source::new(checked.file.as_str(), "");
        let source = checked.source.as_ref().unwrap_or(&unread);
        for diagnostic in &checked.diagnostics {
            let _ = writeln!(text, "{}\n", diagnostic.render(source, colored));
        }
    }
    text
}

/// Returns the line that sums up: "4 runbooks, 2 test files: 5 valid, 1 invalid, 2 warnings".
pub(in crate::cli) fn summary(all: &[Checked]) -> String {
    let number = |count: usize| i128::try_from(count).unwrap_or(i128::MAX);
    let invalid = all
        .iter()
        .filter(|checked| checked.count(Severity::Error) > 0)
        .count();
    let errors: usize = all
        .iter()
        .map(|checked| checked.count(Severity::Error))
        .sum();
    let warnings: usize = all
        .iter()
        .map(|checked| checked.count(Severity::Warning))
        .sum();
    let tests = all.iter().filter(|checked| checked.is_test()).count();
    let mut text = words::count(number(all.len() - tests), "runbook");
    if tests > 0 {
        let _ = write!(text, ", {}", words::count(number(tests), "test file"));
    }
    let _ = write!(text, ": {} valid", all.len() - invalid);
    if invalid > 0 {
        let _ = write!(
            text,
            ", {invalid} invalid ({})",
            words::count(number(errors), "error")
        );
    }
    if warnings > 0 {
        let _ = write!(text, ", {}", words::count(number(warnings), "warning"));
    }
    text
}

/// Returns the word for a severity.
fn level(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Returns all that a diagnostic says, in one text: for formats that have no place for its parts.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.title.clone();
    if let Some(label) = diagnostic
        .labels
        .first()
        .filter(|label| !label.text.is_empty())
    {
        let _ = write!(text, "\n{}", label.text);
    }
    for note in &diagnostic.notes {
        let _ = write!(text, "\n{note}");
    }
    for help in &diagnostic.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}
