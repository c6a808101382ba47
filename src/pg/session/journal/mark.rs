//! What was put back where no schema can be had: a mark beside the images, on disk before the COMMIT, so that
//! it happens once there too.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::Session;
use super::Keeping;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;

/// Who puts a unit back, and in which transaction.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::pg::session) struct Mark {
    run: String,
    actor: String,
    at: Timestamp,
    transaction: String,
    /// Whether it is known that it committed: the server forgets old transactions.
    committed: bool,
    #[serde(skip)]
    path: PathBuf,
}

impl Mark {
    /// Writes the mark, and returns when it is on disk.
    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let partial = self.path.with_extension("partial");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&partial, &self.path)?;
        // The names are on disk only with their folders: that of the images, and that of the run.
        for folder in self.path.ancestors().skip(1).take(2) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn read(path: PathBuf) -> io::Result<Option<Self>> {
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(Self {
                path,
                ..serde_json::from_slice(&bytes)?
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says that the transaction committed, for when the server has forgotten it.
    pub(in crate::pg::session) fn confirm(mut self) {
        self.committed = true;
        // Should it fail, the server is asked.
        let _ = self.write();
    }

    fn words(&self) -> String {
        let at = self.at.strftime("%F %T+00");
        format!("{} by {} at {at}", self.run, self.actor)
    }
}

impl Session {
    /// Marks what the open transaction puts back, before its COMMIT.
    pub(in crate::pg::session) fn mark_undone(
        &self,
        transaction: Option<&str>,
    ) -> Result<Vec<Mark>, Failure> {
        let (Some(writer), Some(transaction)) = (&self.writer, transaction) else {
            return Ok(Vec::new());
        };
        let Keeping::Local(base) = &writer.keeping else {
            return Ok(Vec::new());
        };
        let mut marks = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.undo) {
            let mark = Mark {
                run: writer.run.clone(),
                actor: writer.actor.clone(),
                at: Timestamp::now(),
                transaction: transaction.to_owned(),
                committed: false,
                path: path(base, entry),
            };
            mark.write()
                .map_err(|error| wrong("written", &mark.path, &error))?;
            marks.push(mark);
        }
        Ok(marks)
    }

    /// Returns who put a unit back, where that is marked in a file: the run, by whom and when.
    ///
    /// # Errors
    /// The mark cannot be read, or nobody can say what became of its transaction.
    pub async fn put_back_by(&self, entry: &Entry) -> Result<Option<String>, Failure> {
        let keeping = self.writer.as_ref().map(|writer| &writer.keeping);
        let Some(Keeping::Local(base)) = keeping else {
            return Ok(None);
        };
        let path = path(base, entry);
        let read = Mark::read(path.clone()).map_err(|error| wrong("read", &path, &error))?;
        let Some(mark) = read else {
            return Ok(None);
        };
        if mark.committed {
            return Ok(Some(mark.words()));
        }
        match self.status(Some(&mark.transaction)).await?.as_deref() {
            Some("committed") => Ok(Some(mark.words())),
            Some("aborted") => Ok(None),
            _ => Err(Failure::new(
                FailureKind::InDoubt,
                format!(
                    "nobody can say whether step `{}` of run {} is put back",
                    entry.name, entry.run
                ),
            )
            .note(format!(
                "transaction {} of run {} was to do it",
                mark.transaction,
                mark.words()
            ))
            .help(format!(
                "look at the rows; if they are not put back, remove {}",
                path.display()
            ))),
        }
    }

    /// Refuses to put a unit back twice, where that is marked in a file.
    pub(super) async fn refuse_marked(&self, entry: &Entry) -> Result<(), Failure> {
        match self.put_back_by(entry).await? {
            Some(by) => Err(Failure::new(
                FailureKind::Recorded,
                format!(
                    "step `{}` of run {} is already put back",
                    entry.name, entry.run
                ),
            )
            .note(format!("by run {by}"))
            .note("nothing was changed now")),
            None => Ok(()),
        }
    }
}

fn path(base: &Path, entry: &Entry) -> PathBuf {
    let unit = &entry.unit;
    let item = unit.item.map(|item| format!("-item{item}"));
    let part = (unit.part > 0).then(|| format!("-part{}", unit.part));
    let name = format!(
        "step{}{}{}.undone",
        unit.step.0,
        item.unwrap_or_default(),
        part.unwrap_or_default()
    );
    base.join(&entry.run).join("images").join(name)
}

fn wrong(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        format!(
            "the mark that a step is put back cannot be {what}: {}: {error}",
            path.display()
        ),
    )
    .note("without it, it could be put back twice; nothing was changed")
    .help("make room, or give yourself the right to write there, and run it again")
}
