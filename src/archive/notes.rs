//! What became of a backup since it was made.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{self, failed};
use super::manifest::Manifest;
use crate::engine::change::hex;
use crate::engine::failure::Failure;

/// The file of the notes, in the folder of a backup.
const FILE: &str = "notes.json";
/// What the file is called until all of it is on disk.
const NEW: &str = "notes.json.new";

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

/// The notes as they are on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    notes: Notes,
    /// SHA-256 of the notes.
    checksum: String,
}

impl Notes {
    /// Reads the notes of a backup. Notes that are damaged are none: what they say must be found out again.
    pub fn read(folder: &Path) -> Self {
        let bytes = fs::read(folder.join(FILE)).unwrap_or_default();
        let sealed: Option<Sealed> = serde_json::from_slice(&bytes).ok();
        let notes = sealed.map(|sealed| sealed.notes);
        notes
            .filter(|notes| notes.text() == bytes)
            .unwrap_or_default()
    }

    /// Writes them, at once or not at all.
    ///
    /// # Errors
    /// They cannot be written: those from before are there then.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let _alone = alone(folder)?;
        self.replace(folder)
    }

    /// Changes the notes of a backup, without losing what another process notes at the same time. Returns them
    /// as they are then.
    ///
    /// # Errors
    /// They cannot be written: those from before are there then.
    pub fn change(folder: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, Failure> {
        let _alone = alone(folder)?;
        let mut notes = Self::read(folder);
        change(&mut notes);
        notes.replace(folder)?;
        Ok(notes)
    }

    /// Returns whether a file in the folder of a backup is one of its notes.
    pub(super) fn is_file(name: &str) -> bool {
        name == FILE || name == NEW
    }

    fn replace(&self, folder: &Path) -> Result<(), Failure> {
        let new = folder.join(NEW);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("write", &new)(error));
            }
            _ => {}
        }
        let path = folder.join(FILE);
        let written = files::write(&new, &self.text())
            .and_then(|()| fs::rename(&new, &path).map_err(failed("write", &path)));
        written.inspect_err(|_| {
            // The first failure is the one to tell.
            let _ = fs::remove_file(&new);
        })?;
        files::sync(folder)
    }

    fn text(&self) -> Vec<u8> {
        // Nothing in them can fail to be written: all keys are texts.
        let checksum = hex(&Sha256::digest(
            serde_json::to_vec(self).unwrap_or_default(),
        ));
        let notes = self.clone();
        let mut text = serde_json::to_vec_pretty(&Sealed { notes, checksum }).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// Keeps other programs from changing the notes, until it is dropped: by a lock on the manifest, which nothing else
/// locks. A backup that has none yet belongs to who writes it.
fn alone(folder: &Path) -> Result<Option<File>, Failure> {
    let path = folder.join(Manifest::FILE);
    let manifest = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        manifest => manifest.map_err(failed("open", &path))?,
    };
    // Where files cannot be locked two may write at once: each writes all, and the last one stays.
    let _ = manifest.lock();
    Ok(Some(manifest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::folder::Draft;
    use crate::archive::sample::{self, day};

    fn notes() -> Notes {
        Notes {
            read_at: Some(day(1)),
            restored_at: None,
            damaged: Some((day(2), "é \"quoted\"".to_owned())),
            pinned: Some("the audit".to_owned()),
        }
    }

    #[test]
    fn they_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Notes::read(folder.path()), Notes::default());
        notes().write(folder.path()).unwrap();
        assert_eq!(Notes::read(folder.path()), notes());
        fs::write(folder.path().join(NEW), "half").unwrap();
        let changed = Notes::change(folder.path(), |notes| notes.pinned = None).unwrap();
        assert_eq!(
            changed,
            Notes {
                pinned: None,
                ..notes()
            }
        );
        assert_eq!(Notes::read(folder.path()), changed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn case_44_notes_with_a_flipped_bit_or_cut_off_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        notes().write(folder.path()).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(Notes::read(folder.path()), Notes::default());
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&path, flipped).unwrap();
                assert_eq!(Notes::read(folder.path()), Notes::default());
            }
        }
    }

    #[test]
    fn nothing_that_several_note_at_once_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(Manifest::FILE), "").unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    Notes::change(folder, |notes| {
                        let text = notes.pinned.take().unwrap_or_default();
                        notes.pinned = Some(format!("{text}{n}"));
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(Notes::read(folder.path()).pinned.unwrap().len(), 8);
    }

    #[test]
    fn they_can_be_written_while_the_backup_is() {
        let root = tempfile::tempdir().unwrap();
        let draft = Draft::begin(root.path(), "b-1", None).unwrap();
        notes().write(draft.folder()).unwrap();
        let mut manifest = sample::fill(&draft, "b-1", 1);
        let (folder, _) = draft.finish(&mut manifest).unwrap();
        assert_eq!(Notes::read(&folder), notes());
        notes().write(&folder).unwrap();
        assert!(manifest.file(FILE).is_none());
    }

    #[test]
    fn case_46_where_they_cannot_be_written_those_from_before_stay() {
        let folder = tempfile::tempdir().unwrap();
        notes().write(folder.path()).unwrap();
        fs::create_dir(folder.path().join(NEW)).unwrap();
        assert!(Notes::default().write(folder.path()).is_err());
        assert_eq!(Notes::read(folder.path()), notes());
        assert!(notes().write(&folder.path().join("none")).is_err());
    }
}
