//! What is in a dump, as `pg_restore --list` tells it.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;

use super::blocks::Name;
use crate::archive::io;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::process::{self, Process};
use crate::pg::backup::refused;
use crate::pg::backup::tools::Tools;
use crate::pg::environment::Environment;

/// One entry: `217; 0 16385 TABLE DATA public users ann`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number, which its file is called by too.
    pub(super) id: String,
    /// What it is, of which schema, and its owner: names may have blanks.
    words: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let (id, rest) = line.split_once("; ")?;
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut parts = rest.splitn(3, ' ');
        let words = parts.nth(2)?;
        Some(Self {
            id: id.to_owned(),
            words: words.to_owned(),
        })
    }

    /// Returns whether it is the rows of a table.
    pub(super) fn is_rows(&self) -> bool {
        self.words.starts_with("TABLE DATA ")
    }

    /// Returns whether it may be of that kind and table: names are told without quotes, so two may look alike.
    pub(super) fn may_be(&self, kind: &str, table: &Name) -> bool {
        // pg_restore tells newlines as blanks.
        let told = |name: &str| name.replace(['\n', '\r'], " ");
        let begin = format!("{kind} {} {} ", told(&table.schema), told(&table.table));
        self.words.starts_with(&begin)
    }
}

/// Lists a dump; `options` say what of it.
///
/// # Errors
/// `pg_restore` cannot read it; a limit.
pub(super) async fn list(
    tools: &Tools,
    environment: &Environment,
    folder: &Path,
    options: &[&str],
    limits: &Limits,
) -> Result<Vec<Entry>, Failure> {
    let mut command = process::command(&tools.restore, environment);
    command
        .arg("--list")
        .args(options)
        .arg(folder)
        .stdout(Stdio::piped());
    let mut process = Process::start(command, "pg_restore", None)?;
    let mut output = process
        .output()
        .ok_or_else(|| refused("pg_restore cannot be heard"))?;
    let mut text = Vec::new();
    let reading = async {
        output
            .read_to_end(&mut text)
            .await
            .map_err(|error| refused(format!("pg_restore cannot be heard: {error}")))
    };
    tokio::try_join!(process.end(limits), reading)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(Entry::parse).collect())
}

/// Writes the list of entries that `pg_restore` is to read.
///
/// # Errors
/// It cannot be written.
pub(super) fn use_list<'a>(
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<NamedTempFile, Failure> {
    let parent = std::env::temp_dir();
    let wrong = |error: std::io::Error| io("write a file in", &parent, &error);
    let mut file = NamedTempFile::with_prefix("runbook-list-").map_err(wrong)?;
    for entry in entries {
        writeln!(file, "{};", entry.id).map_err(wrong)?;
    }
    file.flush().map_err(wrong)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_found_by_their_table() {
        let line = "217; 0 16385 TABLE DATA my schema a table ann";
        let entry = Entry::parse(line).unwrap();
        assert_eq!(entry.id, "217");
        let name = |schema: &str, table: &str| Name {
            schema: schema.to_owned(),
            table: table.to_owned(),
        };
        assert!(entry.is_rows());
        assert!(entry.may_be("TABLE DATA", &name("my schema", "a table")));
        assert!(entry.may_be("TABLE DATA", &name("my", "schema a\ntable")));
        assert!(!entry.may_be("TABLE", &name("my schema", "a table")));
        assert_eq!(Entry::parse("; Archive created at 2026"), None);
    }
}
