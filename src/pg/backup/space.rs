//! Whether there is room.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::archive;
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};

/// What stays free beside what is written: 32 MB, so that a backup never fills a disk to its last byte.
const RESERVE: u64 = 32 << 20;

/// Refuses to write about `bytes` where the file system has less room, with a reserve.
///
/// # Errors
/// There is not enough room: how much there is, how much it needs.
pub(super) fn check(folder: &Path, bytes: u64) -> Result<(), Failure> {
    let found =
        statvfs(folder).map_err(|error| archive::io("see the free space of", folder, &error))?;
    // Their types differ between systems.
    let free = u128::from(found.blocks_available()) * u128::from(found.fragment_size());
    judge(folder, bytes, u64::try_from(free).unwrap_or(u64::MAX))
}

/// Returns about how many bytes the rows of tables have on disk once they are compressed, if they compress as
/// badly as rows do that hold texts.
pub(super) fn compressed(bytes: u64) -> u64 {
    bytes / 2
}

fn judge(folder: &Path, bytes: u64, free: u64) -> Result<(), Failure> {
    let needed = bytes.saturating_add(RESERVE);
    if needed <= free {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Backup,
        format!(
            "there is not enough room in {}: the backup needs about {}, and {} are free",
            folder.parent().unwrap_or(folder).display(),
            words::bytes(needed),
            words::bytes(free)
        ),
    )
    .note("nothing was written")
    .help("name a folder with more room (`to`, --folder), or delete backups that nobody needs: `runbook backup prune`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_numbers() {
        let folder = Path::new("/backups/.a.partial");
        assert_eq!(judge(folder, 1 << 30, 2 << 30), Ok(()));
        let failure = judge(folder, 1 << 31, 1 << 30).unwrap_err();
        assert_eq!(
            failure.message,
            "there is not enough room in /backups: the backup needs about 2.2 GB, and 1.1 GB are free"
        );
        assert!(judge(folder, u64::MAX, u64::MAX).is_ok());
        assert!(judge(folder, 0, RESERVE - 1).is_err());
    }
}
