//! The folder of a backup that is being written: it gets its name when all of it is good and on disk.

use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::seal::FileKey;
use crate::engine::backup::Seal;
use crate::engine::failure::Failure;

/// A backup that is being written. Dropped before it is finished, it leaves nothing behind; what a killed
/// program left is swept by the next one.
pub struct Draft {
    folder: PathBuf,
    key: Option<FileKey>,
}

impl Draft {
    /// Begins the backup `id` in the folder of backups, which is made where there is none.
    ///
    /// # Errors
    /// There is one of that id already, or the folder cannot be written.
    pub fn begin(backups: &Path, id: &str, seal: Option<&Seal>) -> Result<Self, Failure> {
        let _ = (id, seal);
        Err(super::damaged(backups, "it is not written yet"))
    }

    /// Returns the folder, as it is called until it is good.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the key of its files, where it is encrypted.
    pub fn key(&self) -> Option<&FileKey> {
        self.key.as_ref()
    }

    /// Writes the manifest, has everything be on disk, and gives the folder its name. Returns that, and
    /// SHA-256 of the manifest.
    ///
    /// # Errors
    /// It cannot be written: nothing is left then.
    pub fn finish(self, manifest: &mut Manifest) -> Result<(PathBuf, String), Failure> {
        let _ = manifest;
        Err(super::damaged(&self.folder, "it is not written yet"))
    }
}
