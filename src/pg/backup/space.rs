//! Whether there is room.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::archive;
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
            size(needed),
            size(free)
        ),
    )
    .note("nothing was written")
    .help("name a folder with more room (`to`, --folder), or delete backups that nobody needs: `runbook backup prune`"))
}

/// Returns a number of bytes in words.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let (mut rest, mut unit) = (bytes / 100, "kB");
    for next in UNITS {
        unit = next;
        rest /= 10;
        if rest < 100_000 {
            break;
        }
        rest /= 100;
    }
    format!("{}.{} {unit}", rest / 10, rest % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_numbers() {
        let folder = Path::new("/backups/.a.partial");
        assert_eq!(judge(folder, 1 << 30, 2 << 30), Ok(()));
        let failure = judge(folder, 1 << 30, 1 << 30).unwrap_err();
        assert_eq!(
            failure.message,
            "there is not enough room in /backups: the backup needs about 1.1 GB, and 1.0 GB are free"
        );
        assert!(judge(folder, u64::MAX, u64::MAX).is_ok());
        assert!(judge(folder, 0, RESERVE - 1).is_err());
    }

    #[test]
    fn sizes_are_in_words() {
        let sizes: Vec<String> = [
            0,
            1_500,
            99_999,
            12_345_678,
            3_000_000_000,
            7_654_321_000_000,
        ]
        .into_iter()
        .map(size)
        .collect();
        assert_eq!(
            sizes,
            ["0.0 kB", "1.5 kB", "99.9 kB", "12.3 MB", "3.0 GB", "7.6 TB"]
        );
    }
}
