//! The proof of a backup: all of it is read back, and compared with what the server counted and hashed.

use std::path::Path;

use super::manifest::Manifest;
use super::seal::FileKey;
use crate::engine::failure::Failure;

/// Reads every file of a backup in full and compares sizes and SHA-256; reads the rows of every table with a
/// file of its own, and compares their count and hash with the server's. Of an encrypted backup without its
/// key only the files are compared. `read` is told how many bytes were read, and stops it by an error.
///
/// # Errors
/// What is wrong, and where.
pub fn of(
    folder: &Path,
    manifest: &Manifest,
    key: Option<&FileKey>,
    read: &(dyn Fn(u64) -> Result<(), Failure> + Sync),
) -> Result<(), Failure> {
    let _ = (manifest, key, read);
    Err(super::damaged(folder, "it is not read yet"))
}
