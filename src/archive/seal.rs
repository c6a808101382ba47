//! Encryption with age: one key for the files of a backup, and that key for its recipients or passphrase.

use std::io::{Read, Write};
use std::path::Path;

use crate::base::secret::Secret;
use crate::engine::backup::Seal;
use crate::engine::failure::Failure;

/// The key of one backup's files: with it they are written, read back and opened. Cheap to clone.
#[derive(Clone)]
pub struct FileKey(age::x25519::Identity);

/// What a person opens a backup with.
#[derive(Clone, Default)]
pub struct Keys {
    /// Texts of private keys of age, `AGE-SECRET-KEY-1…`, as `age-keygen` writes them.
    pub identities: Vec<Secret>,
    /// The passphrase.
    pub passphrase: Option<Secret>,
}

impl FileKey {
    /// Makes a key for a new backup, and returns it with the content of `key.age`.
    ///
    /// # Errors
    /// A recipient is no public key of age.
    pub fn new(seal: &Seal) -> Result<(Self, Vec<u8>), Failure> {
        let _ = seal;
        Err(super::damaged(Path::new("key.age"), "it is not read yet"))
    }

    /// Opens the key of a backup from the content of its `key.age`.
    ///
    /// # Errors
    /// None of the keys is one for it, or the passphrase is wrong.
    pub fn open(folder: &Path, sealed: &[u8], keys: &Keys) -> Result<Self, Failure> {
        let _ = (sealed, keys);
        Err(super::damaged(folder, "it is not read yet"))
    }

    /// Returns a writer that encrypts; it must be finished.
    ///
    /// # Errors
    /// The beginning could not be written.
    pub fn encrypt<W: Write>(&self, to: W) -> std::io::Result<age::stream::StreamWriter<W>> {
        let _ = to;
        Err(std::io::Error::other("not yet"))
    }

    /// Returns a reader that decrypts, and finds what was altered or cut off.
    ///
    /// # Errors
    /// It is not encrypted for this key.
    pub fn decrypt<R: Read>(&self, from: R) -> std::io::Result<age::stream::StreamReader<R>> {
        let _ = from;
        Err(std::io::Error::other("not yet"))
    }
}
