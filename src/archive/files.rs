//! Files and folders that only their user can read, what is in a folder, and SHA-256 of what passes by.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::manifest::FileFact;
use crate::base::words;
use crate::engine::change::hex;
use crate::engine::failure::Failure;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// How much of a file is read at once.
const PIECE: usize = 1 << 17;

/// Returns the failure of a system call on a file.
pub(super) fn failed(what: &str, path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| {
        let failure = super::io(what, path, &words::io(&error));
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                failure.help("free some space, or have backups elsewhere: `--folder`, or $RUNBOOK_BACKUPS")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => failure
                .help("backups can only be read and written by who made them: `--folder`, or $RUNBOOK_BACKUPS, names another folder"),
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                failure.help("backups go into a folder, and this is none: `--folder`, or $RUNBOOK_BACKUPS, names another")
            }
            _ => failure,
        }
    }
}

/// Creates a folder that is not there yet.
pub(super) fn create_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(FOLDER).create(path);
    made.map_err(failed("create", path))
}

/// Has a folder be there, with those above it.
pub(super) fn have_folder(path: &Path) -> Result<(), Failure> {
    let is_new = |path: &&Path| path.symlink_metadata().is_err();
    let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    let made = DirBuilder::new().mode(FOLDER).recursive(true).create(path);
    made.map_err(failed("create", path))?;
    // What is in a folder lasts no longer than its own name does.
    for parent in new.iter().filter_map(|path| path.parent()) {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        // One that may not be read is made all the same.
        let _ = sync(parent);
    }
    Ok(())
}

/// Creates a file that is not there yet.
pub(super) fn create(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE)
        .open(path);
    file.map_err(failed("create", path))
}

/// Creates a file that is not there yet, with all its content on disk.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut file = create(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(failed("write", path))
}

/// Has a file, or the names in a folder, be on disk.
pub(super) fn sync(path: &Path) -> Result<(), Failure> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(failed("write", path))
}

/// Has a file or folder be readable by its user only.
pub(super) fn close(path: &Path, folder: bool) -> Result<(), Failure> {
    let mode = if folder { FOLDER } else { FILE };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("write", path))
}

/// What a folder holds, with `/` in the paths.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Its files, with their sizes.
    pub(super) files: BTreeMap<String, u64>,
    /// The folders in it.
    pub(super) folders: Vec<String>,
    /// What is neither: links, sockets, and names that are no texts.
    pub(super) others: Vec<PathBuf>,
}

impl Content {
    /// Looks into a folder and those in it.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let mut content = Self::default();
        content.look(folder, "")?;
        Ok(content)
    }

    fn look(&mut self, folder: &Path, inside: &str) -> Result<(), Failure> {
        for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
            let entry = entry.map_err(failed("read", folder))?;
            let path = entry.path();
            let known = path.symlink_metadata().map_err(failed("read", &path))?;
            let name = entry.file_name();
            match name.to_str().map(|name| format!("{inside}{name}")) {
                Some(name) if known.is_dir() => {
                    self.look(&path, &format!("{name}/"))?;
                    self.folders.push(name);
                }
                Some(name) if known.is_file() => {
                    self.files.insert(name, known.len());
                }
                _ => self.others.push(path),
            }
        }
        Ok(())
    }
}

/// Returns the path of a file in the folder of a backup; none where it leads elsewhere.
pub(super) fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = |part: Component| matches!(part, Component::Normal(_));
    let path = Path::new(name);
    let plain = !name.is_empty() && path.components().all(is_plain);
    plain.then(|| folder.join(path))
}

/// Returns the path of a file of a backup, which is there and has the size that the manifest says.
pub(super) fn has_size(folder: &Path, fact: &FileFact) -> Result<PathBuf, Failure> {
    let name = &fact.path;
    let path = inside(folder, name).ok_or_else(|| leads_out(folder, name))?;
    let known = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(super::damaged(folder, format!("{name} is missing")));
        }
        known => known.map_err(failed("read", &path))?,
    };
    if !known.is_file() {
        return Err(super::damaged(folder, format!("{name} is no file")));
    }
    let (has, had) = (known.len(), fact.bytes);
    if has != had {
        return Err(super::damaged(
            folder,
            format!("{name} has {has} bytes, and had {had} when it was written"),
        ));
    }
    Ok(path)
}

/// Reads a file of a backup in full, and returns what there is to know of it. `read` is told how many bytes
/// were read, and stops it by an error.
///
/// # Errors
/// It cannot be read.
pub fn fact(
    folder: &Path,
    name: &str,
    read: &dyn Fn(u64) -> Result<(), Failure>,
) -> Result<FileFact, Failure> {
    let path = inside(folder, name).ok_or_else(|| leads_out(folder, name))?;
    let mut file = File::open(&path).map_err(failed("read", &path))?;
    let mut sum = Sum::default();
    let mut piece = vec![0; PIECE];
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => return Ok(sum.fact(name)),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        sum.add(piece.get(..length).unwrap_or_default());
        read(words::long(length))?;
    }
}

/// Returns the failure of a file that is named so that it is not in the folder.
pub(super) fn leads_out(folder: &Path, name: &str) -> Failure {
    super::damaged(
        folder,
        format!("it names the file {name:?}, which is not in its folder"),
    )
}

/// The size of what passed by, and SHA-256 of it.
#[derive(Clone, Default)]
pub(super) struct Sum {
    bytes: u64,
    hasher: Sha256,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += words::long(bytes.len());
        self.hasher.update(bytes);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn fact(self, name: &str) -> FileFact {
        FileFact {
            path: name.to_owned(),
            bytes: self.bytes,
            sha256: hex(&self.hasher.finalize()),
        }
    }
}

/// What is written to a file passes by here.
pub(super) struct Summing<T> {
    pub(super) inner: T,
    pub(super) sum: Sum,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.add(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
