//! A runbook with its tests: found, read and checked, before any case is played.

use std::path::Path;

use super::script::Script;
use super::shelf::Shelf;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Source;
use crate::cli::catalogue::{Catalogue, Entry};
use crate::cli::error::CliError;
use crate::cli::findings::Checked;
use crate::runbook::check::Proved;
use crate::step::shape::OneOrMany;
use crate::step::text::Template;
use crate::suite::coverage::Elsewhere;
use crate::suite::document::{self, Suite};
use crate::suite::resolve;

/// A runbook with its tests.
#[derive(Debug)]
pub(in crate::cli) struct Book {
    /// The runbook.
    pub(in crate::cli) proved: Proved,
    /// What of it the tests of others take.
    pub(in crate::cli) elsewhere: Elsewhere,
    /// The text of its tests.
    pub(in crate::cli) source: Source,
    /// Its tests.
    pub(in crate::cli) suite: Suite,
    /// What every case begins with.
    pub(super) setup: Vec<Script>,
    /// What each case adds to that.
    pub(super) additions: Vec<Vec<Script>>,
    /// What is worth knowing about the tests.
    pub(in crate::cli) warnings: Vec<Diagnostic>,
}

impl Book {
    /// Finds the tests of a runbook; nothing where there are none.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(in crate::cli) fn find(
        entry: &Entry,
        proved: &Proved,
        catalogue: &Catalogue,
        current: &Path,
    ) -> Option<Result<Self, Checked>> {
        let (source, shelf) = Shelf::tests_of(entry, catalogue, current)?;
        Some(match source {
            Ok(source) => Self::read(source, &shelf, proved, catalogue),
            Err(error) => Err(Checked {
                file: entry.shown.clone(),
                source: None,
                diagnostics: vec![diagnostic(&error)],
            }),
        })
    }

    /// Returns what its databases are made by: those of two runbooks with the same are the same.
    pub(in crate::cli) fn key(&self) -> String {
        let texts: Vec<&str> = self.setup.iter().map(Script::text).collect();
        texts.join("\0")
    }

    fn read(
        source: Source,
        shelf: &Shelf,
        proved: &Proved,
        catalogue: &Catalogue,
    ) -> Result<Self, Checked> {
        let wrong = |diagnostics| Checked {
            file: source.name().to_owned(),
            source: Some(source.clone()),
            diagnostics,
        };
        let suite = document::parse(&source).map_err(wrong)?;
        let mut found = Vec::new();
        let mut scripts = |texts: Option<&OneOrMany<Template>>| {
            let texts = texts.into_iter().flat_map(|texts| &texts.0);
            texts
                .filter_map(|text| script(text, &source, shelf, &mut found))
                .collect::<Vec<_>>()
        };
        let mut setup = scripts(suite.schema.as_ref());
        setup.extend(scripts(suite.data.as_ref()));
        let additions = suite.cases.iter().map(|case| scripts(case.data.as_ref()));
        let additions = additions.collect();
        let elsewhere = Elsewhere::of(&proved.runbook, |used| catalogue.has_tests(used));
        let warnings = match resolve::check(&source, &suite, proved, &elsewhere) {
            Ok(checked) => checked.warnings,
            Err(others) => {
                found.extend(others);
                Vec::new()
            }
        };
        if !found.is_empty() {
            found.sort_by_key(Diagnostic::span);
            return Err(wrong(found));
        }
        Ok(Self {
            proved: proved.clone(),
            elsewhere,
            source,
            suite,
            setup,
            additions,
            warnings,
        })
    }
}

/// Returns the SQL that a text is, or that is in the file of its name.
fn script(
    text: &Template,
    source: &Source,
    shelf: &Shelf,
    found: &mut Vec<Diagnostic>,
) -> Option<Script> {
    if !document::is_path(text.text()) {
        return Some(Script::inline(source, &text.0));
    }
    match shelf.read(text.text()) {
        Ok(file) => Some(Script::file(file)),
        Err(error) => {
            found.push(diagnostic(&error).at(text.span(), ""));
            None
        }
    }
}

fn diagnostic(error: &CliError) -> Diagnostic {
    let diagnostic = Diagnostic::error("file", error.to_string());
    match error {
        CliError::Invalid { help, .. } => help.iter().fold(diagnostic, Diagnostic::help),
        _ => diagnostic,
    }
}
