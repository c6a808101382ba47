//! What there is to test: runbooks with their tests, those without, and what is wrong with either.

use std::path::{Path, PathBuf};

use super::book::Book;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::cli::Context;
use crate::cli::args::TestArgs;
use crate::cli::catalogue::{Catalogue, Entry, Refused, is_path};
use crate::cli::command::check;
use crate::cli::error::CliError;
use crate::cli::findings::Checked;

/// What there is to test.
#[derive(Default)]
pub(in crate::cli) struct Library {
    /// Runbooks with their tests.
    pub(in crate::cli) books: Vec<Book>,
    /// The names of runbooks without.
    pub(in crate::cli) without: Vec<String>,
    /// What is wrong with runbooks and tests.
    pub(in crate::cli) wrong: Vec<Checked>,
    /// What is worth knowing about tests.
    pub(in crate::cli) warnings: Vec<Checked>,
}

/// A case that is to be played, by the indices of its runbook and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Turn {
    /// The runbook.
    pub(in crate::cli) book: usize,
    /// The case.
    pub(in crate::cli) case: usize,
}

impl Library {
    /// Finds the runbooks that are named and their tests, and checks both.
    ///
    /// # Errors
    /// There is no such runbook, file or folder.
    pub(in crate::cli) fn load(context: &Context<'_>, args: &TestArgs) -> Result<Self, CliError> {
        let (entries, refused, catalogue) = chosen(context, args)?;
        let mut library = Self::default();
        library.wrong.extend(refused.iter().map(check::refusal));
        let results = check::check_all(&entries, &catalogue, |_, outcome| outcome);
        for (entry, mut result) in entries.iter().zip(results) {
            let Some(proved) = result.proved.take() else {
                let severity = |severity| result.checked.count(severity);
                if severity(Severity::Error) > 0 {
                    library.wrong.push(result.checked);
                }
                continue;
            };
            match Book::find(entry, &proved, &catalogue, &context.invocation.folder) {
                None => library.without.push(entry.name.clone()),
                Some(Ok(mut book)) => {
                    let warnings = std::mem::take(&mut book.warnings);
                    library.warnings.extend(warned(&book, warnings));
                    library.books.push(book);
                }
                Some(Err(wrong)) => library.wrong.push(wrong),
            }
        }
        Ok(library)
    }

    /// Returns the folders of the runbooks that are named, those that are built in left out.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(in crate::cli) fn folders(
        context: &Context<'_>,
        args: &TestArgs,
    ) -> Result<Vec<PathBuf>, CliError> {
        let (entries, _, catalogue) = chosen(context, args)?;
        Ok(folders(&entries, &catalogue))
    }

    /// Returns the cases that are to be played, in their order.
    pub(in crate::cli) fn turns(&self, filters: &[String]) -> Vec<Turn> {
        let turns = self.books.iter().enumerate().flat_map(|(book, found)| {
            let cases = found.suite.cases.iter().enumerate();
            cases.map(move |(case, named)| (Turn { book, case }, found, named))
        });
        turns
            .filter(|(_, book, case)| {
                let texts = [book.proved.runbook.name.as_str(), case.case.text()];
                let has = |filter: &String| texts.iter().any(|text| text.contains(filter.as_str()));
                filters.is_empty() || filters.iter().any(has)
            })
            .map(|(turn, _, _)| turn)
            .collect()
    }
}

fn chosen(
    context: &Context<'_>,
    args: &TestArgs,
) -> Result<(Vec<Entry>, Vec<Refused>, Catalogue), CliError> {
    let what: Vec<String> = args.what.iter().map(|what| runbook_of(what)).collect();
    check::chosen(context, &what)
}

fn warned(book: &Book, warnings: Vec<Diagnostic>) -> Option<Checked> {
    let warned = Checked {
        file: book.source.name().to_owned(),
        source: Some(book.source.clone()),
        diagnostics: warnings,
    };
    (!warned.diagnostics.is_empty()).then_some(warned)
}

/// Returns the folders of runbooks on disk, each once.
fn folders(entries: &[Entry], catalogue: &Catalogue) -> Vec<PathBuf> {
    let files = entries.iter().filter_map(Entry::path);
    let folder = |file: &Path| {
        let real = file.canonicalize().ok()?;
        let folder = catalogue.folder_of(&real).or(real.parent())?;
        Some(folder.to_owned())
    };
    let mut folders: Vec<PathBuf> = files.filter_map(folder).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Returns the runbook whose tests a path names; other texts stay as they are.
fn runbook_of(what: &str) -> String {
    let stem = [".test.yaml", ".test.yml"]
        .iter()
        .find_map(|end| what.strip_suffix(end));
    match stem {
        Some(stem) if is_path(what) => {
            let short = format!("{stem}.yml");
            if Path::new(&short).is_file() {
                short
            } else {
                format!("{stem}.yaml")
            }
        }
        _ => what.to_owned(),
    }
}
