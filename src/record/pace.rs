//! How long a run took to put rows back: read from what it told.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::run::EVENTS;
use super::store;
use crate::engine::pace::Took;

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Finished {
    took_ms: f64,
    /// Of an undo.
    #[serde(default)]
    restored: u64,
    /// Of an undo that failed.
    failure: Option<serde::de::IgnoredAny>,
    /// Of a step.
    result: Option<Result>,
}

#[derive(Deserialize)]
struct Result {
    kind: String,
    #[serde(default)]
    rows: serde_json::Value,
}

/// Returns how many rows a run put back, and how long that took; nothing where it put none back, or its log cannot be
/// read.
pub fn took(base: &Path, run: &str) -> Option<Took> {
    let mut file = BufReader::new(File::open(store::folder(base, run).join(EVENTS)).ok()?);
    let mut line = Vec::new();
    let mut sum = Took { rows: 0, ms: 0 };
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).ok()? == 0 {
            return Some(sum).filter(|sum| sum.rows > 0);
        }
        // Most events are not about that, and some are long.
        if let Ok(told) = serde_json::from_slice::<Told<'_>>(&line)
            && matches!(&*told.event, "undo_finished" | "step_finished")
            && let Ok(finished) = serde_json::from_slice::<Finished>(&line)
            && let Some(rows) = finished.rows()
        {
            let took = Duration::try_from_secs_f64(finished.took_ms / 1000.0).unwrap_or_default();
            sum.rows += rows;
            sum.ms += u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        }
    }
}

impl Finished {
    /// Returns how many rows were put back.
    fn rows(&self) -> Option<u64> {
        match &self.result {
            Some(result) if result.kind == "restored" => result.rows.as_u64(),
            Some(_) => None,
            None => Some(self.restored).filter(|_| self.failure.is_none()),
        }
    }
}
