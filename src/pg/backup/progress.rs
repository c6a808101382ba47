//! How far long work is: counted by whoever does it, told a few times a second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Told;
use crate::engine::backup::Progressing;

/// How often it is told.
const PACE: Duration = Duration::from_millis(100);

/// What is done so far.
pub(super) struct Meter {
    what: Mutex<String>,
    done: AtomicU64,
    of: Option<u64>,
}

impl Meter {
    pub(super) fn new(what: &str, of: Option<u64>) -> Self {
        Self {
            what: Mutex::new(what.to_owned()),
            done: AtomicU64::new(0),
            of,
        }
    }

    /// Counts more bytes.
    pub(super) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many bytes are done in all.
    pub(super) fn set(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
    }

    /// Says what is being done.
    pub(super) fn now(&self, what: String) {
        if let Ok(mut now) = self.what.lock() {
            *now = what;
        }
    }

    fn read(&self) -> Progressing {
        let done = self.done.load(Ordering::Relaxed);
        Progressing {
            what: self
                .what
                .lock()
                .map(|what| what.clone())
                .unwrap_or_default(),
            done,
            // What was only estimated may turn out to be more.
            of: self.of.map(|of| of.max(done)),
        }
    }

    /// Waits for work, and tells meanwhile how far it is.
    pub(super) async fn telling<T>(&self, told: Told<'_>, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick comes at once: what is done in no time is not told at all.
        ticks.reset();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = ticks.tick() => told(&self.read()),
            }
        }
    }
}
