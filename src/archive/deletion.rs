//! Deleting a backup: never so that half of one looks like a whole one.

use std::fs;
use std::path::Path;

use super::files::{self, failed};
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
        fs::remove_dir_all(&hidden).map_err(failed("delete", &hidden))?;
    }
    fs::rename(folder, &hidden).map_err(failed("delete", folder))?;
    files::sync(parent)?;
    fs::remove_dir_all(&hidden).map_err(failed("delete", &hidden))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{sample, store};

    #[test]
    fn a_deleted_backup_is_gone_with_all_of_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = sample::backup(root.path(), "b-1", None);
        let other = sample::backup(root.path(), "b-2", None);
        fs::create_dir_all(root.path().join(".b-1.deleting/tables")).unwrap();
        delete(&folder).unwrap();
        assert!(!folder.exists() && store::Found::open(&other).is_ok());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(delete(&folder).is_err());
    }

    #[test]
    fn what_a_killed_deletion_left_is_no_backup_and_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let folder = sample::backup(root.path(), "b-1", None);
        fs::rename(&folder, root.path().join(".b-1.deleting")).unwrap();
        let stored = store::list(root.path()).unwrap();
        assert!(stored.found.is_empty() && stored.damaged.is_empty() && stored.partial.is_empty());
        sample::backup(root.path(), "b-1", None);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
