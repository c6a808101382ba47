//! The completeness guard: what the server counted in a transaction must be what was captured. It finds
//! triggers and cascades that nobody declared, without any DDL.

use super::Session;
use super::table::TableFacts;
use crate::base::words;
use crate::engine::change::TableChange;
use crate::engine::failure::{Failure, FailureKind};

/// The server's counters, and what else is known of the transaction.
#[derive(Default)]
pub(super) struct Counters {
    /// Rows that were inserted, updated and deleted, by table; partitions count for their root.
    pub(super) tables: Vec<(String, [u64; 3])>,
    /// Tables that the transaction holds for itself: those that it emptied by TRUNCATE are among them.
    pub(super) exclusive: Vec<String>,
    pub(super) xid: Option<String>,
    /// The texts of the transaction's time.
    pub(super) now: Vec<String>,
}

impl Counters {
    /// Returns what was counted of a table since.
    pub(super) fn since(&self, earlier: &Self, table: &str) -> [u64; 3] {
        let of = |counters: &Self| {
            let found = counters.tables.iter().find(|(known, _)| known == table);
            found.map_or([0; 3], |(_, counts)| *counts)
        };
        let (before, now) = (of(earlier), of(self));
        [0, 1, 2].map(|at: usize| now[at].saturating_sub(before[at]))
    }

    /// Returns the tables that are held exclusively since.
    pub(super) fn seized<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = &'a String> {
        let known = |table: &&String| !earlier.exclusive.contains(table);
        self.exclusive.iter().filter(known)
    }
}

/// Returns what the server counted beyond the statement's own rows: triggers and cascades. The statement's
/// table comes with the name under which it is counted.
pub(super) fn indirect(
    own: Option<(&str, [u64; 3])>,
    before: &Counters,
    after: &Counters,
    own_unknown: bool,
) -> Vec<TableChange> {
    let mut tables = Vec::new();
    for (name, _) in &after.tables {
        let counted = after.since(before, name);
        let mut own = own
            .filter(|(known, _)| known == name)
            .map_or([0; 3], |(_, counts)| counts);
        // A row that an UPDATE moves to another partition is counted as deleted there and inserted here.
        let moved = own[1].saturating_sub(counted[1]);
        own[0] += moved;
        own[2] += moved;
        let beyond = |index: usize| counted[index].saturating_sub(own[index]);
        let change = TableChange {
            table: name.clone(),
            key: Vec::new(),
            inserted: beyond(0),
            updated: beyond(1),
            deleted: beyond(2),
            rows: Vec::new(),
            indirect: !own_unknown,
        };
        if change.count() > 0 {
            tables.push(change);
        }
    }
    tables
}

/// The tables that may change beyond a statement's own rows, by the names under which they are counted.
#[derive(Clone, Debug)]
pub(super) enum Allowed {
    /// All of them: nobody knows what the statement is about.
    All,
    /// None: nothing was declared.
    None,
    /// Those that the fix declares.
    Only(Vec<String>),
}

impl Allowed {
    pub(super) fn admits(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|name| name == table),
        }
    }

    /// Refuses what changed beyond what was declared.
    pub(super) fn hold<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a TableChange>,
        before: &Counters,
        after: &Counters,
        own: Option<&str>,
    ) -> Result<(), Failure> {
        let undeclared: Vec<&TableChange> = changes
            .into_iter()
            .filter(|change| !self.admits(&change.table))
            .collect();
        if let Some(first) = undeclared.first() {
            let failure = undeclared.iter().skip(1).fold(
                self.undeclared(&first.table, &counts(first), own),
                |failure, change| failure.note(format!("and {}: {}", change.table, counts(change))),
            );
            return Err(failure
                .note("nothing was changed")
                .help(advice(&undeclared)));
        }
        match after.seized(before).find(|table| !self.admits(table)) {
            Some(table) => Err(self
                .undeclared(table, "a TRUNCATE, or a change of its structure", own)
                .note("nothing was changed")
                .help(format!(
                    "name {table} under the fix's `tables` where that is meant, or change the trigger"
                ))),
            None => Ok(()),
        }
    }

    fn undeclared(&self, table: &str, what: &str, own: Option<&str>) -> Failure {
        let who = if own == Some(table) {
            format!("the statement changes more of {table} than its own rows: {what}")
        } else if matches!(self, Self::Only(_)) {
            format!("it changes {table}, which is not among the fix's `tables`: {what}")
        } else {
            format!("it changes {table} too, which the fix does not say: {what}")
        };
        Failure::new(FailureKind::Undeclared, who).note("a trigger or a cascade did it")
    }
}

fn advice(undeclared: &[&TableChange]) -> String {
    let names: Vec<&str> = undeclared
        .iter()
        .map(|change| change.table.as_str())
        .collect();
    format!(
        "if that is meant, name {} under the fix's `tables`, together with its own table",
        words::list(&names)
    )
}

/// Returns how many rows changed, in words.
fn counts(change: &TableChange) -> String {
    let counts = [
        (change.inserted, "inserted"),
        (change.updated, "updated"),
        (change.deleted, "deleted"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{} {what}", words::count(*count, "row")))
        .collect();
    words::list(&counts)
}

impl Session {
    /// Returns the facts of the tables that a fix declares.
    ///
    /// # Errors
    /// There is no such table.
    pub(super) async fn declared(
        &mut self,
        names: &[String],
    ) -> Result<Vec<std::sync::Arc<TableFacts>>, Failure> {
        let mut found = Vec::new();
        for name in names {
            let facts = self.table_named(name).await?;
            found.push(facts.ok_or_else(|| {
                Failure::new(
                    FailureKind::Undeclared,
                    format!("there is no table {name}, which the fix names under `tables`"),
                )
                .help("name it as SQL does, with its schema where the search path needs it")
            })?);
        }
        Ok(found)
    }
}
