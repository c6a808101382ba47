//! A target once its names are resolved.

use std::time::Duration;

use super::document::{Journal, Project};
use super::rules::Rules;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::runbook::notice::Notify;
use crate::runbook::sensitive::Sensitive;
use crate::step::backup::Keep;

/// A database by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where its name stands in `runbook.yaml`.
    pub place: Span,
    /// What it is.
    pub about: Option<String>,
    /// How it is connected.
    pub connection: Connection,
    /// The role that sessions take on.
    pub role: Option<String>,
    /// Where tables without a schema are looked for.
    pub search_path: Option<Vec<String>>,
    /// How long a statement may take.
    pub statement_timeout: Option<Duration>,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Duration>,
    /// Where the journal is kept, where it says so.
    pub journal: Option<Journal>,
    /// The one database that the name stands for.
    pub identity: Option<Identity>,
    /// What it demands of runs.
    pub rules: Rules,
    /// Columns whose values are never shown.
    pub sensitive: Vec<Sensitive>,
    /// The folder of its backups, as it is written: relative to that of `runbook.yaml`.
    pub backup_folder: Option<String>,
    /// How long backups are kept.
    pub keep: Option<Keep>,
    /// Whom backups are encrypted for.
    pub encrypt: Vec<String>,
    /// When a fix that others wait for gives up.
    pub watchdog: Option<Watchdog>,
    /// Whom to tell of runs: its own, then those of all targets.
    pub notify: Vec<Notify>,
}

/// How a target is connected, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// A URL without a password, or `$NAME`.
    pub url: Option<String>,
    /// The name in the connection service file.
    pub service: Option<String>,
    /// The password file.
    pub passfile: Option<String>,
    /// The program that prints the password, with its arguments.
    pub password_command: Vec<String>,
    /// libpq's `sslmode`.
    pub sslmode: Option<String>,
    /// libpq's `sslrootcert`.
    pub sslrootcert: Option<String>,
}

/// What a database is known by, whatever its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's system identifier.
    pub system_identifier: Option<String>,
    /// The database's name.
    pub database: Option<String>,
    /// Where it stands.
    pub place: Option<Span>,
}

/// When a fix that others wait for cancels itself and rolls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// When more sessions than this wait for it at the same time.
    pub sessions: Option<u32>,
    /// When any session has waited for it longer than this.
    pub wait: Option<Duration>,
}

/// `runbook.yaml`, resolved.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Its text.
    pub source: Source,
    /// The target where none is named.
    pub default: Option<String>,
    /// All of them, in order.
    pub targets: Vec<Target>,
    /// Groups of targets, by name, in order.
    pub groups: Vec<(String, Vec<String>)>,
}

impl Targets {
    /// Reads `runbook.yaml` and resolves its names. Every mistake becomes a diagnostic.
    ///
    /// # Errors
    /// All of them, each with its place.
    pub fn read(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        let root = crate::base::yaml::parse(source).map_err(|diagnostic| vec![*diagnostic])?;
        let mut diagnostics = Vec::new();
        let project: Option<Project> = crate::base::shape::read(&root, &mut diagnostics);
        match project {
            Some(project) if diagnostics.is_empty() => Ok(Self {
                source: source.clone(),
                default: project.default.map(|name| name.text().to_owned()),
                targets: Vec::new(),
                groups: Vec::new(),
            }),
            _ => Err(diagnostics),
        }
    }

    /// Returns a target by its name.
    pub fn find(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}
