//! What became of a backup since it was made.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::failure::Failure;

/// What became of a backup since it was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// When all of it was last read back and found good; also when it was made.
    pub read_at: Option<Timestamp>,
    /// When it was last restored on trial and found good.
    pub restored_at: Option<Timestamp>,
    /// When it was last found damaged, and how.
    pub damaged: Option<(Timestamp, String)>,
    /// Whether it is never deleted, and why.
    pub pinned: Option<String>,
}

impl Notes {
    /// Reads the notes of a backup. Notes that are damaged are none: what they say must be found out again.
    pub fn read(folder: &Path) -> Self {
        let _ = folder;
        Self::default()
    }

    /// Writes them, at once or not at all.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        Err(super::damaged(folder, "it is not written yet"))
    }
}
