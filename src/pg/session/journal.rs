//! The journal: a row for each transaction of a run, written in that transaction.

mod doubt;
pub(super) mod entry;
mod kept;
pub(super) mod mark;
mod rights;
pub(super) mod schema;

use std::path::PathBuf;

use super::Session;
use super::identity::SAME;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::engine::port::Limits;
use entry::insert;

/// Where row images and the journal's rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// In the target's schema `runbook`.
    Database,
    /// In this folder, for targets where no schema may be created.
    Local(PathBuf),
}

/// What is the same for all entries that a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The run that writes.
    pub run: String,
    /// Its runbook.
    pub runbook: String,
    /// SHA-256 of the runbook's text.
    pub hash: String,
    /// Who runs it.
    pub actor: String,
    /// Where it is written.
    pub keeping: Keeping,
}

impl Session {
    /// Says who writes the journal from now on, and where.
    pub fn set_writer(&mut self, writer: Writer) {
        self.writer = Some(writer);
    }

    /// Says what the head of the run's log is: it goes into the journal at the next COMMIT.
    pub fn set_head(&mut self, head: &str) {
        self.head = Some(head.to_owned());
    }

    /// Writes an entry in the open transaction: with its next statement, or with its COMMIT.
    ///
    /// # Errors
    /// There can be no entry. That the journal has it already is the failure of what is sent next.
    pub async fn record(&mut self, entry: &Entry, limits: &Limits) -> Result<(), Failure> {
        let writer = self.writer.clone().ok_or_else(nobody_writes)?;
        if self.depth == 0 {
            return Err(Failure::new(
                FailureKind::Unsupported,
                "a transaction was about to be recorded that is not open",
            )
            .help("please report it: it is a defect"));
        }
        self.refuse_replica()?;
        if writer.keeping == Keeping::Database {
            if self.is_unsent() {
                self.ensure_journal().await?;
            }
            self.journal.usable()?;
        }
        if entry.undo {
            self.refuse_marked(entry).await?;
        }
        let limit = self.time_limit(limits);
        self.add_pending(&limit);
        if self.entries.is_empty() {
            self.add_pending(SAME);
        }
        if writer.keeping == Keeping::Database {
            self.add_pending(&insert(entry, &writer));
            if self.entries.is_empty()
                && let Some(renewal) = self.renewal(&writer)
            {
                self.add_pending(&renewal);
            }
        }
        self.entries.push(entry.clone());
        Ok(())
    }

    /// Returns the id of the open transaction.
    pub fn transaction(&self) -> Option<String> {
        self.xid.clone().or_else(|| self.entered_xid())
    }
}

pub(super) fn nobody_writes() -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        "a transaction was about to be recorded, and nobody said by whom",
    )
    .help("please report it: it is a defect")
}
