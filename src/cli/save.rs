//! A file that a query's rows are saved in: there in full, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::base::words;
use crate::engine::change::hex;
use crate::engine::event::Saved;
use crate::engine::failure::{Failure, FailureKind};
use crate::report::export::Export;
use crate::runbook::data::{Column, TakeRows};
use crate::step::query::FileFormat;

/// How many files were begun: two of a process have names of their own.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file that is being written, under another name.
pub(super) struct File {
    path: PathBuf,
    shown: String,
    partial: Partial,
    export: Export<Hashing>,
}

impl File {
    /// Begins a file, and the folders above it; a relative path begins at `base`.
    ///
    /// # Errors
    /// It is there already, or the system refuses.
    pub(super) fn create(base: &Path, shown: &str) -> Result<Self, Failure> {
        let path = base.join(shown);
        let (Some(name), Some(format)) = (path.file_name(), FileFormat::of(shown)) else {
            let message = format!("`{shown}` is no name of a file that ends in .csv or .jsonl");
            return Err(Failure::new(FailureKind::File, message));
        };
        if path.symlink_metadata().is_ok() {
            return Err(exists(shown));
        }
        let folder = folder(&path);
        let refused = |error: io::Error| refused(shown, &error);
        let mut folders = fs::DirBuilder::new();
        folders.mode(0o700).recursive(true);
        folders.create(folder).map_err(refused)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (name, process) = (name.to_string_lossy(), std::process::id());
        let name = format!(".{name}.{process}-{number}.partial");
        let partial = Partial(folder.join(name));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial.0)
            .map_err(refused)?;
        let out = Hashing {
            out: BufWriter::new(file),
            hash: Sha256::new(),
            bytes: 0,
        };
        Ok(Self {
            path,
            shown: shown.to_owned(),
            partial,
            export: Export::new(out, format),
        })
    }

    /// Gives the file its name, once all of it is on disk.
    ///
    /// # Errors
    /// Somebody made one of that name in the meantime, or the system refuses.
    pub(super) fn finish(self) -> Result<Saved, Failure> {
        let Self {
            path,
            shown,
            partial,
            export,
        } = self;
        let finished = || {
            let Hashing { out, hash, bytes } = export.finish()?;
            out.into_inner()?.sync_all()?;
            publish(&partial.0, &path)?;
            fs::File::open(folder(&path))?.sync_all()?;
            Ok((hash, bytes))
        };
        match finished() {
            Ok((hash, bytes)) => Ok(Saved {
                path: shown,
                sha256: Some(hex(&hash.finalize())),
                bytes,
            }),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::AlreadyExists => {
                Err(exists(&shown))
            }
            Err(error) => Err(refused(&shown, &error)),
        }
    }
}

impl TakeRows for File {
    fn columns(&mut self, columns: &[Column]) -> io::Result<()> {
        self.export.columns(columns)
    }

    fn row(&mut self, row: &[Option<String>]) -> io::Result<()> {
        self.export.row(row)
    }
}

/// Gives a file a name that no other has: a link is never made over one.
fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(partial, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Some file systems know no links.
        Err(_) if path.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(partial, path),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn exists(path: &str) -> Failure {
    Failure::new(
        FailureKind::File,
        format!("there is a file `{path}` already"),
    )
    .note("what is saved is never written over")
    .help("move it away, or put {{ run.id }} into the name")
}

fn refused(path: &str, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::File,
        format!("the file `{path}` cannot be written: {error}"),
    )
}

/// The name of a file that is not whole: gone with it.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It has its real name by now, or none is wanted.
        let _ = fs::remove_file(&self.0);
    }
}

/// Hashes what is written.
struct Hashing {
    out: BufWriter<fs::File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += words::long(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
