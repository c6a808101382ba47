//! Deleting a backup: never so that half of one looks like a whole one.

use std::fs::{self, File};
use std::path::Path;

use crate::engine::failure::Failure;

/// What a backup's folder is called while it is being deleted: `.ID.deleting`.
pub const DELETING: &str = ".deleting";

/// Deletes the folder of a backup. It loses its name first, at once and for good: what is left of it when the program
/// is killed is no backup, and is swept by [`sweep`].
///
/// # Errors
/// It cannot be renamed, and is as it was; or what is left of it cannot be deleted.
pub fn delete(folder: &Path) -> Result<(), Failure> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(super::io("delete", folder, &"it is no folder of a backup"));
    };
    let hidden = parent.join(format!(".{}{DELETING}", name.to_string_lossy()));
    // One that an earlier deletion left would be in the way.
    if hidden.exists() {
        fs::remove_dir_all(&hidden).map_err(|error| super::io("delete", &hidden, &error))?;
    }
    fs::rename(folder, &hidden).map_err(|error| super::io("delete", folder, &error))?;
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(|error| super::io("write", parent, &error))?;
    fs::remove_dir_all(&hidden).map_err(|error| super::io("delete", &hidden, &error))
}

/// Deletes what killed deletions left in a folder of backups. What cannot be deleted stays for the next time.
pub fn sweep(backups: &Path) {
    let Ok(entries) = fs::read_dir(backups) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(DELETING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
