//! What the journal is to the session: whether it is fit to be written to.

use super::super::Session;
use crate::engine::failure::Failure;

impl Session {
    /// Returns why the journal cannot be written to, whoever asks. A missing one can be made.
    pub fn journal_fault(&self) -> Option<Failure> {
        self.journal.usable().err()
    }
}
