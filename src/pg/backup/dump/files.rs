//! What the files of a dump are on disk: hashed, and encrypted where the backup is.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::in_thread;
use super::opened::{FOLDER, SEALED};
use crate::archive::folder::Draft;
use crate::archive::io;
use crate::archive::manifest::FileFact;
use crate::archive::seal::FileKey;
use crate::engine::change::hex;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::progress::Meter;
use crate::pg::backup::{Told, limit, refused};

/// How much is read at once.
const CHUNK: usize = 128 << 10;

/// Returns how many bytes the files of a folder have so far.
pub(super) fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

/// Hashes the files of a dump, several at once; of an encrypted backup each is encrypted first, and is gone as
/// it was.
///
/// # Errors
/// They cannot be read or written; a limit.
pub(super) async fn settled(
    draft: &Draft,
    jobs: usize,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Vec<FileFact>, Failure> {
    let folder = draft.folder().to_owned();
    let of = bytes_in(&folder.join(FOLDER));
    let meter = std::sync::Arc::new(Meter::new("hashing the dump", Some(of)));
    let work = Work {
        names: names(&folder.join(FOLDER))?,
        folder,
        key: draft.key().cloned(),
        limits: limits.clone(),
        next: AtomicUsize::new(0),
        meter: std::sync::Arc::clone(&meter),
    };
    let work = in_thread(move || work.run(jobs.max(1)));
    let mut facts = meter.telling(told, work).await?;
    facts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(facts)
}

/// Lists the files of a dump.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let wrong = |error: std::io::Error| io("read", folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name().into_string();
        match (entry.file_type().map_err(wrong)?.is_file(), name) {
            (true, Ok(name)) => found.push(name),
            _ => {
                return Err(refused(format!(
                    "pg_dump wrote what is no file: {}",
                    entry.path().display()
                )));
            }
        }
    }
    Ok(found)
}

/// The files that are to be settled.
struct Work {
    folder: PathBuf,
    names: Vec<String>,
    key: Option<FileKey>,
    limits: Limits,
    next: AtomicUsize,
    meter: std::sync::Arc<Meter>,
}

impl Work {
    fn run(&self, jobs: usize) -> Result<Vec<FileFact>, Failure> {
        let one = || {
            let mut facts = Vec::new();
            while let Some(name) = self.names.get(self.next.fetch_add(1, Ordering::Relaxed)) {
                facts.push(self.settle(name)?);
            }
            Ok(facts)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(one)).collect();
            let mut facts = Vec::new();
            for thread in threads {
                let done: Result<Vec<FileFact>, Failure> = thread
                    .join()
                    .map_err(|_| refused("the files of the dump could not be hashed"))?;
                facts.extend(done?);
            }
            Ok(facts)
        })
    }

    fn settle(&self, name: &str) -> Result<FileFact, Failure> {
        let path = self.folder.join(FOLDER).join(name);
        let from = File::open(&path).map_err(|error| io("read", &path, &error))?;
        let Some(key) = &self.key else {
            let mut hashed = Hashed::new(std::io::sink());
            self.pour(from, &path, &mut hashed, &path)?;
            return Ok(hashed.fact(name));
        };
        let sealed_name = format!("{name}{SEALED}");
        let sealed = path.with_file_name(&sealed_name);
        let wrong = |error: std::io::Error| io("write", &sealed, &error);
        let to = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&sealed)
            .map_err(wrong)?;
        let mut writer = key.encrypt(Hashed::new(to)).map_err(wrong)?;
        self.pour(from, &path, &mut writer, &sealed)?;
        let hashed = writer.finish().map_err(wrong)?;
        std::fs::remove_file(&path).map_err(|error| io("remove", &path, &error))?;
        Ok(hashed.fact(&sealed_name))
    }

    fn pour(
        &self,
        mut from: File,
        read: &Path,
        to: &mut impl Write,
        written: &Path,
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; CHUNK];
        loop {
            limit::check(&self.limits)?;
            let count = from
                .read(&mut buffer)
                .map_err(|error| io("read", read, &error))?;
            let Some(some) = buffer.get(..count).filter(|some| !some.is_empty()) else {
                return Ok(());
            };
            to.write_all(some)
                .map_err(|error| io("write", written, &error))?;
            self.meter.add(some.len() as u64);
        }
    }
}

/// What is written, hashed on its way.
struct Hashed<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    fn fact(self, name: &str) -> FileFact {
        FileFact {
            path: format!("{FOLDER}/{name}"),
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}
