//! Proves that the records of runs are whole: each by its own chain, and by the heads that are known of it
//! elsewhere.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::error::RecordError;
use super::facts::{Facts, Place};
use super::index::{self, Index, Note, What};
use super::log::{Fault, Line, Walk};
use super::run::{EVENTS, FACTS};
use super::store;
use crate::base::words;
use crate::engine::event::{Event, EventKind, StepResult, TargetFacts};
use crate::engine::journal::{Entry, Unit};

/// What the journal of a database knows of a run that wrote to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The run that wrote it.
    pub by_run: String,
    /// The transaction.
    pub entry: Entry,
    /// The head of the run's log before its COMMIT.
    pub head: Option<String>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub path: PathBuf,
    /// In which line, from 1; nothing where it is not about one.
    pub line: Option<usize>,
    /// What.
    pub what: String,
}

/// What was found out about a run.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The run.
    pub run: String,
    /// How many events are whole.
    pub events: usize,
    /// Whether it ended.
    pub ended: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is to know, and is not wrong.
    pub notes: Vec<String>,
    /// Whether it was compared with the journal of a database.
    pub compared: bool,
}

/// What records are held against. It is taken before they are read, since runs go on meanwhile.
#[derive(Clone, Debug)]
pub struct Auditor {
    pub(super) base: PathBuf,
    index: Index,
    journal: Option<(TargetFacts, Vec<Kept>)>,
}

impl Auditor {
    /// Reads what the index knows.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(base: &Path) -> Result<Self, RecordError> {
        let path = index::path(base);
        Ok(Self {
            base: base.to_owned(),
            index: index::read(base).map_err(RecordError::io("read", &path))?,
            journal: None,
        })
    }

    /// Compares with the journal of this database too.
    #[must_use]
    pub fn journal(self, target: TargetFacts, kept: Vec<Kept>) -> Self {
        Self {
            journal: Some((target, kept)),
            ..self
        }
    }

    /// Returns what is wrong with the index itself.
    pub fn index(&self) -> Vec<Finding> {
        let faults = self.index.faults.iter();
        faults
            .map(|fault| at_line(index::path(&self.base), fault.clone()))
            .collect()
    }

    /// Returns all runs: those whose records are there, and those that the index knows.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn runs(&self) -> Result<BTreeSet<String>, RecordError> {
        let noted = self.index.notes.iter().map(|(_, note)| note.run.clone());
        // What was altered may name anything.
        let noted = noted.filter(|run| store::is_id(run));
        Ok(store::runs(&self.base)?.into_iter().chain(noted).collect())
    }

    /// Finds out about a run.
    pub fn audit(&self, run: &str) -> Audit {
        let mut audit = Audit::new(run);
        let folder = store::folder(&self.base, run);
        if !folder.exists() {
            audit.find(folder, "the whole record was removed");
            return audit;
        }
        let read = |name| fs::read(folder.join(name));
        let (facts, log) = match (read(FACTS), read(EVENTS)) {
            (Ok(facts), Ok(log)) => (facts, log),
            (Err(error), _) => return audit.unreadable(folder.join(FACTS), &error),
            (_, Err(error)) => return audit.unreadable(folder.join(EVENTS), &error),
        };
        self.follow(&mut audit, &folder, &facts, &log);
        audit
    }

    pub(super) fn follow(&self, audit: &mut Audit, folder: &Path, facts: &[u8], log: &[u8]) {
        let path = folder.join(FACTS);
        let walk = Walk::new(facts, log);
        audit.events = walk.lines.len();
        audit.ended = (walk.lines.last()).is_some_and(|line| line.event == "run_finished");
        let start = Chain::of(facts);
        let began = self.noted(&audit.run, What::Began).next();
        if let Some((_, note)) = began
            && note.head != start.head()
        {
            audit.find(path, "it was altered: the index has another SHA-256 of it");
            return;
        }
        if began.is_none() && audit.events > 0 {
            // The index is on disk before a run tells anything.
            let path = index::path(&self.base);
            audit.find(
                path,
                "it lacks the run: its lines were removed, or the record is from elsewhere",
            );
        }
        let facts = match Facts::parse(&audit.run, &path, facts) {
            Ok(facts) => facts,
            Err(error) => return audit.find(path, &error.to_string()),
        };
        if facts.run != audit.run {
            let what = format!("it is of the run `{}`", facts.run);
            return audit.find(path, &what);
        }
        let path = folder.join(EVENTS);
        let fault = walk.fault.clone().or_else(|| impossible(&walk.lines));
        if let Some(fault) = fault {
            return audit.findings.push(at_line(path, fault));
        }
        self.heads(audit, &path, &walk);
        self.compare(audit, &path, &walk, &facts);
        if let Some(torn) = walk.torn {
            audit.notes.push(format!(
                "line {} is torn: nothing was done because of it, and it is cut off when the run goes on",
                torn.line
            ));
        }
    }

    fn noted(&self, run: &str, what: What) -> impl Iterator<Item = &(usize, Note)> {
        let notes = self.index.notes.iter();
        notes.filter(move |(_, note)| note.run == run && note.what == what)
    }

    /// A log that was cut off is whole in itself: it lacks a head.
    fn heads(&self, audit: &mut Audit, path: &Path, walk: &Walk<'_>) {
        let heads = heads_of(walk);
        let run = audit.run.clone();
        let mut ends = self.noted(&run, What::Ended);
        if let Some((line, _)) = ends.find(|(_, note)| !heads.contains(note.head.as_str())) {
            let what = format!("it was cut off: line {line} of the index knows an end of it");
            audit.findings.push(after_last(path, walk, what));
        }
        let is_noted = |what| self.noted(&run, what).next().is_some();
        if audit.ended && is_noted(What::Began) && !is_noted(What::Ended) {
            let note = "the index does not know its end: the program may have been killed there";
            audit.notes.push(note.to_owned());
        }
    }

    fn compare(&self, audit: &mut Audit, path: &Path, walk: &Walk<'_>, facts: &Facts) {
        let Some((target, kept)) = &self.journal else {
            return;
        };
        if facts.journal == Place::Local {
            let note = "not compared: its journal is beside the record, not in a database";
            audit.notes.push(note.to_owned());
            return;
        }
        if !is_same(target, &facts.target) {
            audit.notes.push(format!(
                "not compared: it ran on the database `{}` of {}",
                facts.target.database, facts.target.name
            ));
            return;
        }
        audit.compared = true;
        let heads = heads_of(walk);
        let mut entered = HashSet::new();
        for kept in kept.iter().filter(|kept| kept.by_run == audit.run) {
            if !kept.entry.undo {
                entered.insert(kept.entry.unit);
            }
            if (kept.head.as_deref()).is_some_and(|head| !heads.contains(head)) {
                let what = format!(
                    "it was cut off or altered: the journal knows a head of it, with the commit of {}",
                    told(&kept.entry.name, &kept.entry.unit)
                );
                audit.findings.push(after_last(path, walk, what));
            }
        }
        for (line, name, unit) in committed(&walk.lines) {
            if !entered.contains(&unit) {
                let what = format!(
                    "the journal lacks the commit of {} that this tells of",
                    told(&name, &unit)
                );
                audit
                    .findings
                    .push(at_line(path.to_owned(), Fault { line, what }));
            }
        }
    }
}

impl Audit {
    pub(super) fn new(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            events: 0,
            ended: false,
            findings: Vec::new(),
            notes: Vec::new(),
            compared: false,
        }
    }

    fn find(&mut self, path: PathBuf, what: &str) {
        self.findings.push(Finding {
            path,
            line: None,
            what: what.to_owned(),
        });
    }

    fn unreadable(mut self, path: PathBuf, error: &io::Error) -> Self {
        let what = if error.kind() == io::ErrorKind::NotFound {
            "it was removed".to_owned()
        } else {
            format!("it cannot be read: {}", words::io(error))
        };
        self.find(path, &what);
        self
    }
}

fn heads_of<'a>(walk: &Walk<'a>) -> HashSet<&'a str> {
    walk.lines.iter().map(|line| line.head).collect()
}

fn at_line(path: PathBuf, fault: Fault) -> Finding {
    Finding {
        path,
        line: Some(fault.line),
        what: fault.what,
    }
}

fn after_last(path: &Path, walk: &Walk<'_>, what: String) -> Finding {
    let line = walk.lines.len().max(1);
    at_line(path.to_owned(), Fault { line, what })
}

/// What is not known of one of them is no difference.
fn is_same(one: &TargetFacts, other: &TargetFacts) -> bool {
    let cluster = match (&one.system_identifier, &other.system_identifier) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    cluster && one.database == other.database
}

/// Finds an event that cannot follow the one before it.
fn impossible(lines: &[Line<'_>]) -> Option<Fault> {
    let mut before = None;
    for (index, line) in lines.iter().enumerate() {
        let event = &*line.event;
        let what = match before {
            None if event != "run_started" => Some("a log begins with run_started"),
            Some(_) if event == "run_started" => Some("a run starts once"),
            Some("run_finished") if !matches!(event, "run_resumed" | "undo_started") => {
                Some("nothing but run_resumed or undo_started comes after run_finished")
            }
            _ => None,
        };
        if let Some(what) = what {
            return Some(Fault {
                line: index + 1,
                what: format!("{event} cannot stand here: {what}"),
            });
        }
        before = Some(event);
    }
    None
}

/// Returns the transactions that the log says were committed: the line, the step's name and the unit.
fn committed(lines: &[Line<'_>]) -> Vec<(usize, String, Unit)> {
    let mut open: Option<(String, Unit)> = None;
    let mut all = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let about = [
            "committing",
            "batch_committed",
            "atomic_committed",
            "step_finished",
        ];
        if !about.contains(&&*line.event) {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Event>(line.bytes) else {
            continue;
        };
        match event.kind {
            EventKind::Committing {
                step,
                unit,
                transaction: Some(_),
                ..
            } => open = Some((step.name, unit)),
            EventKind::BatchCommitted { step, .. }
            | EventKind::AtomicCommitted { step, .. }
            | EventKind::StepFinished {
                step,
                result: StepResult::Fix {
                    committed: true, ..
                },
                ..
            } => {
                let done = open.take_if(|(_, unit)| unit.step == step.id);
                all.extend(done.map(|(name, unit)| (index + 1, name, unit)));
            }
            _ => {}
        }
    }
    all
}

fn told(name: &str, unit: &Unit) -> String {
    let item = unit.item.map(|item| format!(", item {}", item + 1));
    let part = (unit.part > 0).then(|| format!(", part {}", unit.part + 1));
    format!(
        "`{name}`{}{}",
        item.unwrap_or_default(),
        part.unwrap_or_default()
    )
}
