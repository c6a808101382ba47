//! A file of tests beside its runbook: what can be known to be wrong with it before a case is played.

mod case;
mod fault;
mod path;

use super::coverage::{self, Elsewhere};
use super::document::Suite;
use crate::base::diagnostic::{Diagnostic, has_errors};
use crate::base::source::{Source, Span};
use crate::base::words;
use crate::runbook::check::Proved;
use crate::runbook::model::Step;
use crate::step::text::Name;

/// A file of tests that fits its runbook.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is worth knowing about it.
    pub warnings: Vec<Diagnostic>,
}

/// Checks a file of tests against its runbook.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text, warnings included.
pub fn check(
    source: &Source,
    suite: &Suite,
    proved: &Proved,
    elsewhere: &Elsewhere,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut checker = Checker {
        source,
        proved,
        elsewhere,
        diagnostics: Vec::new(),
    };
    checker.suite(suite);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(Diagnostic::span);
    diagnostics.dedup();
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    Ok(Checked {
        warnings: diagnostics,
    })
}

struct Checker<'a> {
    source: &'a Source,
    proved: &'a Proved,
    elsewhere: &'a Elsewhere,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn suite(&mut self, suite: &Suite) {
        let runbook = &self.proved.runbook;
        if suite.test.text() != runbook.name {
            let title = format!("there is no runbook `{}` beside this file", suite.test);
            self.diagnostics.push(
                Diagnostic::error("unknown-name", title)
                    .at(suite.test.span(), "")
                    .help(format!("the runbook is called `{}`", runbook.name)),
            );
        }
        if suite.cases.is_empty() {
            self.wrong(
                suite.test.span(),
                "there are no cases",
                "add one to `cases`: `case`, `params` and `outcome` are enough to begin with",
            );
        }
        for (index, case) in suite.cases.iter().enumerate() {
            let before = suite.cases.iter().take(index);
            if let Some(twin) = before
                .into_iter()
                .find(|other| other.case.text() == case.case.text())
            {
                let title = format!("two cases are called `{}`", case.case.text());
                self.diagnostics.push(
                    Diagnostic::error("duplicate", title)
                        .at(case.case.span(), "")
                        .at(twin.case.span(), "the first"),
                );
            }
            self.case(case);
        }
        self.untested(suite);
    }

    fn untested(&mut self, suite: &Suite) {
        if suite.untested.0.is_empty() {
            return;
        }
        let ways = coverage::ways(self.proved, self.elsewhere);
        let others = coverage::ways_elsewhere(self.proved, self.elsewhere);
        for (way, reason) in &suite.untested.0 {
            if reason.text().trim().is_empty() {
                self.wrong(
                    way.span,
                    format!("`{}` has no reason", way.value),
                    "say why no case can take it",
                );
            }
            if ways.contains(&way.value) {
                continue;
            }
            if others.contains(&way.value) {
                self.wrong(
                    way.span,
                    format!(
                        "`{}` is a way of a runbook that is used, and its own tests take it",
                        way.value
                    ),
                    "take it out of `untested`: nobody expects it here",
                );
                continue;
            }
            let help = other_way(&way.value, &ways);
            let title = format!("there is no way `{}`", way.value);
            self.diagnostics.push(
                Diagnostic::error("unknown-name", title)
                    .at(way.span, "")
                    .help(help),
            );
        }
    }

    /// Finds a step, and says where there is none.
    fn step(&mut self, name: &str, span: Span) -> Option<&Step> {
        let steps = &self.proved.runbook.steps;
        let found = steps.iter().find(|step| step.title == name);
        if found.is_none() {
            let names = steps.iter().map(|step| step.title.as_str());
            let title = format!("there is no step `{name}`");
            self.diagnostics.push(
                Diagnostic::error("unknown-name", title)
                    .at(span, "")
                    .help_opt(words::did_you_mean(name, names)),
            );
        }
        found
    }

    fn named(&mut self, name: &Name) -> Option<&Step> {
        self.step(name.text(), name.span())
    }

    fn wrong(&mut self, span: Span, title: impl Into<String>, help: &str) {
        self.diagnostics.push(with_help(
            Diagnostic::error("contract", title).at(span, ""),
            help,
        ));
    }

    fn suspicious(&mut self, span: Span, title: impl Into<String>, help: &str) {
        self.diagnostics.push(with_help(
            Diagnostic::warning("contract", title).at(span, ""),
            help,
        ));
    }
}

fn with_help(diagnostic: Diagnostic, help: &str) -> Diagnostic {
    if help.is_empty() {
        diagnostic
    } else {
        diagnostic.help(help)
    }
}

/// Returns steps in words, the first few of many.
fn steps(names: &[&str]) -> String {
    const FEW: usize = 6;
    match names.get(..FEW) {
        Some(first) if names.len() > FEW => format!("{} and others", words::quoted(first)),
        _ => words::quoted(names),
    }
}

/// Returns the way that was most likely meant, or those that there are.
fn other_way(name: &str, ways: &[String]) -> String {
    let (step, way) = name.split_once('.').unwrap_or((name, ""));
    let of_step: Vec<&str> = ways
        .iter()
        .filter_map(|known| known.strip_prefix(step)?.strip_prefix('.'))
        .collect();
    if of_step.is_empty() {
        let known = ways.iter().map(String::as_str);
        return words::did_you_mean(name, known)
            .unwrap_or_else(|| "`runbook test --coverage` lists the ways".to_owned());
    }
    match words::nearest(way, of_step.iter().copied()) {
        Some(near) => format!("did you mean `{step}.{near}`?"),
        None => format!("the ways of `{step}` are {}", words::quoted(&of_step)),
    }
}
