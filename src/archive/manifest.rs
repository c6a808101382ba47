//! The manifest of a backup: what it holds, and how each file of it must read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::row::Tally;
use crate::engine::backup::MadeBy;
use crate::engine::event::TargetFacts;
use crate::engine::failure::Failure;
use crate::step::backup::{DatabaseBackup, Keep};

/// What a backup holds, and how each file of it must read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: [`Manifest::FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// What no other backup is called.
    pub id: String,
    /// The name that it shares with earlier and later ones.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// When its snapshot was taken.
    pub taken_at: Timestamp,
    /// When it was complete and verified.
    pub finished_at: Timestamp,
    /// Who made it.
    pub made_by: MadeBy,
    /// The database that it is of.
    pub source: TargetFacts,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Types that its tables need and that PostgreSQL does not have by itself, in the order in which they are
    /// made: the statements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Its files, without the manifest and the notes.
    pub files: Vec<FileFact>,
    /// What wrote the dump of a database, such as `pg_dump (PostgreSQL) 15.18`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// How it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// How long backups of its name are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// SHA-256 of the manifest with this empty.
    pub checksum: String,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Rows of tables.
    Rows,
    /// Whole tables.
    Tables,
    /// A database, by `pg_dump`.
    Database(DatabaseBackup),
}

/// A table of a backup. Of a database's dump the rows are in the dump, and counts and hashes are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name with its schema, quoted.
    pub relation: String,
    /// The columns that are saved, in order: all but generated ones.
    pub columns: Vec<String>,
    /// The columns in words, as `pg::session::fingerprint` gives them.
    pub fingerprint: String,
    /// The columns of a unique key without NULL; none where there is no such key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Of a row backup: the predicate, with its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// What the server counted and hashed under the same snapshot, of the saved columns.
    pub tally: Tally,
    /// Its file; none where its rows are in the dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How many bytes its rows are, uncompressed.
    #[serde(default)]
    pub bytes: u64,
    /// The statements that make the table anew: before its rows come, and after.
    #[serde(default, skip_serializing_if = "Definition::is_empty")]
    pub definition: Definition,
}

/// The statements that make a table anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Before its rows come: the schema, sequences, the table.
    pub before: Vec<String>,
    /// After: keys, indexes, foreign keys to tables of the same backup, the state of sequences.
    pub after: Vec<String>,
}

impl Definition {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// A file of a backup, as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFact {
    /// Its path in the backup's folder, with `/`.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of it, as 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// How a backup is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// For these public keys.
    Recipients(Vec<String>),
    /// By a passphrase.
    Passphrase,
}

impl Manifest {
    /// The version of the format that this program writes.
    pub const FORMAT: u32 = 1;

    /// Returns its text, checksum included: exactly what [`Self::parse`] takes.
    pub fn render(&self) -> String {
        String::new()
    }

    /// Reads a manifest: any byte that differs from what was written is found.
    ///
    /// # Errors
    /// It is damaged, is no manifest, or a newer program wrote it.
    pub fn parse(path: &std::path::Path, bytes: &[u8]) -> Result<Self, Failure> {
        let _ = bytes;
        Err(super::damaged(path, "it is not read yet"))
    }
}
