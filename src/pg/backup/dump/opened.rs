//! The files of a dump as PostgreSQL's programs read them: those of an encrypted one are decrypted into a folder
//! of our own for as long as they are read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, copy};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::archive::manifest::{FileFact, Manifest};
use crate::archive::seal::FileKey;
use crate::archive::{damaged, io};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::backup::{limit, refused};
use crate::pg::environment::Environment;

/// Where a dump is in its backup.
pub(super) const FOLDER: &str = "dump";

/// What the names of encrypted files end in.
pub(super) const SEALED: &str = ".age";

/// What the names of folders begin with that dumps are decrypted into.
const PREFIX: &str = "runbook-opened-";

/// How old a folder is that nobody is about to lock.
const YOUNG: Duration = Duration::from_mins(1);

/// A dump that can be read.
pub(super) struct Opened {
    backup: PathBuf,
    /// What the dump consists of.
    facts: Vec<FileFact>,
    unsealed: Option<Unsealed>,
}

/// A dump that is decrypted, as far as it is needed.
struct Unsealed {
    key: FileKey,
    folder: TempDir,
    /// What tells others that it is in use: it ends with the process, however that ends.
    _lock: File,
    there: BTreeSet<String>,
}

impl Opened {
    /// Opens a dump; nothing is decrypted yet.
    ///
    /// # Errors
    /// Its manifest has none, or it is encrypted and there is no key.
    pub(super) fn new(
        environment: &Environment,
        backup: &Path,
        manifest: &Manifest,
        key: Option<&FileKey>,
    ) -> Result<Self, Failure> {
        let facts: Vec<FileFact> = manifest
            .files
            .iter()
            .filter(|fact| plain_name(fact).is_some())
            .cloned()
            .collect();
        if facts.is_empty() {
            return Err(damaged(backup, "its manifest knows no files of the dump"));
        }
        let unsealed = match (facts.iter().any(|fact| fact.path.ends_with(SEALED)), key) {
            (false, _) => None,
            (true, Some(key)) => {
                let (folder, lock) = private(environment)?;
                Some(Unsealed {
                    key: key.clone(),
                    folder,
                    _lock: lock,
                    there: BTreeSet::new(),
                })
            }
            (true, None) => {
                return Err(
                    refused("the backup is encrypted, and there is no key to it")
                        .help("give its private key or its passphrase"),
                );
            }
        };
        Ok(Self {
            backup: backup.to_owned(),
            facts,
            unsealed,
        })
    }

    /// Returns the folder that the programs read.
    pub(super) fn folder(&self) -> PathBuf {
        match &self.unsealed {
            Some(unsealed) => unsealed.folder.path().join(FOLDER),
            None => self.backup.join(FOLDER),
        }
    }

    /// Returns how many bytes the file of an entry has, whatever its compression.
    pub(super) fn bytes_of(&self, entry: &str) -> u64 {
        let prefix = format!("{entry}.dat");
        let of_entry =
            |fact: &&FileFact| plain_name(fact).is_some_and(|name| name.starts_with(&prefix));
        self.facts
            .iter()
            .find(of_entry)
            .map_or(0, |fact| fact.bytes)
    }

    /// Has the files be there whose plain names are wanted, in a thread: decrypting is work.
    ///
    /// # Errors
    /// They are damaged, or there is no room for them.
    pub(super) async fn with(
        mut self,
        wanted: impl Fn(&str) -> bool,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let Some(unsealed) = &mut self.unsealed else {
            return Ok(self);
        };
        let mut work = Vec::new();
        for fact in &self.facts {
            let name = plain_name(fact).unwrap_or_default();
            if wanted(name) && unsealed.there.insert(name.to_owned()) {
                let to = unsealed.folder.path().join(FOLDER).join(name);
                work.push((self.backup.join(&fact.path), to));
            }
        }
        let (key, limits) = (unsealed.key.clone(), limits.clone());
        let done = tokio::task::spawn_blocking(move || {
            work.iter().try_for_each(|(from, to)| {
                limit::check(&limits)?;
                unseal(&key, from, to)
            })
        });
        done.await
            .map_err(|error| refused(format!("the dump could not be decrypted: {error}")))??;
        Ok(self)
    }
}

/// Returns what `pg_dump` called a file, where it is one of the dump.
fn plain_name(fact: &FileFact) -> Option<&str> {
    let name = fact.path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let name = name.strip_suffix(SEALED).unwrap_or(name);
    // A manifest from elsewhere must not lead us elsewhere.
    (!name.is_empty() && !name.starts_with('.') && !name.contains('/')).then_some(name)
}

/// Makes a folder that nobody else can read, and locks it. What killed programs left in the clear is removed before.
fn private(environment: &Environment) -> Result<(TempDir, File), Failure> {
    let parent = environment
        .var("TMPDIR")
        .map_or_else(std::env::temp_dir, PathBuf::from);
    sweep(&parent);
    let made = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&parent)
        .and_then(|folder| {
            let mut builder = std::fs::DirBuilder::new();
            builder.mode(0o700).create(folder.path().join(FOLDER))?;
            let lock = File::open(folder.path())?;
            // Where folders cannot be locked none is ever swept.
            let _ = lock.try_lock();
            Ok((folder, lock))
        });
    made.map_err(|error| io("make a folder in", &parent, &error))
}

/// Removes what killed programs of this user left. One that was made this minute may not be locked yet.
fn sweep(parent: &Path) {
    let is_left = |path: &Path| {
        let known = path.symlink_metadata().ok()?;
        let age = known.modified().ok()?.elapsed().ok()?;
        let is_ours = known.is_dir() && known.uid() == geteuid().as_raw() && age > YOUNG;
        (is_ours && File::open(path).ok()?.try_lock().is_ok()).then_some(())
    };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_called = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_called && is_left(&entry.path()).is_some() {
            // What cannot be removed now is removed later.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn unseal(key: &FileKey, from: &Path, to: &Path) -> Result<(), Failure> {
    let sealed = File::open(from).map_err(|error| io("read", from, &error))?;
    let mut opened = key
        .decrypt(BufReader::new(sealed))
        .map_err(|error| damaged(from, error))?;
    let mut plain = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| io("write", to, &error))?;
    copy(&mut opened, &mut plain).map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull => Failure::new(
            FailureKind::Backup,
            format!("there is no room in {} to decrypt the dump", to.display()),
        )
        .help("set $TMPDIR to a folder with more room"),
        _ => damaged(from, error),
    })?;
    Ok(())
}
