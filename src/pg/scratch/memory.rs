//! A folder in memory, for servers of which nothing is to last.
//!
//! Each database is some 300 files. A file system on disk spends most of the time of a short test on making and
//! removing them: ext4, for one, looks for an inode that was not removed in the last minutes.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// What must be free there and of the memory: more than the databases of a large library of tests need, so that
/// nothing else on the machine goes short.
const ROOM: u64 = 2 << 30;

/// Returns the folder, where there is one with room. Who has set `$TMPDIR` has chosen another.
pub(super) fn folder() -> Option<&'static Path> {
    let is_roomy = std::env::var_os("TMPDIR").is_none()
        && free(MEMORY).is_some_and(|free| free >= ROOM)
        && available().is_some_and(|available| available >= ROOM)
        && limit().is_none_or(|limit| limit >= 2 * ROOM);
    is_roomy.then(|| Path::new(MEMORY))
}

fn free(folder: &str) -> Option<u64> {
    let facts = statvfs(folder).ok()?;
    Some(u64::from(facts.blocks_available()) * u64::from(facts.fragment_size()))
}

/// Returns the memory that can be had without swapping, in bytes.
fn available() -> Option<u64> {
    let facts = fs::read_to_string("/proc/meminfo").ok()?;
    kilobytes(&facts, "MemAvailable:")
}

fn kilobytes(facts: &str, name: &str) -> Option<u64> {
    let line = facts.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    number.checked_mul(1024)
}

/// Returns what a container's processes may use together, files in memory included; nothing where there is no limit.
fn limit() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    limits.filter_map(|text| text.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::kilobytes;

    #[test]
    fn facts_are_read_in_bytes() {
        let facts = "MemTotal:       24682416 kB\nMemAvailable:   18828000 kB\n";
        assert_eq!(kilobytes(facts, "MemAvailable:"), Some(18_828_000 * 1024));
        assert_eq!(kilobytes(facts, "MemFree:"), None);
        assert_eq!(kilobytes("MemAvailable: much\n", "MemAvailable:"), None);
    }
}
