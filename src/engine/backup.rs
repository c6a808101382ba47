//! Backups, as the engine orders them: what they hold, what became of them, and what is put back from one.

mod request;

pub use request::{Asking, Run, Step};

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port::Bound;
use crate::base::secret::Secret;
use crate::sql::ident::quote_literal;
use crate::sql::token::{TokenKind, tokens};
use crate::step::backup::{DatabaseBackup, Keep, Verify};

/// A backup that is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// What no other backup is called; also the name of its folder.
    pub id: String,
    /// The name that it shares with earlier and later ones; `keep` counts these.
    pub name: String,
    /// What it holds.
    pub what: What,
    /// The folder that it goes to; without it the folder of all backups.
    pub to: Option<PathBuf>,
    /// How long backups of its name are kept; without it for ever.
    pub keep: Option<Keep>,
    /// How it is verified.
    pub verify: Verify,
    /// Whom it is encrypted for.
    pub seal: Option<Seal>,
    /// Who makes it.
    pub made_by: MadeBy,
}

/// What a backup holds.
#[derive(Clone, Debug)]
pub enum What {
    /// Rows of tables.
    Rows(Vec<TableRows>),
    /// Whole tables, by name.
    Tables(Vec<String>),
    /// The database.
    Database(DatabaseBackup),
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// The table, as the author names it.
    pub table: String,
    /// `SELECT FROM table WHERE (predicate)` with the values of the predicate.
    pub bound: Bound,
    /// The predicate as people may read it: with its values, secrets masked.
    pub shown: String,
}

impl TableRows {
    /// Returns the rows of a table that a predicate finds.
    pub fn new(table: String, bound: Bound) -> Self {
        let shown = predicate(&bound);
        Self {
            table,
            bound,
            shown,
        }
    }
}

/// Returns a predicate on one line, with its values where the statement has parameters.
fn predicate(bound: &Bound) -> String {
    let text = bound.statement.text();
    let text = text.split_once(" WHERE (").map_or(text, |(_, rest)| rest);
    let text = text.strip_suffix(')').unwrap_or(text).trim();
    let (mut shown, mut copied) = (String::new(), 0);
    for (kind, range) in tokens(text) {
        let number = text
            .get(range.clone())
            .and_then(|token| token.strip_prefix('$'));
        let (TokenKind::Param, Some(Ok(number))) = (kind, number.map(str::parse::<usize>)) else {
            continue;
        };
        let value = number.checked_sub(1).and_then(|at| bound.binds.get(at));
        let value = value.and_then(|cell| cell.text.as_deref());
        shown.push_str(text.get(copied..range.start).unwrap_or_default());
        shown.push_str(&value.map_or_else(|| "NULL".to_owned(), quote_literal));
        copied = range.end;
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    shown
}

/// How a backup is encrypted: with age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// For who has the private key to one of these public ones, `age1…`.
    Recipients(Vec<String>),
    /// For who knows the passphrase.
    Passphrase(Secret),
}

/// Who made a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeBy {
    /// The database login, the user of the machine and its name.
    pub actor: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The runbook of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// The step of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// A backup that is complete, was read back in full, and is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backed {
    /// What no other backup is called.
    pub id: String,
    /// Its folder.
    pub path: String,
    /// What it holds: "rows", "tables", "database", "schema" or "data".
    pub holds: String,
    /// Its tables; none where only the structure is saved.
    pub tables: Vec<BackedTable>,
    /// How many rows it holds.
    pub rows: u64,
    /// How many bytes it has on disk.
    pub bytes: u64,
    /// SHA-256 of its manifest, which has those of its files.
    pub sha256: String,
    /// How it was verified.
    pub verified: Verify,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The older backups of its name that were deleted once it was good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
}

/// A table of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackedTable {
    /// Its name.
    pub table: String,
    /// How many of its rows the backup holds.
    pub rows: u64,
}

/// What of a backup was restored, where nothing of that kind was before or all of it was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoredInto {
    /// The backup.
    pub backup: String,
    /// Where it was restored to: `database crm_restored`, `table customers_before`.
    pub into: String,
    /// Its tables, with what is there now.
    pub tables: Vec<BackedTable>,
    /// How many rows were restored.
    pub rows: u64,
    /// What was there before, and is kept: the name of a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<String>,
}

/// Rows that are put back from a row backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromBackup {
    /// The backup's folder.
    pub path: PathBuf,
    /// Only these of its tables; without it all.
    pub tables: Option<Vec<String>>,
    /// The run whose changes are no conflicts: rows that it changed last are put back.
    pub run: Option<String>,
    /// Tables whose rows may be gone, since the run deleted them without images.
    pub emptied: Vec<String>,
    /// Whether rows that someone changed since are put back as well.
    pub overwrite: bool,
}

/// How far long work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progressing {
    /// What is done, such as "copying orders".
    pub what: String,
    /// How many bytes are done.
    pub done: u64,
    /// About how many there are; none where nobody knows.
    pub of: Option<u64>,
}
