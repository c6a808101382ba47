//! The folder of all backups: which there are, and what is known of each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::failed;
use super::manifest::Manifest;
use super::notes::Notes;
use super::{name, proof, seal};
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};

/// A backup that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// What became of it since.
    pub notes: Notes,
    /// How many bytes it has on disk.
    pub bytes: u64,
}

/// What there is in a folder of backups.
#[derive(Debug, Default)]
pub struct Stored {
    /// The backups, newest first.
    pub found: Vec<Found>,
    /// Folders that are called like backups but are none that can be read, and why.
    pub damaged: Vec<(PathBuf, Failure)>,
    /// Backups that are being written, or whose writing was cut short.
    pub partial: Vec<PathBuf>,
}

impl Found {
    /// Reads the manifest and notes of the backup in a folder. Its files are there and have their sizes, but
    /// are not read.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::new(
                FailureKind::Backup,
                format!("there is no backup in {}", folder.display()),
            )
            .help("`runbook backup list` shows which there are"));
        }
        let manifest = Manifest::read(folder)?;
        let called = folder.file_name().unwrap_or_default().to_string_lossy();
        if called != manifest.id && !name::is_partial(&called) {
            let why = format!("its manifest is that of {}", manifest.id);
            return Err(super::damaged(folder, why)
                .note("a copy must have the name of what it was copied from"));
        }
        proof::layout(folder, &manifest)?;
        let files: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        Ok(Self {
            bytes: files + words::long(manifest.render().len()),
            notes: Notes::read(folder),
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// Returns whether it is good as far as is known: it was read back in full when it was made, and not found
    /// damaged since.
    pub fn is_good(&self) -> bool {
        self.notes.damaged.is_none()
    }
}

/// What backups have in common that are kept or deleted together: their name and their database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The name that they share.
    pub name: String,
    database: String,
    /// The cluster, or the address where the login may not read which one it is.
    place: String,
}

impl Kind {
    /// Returns the kind of a backup.
    pub fn of(manifest: &Manifest) -> Self {
        let source = &manifest.source;
        let cluster = source.system_identifier.as_ref();
        Self {
            name: manifest.name.clone(),
            database: source.database.clone(),
            place: cluster.unwrap_or(&source.name).clone(),
        }
    }
}

impl Stored {
    /// Returns the backups of a kind, newest first.
    pub fn of(&self, kind: &Kind) -> Vec<Found> {
        let found = self.found.iter();
        found
            .filter(|found| Kind::of(&found.manifest) == *kind)
            .cloned()
            .collect()
    }

    /// Returns whether something that is called like a backup of a name, and is newer than all of these, is
    /// unfinished or cannot be read: then nobody knows whether it is good.
    pub fn is_unfinished(&self, name: &str, than: &[Found]) -> bool {
        let newest = than.iter().map(|found| found.manifest.id.as_str()).max();
        let damaged = self.damaged.iter().map(|(folder, _)| folder);
        let mut folders = self.partial.iter().chain(damaged);
        folders.any(|folder| {
            let id = folder.file_name().unwrap_or_default().to_string_lossy();
            let id = id.trim_start_matches('.').trim_end_matches(".partial");
            let dated = id
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('-'));
            let is_dated =
                dated.is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
            is_dated && newest.is_none_or(|newest| id > newest)
        })
    }
}

/// Lists a folder of backups. Where there is none there are no backups.
///
/// # Errors
/// It cannot be read.
pub fn list(backups: &Path) -> Result<Stored, Failure> {
    let mut stored = Stored::default();
    let entries = match fs::read_dir(backups) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(stored),
        entries => entries.map_err(failed("read", backups))?,
    };
    for entry in entries {
        let folder = entry.map_err(failed("read", backups))?.path();
        let called = folder.file_name().and_then(|called| called.to_str());
        match called.filter(|_| folder.is_dir()) {
            Some(called) if name::is_partial(called) => stored.partial.push(folder),
            Some(called) if is_backup(called, &folder) => match Found::open(&folder) {
                Ok(found) => stored.found.push(found),
                // It was deleted while it was read.
                Err(_) if !folder.exists() => {}
                Err(failure) => stored.damaged.push((folder, failure)),
            },
            _ => {}
        }
    }
    let newest = |found: &Found| (found.manifest.taken_at, found.manifest.id.clone());
    stored
        .found
        .sort_by_key(|found| std::cmp::Reverse(newest(found)));
    stored.damaged.sort_by(|a, b| a.0.cmp(&b.0));
    stored.partial.sort();
    Ok(stored)
}

/// Returns whether a folder is meant as a backup, good or not: others may lie beside.
fn is_backup(called: &str, folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).symlink_metadata().is_ok();
    name::check_id(called).is_ok()
        && (name::is_dated(called)
            || [Manifest::FILE, seal::FILE, "tables", "dump"]
                .into_iter()
                .any(has))
}

/// Finds a backup by its id, by the first letters of it, or by the name that it shares with others: the newest
/// good one then.
///
/// # Errors
/// There is none, or several ids begin so; says which names are near.
pub fn find(backups: &Path, called: &str) -> Result<Found, Failure> {
    let Stored {
        mut found, damaged, ..
    } = list(backups)?;
    let is_called = |found: &Found| found.manifest.id == called;
    let is_named = |found: &Found| found.manifest.name == called;
    let at = if let Some(at) = found.iter().position(is_called) {
        at
    } else if let Some(failure) = of_folder(&damaged, |folder| folder == called) {
        return Err(failure);
    } else if let Some(at) = found.iter().position(|one| is_named(one) && one.is_good()) {
        at
    } else if found.iter().any(is_named) {
        return Err(none_good(called));
    } else if let Some(at) = only_beginning(&found, called)? {
        at
    } else if let Some(failure) = of_folder(&damaged, |folder| begins(folder, called)) {
        return Err(failure);
    } else {
        return Err(missing(backups, called, &found));
    };
    Ok(found.swap_remove(at))
}

/// Returns why a folder that is called so cannot be read.
fn of_folder(damaged: &[(PathBuf, Failure)], is: impl Fn(&str) -> bool) -> Option<Failure> {
    let called = |folder: &Path| {
        folder
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(&is)
    };
    let (_, failure) = damaged.iter().find(|(folder, _)| called(folder))?;
    Some(failure.clone())
}

fn begins(id: &str, called: &str) -> bool {
    !called.is_empty() && id.starts_with(called)
}

/// Returns the only backup whose id begins so.
fn only_beginning(found: &[Found], called: &str) -> Result<Option<usize>, Failure> {
    let begin = |(_, found): &(usize, &Found)| begins(&found.manifest.id, called);
    let all: Vec<(usize, &Found)> = found.iter().enumerate().filter(begin).collect();
    match all.as_slice() {
        [] => Ok(None),
        [(at, _)] => Ok(Some(*at)),
        _ => {
            let mut ids: Vec<&str> = all
                .iter()
                .map(|(_, found)| found.manifest.id.as_str())
                .collect();
            ids.sort_unstable();
            Err(several(called, &ids))
        }
    }
}

fn none_good(called: &str) -> Failure {
    Failure::new(
        FailureKind::Backup,
        format!("all backups called {called} were found damaged"),
    )
    .help("`runbook backup list` shows them: name one by its id to have it all the same")
}

fn several(called: &str, ids: &[&str]) -> Failure {
    Failure::new(
        FailureKind::Backup,
        format!("the ids of {} backups begin with {called}", ids.len()),
    )
    .note(format!("they are {}", words::quoted(ids)))
    .help("give more letters of it")
}

fn missing(backups: &Path, called: &str, found: &[Found]) -> Failure {
    let failure = Failure::new(
        FailureKind::Backup,
        format!(
            "there is no backup called {called:?} in {}",
            backups.display()
        ),
    );
    let names = found
        .iter()
        .flat_map(|found| [found.manifest.name.as_str(), found.manifest.id.as_str()]);
    match words::did_you_mean(called, names) {
        Some(near) => failure.help(near),
        None => failure
            .help("`runbook backup list` shows which there are; `--folder` names another folder"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::folder::Draft;
    use crate::archive::sample::{self, day};

    /// Makes backups of one name; each is a day newer than the one before.
    fn backups(ids: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (number, id) in (0..).zip(ids) {
            let draft = Draft::begin(root.path(), id, None).unwrap();
            let mut manifest = sample::fill(&draft, id, 1);
            manifest.taken_at = day(number);
            draft.finish(&mut manifest).unwrap();
        }
        root
    }

    fn ids(stored: &Stored) -> Vec<&str> {
        stored
            .found
            .iter()
            .map(|found| found.manifest.id.as_str())
            .collect()
    }

    fn note_damaged(folder: &Path) {
        let damaged = Some((day(9), "cut off".to_owned()));
        Notes::change(folder, |notes| notes.damaged = damaged).unwrap();
    }

    #[test]
    fn no_folder_is_no_backups() {
        let root = tempfile::tempdir().unwrap();
        let stored = list(&root.path().join("none")).unwrap();
        assert!(stored.found.is_empty() && stored.damaged.is_empty() && stored.partial.is_empty());
        assert!(list(Path::new("/dev/null/x")).is_err());
    }

    #[test]
    fn backups_are_listed_newest_first_with_what_lies_between_them() {
        let root = backups(&["b-20261121-000001", "a-20261121-000001", "run-save"]);
        let live = Draft::begin(root.path(), "b-3", None).unwrap();
        for other in ["mine", ".git", "c-20261121-000001", "d/tables"] {
            fs::create_dir_all(root.path().join(other)).unwrap();
        }
        fs::write(root.path().join("e-20261121-000001"), "a file").unwrap();
        let stored = list(root.path()).unwrap();
        assert_eq!(
            ids(&stored),
            ["run-save", "a-20261121-000001", "b-20261121-000001"]
        );
        let damaged: Vec<&Path> = stored
            .damaged
            .iter()
            .map(|(folder, _)| folder.as_path())
            .collect();
        assert_eq!(
            damaged,
            [root.path().join("c-20261121-000001"), root.path().join("d")]
        );
        assert_eq!(stored.partial, [live.folder()]);
        assert!(stored.is_unfinished("c", &[]) && stored.is_unfinished("b", &[]));
        assert!(!stored.is_unfinished("a", &[]));
        // What is older than a good one was given up.
        assert!(!stored.is_unfinished("b", &stored.found));
        let first = stored.found.first().unwrap();
        let size = |name: &str| first.folder.join(name).metadata().unwrap().len();
        assert_eq!(
            first.bytes,
            size("manifest.json") + size("tables/0001.copy.zst")
        );
        assert!(first.is_good());
    }

    #[test]
    fn case_43_one_with_a_file_cut_off_is_listed_as_damaged() {
        let root = backups(&["b-1", "b-2"]);
        let file = root.path().join("b-1/tables/0001.copy.zst");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let stored = list(root.path()).unwrap();
        assert_eq!(ids(&stored), ["b-2"]);
        let why = &stored.damaged.first().unwrap().1.message;
        assert!(why.contains("tables/0001.copy.zst has"), "{why}");
        assert!(
            find(root.path(), "b-1")
                .unwrap_err()
                .message
                .contains("is damaged")
        );
    }

    #[test]
    fn a_copy_under_another_name_is_no_backup() {
        let root = backups(&["b-1"]);
        fs::rename(root.path().join("b-1"), root.path().join("b-2")).unwrap();
        let failure = find(root.path(), "b-2").unwrap_err();
        assert!(
            failure.message.ends_with("its manifest is that of b-1"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn one_is_found_by_id_by_first_letters_and_by_name() {
        let root = backups(&["before-changes-1", "before-changes-2", "7f3k29-save"]);
        let found = |called: &str| find(root.path(), called).map(|found| found.manifest.id);
        assert_eq!(found("before-changes-1").unwrap(), "before-changes-1");
        assert_eq!(found("7f3").unwrap(), "7f3k29-save");
        // All of them share that name here.
        assert_eq!(found("before-changes").unwrap(), "7f3k29-save");
        note_damaged(&root.path().join("7f3k29-save"));
        assert_eq!(found("before-changes").unwrap(), "before-changes-2");
        assert_eq!(found("7f3k29-save").unwrap(), "7f3k29-save");
        let several = found("before-changes-").unwrap_err();
        assert_eq!(
            several.message,
            "the ids of 2 backups begin with before-changes-"
        );
        assert_eq!(
            several.notes,
            ["they are `before-changes-1`, `before-changes-2`"]
        );
        let near = found("befor-change").unwrap_err();
        assert_eq!(near.help, ["did you mean `before-changes`?"]);
        assert!(found("").is_err() && found("../b-1").is_err());
    }

    #[test]
    fn where_all_of_a_name_are_damaged_none_is_taken() {
        let root = backups(&["b-1"]);
        note_damaged(&root.path().join("b-1"));
        let failure = find(root.path(), "before-changes").unwrap_err();
        assert_eq!(
            failure.message,
            "all backups called before-changes were found damaged"
        );
    }
}
