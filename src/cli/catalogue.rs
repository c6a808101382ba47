//! Where runbooks are found, and by which name: the first one of a name wins.

use std::path::{Path, PathBuf};

use super::builtin;
use super::error::CliError;
use super::invocation::show;
use crate::base::source::Source;
use crate::base::words;
use crate::pg::environment::Environment;
use crate::runbook::check::{Proved, check};

mod folder;
mod text;

pub use folder::{Refused, is_runbook};
pub(super) use text::read;

/// Where a runbook was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder of `--runbooks`.
    Flag,
    /// A folder of `$RUNBOOK_PATH`.
    Path,
    /// A folder `runbooks` in the current folder or above it.
    Project,
    /// The user's configuration folder.
    User,
    /// The program itself.
    Builtin,
}

impl Origin {
    /// Returns what messages call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Flag => "--runbooks",
            Self::Path => "$RUNBOOK_PATH",
            Self::Project => "this project",
            Self::User => "your configuration",
            Self::Builtin => "built in",
        }
    }
}

/// A runbook that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: the stem of its file.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
    /// Its path as messages show it.
    pub shown: String,
    /// The sub-folder that it was found in, by which it is listed; empty where that is none.
    pub group: String,
    text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    File(PathBuf),
    Builtin(&'static str),
}

impl Entry {
    /// Returns its file, where it has one.
    pub fn path(&self) -> Option<&Path> {
        match &self.text {
            Text::File(path) => Some(path),
            Text::Builtin(_) => None,
        }
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`CliError::Invalid`] when the file cannot be read or is not UTF-8.
    pub fn read(&self) -> Result<Source, CliError> {
        match &self.text {
            Text::File(path) => text::read(path, &self.shown),
            Text::Builtin(text) => Ok(Source::new(self.shown.as_str(), *text)),
        }
    }
}

/// The runbooks that can be run by their names.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    searched: Vec<(Origin, PathBuf)>,
    folders: Vec<(Origin, PathBuf)>,
    entries: Vec<Entry>,
    refused: Vec<Refused>,
    current: PathBuf,
}

impl Catalogue {
    /// Finds runbooks in the folders of `--runbooks`, in those of `$RUNBOOK_PATH`, in `runbooks` of this
    /// folder and those above, in the user's configuration folder, and in the program.
    ///
    /// # Errors
    /// [`CliError::Usage`] when a folder of `--runbooks` is none.
    pub fn discover(
        flags: &[PathBuf],
        environment: &Environment,
        current: &Path,
    ) -> Result<Self, CliError> {
        let mut catalogue = Self {
            current: current.to_owned(),
            ..Self::default()
        };
        for flag in flags {
            let folder = current.join(flag);
            if !folder.is_dir() {
                let message = format!("there is no folder `{}`", flag.display());
                return Err(CliError::usage(message).help("--runbooks takes a folder of runbooks"));
            }
            catalogue.add(Origin::Flag, &folder);
        }
        let path = environment.var("RUNBOOK_PATH").unwrap_or_default();
        for folder in path.split(':').filter(|folder| !folder.is_empty()) {
            catalogue.add(Origin::Path, &current.join(folder));
        }
        for above in current.ancestors() {
            catalogue.add(Origin::Project, &above.join("runbooks"));
        }
        if let Some(folder) = configuration(environment) {
            catalogue.add(Origin::User, &folder);
        }
        for (path, text) in builtin::runbooks() {
            catalogue.offer(Entry {
                name: stem(Path::new(path)),
                origin: Origin::Builtin,
                shown: format!("(built in)/{path}"),
                group: group(Path::new(path), Path::new("")),
                text: Text::Builtin(text),
            });
        }
        Ok(catalogue)
    }

    /// Returns the runbooks of one folder alone.
    pub fn of(folder: &Path, current: &Path) -> Self {
        let mut catalogue = Self {
            current: current.to_owned(),
            ..Self::default()
        };
        catalogue.add(Origin::Flag, folder);
        catalogue
    }

    /// Adds the runbooks of a folder, where there is one; names that are known already stay as they are.
    pub fn add(&mut self, origin: Origin, path: &Path) {
        self.searched.push((origin, path.to_owned()));
        let Ok(real) = path.canonicalize() else {
            return;
        };
        if !real.is_dir() || self.folders.iter().any(|(_, known)| *known == real) {
            return;
        }
        let found = folder::walk(path, &real, &self.current);
        let before = self.entries.len();
        for file in found.files {
            let entry = Entry {
                name: stem(&file),
                origin,
                shown: show(&self.current, &file),
                group: group(&file, path),
                text: Text::File(file),
            };
            // Of two folders the first one wins; within one folder two of a name are a mistake.
            let twin = self.entries[before..]
                .iter()
                .find(|known| known.name == entry.name);
            match twin {
                Some(twin) => self.refused.push(Refused {
                    why: format!("has the same name as `{}`", twin.shown),
                    name: entry.name,
                    shown: entry.shown,
                }),
                None => self.offer(entry),
            }
        }
        self.refused.extend(found.refused);
        self.folders.push((origin, real));
    }

    /// Returns the folder of runbooks that a file lies in, both without symbolic links.
    pub fn folder_of(&self, file: &Path) -> Option<&Path> {
        let folders = self.folders.iter().map(|(_, folder)| folder.as_path());
        folders
            .filter(|folder| file.starts_with(folder))
            .max_by_key(|folder| folder.as_os_str().len())
    }

    fn offer(&mut self, entry: Entry) {
        if !self.entries.iter().any(|known| known.name == entry.name) {
            self.entries.push(entry);
        }
    }

    /// Returns where runbooks were searched, whether there is such a folder or not.
    pub fn searched(&self) -> Vec<String> {
        let mut places: Vec<String> = self
            .searched
            .iter()
            .map(|(origin, path)| match origin {
                Origin::Project => "`runbooks` of this folder and those above".to_owned(),
                _ => format!("`{}`", show(&self.current, path)),
            })
            .collect();
        places.dedup();
        places
    }

    /// Returns every runbook, those found first before the others.
    pub fn all(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns what looks like a runbook and is not taken, each with the reason.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Takes what looks like a runbook and is not taken out of the catalogue.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Finds a runbook by its name, or by the path of its file where that ends in `.yaml`.
    ///
    /// # Errors
    /// [`CliError::Invalid`] with the nearest names when there is none.
    pub fn find(&self, name: &str) -> Result<Entry, CliError> {
        if is_path(name) {
            return self.file(Path::new(name));
        }
        if let Some(entry) = self.entries.iter().find(|entry| entry.name == name) {
            return Ok(entry.clone());
        }
        if let Some(refused) = self.refused.iter().find(|refused| refused.name == name) {
            return Err(CliError::invalid(format!(
                "the runbook `{name}` is not used: {refused}"
            )));
        }
        let unknown = CliError::invalid(format!("there is no runbook `{name}`"));
        if name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(unknown.help(
                "a runbook is found by its name alone; for a file give its path, which ends in .yaml",
            ));
        }
        Err(unknown
            .help_opt(self.near(name))
            .help("`runbook list` shows what there is"))
    }

    /// Returns an existing file as a runbook.
    ///
    /// # Errors
    /// [`CliError::Invalid`] when there is none.
    pub fn file(&self, path: &Path) -> Result<Entry, CliError> {
        let full = self.current.join(path);
        if !full.is_file() {
            let message = format!("there is no file `{}`", path.display());
            return Err(CliError::invalid(message));
        }
        Ok(Entry {
            name: stem(&full),
            origin: Origin::Flag,
            shown: path.display().to_string(),
            group: String::new(),
            text: Text::File(full),
        })
    }

    fn near(&self, name: &str) -> Option<String> {
        let mut scored: Vec<(f64, &str)> = self
            .entries
            .iter()
            .map(|entry| {
                let whole = strsim::jaro_winkler(name, &entry.name);
                let parts = entry.name.split('-');
                let part = parts
                    .map(|part| strsim::jaro_winkler(name, part))
                    .fold(0.0, f64::max);
                (whole.max(part * 0.95), entry.name.as_str())
            })
            .filter(|(score, _)| *score >= 0.75)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let best = scored.first().map_or(0.0, |(score, _)| *score);
        let names: Vec<String> = scored
            .iter()
            .take(3)
            .filter(|(score, _)| best - score < 0.1)
            .map(|(_, name)| format!("`{name}`"))
            .collect();
        match names.as_slice() {
            [] => None,
            [only] => Some(format!("did you mean {only}?")),
            several => Some(format!("the nearest names are {}", words::list(several))),
        }
    }

    /// Returns the text of a runbook that another one uses: one in the same folder comes before those of other
    /// folders, so that files go together wherever they are.
    pub fn used_by(&self, user: &Entry, name: &str) -> Option<Source> {
        let folder = user.path().and_then(Path::parent);
        let beside = folder.map(|folder| folder.join(format!("{name}.yaml")));
        if let Some(path) = beside.filter(|path| path.is_file()) {
            return text::read(&path, &show(&self.current, &path)).ok();
        }
        self.text_of(name)
    }

    /// Returns the text of a runbook.
    pub fn text_of(&self, name: &str) -> Option<Source> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        entry.read().ok()
    }

    /// Returns whether the runbook of a text has tests beside it.
    pub fn has_tests(&self, runbook: &Source) -> bool {
        let path = Path::new(runbook.name());
        let mut tests = ["test.yaml", "test.yml"]
            .map(|end| path.with_extension(end))
            .into_iter();
        tests.any(|path| match path.strip_prefix("(built in)") {
            Ok(path) => path.to_str().and_then(builtin::file).is_some(),
            Err(_) => self.current.join(path).is_file(),
        })
    }

    /// Reads and checks a runbook.
    ///
    /// # Errors
    /// [`CliError::Diagnostics`] with what is wrong with it; also those of [`Entry::read`].
    pub fn load(&self, entry: &Entry) -> Result<Proved, CliError> {
        let source = entry.read()?;
        check(&source, &|name| self.used_by(entry, name)).map_err(|diagnostics| {
            CliError::Diagnostics {
                source_text: source,
                diagnostics,
            }
        })
    }
}

/// Returns whether an argument is the path of a runbook's file rather than a name.
pub fn is_path(text: &str) -> bool {
    let end = Path::new(text).extension();
    end.is_some_and(|end| end == "yaml" || end == "yml")
}

/// Returns the folder of the user's own runbooks.
pub(super) fn configuration(environment: &Environment) -> Option<PathBuf> {
    let base = match environment.var("XDG_CONFIG_HOME") {
        Some(folder) if Path::new(folder).is_absolute() => PathBuf::from(folder),
        _ => environment.home()?.join(".config"),
    };
    Some(base.join("runbook").join("runbooks"))
}

/// Returns the sub-folder of `root` that a file is in.
fn group(file: &Path, root: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap_or(file);
    let parent = inside.parent().map(|parent| parent.display().to_string());
    parent.unwrap_or_default()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
