//! Writes the file of a table's rows.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;

use super::LEVEL;
use crate::archive::files::{self, Sum, Summing, failed};
use crate::archive::manifest::FileFact;
use crate::archive::seal::FileKey;
use crate::base::words;
use crate::engine::failure::Failure;

/// Writes the rows of a table. It can go to a thread of its own.
pub struct TableWriter {
    path: PathBuf,
    name: String,
    written: u64,
    encoder: zstd::Encoder<'static, Sink>,
}

impl TableWriter {
    /// Begins a file; `path` is in the backup's folder, `name` what the manifest calls it.
    ///
    /// # Errors
    /// It cannot be written, or is there already.
    pub fn create(folder: &Path, name: &str, key: Option<&FileKey>) -> Result<Self, Failure> {
        let path = files::inside(folder, name).ok_or_else(|| files::leads_out(folder, name))?;
        if let Some(above) = path.parent()
            && above != folder
        {
            files::have_folder(above)?;
        }
        let file = Summing {
            inner: files::create(&path)?,
            sum: Sum::default(),
        };
        let encoder = Sink::new(file, key).and_then(encoder);
        Ok(Self {
            encoder: encoder.map_err(failed("write", &path))?,
            name: name.to_owned(),
            written: 0,
            path,
        })
    }

    /// Writes some of COPY's text: lines need not be whole.
    ///
    /// # Errors
    /// It cannot be written: the disk is full, for example.
    pub fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        let written = self.encoder.write_all(text);
        written.map_err(failed("write", &self.path))?;
        self.written += words::long(text.len());
        Ok(())
    }

    /// Returns how many bytes of text were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends the file, and returns when it is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<FileFact, Failure> {
        let ended = self.encoder.finish().and_then(Sink::finish);
        let fact = ended.and_then(|Summing { inner, sum }| {
            inner.sync_all()?;
            Ok(sum.fact(&self.name))
        });
        fact.map_err(failed("write", &self.path))
    }
}

fn encoder(sink: Sink) -> io::Result<zstd::Encoder<'static, Sink>> {
    let mut encoder = zstd::Encoder::new(sink, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// Where the compressed rows go.
enum Sink {
    Plain(Summing<File>),
    Sealed(Box<StreamWriter<Summing<File>>>),
}

impl Sink {
    fn new(file: Summing<File>, key: Option<&FileKey>) -> io::Result<Self> {
        match key {
            Some(key) => key
                .encrypt(file)
                .map(|writer| Self::Sealed(Box::new(writer))),
            None => Ok(Self::Plain(file)),
        }
    }

    fn finish(self) -> io::Result<Summing<File>> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}
