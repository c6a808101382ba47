//! The log of a run as it lies on disk: its lines, and what is wrong with them.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::chain::Chain;
use super::error::RecordError;
use super::facts::Facts;
use crate::base::words;
use crate::engine::event::Event;

/// What the record of a run holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// What the run was given.
    pub facts: Facts,
    /// What it told.
    pub events: Vec<Event>,
    /// The head of the chain.
    pub head: String,
    /// What was cut off its end.
    pub torn: Option<Torn>,
}

/// A last line of which a crash left only a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Which line it is, from 1.
    pub line: usize,
    /// How many bytes of it there are.
    pub bytes: usize,
}

/// What is wrong with a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// A line that is as it was written.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Its bytes without the newline.
    pub(super) bytes: &'a [u8],
    /// The word of its event.
    pub(super) event: Cow<'a, str>,
    /// The head of the chain after it.
    pub(super) head: &'a str,
}

/// The lines of a log up to the first that is not as it was written.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) lines: Vec<Line<'a>>,
    pub(super) chain: Chain,
    pub(super) torn: Option<Torn>,
    pub(super) fault: Option<Fault>,
}

/// What is read of every event.
#[derive(Deserialize)]
struct Short<'a> {
    seq: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Returns the whole lines of a text, and the part of one at its end.
pub(super) fn lines(text: &[u8]) -> (Vec<&[u8]>, Option<Torn>) {
    let whole = text.iter().rposition(|byte| *byte == b'\n');
    let (whole, rest) = text.split_at(whole.map_or(0, |end| end + 1));
    let mut lines: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').collect();
    // After the last newline there is nothing.
    lines.pop();
    let torn = (!rest.is_empty()).then_some(Torn {
        line: lines.len() + 1,
        bytes: rest.len(),
    });
    (lines, torn)
}

impl<'a> Walk<'a> {
    /// Follows the chain from the bytes of `run.json` through the bytes of the log.
    pub(super) fn new(facts: &[u8], log: &'a [u8]) -> Self {
        let (all, torn) = lines(log);
        let mut walk = Self {
            lines: Vec::with_capacity(all.len()),
            chain: Chain::of(facts),
            torn,
            fault: None,
        };
        for (index, bytes) in all.iter().enumerate() {
            if let Err(what) = walk.step(bytes, &all[index..]) {
                walk.fault = Some(Fault {
                    line: index + 1,
                    what,
                });
                break;
            }
        }
        walk
    }

    fn step(&mut self, bytes: &'a [u8], rest: &[&[u8]]) -> Result<(), String> {
        let expected = words::long(self.lines.len()) + 1;
        let short = serde_json::from_slice::<Short<'_>>(bytes).ok();
        let Some((chain, value)) = self.chain.follow(bytes) else {
            return Err("it was altered: it does not end with its chain value".to_owned());
        };
        let Some(Short { seq, event }) = short else {
            return Err("it was altered: it is not an event".to_owned());
        };
        if seq != expected {
            return Err(misplaced(seq, expected, rest));
        }
        if chain.head() != value {
            return Err(if expected == 1 {
                "it was altered, or run.json was: they do not belong to the same chain".to_owned()
            } else {
                "it was altered: its chain value is that of another text".to_owned()
            });
        }
        self.lines.push(Line {
            bytes,
            event,
            head: value,
        });
        self.chain = chain;
        Ok(())
    }

    /// Returns the events.
    ///
    /// # Errors
    /// The log is damaged, or has events that this version does not know.
    pub(super) fn events(&self, facts: &Facts, path: &Path) -> Result<Vec<Event>, RecordError> {
        if let Some(Fault { line, what }) = &self.fault {
            return Err(RecordError::Damaged {
                run: facts.run.clone(),
                path: path.to_owned(),
                line: *line,
                what: what.clone(),
            });
        }
        let events = self.lines.iter().enumerate().map(|(index, line)| {
            serde_json::from_slice(line.bytes).map_err(|error| {
                if facts.program == Facts::PROGRAM {
                    RecordError::Damaged {
                        run: facts.run.clone(),
                        path: path.to_owned(),
                        line: index + 1,
                        what: format!("it is not an event: {error}"),
                    }
                } else {
                    RecordError::Newer {
                        run: facts.run.clone(),
                        program: facts.program.clone(),
                    }
                }
            })
        });
        events.collect()
    }
}

/// Says why an event stands where another is expected; `rest` begins with its line.
fn misplaced(seq: u64, expected: u64, rest: &[&[u8]]) -> String {
    let later = rest.iter().skip(1).any(|line| {
        serde_json::from_slice::<Short<'_>>(line).is_ok_and(|short| short.seq == expected)
    });
    if later || seq < expected {
        format!("the lines are in another order: event {seq} stands where {expected} must be")
    } else if seq == expected + 1 {
        format!("a line was removed before it: event {expected} is missing")
    } else {
        format!(
            "lines were removed before it: events {expected} to {} are missing",
            seq - 1
        )
    }
}
