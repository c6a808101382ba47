//! The middle one of several times: what else the machine does moves it least.

use std::time::Duration;

/// Returns the middle one of several times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
