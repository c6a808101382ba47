//! What a fix changed: rows by key, before and after, and the digest that a person's yes is bound to.

mod tally;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use tally::Tally;

/// What happened to a row.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is new.
    Inserted,
    /// It has other values.
    Updated,
    /// It is gone.
    Deleted,
}

/// The value of a column, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnChange {
    /// The column.
    pub column: String,
    /// Its value before, `null` for NULL; of a new row there is none.
    pub before: Option<String>,
    /// Its value after, `null` for NULL; of a deleted row there is none.
    pub after: Option<String>,
    /// Whether the value differs from run to run by its nature: the time, a sequence, a random key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
}

/// One changed row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowChange {
    /// The values of its key; empty where the table has none.
    pub key: Vec<String>,
    /// What happened to it.
    pub deed: Deed,
    /// The columns that differ; of a new or deleted row all of them.
    pub columns: Vec<ColumnChange>,
    /// Whether the transaction made the row itself, so that its key is another each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

impl RowChange {
    fn has_new_key(&self) -> bool {
        self.own
            || (self.deed == Deed::Inserted && self.columns.iter().any(|column| column.volatile))
    }
}

/// What changed in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableChange {
    /// The table, with its schema where the search path needs it.
    pub table: String,
    /// The columns of its key.
    pub key: Vec<String>,
    /// How many rows are new.
    pub inserted: u64,
    /// How many rows were updated, those that stayed the same included.
    pub updated: u64,
    /// How many rows are gone.
    pub deleted: u64,
    /// The rows, where they could be captured; those past a limit are counted only.
    pub rows: Vec<RowChange>,
    /// Whether a trigger or a cascade changed it, not the statement itself.
    pub indirect: bool,
}

impl TableChange {
    /// Returns how many rows changed.
    pub fn count(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// What one or several statements changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// By table, in the order in which they were first changed.
    pub tables: Vec<TableChange>,
    /// What was done that cannot be shown row by row, or cannot be rehearsed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// SHA-256 over every changed row; what differs by its nature left out.
    pub digest: String,
}

/// How many rows of one table are kept for showing; the digest covers all.
pub const SHOWN_ROWS: usize = 1000;

impl Changes {
    /// Returns how many rows changed.
    pub fn count(&self) -> u64 {
        self.tables.iter().map(TableChange::count).sum()
    }

    /// Makes changes of tables with all their rows.
    pub fn new(tables: Vec<TableChange>) -> Self {
        let tallies = tables.into_iter().map(|mut table| {
            let rows = std::mem::take(&mut table.rows);
            let mut tally = Tally::new(table);
            for row in rows {
                tally.keep(row);
            }
            tally
        });
        Self::of(tallies.collect(), Vec::new())
    }

    /// Makes changes of what was added up table by table, and of what was done beside.
    pub fn of(tallies: Vec<Tally>, unseen: Vec<String>) -> Self {
        let mut hasher = Sha256::new();
        for text in &unseen {
            hash_text(&mut hasher, text);
        }
        let mut tables = Vec::new();
        for tally in tallies {
            tally.hash(&mut hasher);
            if tally.table.count() > 0 {
                tables.push(tally.shown());
            }
        }
        Self {
            tables,
            unseen,
            digest: hex(&hasher.finalize()),
        }
    }

    /// Adds the changes of a later statement.
    pub fn append(&mut self, later: Self) {
        if later.digest.is_empty() {
            return;
        }
        self.digest = joined(&self.digest, &later.digest);
        self.unseen.extend(later.unseen);
        for table in later.tables {
            match self
                .tables
                .iter_mut()
                .find(|known| known.table == table.table && known.indirect == table.indirect)
            {
                Some(known) => {
                    known.inserted += table.inserted;
                    known.updated += table.updated;
                    known.deleted += table.deleted;
                    known.rows.extend(table.rows);
                    known.rows.truncate(SHOWN_ROWS);
                }
                None => self.tables.push(table),
            }
        }
    }
}

/// Returns the digest of changes that come one after the other, from their own.
pub fn joined(digest: &str, later: &str) -> String {
    match (digest.is_empty(), later.is_empty()) {
        (_, true) => digest.to_owned(),
        (true, false) => later.to_owned(),
        (false, false) => hex(&Sha256::digest(format!("{digest}{later}"))),
    }
}

/// Adds a text to a hash. Lengths keep two texts from passing for another two.
fn hash_text(hasher: &mut Sha256, text: &str) {
    hasher.update(text.len().to_le_bytes());
    hasher.update(text);
}

/// Returns bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(after: &str, volatile: bool) -> TableChange {
        let column = ColumnChange {
            column: "seen_at".into(),
            before: None,
            after: Some(after.into()),
            volatile,
        };
        TableChange {
            table: "users".into(),
            key: vec!["id".into()],
            inserted: 0,
            updated: 1,
            deleted: 0,
            rows: vec![RowChange {
                key: vec!["1".into()],
                deed: Deed::Updated,
                columns: vec![column],
                own: false,
            }],
            indirect: false,
        }
    }

    #[test]
    fn the_digest_sees_every_value_but_those_that_differ_by_nature() {
        let digest = |after, volatile| Changes::new(vec![table(after, volatile)]).digest;
        assert_eq!(digest("a", false), digest("a", false));
        assert_ne!(digest("a", false), digest("b", false));
        assert_eq!(digest("10:00", true), digest("11:00", true));
    }
}
