//! PostgreSQL's own programs for backups: `pg_dump` and `pg_restore` of a version that fits the server.

use std::path::PathBuf;

use crate::engine::failure::Failure;
use crate::pg::environment::Environment;

/// `pg_dump` and `pg_restore` of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// `pg_dump`.
    pub dump: PathBuf,
    /// `pg_restore`.
    pub restore: PathBuf,
    /// What `pg_dump --version` says.
    pub version: String,
    /// The major version.
    pub major: u32,
}

impl Tools {
    /// Finds the oldest ones that are not older than the server: on `$PATH`, where `pg_config` says, and in the
    /// folders that packages use.
    ///
    /// # Errors
    /// There are none, or only older ones: says which there are, and how to install those that fit.
    pub fn find(environment: &Environment, server_version: &str) -> Result<Self, Failure> {
        let _ = (environment, server_version);
        Err(super::unfinished())
    }
}
