//! Times and numbers in words.

use std::time::Duration;

use crate::base::words;

/// Returns "3 ms", "2.4 s", "1 min 5 s", "2 h 3 min".
pub(super) fn duration(ms: f64) -> String {
    let span = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    of((span + Duration::from_micros(500)).as_millis())
}

/// Returns the same of whole milliseconds.
pub(super) fn millis(ms: u64) -> String {
    of(ms.into())
}

fn of(ms: u128) -> String {
    match (ms, (ms + 50) / 100, (ms + 500) / 1000) {
        (0..1000, ..) => format!("{ms} ms"),
        (_, tenths @ 0..600, seconds) if tenths % 10 == 0 => format!("{seconds} s"),
        (_, tenths @ 0..600, _) => format!("{}.{} s", tenths / 10, tenths % 10),
        (_, _, seconds @ 0..3600) => format!("{} min {} s", seconds / 60, seconds % 60),
        (_, _, seconds) => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns "1 row", "2 rows".
pub(super) fn rows(count: u64) -> String {
    words::count(count, "row")
}

/// Returns a number of things that are kept in memory.
pub(super) fn long(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0.2, "0 ms"),
            (999.4, "999 ms"),
            (999.6, "1 s"),
            (2449.0, "2.4 s"),
            (59_960.0, "1 min 0 s"),
            (65_000.0, "1 min 5 s"),
            (7_380_000.0, "2 h 3 min"),
            (-1.0, "0 ms"),
            (f64::NAN, "0 ms"),
        ];
        for (ms, words) in cases {
            assert_eq!(duration(ms), words);
        }
    }
}
