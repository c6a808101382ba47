//! The record of a run that is being written.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::error::{RecordError, io_help};
use super::facts::Facts;
use super::index::{self, What};
use super::lock::Lock;
use super::log::{Log, Walk};
use super::{files, store};
use crate::base::words;
use crate::engine::event::{Event, EventKind, Sink};

/// The files in the folder of a run.
pub(super) const FACTS: &str = "run.json";
pub(super) const EVENTS: &str = "events.jsonl";

/// The record of a run, which nobody else writes as long as this lives.
#[derive(Debug)]
pub struct RunRecord {
    base: PathBuf,
    run: String,
    path: PathBuf,
    file: File,
    chain: Chain,
    seq: u64,
    /// How long the file is as far as it is whole.
    length: u64,
    /// Whether nobody knows any more what is on disk.
    broken: bool,
    _lock: Lock,
}

/// A record that goes on, with what it holds.
#[derive(Debug)]
pub struct Opened {
    /// The record.
    pub record: RunRecord,
    /// What it holds. A torn line is cut off already.
    pub log: Log,
}

impl RunRecord {
    /// Begins the record of a run, in the folder of state.
    ///
    /// # Errors
    /// There is one of that id, or the system refuses.
    pub fn create(base: &Path, facts: &Facts) -> Result<Self, RecordError> {
        let run = &facts.run;
        let runs = base.join("runs");
        files::have_folder(&runs).map_err(RecordError::io("create", &runs))?;
        let folder = store::folder(base, run);
        if folder.exists() || !store::is_id(run) {
            return Err(RecordError::Exists { run: run.clone() });
        }
        // It is made under another name, so that there is never a part of one.
        let making = runs.join(format!(".{run}"));
        let record = Self::make(base, &making, facts).and_then(|record| {
            fs::rename(&making, &folder).map_err(RecordError::io("create", &folder))?;
            Ok(record)
        });
        let record = record.and_then(|record| record.note_begin(&folder));
        if record.is_err() {
            // The first failure is the one to tell.
            let _ = fs::remove_dir_all(&making);
        }
        record
    }

    fn make(base: &Path, making: &Path, facts: &Facts) -> Result<Self, RecordError> {
        files::create_folder(making).map_err(RecordError::io("create", making))?;
        let lock = Lock::take(&facts.run, making, &facts.actor)?;
        let path = making.join(FACTS);
        let bytes = facts
            .bytes()
            .map_err(|error| RecordError::io("write", &path)(error.into()))?;
        files::create(&path, &bytes).map_err(RecordError::io("write", &path))?;
        let path = making.join(EVENTS);
        let file = files::append_to(&path).map_err(RecordError::io("create", &path))?;
        files::sync_folder(making).map_err(RecordError::io("write", making))?;
        Ok(Self {
            base: base.to_owned(),
            run: facts.run.clone(),
            path: store::folder(base, &facts.run).join(EVENTS),
            file,
            chain: Chain::of(&bytes),
            seq: 0,
            length: 0,
            broken: false,
            _lock: lock,
        })
    }

    fn note_begin(self, folder: &Path) -> Result<Self, RecordError> {
        let runs = self.base.join("runs");
        let synced = files::sync_folder(&runs)
            .and_then(|()| files::sync_folder(&self.base))
            .map_err(RecordError::io("write", &runs));
        let noted = synced.and_then(|()| {
            index::note(&self.base, &self.run, What::Began, self.head())
                .map_err(RecordError::io("write", &index::path(&self.base)))
        });
        if let Err(error) = noted {
            // The first failure is the one to tell.
            let _ = fs::remove_dir_all(folder);
            return Err(error);
        }
        Ok(self)
    }

    /// Goes on with the record of a run: takes its lock as this actor, cuts off a torn last line, and proves
    /// that all before it is whole. The id is one that [`store::find`] returned.
    ///
    /// # Errors
    /// Another process works on it, it is damaged or newer, or the system refuses.
    pub fn open(base: &Path, run: &str, actor: &str) -> Result<Opened, RecordError> {
        let folder = store::folder(base, run);
        if !store::is_id(run) || !folder.is_dir() {
            return Err(RecordError::Missing {
                run: run.to_owned(),
                folder: base.to_owned(),
                near: None,
            });
        }
        let lock = Lock::take(run, &folder, actor)?;
        let log = Self::read(base, run)?;
        let path = folder.join(EVENTS);
        let mut file = files::append_to(&path).map_err(RecordError::io("open", &path))?;
        let end = file.seek(SeekFrom::End(0));
        let end = end.map_err(RecordError::io("read", &path))?;
        let torn = log.torn.map_or(0, |torn| words::long(torn.bytes));
        let length = end.saturating_sub(torn);
        if torn > 0 {
            file.set_len(length)
                .and_then(|()| file.sync_all())
                .map_err(RecordError::io("write", &path))?;
        }
        let record = Self {
            base: base.to_owned(),
            run: run.to_owned(),
            path,
            file,
            chain: Chain::at(log.head.clone()),
            seq: words::long(log.events.len()),
            length,
            broken: false,
            _lock: lock,
        };
        Ok(Opened { record, log })
    }

    /// Reads the record of a run, which may still be going on.
    ///
    /// # Errors
    /// It is damaged or newer, or the system refuses.
    pub fn read(base: &Path, run: &str) -> Result<Log, RecordError> {
        let folder = store::folder(base, run);
        let path = folder.join(FACTS);
        let bytes = fs::read(&path).map_err(RecordError::io("read", &path))?;
        let facts = Facts::parse(run, &path, &bytes)?;
        let path = folder.join(EVENTS);
        let text = fs::read(&path).map_err(RecordError::io("read", &path))?;
        let walk = Walk::new(&bytes, &text);
        Ok(Log {
            events: walk.events(&facts, &path)?,
            head: walk.chain.head().to_owned(),
            torn: walk.torn,
            facts,
        })
    }

    /// Returns the folder of the run.
    pub fn folder(&self) -> PathBuf {
        store::folder(&self.base, &self.run)
    }

    /// Returns the head of the chain: it stands for all that is written.
    pub fn head(&self) -> &str {
        self.chain.head()
    }

    /// Writes an event as one line, and the end of a run into the index too.
    ///
    /// # Errors
    /// Nothing of the event is written then.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        self.usable()?;
        if event.seq != self.seq + 1 {
            return Err(io::Error::other(format!(
                "event {} was told after event {}: a defect of runbook",
                event.seq, self.seq
            )));
        }
        let (line, chain) = self.chain.line(&serde_json::to_vec(event)?);
        let written = match self.file.write(&line) {
            // What was left out says why when it is written.
            Ok(written) => self.file.write_all(&line[written..]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.file.write_all(&line),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.broken = self.file.set_len(self.length).is_err();
            return Err(told(&self.path, &error));
        }
        self.length += words::long(line.len());
        self.chain = chain;
        self.seq = event.seq;
        if matches!(event.kind, EventKind::RunFinished(_)) {
            self.sync()?;
            index::note(&self.base, &self.run, What::Ended, self.head())
                .map_err(|error| told(&index::path(&self.base), &error))?;
        }
        Ok(())
    }

    /// Has all that was written be on disk: before COMMIT is sent, and before anything else that cannot be
    /// taken back.
    ///
    /// # Errors
    /// Nobody knows then what is on disk, and nothing more is written.
    pub fn sync(&mut self) -> io::Result<()> {
        self.usable()?;
        self.file.sync_data().map_err(|error| {
            // The system forgets what it could not write: a second try would pass for nothing.
            self.broken = true;
            told(&self.path, &error)
        })
    }

    fn usable(&self) -> io::Result<()> {
        if self.broken {
            let error = io::Error::other("an earlier failure left it in an unknown state");
            return Err(told(&self.path, &error));
        }
        Ok(())
    }
}

impl Sink for RunRecord {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        self.append(event)
    }
}

fn told(path: &Path, error: &io::Error) -> io::Error {
    let (path, why, help) = (path.display(), words::io(error), io_help(error));
    io::Error::new(
        error.kind(),
        format!("cannot write `{path}`: {why}; {help}"),
    )
}
