//! Where the SQL files of a test are: beside it, within its folder of runbooks, or in the program.

use std::path::{Component, Path, PathBuf};

use crate::base::source::Source;
use crate::cli::builtin;
use crate::cli::catalogue::{self, Catalogue, Entry};
use crate::cli::error::CliError;
use crate::cli::invocation::show;

/// What stands before the paths of files in the program.
const BUILTIN: &str = "(built in)/";

/// The folder of a test.
#[derive(Debug)]
pub(super) enum Shelf {
    /// A folder on disk, and the folder of runbooks that it belongs to.
    Disk {
        folder: PathBuf,
        root: PathBuf,
        current: PathBuf,
    },
    /// A folder in the program.
    Builtin(PathBuf),
}

impl Shelf {
    /// Reads the tests of a runbook, where there are any; also says where they are.
    pub(super) fn tests_of(
        entry: &Entry,
        catalogue: &Catalogue,
        current: &Path,
    ) -> Option<(Result<Source, CliError>, Self)> {
        let Some(path) = entry.path() else {
            let path = Path::new(entry.shown.strip_prefix(BUILTIN)?).with_extension("test.yaml");
            let text = builtin::file(path.to_str()?)?;
            let source = Source::new(format!("{BUILTIN}{}", path.display()), text);
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            return Some((Ok(source), Self::Builtin(folder)));
        };
        let tests = ["test.yaml", "test.yml"].map(|end| path.with_extension(end));
        let path = tests.into_iter().find(|path| path.is_file())?;
        let folder = path.parent().unwrap_or(current).to_owned();
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let above = || {
            real.ancestors()
                .find(|folder| folder.file_name().is_some_and(|name| name == "runbooks"))
        };
        let root = catalogue.folder_of(&real).or_else(above).unwrap_or(&real);
        let shelf = Self::Disk {
            root: root.to_owned(),
            folder,
            current: current.to_owned(),
        };
        Some((catalogue::read(&path, &show(current, &path)), shelf))
    }

    /// Reads a file that the test names.
    ///
    /// # Errors
    /// Why it cannot be read, and what to do about it.
    pub(super) fn read(&self, path: &str) -> Result<Source, CliError> {
        let path = Path::new(path.trim());
        let leaves = || {
            let message = format!("`{}` leads out of the folder of runbooks", path.display());
            CliError::invalid(message)
                .help("put the file beside the test, or elsewhere within its folder of runbooks")
        };
        if path.is_absolute() {
            return Err(leaves());
        }
        match self {
            Self::Disk {
                folder,
                root,
                current,
            } => {
                let full = plain(&folder.join(path));
                let shown = show(current, &full);
                let Ok(real) = full.canonicalize() else {
                    return Err(CliError::invalid(format!("there is no file `{shown}`"))
                        .help("paths of SQL files begin at the folder of the test"));
                };
                if !real.starts_with(root) {
                    return Err(leaves());
                }
                catalogue::read(&full, &shown)
            }
            Self::Builtin(folder) => {
                let full = plain(&folder.join(path));
                let text = full.to_str().and_then(builtin::file);
                let shown = format!("{BUILTIN}{}", full.display());
                text.map(|text| Source::new(shown.as_str(), text))
                    .ok_or_else(|| CliError::invalid(format!("there is no file `{shown}`")))
            }
        }
    }
}

/// Takes `.` and `..` out of a path.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
