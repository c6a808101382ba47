//! One process at a time works on a run: a lock that ends with the process, however that ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::RecordError;
use super::files;

/// The file in the folder of a run.
const NAME: &str = "lock";

/// Who asks whether a run is still going on holds the lock for an instant: that one is waited for.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Who works on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Who runs it.
    pub actor: String,
    /// Since when.
    pub since: Timestamp,
}

/// The right to work on a run, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing it ends the lock")] File);

impl Lock {
    /// Takes the lock of the run in a folder.
    ///
    /// # Errors
    /// Another process has it, or the system refuses.
    pub(super) fn take(run: &str, folder: &Path, actor: &str) -> Result<Self, RecordError> {
        let path = folder.join(NAME);
        let mut file = files::open_or_create(&path).map_err(RecordError::io("open", &path))?;
        if !exclusive(&file).map_err(RecordError::io("lock", &path))? {
            return Err(RecordError::Held {
                run: run.to_owned(),
                holder: holder(&mut file),
            });
        }
        let holder = Holder {
            pid: std::process::id(),
            actor: actor.to_owned(),
            since: now(),
        };
        say(&mut file, &holder).map_err(RecordError::io("write", &path))?;
        Ok(Self(file))
    }
}

/// Returns whether a process works on the run in a folder.
pub(super) fn is_held(folder: &Path) -> bool {
    // Where that cannot be asked there is no lock, or none that anybody could have taken.
    File::open(folder.join(NAME))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Locks a file for this process alone. Returns whether that was to be had.
pub(super) fn exclusive(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Returns the time without parts of a second, which nobody wants to read.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn say(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder)?)
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
