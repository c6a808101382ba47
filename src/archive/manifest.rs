//! The manifest of a backup: what it holds, and how each file of it must read.

use std::fmt::Display;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::row::Tally;
use crate::base::words;
use crate::engine::backup::MadeBy;
use crate::engine::change::hex;
use crate::engine::event::TargetFacts;
use crate::engine::failure::{Failure, FailureKind};
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

    /// The file of it, in the folder of a backup.
    pub const FILE: &'static str = "manifest.json";

    /// Returns its text, checksum included: exactly what [`Self::parse`] takes.
    pub fn render(&self) -> String {
        let mut sealed = self.clone();
        sealed.checksum.clear();
        sealed.checksum = hex(&Sha256::digest(sealed.text()));
        sealed.text()
    }

    /// Returns it as JSON, as it is.
    fn text(&self) -> String {
        // Nothing in it can fail to be written: all its keys are texts.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a manifest: any byte that differs from what was written is found.
    ///
    /// # Errors
    /// It is damaged, is no manifest, or a newer program wrote it.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let damaged = |why: &dyn Display| super::damaged(path, format!("{} {why}", Self::FILE));
        let read: Result<Self, _> = serde_json::from_slice(bytes);
        let read = match (read, serde_json::from_slice::<Head>(bytes)) {
            (_, Ok(head)) if head.format > Self::FORMAT => return Err(newer(path, &head)),
            (Ok(read), _) => read,
            (Err(error), Ok(_)) => {
                return Err(damaged(&format_args!("does not read as one: {error}")));
            }
            (Err(error), Err(_)) => {
                return Err(damaged(&format_args!(
                    "is no manifest of a backup: {error}"
                )));
            }
        };
        // As it must read, byte by byte: that JSON can say the same otherwise does not matter.
        if read.render().as_bytes() != bytes {
            return Err(damaged(&"was altered: its checksum differs"));
        }
        Ok(read)
    }

    /// Reads the manifest in the folder of a backup.
    ///
    /// # Errors
    /// There is none, or as [`Self::parse`].
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(Self::FILE);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(super::damaged(folder, format!("it has no {}", Self::FILE)));
            }
            bytes => bytes.map_err(|error| super::io("read", &path, &words::io(&error)))?,
        };
        Self::parse(folder, &bytes)
    }

    /// Returns what is known of one of its files.
    pub fn file(&self, path: &str) -> Option<&FileFact> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// All of a manifest that every version can read.
#[derive(Deserialize)]
struct Head {
    format: u32,
    program: String,
}

fn newer(path: &Path, head: &Head) -> Failure {
    let Head { format, program } = head;
    Failure::new(
        FailureKind::Backup,
        format!(
            "the backup in {} has the format {format}, which this version cannot read",
            path.display()
        ),
    )
    .note(format!("runbook {program} wrote it"))
    .help(format!("use runbook {program} or a newer one"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::sample;

    fn parse(bytes: &[u8]) -> Result<Manifest, Failure> {
        Manifest::parse(Path::new("b"), bytes)
    }

    #[test]
    fn it_reads_as_it_was_written() {
        let manifest = sample::manifest("b-1");
        let text = manifest.render();
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.checksum.len(), 64);
        assert_eq!(
            Manifest {
                checksum: String::new(),
                ..read.clone()
            },
            manifest
        );
        assert_eq!(read.render(), text);
    }

    #[test]
    fn case_44_every_flipped_bit_of_a_manifest_is_found() {
        let text = sample::manifest("b-1").render().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn case_43_a_manifest_that_was_cut_is_found() {
        let text = sample::manifest("b-1").render().into_bytes();
        for length in 0..text.len() {
            assert!(parse(&text[..length]).is_err(), "{length} bytes");
        }
        for more in [&b"\n"[..], b" ", b"{}", b"\0"] {
            assert!(parse(&[&text, more].concat()).is_err());
        }
    }

    #[test]
    fn the_same_written_otherwise_is_refused() {
        let text = sample::manifest("b-1").render();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(parse(value.to_string().as_bytes()).is_err());
        assert!(parse(text.replace("\"format\"", "\"f\\u006frmat\"").as_bytes()).is_err());
        let empty = Manifest {
            checksum: String::new(),
            ..parse(text.as_bytes()).unwrap()
        };
        assert!(parse(empty.text().as_bytes()).is_err());
    }

    #[test]
    fn a_newer_format_says_which_program_reads_it() {
        let newer = r#"{"format": 2, "program": "9.9.9", "what": "else"}"#;
        let failure = parse(newer.as_bytes()).unwrap_err();
        assert_eq!(
            failure.message,
            "the backup in b has the format 2, which this version cannot read"
        );
        assert_eq!(failure.help, ["use runbook 9.9.9 or a newer one"]);
    }

    #[test]
    fn what_is_no_manifest_says_so() {
        for text in ["", "{}", "[]", "null", "not json", "{\"format\": 1}"] {
            let failure = parse(text.as_bytes()).unwrap_err();
            assert!(failure.message.contains("manifest"), "{}", failure.message);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at: prop::sample::Index, by: Vec<u8>) {
            prop_assert!(parse(&bytes).is_err());
            let text = sample::manifest("b-1").render().into_bytes();
            let at = at.index(text.len());
            let spliced = [&text[..at], &by, &text[at..]].concat();
            prop_assert_eq!(parse(&spliced).is_ok(), by.is_empty());
        }
    }
}
