//! The runbooks that are built into the program, with their tests and samples.

use std::path::Path;

use super::catalogue::is_runbook;

/// Every file of `runbooks/`: its path there and its text; `builtin/build.rs` lists them.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Returns the paths and texts of the runbooks.
pub fn runbooks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let runbooks = FILES.iter().filter(|(path, _)| is_runbook(Path::new(path)));
    runbooks.copied()
}

/// Returns the text of a file by its path under `runbooks/`.
pub fn file(path: &str) -> Option<&'static str> {
    let found = FILES.iter().find(|(known, _)| *known == path);
    found.map(|(_, text)| *text)
}
