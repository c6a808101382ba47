//! What there is to say of a backup, in few words: what it holds, how large, how old and how good it is.

use jiff::Timestamp;

use crate::archive::manifest::{Holds, Manifest};
use crate::archive::notes::Notes;
use crate::base::words;
use crate::step::backup::DatabaseBackup;

/// How good a backup is known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Standing {
    /// It was found damaged: when, and how.
    Damaged(Timestamp, String),
    /// It was restored on trial, and compared.
    Restored(Timestamp),
    /// All of it was read back, and compared.
    Read(Timestamp),
    /// It was written.
    Written(Timestamp),
}

impl Standing {
    /// Returns what is known of a backup.
    pub(in crate::cli) fn of(manifest: &Manifest, notes: &Notes) -> Self {
        if let Some((when, why)) = &notes.damaged {
            return Self::Damaged(*when, why.clone());
        }
        match (notes.restored_at, notes.read_at) {
            (Some(when), _) => Self::Restored(when),
            (None, Some(when)) => Self::Read(when),
            (None, None) => Self::Written(manifest.finished_at),
        }
    }

    /// Returns the word for it.
    pub(in crate::cli) fn word(&self) -> &'static str {
        match self {
            Self::Damaged(..) => "damaged",
            Self::Restored(_) => "restored",
            Self::Read(_) => "readable",
            Self::Written(_) => "written",
        }
    }

    /// Returns when that was found.
    pub(in crate::cli) fn when(&self) -> Timestamp {
        match self {
            Self::Damaged(when, _)
            | Self::Restored(when)
            | Self::Read(when)
            | Self::Written(when) => *when,
        }
    }

    /// Returns whether nothing speaks against it.
    pub(in crate::cli) fn is_good(&self) -> bool {
        !matches!(self, Self::Damaged(..))
    }
}

/// Returns what a backup holds, in one word: "rows", "tables", "database", "schema" or "data".
pub(in crate::cli) fn held(holds: Holds) -> &'static str {
    match holds {
        Holds::Rows => "rows",
        Holds::Tables => "tables",
        Holds::Database(DatabaseBackup::Full) => "database",
        Holds::Database(DatabaseBackup::Schema) => "schema",
        Holds::Database(DatabaseBackup::Data) => "data",
    }
}

/// Returns what a backup holds: "5 rows of 3 tables", "database, 12 tables".
pub(in crate::cli) fn holds(manifest: &Manifest) -> String {
    let tables = words::count(words::long(manifest.tables.len()), "table");
    let rows: u64 = manifest.tables.iter().map(|table| table.tally.rows).sum();
    let rows = words::count(rows, "row");
    match manifest.holds {
        Holds::Rows | Holds::Tables => format!("{rows} of {tables}"),
        Holds::Database(DatabaseBackup::Full) => format!("the database: {rows} of {tables}"),
        Holds::Database(DatabaseBackup::Schema) => "the structure of the database".to_owned(),
        Holds::Database(DatabaseBackup::Data) => format!("the data: {rows} of {tables}"),
    }
}

/// Returns the place that a backup is of: "crm at db1:5432".
pub(in crate::cli) fn of_database(manifest: &Manifest) -> String {
    format!("{} at {}", manifest.source.database, manifest.source.name)
}

/// Returns how many seconds ago something was; what is said to be in the future was now.
fn seconds_ago(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - then.as_second()).unwrap_or(0)
}

/// Returns how old something is: "45 s", "3 min", "5 h", "12 d".
pub(in crate::cli) fn age(then: Timestamp, now: Timestamp) -> String {
    match seconds_ago(then, now) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Returns a moment without fractions: "2026-11-21 08:15:02 UTC".
pub(in crate::cli) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_the_largest_unit_that_tells_something() {
        let now = Timestamp::from_second(1_000_000).unwrap_or_default();
        let cases = [
            (1_000_005, "0 s"),
            (999_955, "45 s"),
            (999_820, "3 min"),
            (982_000, "5 h"),
            (0, "11 d"),
        ];
        for (then, words) in cases {
            let then = Timestamp::from_second(then).unwrap_or_default();
            assert_eq!(age(then, now), words);
        }
    }
}
