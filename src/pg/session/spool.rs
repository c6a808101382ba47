//! Row images on their way to a file, for targets where no schema may be created: what is rolled back never
//! gets there, and the file is whole before the COMMIT.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::Session;
use super::capture_row::Capture;
use super::image_file::ImageFile;
use super::journal::Keeping;
use super::table::TableFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Entry, Terms, Undo};

/// The images of the open transaction, in a file without a name.
pub(super) struct Spool {
    out: BufWriter<File>,
    /// How many lines were written.
    lines: u64,
    captures: Vec<Spooled>,
}

/// A capture, the first of its lines and how many there are.
struct Spooled {
    capture: Capture,
    /// How deep in transactions it was made.
    depth: usize,
    from: u64,
    count: u64,
}

impl Spool {
    fn new() -> io::Result<Self> {
        Ok(Self {
            out: BufWriter::new(tempfile::tempfile()?),
            lines: 0,
            captures: Vec::new(),
        })
    }

    fn image(&mut self, image: (&str, Option<&str>, Option<&str>)) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &image)?;
        self.lines += 1;
        self.out.write_all(b"\n")
    }

    /// Writes what was not rolled back to the file of an entry.
    fn write(self, base: &Path, entry: &Entry) -> Result<(), Failure> {
        let wrong = |error: io::Error| lost(&error);
        let mut file = self.out.into_inner().map_err(|error| lost(error.error()))?;
        file.seek(SeekFrom::Start(0)).map_err(wrong)?;
        let mut lines = BufReader::new(file).lines();
        let mut images = ImageFile::create(base, entry)?;
        let mut at = 0;
        for spooled in self.captures {
            images.capture(&spooled.capture)?;
            while at < spooled.from + spooled.count {
                let Some(line) = lines.next() else {
                    return Err(lost(&io::ErrorKind::UnexpectedEof.into()));
                };
                let line = line.map_err(wrong)?;
                at += 1;
                if at > spooled.from {
                    let image: (String, Option<String>, Option<String>) =
                        serde_json::from_str(&line).map_err(|error| lost(&error.into()))?;
                    images.image(&image.0, image.1.as_deref(), image.2.as_deref())?;
                }
            }
        }
        images.finish().map(|_| ())
    }
}

impl Session {
    /// Whether what is changed now is kept in a file.
    pub(super) fn spools_images(&self, terms: &Terms) -> bool {
        let local = |writer: &super::journal::Writer| matches!(writer.keeping, Keeping::Local(_));
        terms.undo == Undo::Images
            && !self.entries.is_empty()
            && self.writer.as_ref().is_some_and(local)
    }

    /// Returns where the next capture begins; nothing where none is kept in a file.
    pub(super) fn begin_spool(&self, wanted: bool) -> Result<Option<u64>, Failure> {
        if !wanted {
            return Ok(None);
        }
        self.spool(|spool| Ok(spool.lines)).map(Some)
    }

    /// Keeps the image of a row.
    pub(super) fn spool_image(
        &self,
        key: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<(), Failure> {
        self.spool(|spool| spool.image((key, before, after)))
    }

    /// Ends a capture that began at a place.
    pub(super) fn end_spool(&self, from: u64, capture: Capture) -> Result<(), Failure> {
        let depth = self.depth;
        self.spool(|spool| {
            let count = spool.lines - from;
            spool.captures.push(Spooled {
                capture: Capture {
                    rows: count,
                    ..capture
                },
                depth,
                from,
                count,
            });
            Ok(())
        })
    }

    /// Forgets what the innermost transaction kept, or has it be part of the one around it.
    pub(super) fn close_spool(&self, depth: usize, keep: bool) {
        let Ok(mut held) = self.spooled.lock() else {
            return;
        };
        if let Some(spool) = held.as_mut() {
            spool.captures.retain(|one| keep || one.depth < depth);
            for one in &mut spool.captures {
                one.depth = one.depth.min(depth.saturating_sub(1));
            }
        }
        if depth <= 1 && !keep {
            *held = None;
        }
    }

    /// Has the images of the open transaction on disk, before its COMMIT.
    pub(super) fn write_spool(&self) -> Result<(), Failure> {
        let spool = self.spooled.lock().ok().and_then(|mut held| held.take());
        let base = self.writer.as_ref().map(|writer| &writer.keeping);
        match (spool, base, self.entries.first()) {
            (Some(spool), Some(Keeping::Local(base)), Some(entry)) => spool.write(base, entry),
            _ => Ok(()),
        }
    }

    fn spool<T>(&self, what: impl FnOnce(&mut Spool) -> io::Result<T>) -> Result<T, Failure> {
        let Ok(mut held) = self.spooled.lock() else {
            return Err(lost(&io::Error::other("its lock is broken")));
        };
        let spool = match &mut *held {
            Some(spool) => spool,
            none => none.insert(Spool::new().map_err(|error| lost(&error))?),
        };
        what(spool).map_err(|error| lost(&error))
    }
}

/// Returns a capture of a table, of which only the columns are still to be told.
pub(super) fn capture(facts: &TableFacts, terms: &Terms, direct: bool) -> Capture {
    Capture {
        step: terms.step,
        relation: facts.relation.clone(),
        alone: facts.kind == "r",
        columns: facts.fingerprint.clone(),
        key: facts.key.clone(),
        changed: Vec::new(),
        kept: Vec::new(),
        ignored: terms.ignore.clone(),
        tables: terms.tables.clone(),
        direct,
        rows: 0,
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        format!("the row images cannot be kept on disk: {error}"),
    )
    .note("nothing was changed")
    .help("see that the folder for temporary files has space, then run it again")
}
