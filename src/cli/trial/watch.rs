//! Waits for a file of the runbooks to change.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::cli::error::CliError;
use crate::engine::cancel::Cancel;

/// What editors write in one go is one change.
const QUIET: Duration = Duration::from_millis(200);

/// How often it is looked whether somebody gave up.
const LOOK: Duration = Duration::from_millis(50);

/// Hears of changes in folders.
pub(in crate::cli) struct Watch {
    changes: Receiver<()>,
    // Dropping it ends the watching.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins to watch folders, and all within them.
    ///
    /// # Errors
    /// The system cannot watch them.
    pub(in crate::cli) fn begin(folders: &[PathBuf]) -> Result<Self, CliError> {
        let (sender, changes) = channel();
        let heard = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(&event)) {
                // Nobody may be waiting any more.
                let _ = sender.send(());
            }
        };
        let failed = |error: notify::Error| CliError::Io {
            message: format!("cannot watch the runbooks: {error}"),
        };
        let mut watcher = notify::recommended_watcher(heard).map_err(failed)?;
        for folder in folders {
            watcher
                .watch(folder, RecursiveMode::Recursive)
                .map_err(failed)?;
        }
        Ok(Self {
            changes,
            _watcher: watcher,
        })
    }

    /// Waits for a change, and until it is quiet again; returns false when somebody gives up instead.
    pub(in crate::cli) fn wait(&self, cancel: &Cancel) -> bool {
        loop {
            if cancel.is_set() {
                return false;
            }
            match self.changes.recv_timeout(LOOK) {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        while self.changes.recv_timeout(QUIET).is_ok() {}
        !cancel.is_set()
    }
}

/// Reading a file is no change, nor is what editors write beside it.
fn is_change(event: &Event) -> bool {
    let is_ours = |path: &Path| {
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("yaml" | "yml" | "sql"))
    };
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_ours(path))
}
