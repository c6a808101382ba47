//! The runbooks of one folder and its sub-folders. What leads out of it is refused, with the reason.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::invocation::show;
use crate::cli::project::FILE;

/// No catalogue nests deeper.
const MAX_DEPTH: usize = 16;

/// How much of a file is read to tell what it is.
const LOOKED_AT: u64 = 1024 * 1024;

/// A file that looks like a runbook and is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name that it would have.
    pub name: String,
    /// Its path as messages show it.
    pub shown: String,
    /// Why it is not taken.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.shown, self.why)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files of runbooks, in the order of their paths.
    pub(super) files: Vec<PathBuf>,
    /// What is not taken.
    pub(super) refused: Vec<Refused>,
}

/// Finds the runbooks of a folder; `real` is its path without symbolic links.
pub(super) fn walk(folder: &Path, real: &Path, current: &Path) -> Found {
    let mut walker = Walker {
        real,
        current,
        found: Found::default(),
    };
    walker.folder(folder, 0);
    walker.found
}

/// Returns whether a file's name says that it is a runbook.
pub fn is_runbook(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| {
        let stem = name
            .strip_suffix(".yaml")
            .or_else(|| name.strip_suffix(".yml"));
        stem.is_some_and(|stem| {
            let is_test = stem.rsplit_once('.').is_some_and(|(_, end)| end == "test");
            !stem.is_empty() && !stem.starts_with('.') && !is_test
        })
    })
}

/// Returns whether a file is the one that names targets, rather than a runbook of that name.
fn is_targets(path: &Path) -> bool {
    let is_named = path.file_name().is_some_and(|name| name == FILE);
    let text = || {
        let file = std::fs::File::open(path)?;
        std::io::read_to_string(file.take(LOOKED_AT))
    };
    is_named && text().is_ok_and(|text| text.lines().any(|line| line.starts_with("targets:")))
}

struct Walker<'a> {
    real: &'a Path,
    current: &'a Path,
    found: Found,
}

impl Walker<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            self.refuse(folder, "cannot be read");
            return;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            self.one(&path, depth);
        }
    }

    fn one(&mut self, path: &Path, depth: usize) {
        let Ok(facts) = path.symlink_metadata() else {
            return;
        };
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            return;
        }
        if facts.is_symlink() {
            self.link(path);
        } else if facts.is_dir() && depth < MAX_DEPTH {
            self.folder(path, depth + 1);
        } else if facts.is_file() && is_targets(path) {
            // It stands beside runbooks, and is none.
        } else if facts.is_file() && is_runbook(path) {
            self.found.files.push(path.to_owned());
        } else if facts.is_file() {
            self.tests(path);
        }
    }

    /// Refuses tests that nobody would play: those of a runbook that is not there.
    fn tests(&mut self, path: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy());
        let stem = name.as_ref().and_then(|name| {
            name.strip_suffix(".test.yaml")
                .or_else(|| name.strip_suffix(".test.yml"))
        });
        let Some(stem) = stem else {
            return;
        };
        let mut runbooks = ["yaml", "yml"]
            .map(|end| path.with_file_name(format!("{stem}.{end}")))
            .into_iter();
        if !runbooks.any(|path| path.is_file()) {
            self.found.refused.push(Refused {
                name: stem.to_owned(),
                shown: show(self.current, path),
                why: format!("tests a runbook that is not there: `{stem}.yaml` would be beside it"),
            });
        }
    }

    /// A link to a file inside of the folder is that file by another name. A link to a folder inside of it
    /// is walked already; anything else is not this folder's.
    fn link(&mut self, path: &Path) {
        let target = path.canonicalize();
        let is_folder = target.as_ref().is_ok_and(|target| target.is_dir());
        if !is_folder && !is_runbook(path) {
            return;
        }
        match target {
            Err(_) => self.refuse(path, "is a symbolic link to nothing"),
            Ok(target) if !target.starts_with(self.real) => {
                self.refuse(
                    path,
                    "is a symbolic link that leaves the folder of runbooks",
                );
            }
            Ok(target) if target.is_file() => self.found.files.push(path.to_owned()),
            Ok(_) => {}
        }
    }

    fn refuse(&mut self, path: &Path, why: &str) {
        self.found.refused.push(Refused {
            name: super::stem(path),
            shown: show(self.current, path),
            why: why.to_owned(),
        });
    }
}
