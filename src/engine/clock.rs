//! The time of a run, and the numbers of its events.

use std::time::Instant;

use jiff::Timestamp;

use super::event::{Event, EventKind};

/// Makes the events of a run: counted without gaps, with the time since it began.
#[derive(Debug)]
pub(super) struct Clock {
    seq: u64,
    started: Instant,
    /// Milliseconds before it was started, in a run that goes on.
    before_ms: f64,
}

impl Clock {
    /// Starts with the run.
    pub(super) fn start() -> Self {
        Self {
            seq: 0,
            started: Instant::now(),
            before_ms: 0.0,
        }
    }

    /// Goes on after the last event of a run that was cut short.
    pub(super) fn go_on(&mut self, seq: u64, before_ms: f64) {
        self.seq = seq;
        self.before_ms = before_ms;
    }

    /// Returns the milliseconds since the run began.
    pub(super) fn elapsed_ms(&self) -> f64 {
        self.before_ms + millis(self.started)
    }

    /// Makes the next event.
    pub(super) fn event(&mut self, kind: EventKind) -> Event {
        self.seq += 1;
        Event {
            seq: self.seq,
            at: Timestamp::now(),
            elapsed_ms: self.elapsed_ms(),
            kind,
        }
    }
}

/// Returns the milliseconds since a moment.
pub(super) fn millis(since: Instant) -> f64 {
    // Microseconds are as exact as anybody reads them.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a run of 285 years would lose a microsecond"
    )]
    let micros = since.elapsed().as_micros() as f64;
    micros / 1000.0
}
