//! Row images in files, for targets where no schema may be created: JSON lines, compressed, one file for
//! each transaction.

use std::borrow::Cow;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zstd::{Decoder, Encoder};

use super::capture_row::Capture;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Entry, Unit};
use crate::runbook::model::StepId;

/// How hard the images are compressed: faster than a server sends them.
const LEVEL: i32 = 1;

/// A line of a file. An image belongs to the capture before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Capture(Box<Capture>),
    Image(Cow<'a, str>, Option<Cow<'a, str>>, Option<Cow<'a, str>>),
}

/// A file of images that is being written: it gets its name when it is whole and on disk.
pub struct ImageFile {
    path: PathBuf,
    partial: PathBuf,
    out: Encoder<'static, BufWriter<File>>,
}

impl ImageFile {
    /// Begins the file of an entry's transaction. One that an earlier try left is overwritten: its
    /// transaction was never committed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(base: &Path, entry: &Entry) -> Result<Self, Failure> {
        let path = path(base, entry);
        let partial = path.with_extension("zst.partial");
        let open = || {
            if let Some(folder) = path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
            }
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&partial)?;
            let mut out = Encoder::new(BufWriter::new(file), LEVEL)?;
            // A file that was cut off or altered is found when it is read.
            out.include_checksum(true)?;
            Ok(out)
        };
        let out = open().map_err(|error| unwritten(&partial, &error))?;
        Ok(Self { path, partial, out })
    }

    /// Begins the images of a capture.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn capture(&mut self, capture: &Capture) -> Result<(), Failure> {
        self.line(&Line::Capture(Box::new(capture.clone())))
    }

    /// Writes the image of a row of the capture that was begun last: its key, and its texts before and after.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn image(
        &mut self,
        key: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<(), Failure> {
        self.line(&Line::Image(
            key.into(),
            before.map(Cow::Borrowed),
            after.map(Cow::Borrowed),
        ))
    }

    fn line(&mut self, line: &Line) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, line)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|error| unwritten(&self.partial, &error))
    }

    /// Ends the file and returns when it is on disk: before the COMMIT.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<PathBuf, Failure> {
        let Self { path, partial, out } = self;
        let finish = || {
            let file = out.finish()?.into_inner()?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            // The names are on disk only with their folders: that of the images, and that of the run.
            for folder in path.ancestors().skip(1).take(2) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        finish().map_err(|error| unwritten(&path, &error))?;
        Ok(path)
    }
}

/// What a file of images has next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A capture, whose images follow.
    Capture(Box<Capture>),
    /// An image of the capture before it.
    Image {
        /// The row's key.
        key: String,
        /// Its text before, `None` for no row.
        before: Option<String>,
        /// Its text after, `None` for no row.
        after: Option<String>,
    },
}

/// Reads a file of images line by line.
pub struct ImageReader {
    path: PathBuf,
    input: BufReader<Decoder<'static, BufReader<File>>>,
    line: String,
}

impl ImageReader {
    /// Opens the file of an entry; none where the transaction kept no images.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(base: &Path, entry: &Entry) -> Result<Option<Self>, Failure> {
        let path = path(base, entry);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other,
        };
        // Nothing at all is no end of a file for the decoder.
        let whole = |file: File| match file.metadata()?.len() {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Decoder::new(file),
        };
        let input = file
            .and_then(whole)
            .map_err(|error| unread(&path, &error))?;
        Ok(Some(Self {
            path,
            input: BufReader::new(input),
            line: String::new(),
        }))
    }

    /// Returns what is next, none at the end.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's users stop at the first error only if they think of it"
    )]
    pub fn next(&mut self) -> Result<Option<Kept>, Failure> {
        self.line.clear();
        let read = self.input.read_line(&mut self.line);
        if read.map_err(|error| unread(&self.path, &error))? == 0 {
            return Ok(None);
        }
        let line = serde_json::from_str(&self.line)
            .map_err(|error| unread(&self.path, &io::Error::from(error)))?;
        Ok(Some(match line {
            Line::Capture(capture) => Kept::Capture(capture),
            Line::Image(key, before, after) => Kept::Image {
                key: key.into_owned(),
                before: before.map(Cow::into_owned),
                after: after.map(Cow::into_owned),
            },
        }))
    }
}

/// Returns where the images of an entry's transaction are.
fn path(base: &Path, entry: &Entry) -> PathBuf {
    let unit = &entry.unit;
    let item = unit.item.map(|item| format!("-item{item}"));
    let part = (unit.part > 0).then(|| format!("-part{}", unit.part));
    let name = format!(
        "step{}{}{}.jsonl.zst",
        unit.step.0,
        item.unwrap_or_default(),
        part.unwrap_or_default()
    );
    base.join(&entry.run).join("images").join(name)
}

/// Returns the entries of a run whose images there are, in the order of its steps.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn entries(base: &Path, run: &str) -> Result<Vec<Entry>, Failure> {
    let folder = base.join(run).join("images");
    let files = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| unread(&folder, &error))?,
    };
    let mut units = Vec::new();
    for file in files {
        let file = file.map_err(|error| unread(&folder, &error))?;
        units.extend(file.file_name().to_str().and_then(unit));
    }
    units.sort_unstable();
    Ok(units
        .into_iter()
        .map(|unit| Entry {
            run: run.to_owned(),
            unit,
            name: format!("step {}", unit.step.0),
            undo: false,
        })
        .collect())
}

/// Reads back what [`path`] calls a file; none where it is another one.
fn unit(name: &str) -> Option<Unit> {
    let mut parts = name.strip_suffix(".jsonl.zst")?.split('-');
    let step = parts.next()?.strip_prefix("step")?.parse().ok()?;
    let mut unit = Unit {
        step: StepId(step),
        item: None,
        part: 0,
    };
    for part in parts {
        if let Some(item) = part.strip_prefix("item") {
            unit.item = Some(item.parse().ok()?);
        } else {
            unit.part = part.strip_prefix("part")?.parse().ok()?;
        }
    }
    Some(unit)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        format!(
            "the row images cannot be written to {}: {error}",
            path.display()
        ),
    )
    .note("without them the rows could not be put back")
    .help("make room, or give yourself the right to write there, and run it again")
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        format!(
            "the row images in {} cannot be read: {error}",
            path.display()
        ),
    )
    .note("without them the rows cannot be put back; nothing was changed")
    .help("bring the file back from a backup")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry() -> Entry {
        Entry {
            run: "r1".into(),
            unit: Unit {
                step: StepId(3),
                item: Some(2),
                part: 0,
            },
            name: "f".into(),
            undo: false,
        }
    }

    fn capture() -> Capture {
        Capture {
            step: StepId(3),
            relation: "public.\"Order\"".into(),
            alone: true,
            columns: "id integer".into(),
            key: vec!["id".into()],
            changed: Vec::new(),
            kept: Vec::new(),
            ignored: Vec::new(),
            tables: None,
            direct: true,
            rows: 1,
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let base = tempfile::tempdir().unwrap();
        assert!(ImageReader::open(base.path(), &entry()).unwrap().is_none());
        let mut file = ImageFile::create(base.path(), &entry()).unwrap();
        file.capture(&capture()).unwrap();
        file.image("(1)", Some("(1,\"a\n\u{1}ä\")"), None).unwrap();
        assert!(ImageReader::open(base.path(), &entry()).unwrap().is_none());
        let path = file.finish().unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let mut reader = ImageReader::open(base.path(), &entry()).unwrap().unwrap();
        assert_eq!(
            reader.next().unwrap(),
            Some(Kept::Capture(Box::new(capture())))
        );
        let image = Kept::Image {
            key: "(1)".into(),
            before: Some("(1,\"a\n\u{1}ä\")".into()),
            after: None,
        };
        assert_eq!(reader.next().unwrap(), Some(image));
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn a_file_that_was_cut_off_or_altered_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let mut file = ImageFile::create(base.path(), &entry()).unwrap();
        file.capture(&capture()).unwrap();
        for row in 0..500 {
            file.image(
                &format!("({row})"),
                Some(&format!("({row},{})", row * 7919)),
                None,
            )
            .unwrap();
        }
        let path = file.finish().unwrap();
        let whole = fs::read(&path).unwrap();
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let mut reader = ImageReader::open(base.path(), &entry())?.unwrap();
            while reader.next()?.is_some() {}
            Ok::<_, Failure>(())
        };
        read(&whole).unwrap();
        for length in (0..whole.len()).step_by(97) {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 16;
            assert!(read(&bytes).is_err(), "byte {at}");
        }
    }
}
