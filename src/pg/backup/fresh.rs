//! A database of our own that gets its name only when it is good, and is gone otherwise: also after a kill, as
//! soon as anyone restores something again.

use crate::engine::failure::Failure;
use crate::pg::settings::ConnectSettings;

/// A database that is being made. Its name begins with `runbook_restoring_` until it is kept.
pub struct Fresh {
    settings: ConnectSettings,
}

impl Fresh {
    /// Makes an empty database beside the one of `settings`, like it in encoding and locale, and drops what
    /// killed programs left: databases of such names to which nobody is connected any more.
    ///
    /// # Errors
    /// The login may not create databases; the server's word.
    pub async fn create(settings: &ConnectSettings) -> Result<Self, Failure> {
        let _ = settings;
        Err(super::unfinished())
    }

    /// Returns how to connect to it.
    pub fn settings(&self) -> &ConnectSettings {
        &self.settings
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// There is one of that name already; the server's word.
    pub async fn keep_as(self, name: &str) -> Result<(), Failure> {
        let _ = name;
        Err(super::unfinished())
    }

    /// Drops it.
    ///
    /// # Errors
    /// The server's word.
    pub async fn discard(self) -> Result<(), Failure> {
        Err(super::unfinished())
    }
}
