//! PostgreSQL's server programs on this machine. `.ci/postgres` looks in the same places.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::Environment;
use super::scratch::ScratchError;

/// Folders whose children, by prefix, hold a version's programs: parent, prefix of the child, path below it.
/// Debian, Red Hat, openSUSE, Alpine, Homebrew on both kinds of Mac, Postgres.app.
const VERSIONED: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// PostgreSQL's own default folder when it is built from source.
const FROM_SOURCE: &str = "/usr/local/pgsql/bin";

/// The variable that names the only folder in which programs are looked for.
pub(super) const ONLY: &str = "RUNBOOK_PG_BIN";

/// A folder with a working `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    version: String,
}

impl Binaries {
    /// Finds the server's programs: in `$RUNBOOK_PG_BIN` where that is set, else on `$PATH`, where `pg_config` says,
    /// then in the folders that packages use, the newest version first. Fails with [`ScratchError::NoPostgres`], which says how to install them.
    pub fn find(environment: &Environment) -> Result<Self, ScratchError> {
        folders(environment, "postgres")
            .into_iter()
            .find_map(|folder| Self::at(&folder))
            .ok_or(ScratchError::NoPostgres)
    }

    /// Returns the programs in a folder, if `postgres` and `initdb` are both there and run.
    pub fn at(folder: &Path) -> Option<Self> {
        if !is_program(&folder.join("initdb")) {
            return None;
        }
        let version = output_line(&folder.join("postgres"), "--version")?;
        output_line(&folder.join("initdb"), "--version")?;
        Some(Self {
            folder: folder.to_owned(),
            version,
        })
    }

    /// Returns the folder they are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what `postgres --version` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the path of a program in the same folder, such as `pg_dump`, if it is there.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name)).filter(|path| is_program(path))
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

/// Returns the folders in which PostgreSQL's programs may be, those to be preferred first: `$RUNBOOK_PG_BIN` alone
/// where that is set, else those that have `program` on `$PATH`, then where `pg_config` says and packages put them.
pub(super) fn folders(environment: &Environment, program: &str) -> Vec<PathBuf> {
    if let Some(only) = environment.var(ONLY) {
        return vec![PathBuf::from(only)];
    }
    let path = environment.var("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(path).filter_map(|folder| real_folder(&folder.join(program)));
    let configured = std::env::split_paths(path)
        .find_map(|folder| output_line(&folder.join("pg_config"), "--bindir"))
        .map(PathBuf::from);
    on_path
        .chain(configured)
        .chain(packaged())
        .chain([PathBuf::from(FROM_SOURCE)])
        .collect()
}

/// Returns the folder that a program is really in: on `$PATH` it may be a link.
fn real_folder(program: &Path) -> Option<PathBuf> {
    if !is_program(program) {
        return None;
    }
    fs::canonicalize(program).ok()?.parent().map(Path::to_owned)
}

/// Returns the folders that packages use, the newest version first.
fn packaged() -> impl Iterator<Item = PathBuf> {
    VERSIONED.iter().flat_map(|(parent, prefix, below)| {
        let mut children: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = version_key(name.strip_prefix(prefix)?);
                Some((version, entry.path().join(below)))
            })
            .collect();
        children.sort_by(|a, b| b.cmp(a));
        children.into_iter().map(|(_, path)| path)
    })
}

/// Returns the numbers in a folder's name, by which `9.6` comes before `16`.
fn version_key(text: &str) -> Vec<u32> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Returns the first line that a program prints, if it succeeds.
pub(super) fn output_line(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first() {
        let mut names = vec!["9.6", "16", "@14", "@17"];
        names.sort_by_key(|name| std::cmp::Reverse(version_key(name)));
        assert_eq!(names, ["@17", "16", "@14", "9.6"]);
    }

    #[test]
    fn a_postgres_without_initdb_beside_it_is_passed_over() -> Result<(), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("postgres");
        fs::write(&program, "#!/bin/sh\necho postgres 99\n")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        assert_eq!(Binaries::at(folder.path()), None);
        Ok(())
    }
}
