//! The index of all runs: one line when a run begins and one each time it ends, with the head of its chain
//! there. So a log that was cut off, or a run that was taken away, is missed. It is a chain of its own, after
//! the SHA-256 of no bytes; each line is tied to the whole one before it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{Chain, split};
use super::log::{Fault, lines};
use super::{files, lock};

/// What the index knows of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The run.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// The head of its chain there.
    pub head: String,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It began; the head is the SHA-256 of its `run.json`.
    Began,
    /// It ended.
    Ended,
}

/// Returns where the index is.
pub fn path(base: &Path) -> PathBuf {
    base.join("index.jsonl")
}

/// Notes what became of a run. What a crash left of an earlier line is cut off.
pub(super) fn note(base: &Path, run: &str, what: What, head: &str) -> io::Result<()> {
    let mut file = files::append_to(&path(base))?;
    if !lock::exclusive(&file)? {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another process holds it",
        ));
    }
    let (length, chain) = end(&mut file)?;
    let note = Note {
        run: run.to_owned(),
        at: Timestamp::now(),
        what,
        head: head.to_owned(),
    };
    let (line, _) = chain.line(&serde_json::to_vec(&note)?);
    file.set_len(length)?;
    if let Err(error) = file.write_all(&line) {
        // The first failure is the one to tell.
        let _ = file.set_len(length);
        return Err(error);
    }
    file.sync_data()
}

/// Returns how long the whole lines are, and the chain after them. Only the last line is read.
fn end(file: &mut File) -> io::Result<(u64, Chain)> {
    const STEP: u64 = 1024;
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = 0;
    loop {
        tail = (tail + STEP).min(length);
        file.seek(SeekFrom::Start(length - tail))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let line = whole.and_then(|end| {
            let start = bytes[..end].iter().rposition(|byte| *byte == b'\n');
            let start = start.map(|newline| newline + 1);
            let first = (tail == length).then_some(0);
            Some((end, &bytes[start.or(first)?..end]))
        });
        match line {
            Some((end, line)) => {
                let whole = length - tail + crate::base::words::long(end) + 1;
                return Ok((whole, after(line)));
            }
            None if tail == length => return Ok((0, Chain::of(b""))),
            None => {}
        }
    }
}

/// Returns the chain after a line. One that is damaged does not keep runs from being noted: its own bytes
/// stand for it.
pub(super) fn after(line: &[u8]) -> Chain {
    match split(line) {
        Some((_, value)) => Chain::at(value),
        None => Chain::of(line),
    }
}

/// What the index says of all runs, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Its lines, those that can be read.
    pub(super) notes: Vec<(usize, Note)>,
    /// What was altered in it.
    pub(super) faults: Vec<Fault>,
}

/// Reads the index; where there is none, no run was noted.
pub(super) fn read(base: &Path) -> io::Result<Index> {
    let text = match std::fs::read(path(base)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
        text => text?,
    };
    let mut index = Index::default();
    let mut chain = Chain::of(b"");
    for (number, bytes) in lines(&text).0.into_iter().enumerate() {
        let line = number + 1;
        let whole = chain
            .follow(bytes)
            .is_some_and(|(next, value)| next.head() == value);
        let note = serde_json::from_slice::<Note>(bytes);
        if !whole || note.is_err() {
            index.faults.push(Fault {
                line,
                what: "it was altered, or a line before it was altered, moved or removed"
                    .to_owned(),
            });
        }
        index.notes.extend(note.ok().map(|note| (line, note)));
        chain = after(bytes);
    }
    Ok(index)
}
