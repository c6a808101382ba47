//! The file of tests beside a runbook.

use super::{Outcome, unread};
use crate::cli::catalogue::{Catalogue, Entry};
use crate::cli::findings::Checked;
use crate::suite::coverage::Elsewhere;
use crate::suite::{document, resolve};

/// The end of the name of a file of tests.
pub(super) const END: &str = ".test.yaml";

/// Checks the tests beside a valid runbook; nothing where there are none.
pub(super) fn check(entry: &Entry, outcome: &Outcome, catalogue: &Catalogue) -> Option<Checked> {
    let proved = outcome.proved.as_ref()?;
    let path = entry.path()?.with_extension("test.yaml");
    if !path.is_file() {
        return None;
    }
    let beside = catalogue.file(&path).ok()?;
    let source = match beside.read() {
        Ok(source) => source,
        Err(error) => return Some(unread(beside.shown, &error)),
    };
    let elsewhere = Elsewhere::of(&proved.runbook, |used| catalogue.has_tests(used));
    let found = document::parse(&source)
        .and_then(|suite| resolve::check(&source, &suite, proved, &elsewhere))
        .map_or_else(|found| found, |checked| checked.warnings);
    Some(Checked {
        file: beside.shown,
        source: Some(source).filter(|_| !found.is_empty()),
        diagnostics: found,
    })
}
