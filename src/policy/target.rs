//! A target once its names are resolved.

use std::time::Duration;

use super::document::{Journal, Project};
use super::resolve::Resolving;
use super::rules::Rules;
use super::{address, inherit, named};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::base::yaml::{self, Value};
use crate::runbook::notice::{self, Notify};
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
    /// The name of the policy that it follows.
    pub policy: Option<Spanned<String>>,
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
    pub system_identifier: Option<Spanned<String>>,
    /// The database's name.
    pub database: Option<Spanned<String>>,
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

/// A `runbook.yaml` that cannot be used.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Its text, without the passwords in it.
    pub source: Source,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Targets {
    /// Reads `runbook.yaml` and resolves its names. Every mistake becomes a diagnostic.
    ///
    /// # Errors
    /// All of them, each with its place.
    pub fn read(source: &Source) -> Result<Self, Refused> {
        let mut diagnostics = Vec::new();
        let project = document(source, &mut diagnostics);
        let blanked = Source::new(source.name(), address::blanked(source.text()));
        let targets = project.map(|project| Self {
            source: blanked.clone(),
            default: project.default.as_ref().map(|name| name.text().to_owned()),
            targets: targets(source, &project, &mut diagnostics),
            groups: groups(&project, &mut diagnostics),
        });
        match targets {
            Some(targets) if diagnostics.is_empty() => Ok(targets),
            _ => {
                diagnostics.sort_by_key(Diagnostic::span);
                Err(Refused {
                    source: blanked,
                    diagnostics,
                })
            }
        }
    }

    /// Returns a target by its name.
    pub fn find(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// Returns the targets of a group, in order.
    pub fn group(&self, name: &str) -> Option<&[String]> {
        let found = self.groups.iter().find(|(group, _)| group == name);
        found.map(|(_, targets)| targets.as_slice())
    }

    /// Returns the names that `--target` takes: those of targets, then those of groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter().map(|(name, _)| name.as_str());
        let targets = self.targets.iter().map(|target| target.name.as_str());
        targets.chain(groups)
    }
}

fn document(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Project> {
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            return None;
        }
    };
    if !matches!(root.value, Value::Map(_)) {
        let title = format!(
            "runbook.yaml is a map of `targets` and more, not {}",
            root.kind()
        );
        diagnostics.push(
            Diagnostic::error("shape", title)
                .at(root.span, "")
                .help("`runbook targets` shows a small one to begin with"),
        );
        return None;
    }
    crate::base::shape::read(&root, diagnostics)
}

fn targets(source: &Source, project: &Project, diagnostics: &mut Vec<Diagnostic>) -> Vec<Target> {
    named::check(
        project.targets.0.iter().map(|(name, _)| name),
        project.groups.0.iter().map(|(name, _)| name),
        project.policies.0.iter().map(|(name, _)| name),
        diagnostics,
    );
    let names = || {
        project
            .targets
            .0
            .iter()
            .map(|(name, _)| name.value.as_str())
    };
    if let Some(default) = &project.default
        && !names().any(|name| name == default.text())
    {
        let unknown = named::unknown("target", default.text(), default.span(), names());
        diagnostics.push(unknown);
    }
    let policies = project.policies.0.iter().map(|(name, policy)| {
        let rules = inherit::rules(policy, name.span, diagnostics);
        (name.value.clone(), rules)
    });
    let policies: Vec<(String, Rules)> = policies.collect();
    notice::check(&project.notify, source, diagnostics);
    let resolving = Resolving {
        source,
        project,
        policies: &policies,
    };
    let targets = project.targets.0.iter();
    targets
        .map(|(name, target)| resolving.target(name, target, diagnostics))
        .collect()
}

fn groups(project: &Project, diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, Vec<String>)> {
    let mut groups = Vec::new();
    for (group, members) in &project.groups.0 {
        let mut names: Vec<String> = Vec::new();
        for member in members {
            let known = || {
                project
                    .targets
                    .0
                    .iter()
                    .map(|(name, _)| name.value.as_str())
            };
            if !known().any(|name| name == member.text()) {
                diagnostics.push(named::unknown(
                    "target",
                    member.text(),
                    member.span(),
                    known(),
                ));
            } else if names.iter().any(|name| name == member.text()) {
                let title = format!(
                    "`{}` is twice in the group `{}`",
                    member.text(),
                    group.value
                );
                diagnostics.push(Diagnostic::error("group", title).at(member.span(), ""));
            }
            names.push(member.text().to_owned());
        }
        if members.is_empty() {
            let title = format!("the group `{}` has no targets", group.value);
            diagnostics.push(Diagnostic::error("group", title).at(group.span, ""));
        }
        groups.push((group.value.clone(), names));
    }
    groups
}
