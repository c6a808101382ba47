//! Locks on tables: what each keeps others from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A lock on a table, as the rehearsal took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableLock {
    /// The table.
    pub table: String,
    /// The strongest mode.
    pub mode: LockMode,
    /// How many other sessions use the table at that moment, in a way that would have to wait for it.
    pub waiting: u32,
    /// How many other sessions use the table at that moment.
    pub users: u32,
}

/// A mode of locks on tables, the weakest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Reading.
    AccessShare,
    /// Locking rows, and looking up what foreign keys name.
    RowShare,
    /// Changing rows.
    RowExclusive,
    /// VACUUM, ANALYZE, CREATE INDEX CONCURRENTLY.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// CREATE TRIGGER, and some of ALTER TABLE.
    ShareRowExclusive,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive,
    /// DROP TABLE, TRUNCATE, and most of ALTER TABLE.
    AccessExclusive,
}

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

/// All modes, with their names in `pg_locks` and in `LOCK TABLE`.
const MODES: [(LockMode, &str, &str); 8] = [
    (AccessShare, "AccessShareLock", "ACCESS SHARE"),
    (RowShare, "RowShareLock", "ROW SHARE"),
    (RowExclusive, "RowExclusiveLock", "ROW EXCLUSIVE"),
    (
        ShareUpdateExclusive,
        "ShareUpdateExclusiveLock",
        "SHARE UPDATE EXCLUSIVE",
    ),
    (Share, "ShareLock", "SHARE"),
    (
        ShareRowExclusive,
        "ShareRowExclusiveLock",
        "SHARE ROW EXCLUSIVE",
    ),
    (Exclusive, "ExclusiveLock", "EXCLUSIVE"),
    (AccessExclusive, "AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

impl LockMode {
    /// Returns the mode that `pg_locks` calls so.
    pub fn of(shown: &str) -> Option<Self> {
        let found = MODES.iter().find(|(_, name, _)| *name == shown);
        found.map(|(mode, ..)| *mode)
    }

    /// Returns its name as in `LOCK TABLE`.
    pub fn name(self) -> &'static str {
        let found = MODES.iter().find(|(mode, ..)| *mode == self);
        found.map_or("", |(.., name)| *name)
    }

    /// Returns whether one has to wait for the other: PostgreSQL's table of conflicts.
    pub fn conflicts(self, other: Self) -> bool {
        let weakest = match self.max(other) {
            AccessExclusive => AccessShare,
            Exclusive => RowShare,
            ShareRowExclusive => RowExclusive,
            Share => {
                // The only mode beside the weak ones that does not conflict with itself.
                return matches!(self.min(other), RowExclusive | ShareUpdateExclusive);
            }
            ShareUpdateExclusive => ShareUpdateExclusive,
            AccessShare | RowShare | RowExclusive => return false,
        };
        self.min(other) >= weakest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_those_of_the_manual() {
        // Table 13.2 of PostgreSQL's manual, an X where two modes conflict.
        let table = [
            ".......X", "......XX", "....XXXX", "...XXXXX", "..XX.XXX", "..XXXXXX", ".XXXXXXX",
            "XXXXXXXX",
        ];
        for ((one, ..), line) in MODES.iter().zip(table) {
            let drawn: String = MODES
                .iter()
                .map(|(other, ..)| if one.conflicts(*other) { 'X' } else { '.' })
                .collect();
            assert_eq!(drawn, line, "{}", one.name());
        }
    }

    #[test]
    fn modes_are_known_by_their_names() {
        for (mode, shown, name) in MODES {
            assert_eq!(LockMode::of(shown), Some(mode));
            assert_eq!(mode.name(), name);
        }
        assert_eq!(LockMode::of("SIReadLock"), None);
    }
}
