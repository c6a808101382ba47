//! The journal: a row for each transaction of a run, written in that transaction.

use std::path::PathBuf;

use super::Session;
use crate::engine::conflict::Restored;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::engine::port::Limits;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

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

    /// Writes an entry in the open transaction.
    ///
    /// # Errors
    /// The journal has it already, or there can be none.
    pub async fn record(&mut self, entry: &Entry, _limits: &Limits) -> Result<(), Failure> {
        self.entries.push(entry.clone());
        Ok(())
    }

    /// Returns the id of the open transaction.
    pub fn transaction(&self) -> Option<String> {
        self.xid.clone()
    }

    /// Returns whether a recorded transaction was committed.
    ///
    /// # Errors
    /// Nobody can say.
    pub async fn recorded(
        &mut self,
        _entry: &Entry,
        _transaction: Option<&str>,
        _limits: &Limits,
    ) -> Result<bool, Failure> {
        Err(missing())
    }

    /// Puts back what an entry's transaction changed.
    ///
    /// # Errors
    /// The server's word.
    pub async fn restore(
        &mut self,
        _entry: &Entry,
        _fixes: Option<&[StepId]>,
        _on_conflict: OnConflict,
        _limits: &Limits,
    ) -> Result<Restored, Failure> {
        Err(missing())
    }

    /// Gives up the leases of the run.
    ///
    /// # Errors
    /// The server's word.
    pub async fn release(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

fn missing() -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        "putting rows back is not part of this version",
    )
}
