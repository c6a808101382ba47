//! PostgreSQL's own programs for backups: `pg_dump` and `pg_restore` of a version that fits the server.

use std::path::{Path, PathBuf};

use crate::engine::failure::{Failure, FailureKind};
use crate::pg::binaries::{ONLY, folders, is_program, output_line};
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
    /// Finds the oldest ones that are not older than the server: in `$RUNBOOK_PG_BIN` where that is set, else on
    /// `$PATH`, where `pg_config` says, and in the folders that packages use. Programs of a newer version than
    /// needed may write what an older server does not read, so the nearest version is the best one.
    ///
    /// # Errors
    /// There are none, or only older ones: says which there are, and how to install those that fit.
    pub fn find(environment: &Environment, server_version: &str) -> Result<Self, Failure> {
        let mut broken = Vec::new();
        let mut found = Vec::new();
        for folder in folders(environment, "pg_dump") {
            match Self::at(&folder) {
                Some(Ok(tools)) => found.push(tools),
                Some(Err(why)) if !broken.contains(&why) => broken.push(why),
                _ => {}
            }
        }
        let wanted = major(server_version).unwrap_or_default();
        let fitting = found.iter().filter(|tools| tools.major >= wanted);
        // Of several with the same version the first counts, as on $PATH.
        match fitting.min_by_key(|tools| tools.major) {
            Some(tools) => Ok(tools.clone()),
            None => Err(none(environment, &found, broken, server_version, wanted)),
        }
    }

    /// Returns the programs of a folder, none where there are none, and why they do not work.
    fn at(folder: &Path) -> Option<Result<Self, String>> {
        let (dump, restore) = (folder.join("pg_dump"), folder.join("pg_restore"));
        if !is_program(&dump) {
            return None;
        }
        if !is_program(&restore) {
            return Some(Err(format!(
                "{} has no pg_restore beside it",
                dump.display()
            )));
        }
        let said = |program: &Path| {
            output_line(program, "--version")
                .and_then(|version| Some((major(&version)?, version)))
                .ok_or_else(|| format!("{} does not run", program.display()))
        };
        let read = said(&dump).and_then(|found| said(&restore).map(|_| found));
        Some(read.map(|(major, version)| Self {
            dump,
            restore,
            version,
            major,
        }))
    }
}

/// Returns the major version in what a server or a program says of itself: 15 of `15.18` and of
/// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-1)`.
pub(super) fn major(version: &str) -> Option<u32> {
    let word = version
        .split_ascii_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let end = word
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(word.len());
    word.get(..end)?.parse().ok()
}

fn none(
    environment: &Environment,
    found: &[Tools],
    broken: Vec<String>,
    server: &str,
    major: u32,
) -> Failure {
    let place = match environment.var(ONLY) {
        Some(folder) => format!("in ${ONLY}, which is {folder}"),
        None => "on $PATH or where packages put them".to_owned(),
    };
    let message = match found {
        [] => format!("there are no working pg_dump and pg_restore {place}"),
        _ => format!("pg_dump and pg_restore are too old for PostgreSQL {server}"),
    };
    let mut failure = Failure::new(FailureKind::Backup, message);
    for tools in found {
        failure = failure.note(format!("{} is {}", tools.dump.display(), tools.version));
    }
    for why in broken {
        failure = failure.note(why);
    }
    failure
        .help(format!(
            "install those of version {major} or newer: `apt-get install postgresql-client-{major}`, \
             `dnf install postgresql{major}`, `zypper install postgresql{major}`, \
             `apk add postgresql{major}-client` or `brew install postgresql@{major}`"
        ))
        .help("backups of rows and of tables need no program at all")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(folder: &Path, name: &str, version: &str) {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("15.18"), Some(15));
        assert_eq!(major("18beta1"), Some(18));
        assert_eq!(major("pg_dump (PostgreSQL) 16.2 (Debian 16.2-1)"), Some(16));
        assert_eq!(major("none"), None);
    }

    #[test]
    fn the_nearest_version_that_is_not_older_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["97.1", "99.3", "98.2"].map(|version| {
            let folder = root.path().join(version);
            program(&folder, "pg_dump", version);
            program(&folder, "pg_restore", version);
            folder
        });
        let path = std::env::join_paths(&folders).unwrap();
        let environment = Environment::empty().with("PATH", path.into_string().unwrap());
        let found = |server: &str| Tools::find(&environment, server).unwrap();
        assert_eq!(found("98.0").version, "pg_dump (PostgreSQL) 98.2");
        assert_eq!(found("96.0").major, 97);
        let failure = Tools::find(&environment, "100.0").unwrap_err();
        assert_eq!(
            failure.message,
            "pg_dump and pg_restore are too old for PostgreSQL 100.0"
        );
    }

    #[test]
    fn only_the_folder_that_is_named_is_looked_at() {
        let root = tempfile::tempdir().unwrap();
        program(root.path(), "pg_dump", "99.1");
        let environment = Environment::from_process().with(ONLY, root.path().display().to_string());
        let failure = Tools::find(&environment, "15.2").unwrap_err();
        let why = format!(
            "{}/pg_dump has no pg_restore beside it",
            root.path().display()
        );
        assert_eq!(failure.notes, [why]);
    }
}
