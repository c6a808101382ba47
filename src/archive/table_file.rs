//! The file of a table's rows: COPY's text, compressed, and encrypted where the backup is.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::manifest::FileFact;
use super::seal::FileKey;
use crate::engine::failure::Failure;

/// Writes the rows of a table. It can go to a thread of its own.
pub struct TableWriter {
    #[expect(dead_code, reason = "written by the draft")]
    path: PathBuf,
    #[expect(dead_code, reason = "written by the draft")]
    file: File,
}

impl TableWriter {
    /// Begins a file; `path` is in the backup's folder, `name` what the manifest calls it.
    ///
    /// # Errors
    /// It cannot be written, or is there already.
    pub fn create(folder: &Path, name: &str, key: Option<&FileKey>) -> Result<Self, Failure> {
        let _ = (name, key);
        Err(super::damaged(folder, "it is not written yet"))
    }

    /// Writes some of COPY's text: lines need not be whole.
    ///
    /// # Errors
    /// It cannot be written: the disk is full, for example.
    pub fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        let _ = text;
        Ok(())
    }

    /// Returns how many bytes of text were written.
    pub fn written(&self) -> u64 {
        0
    }

    /// Ends the file, and returns when it is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<FileFact, Failure> {
        Err(super::damaged(Path::new("."), "it is not written yet"))
    }
}

/// Reads the rows of a table, and finds whatever differs from what was written.
pub struct TableReader {
    #[expect(dead_code, reason = "read by the proof")]
    path: PathBuf,
}

impl TableReader {
    /// Opens the file of a table in a backup's folder.
    ///
    /// # Errors
    /// It is not there, or has another size than the manifest says.
    pub fn open(folder: &Path, fact: &FileFact, key: Option<&FileKey>) -> Result<Self, Failure> {
        let _ = (fact, key);
        Err(super::damaged(folder, "it is not read yet"))
    }

    /// Returns the next lines, whole ones with their newlines; none at the end. At the end all of the file
    /// was read, and its SHA-256 compared: what was returned before may only be kept then.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn lines(&mut self) -> Result<Option<&[u8]>, Failure> {
        Ok(None)
    }
}
