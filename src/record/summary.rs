//! What a list of runs says of each: read from the first and the last line of its log, since there may be
//! thousands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::error::RecordError;
use super::run::{EVENTS, FACTS};
use super::{lock, store};
use crate::engine::change::Changes;
use crate::engine::event::TargetFacts;
use crate::engine::outcome::Outcome;

/// How a run began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The run.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// What its first line says; nothing where that cannot be read.
    pub what: Option<Start>,
}

/// What the first line of a log says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Start {
    /// The runbook's name.
    pub runbook: String,
    /// Who began it.
    pub actor: String,
    /// The database.
    pub target: TargetFacts,
    /// Whether everything is rolled back at the end.
    pub dry_run: bool,
    /// The run that it puts back.
    #[serde(default)]
    pub undo_of: Option<String>,
    /// Why the glass was broken.
    #[serde(default)]
    pub glass: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It ended.
    Ended(Outcome),
    /// A process works on it.
    Running,
    /// It was cut short: nobody works on it, and it did not end.
    CutShort,
    /// Its log cannot be read.
    Damaged,
}

#[derive(Deserialize)]
struct First {
    at: Timestamp,
    #[serde(flatten)]
    start: Start,
}

/// Returns how all runs began, the newest first.
///
/// # Errors
/// The folder cannot be read.
pub fn all(base: &Path) -> Result<Vec<Begun>, RecordError> {
    let runs = store::runs(base)?.into_iter();
    let mut begun: Vec<Begun> = runs.map(|run| begun(base, run)).collect();
    begun.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.run.cmp(&b.run)));
    Ok(begun)
}

fn begun(base: &Path, run: String) -> Begun {
    let folder = store::folder(base, &run);
    let first = || {
        let mut line = Vec::new();
        let mut file = BufReader::new(File::open(folder.join(EVENTS)).ok()?);
        file.read_until(b'\n', &mut line).ok()?;
        serde_json::from_slice::<First>(&line).ok()
    };
    match first() {
        Some(First { at, start }) => Begun {
            run,
            at,
            what: Some(start),
        },
        None => Begun {
            run,
            at: written(&folder).unwrap_or(Timestamp::UNIX_EPOCH),
            what: None,
        },
    }
}

/// Returns when a run was given its facts: where its log says nothing, the file system does.
fn written(folder: &Path) -> Option<Timestamp> {
    let modified = fs::metadata(folder.join(FACTS)).ok()?.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

/// Returns what became of a run.
pub fn became(base: &Path, begun: &Begun) -> Became {
    let folder = store::folder(base, &begun.run);
    let path = folder.join(EVENTS);
    let last = || match File::open(&path).and_then(|file| last_line(&file)) {
        Ok(line) => ending(&line),
        Err(_) => Err(()),
    };
    match last() {
        Err(()) => Became::Damaged,
        Ok(Some(outcome)) => Became::Ended(outcome),
        Ok(None) if lock::is_held(&folder) => Became::Running,
        // It may have ended since the first look.
        Ok(None) => match last() {
            Ok(Some(outcome)) => Became::Ended(outcome),
            _ => Became::CutShort,
        },
    }
}

/// Returns what a run said at its end for the time being: its last line.
pub fn says(base: &Path, run: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Last {
        says: String,
    }
    let file = File::open(store::folder(base, run).join(EVENTS)).ok()?;
    let last: Last = serde_json::from_slice(&last_line(&file).ok()?).ok()?;
    Some(last.says).filter(|says| !says.is_empty())
}

/// Returns the outcome that a last line tells, where it ends a run.
fn ending(line: &[u8]) -> Result<Option<Outcome>, ()> {
    #[derive(Deserialize)]
    struct Last<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
        outcome: Option<Outcome>,
    }
    if line.is_empty() {
        return Ok(None);
    }
    let last: Last<'_> = serde_json::from_slice(line).map_err(drop)?;
    Ok(last.outcome.filter(|_| last.event == "run_finished"))
}

/// Returns the last whole line of a file.
fn last_line(mut file: &File) -> io::Result<Vec<u8>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = 0;
    loop {
        tail = (tail * 8).max(4096).min(length);
        file.seek(SeekFrom::Start(length - tail))?;
        let mut bytes = Vec::new();
        file.take(tail).read_to_end(&mut bytes)?;
        let newline = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
        let end = newline(&bytes).unwrap_or(0);
        let start = newline(&bytes[..end]).map(|newline| newline + 1);
        if let Some(start) = start.or((tail == length).then_some(0)) {
            return Ok(bytes[start..end].to_vec());
        }
    }
}

/// Returns how many rows a run changed and committed, or put back.
///
/// # Errors
/// The log cannot be read.
pub fn rows(base: &Path, run: &str) -> Result<u64, RecordError> {
    let path = store::folder(base, run).join(EVENTS);
    let file = File::open(&path).map_err(RecordError::io("read", &path))?;
    let mut file = BufReader::new(file);
    let mut count = Count::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        if read.map_err(RecordError::io("read", &path))? == 0 {
            return Ok(count.sum());
        }
        // Most events are not about rows, and some are long.
        if let Ok(told) = serde_json::from_slice::<Told<'_>>(&line)
            && COUNTED.contains(&&*told.event)
            && let Ok(counted) = serde_json::from_slice::<Counted>(&line)
        {
            count.take(&told.event, counted);
        }
    }
}

const COUNTED: [&str; 4] = [
    "step_finished",
    "atomic_committed",
    "batch_committed",
    "undo_finished",
];

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Counted {
    step: Option<Step>,
    result: Option<Fixed>,
    changes: Option<Changes>,
    count: Option<u64>,
    restored: Option<u64>,
}

#[derive(Deserialize)]
struct Step {
    id: u64,
}

#[derive(Deserialize)]
struct Fixed {
    count: Option<u64>,
    #[serde(default)]
    committed: bool,
    restored: Option<u64>,
}

/// Adds up rows. The parts of a `batch` count until its step is finished, which counts them all.
#[derive(Default)]
struct Count {
    done: u64,
    parts: HashMap<u64, u64>,
}

impl Count {
    fn take(&mut self, event: &str, told: Counted) {
        let step = told.step.map_or(u64::MAX, |step| step.id);
        match event {
            "step_finished" => {
                let Some(result) = told.result else { return };
                if result.committed {
                    self.parts.remove(&step);
                    self.done += result.count.unwrap_or(0);
                }
                self.done += result.restored.unwrap_or(0);
            }
            "atomic_committed" => self.done += told.changes.map_or(0, |changes| changes.count()),
            "batch_committed" => *self.parts.entry(step).or_default() += told.count.unwrap_or(0),
            _ => self.done += told.restored.unwrap_or(0),
        }
    }

    fn sum(&self) -> u64 {
        self.done + self.parts.values().sum::<u64>()
    }
}
