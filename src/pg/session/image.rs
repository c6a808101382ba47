//! Row images before and after a statement, and what of them is a change.

use std::collections::HashMap;

use super::table::TableFacts;
use crate::engine::change::{ColumnChange, Deed, RowChange, TableChange};
use crate::engine::failure::{Failure, FailureKind};
use crate::runbook::data::Rows;
use crate::sql::target::{Dml, Target};

/// Rows by key.
pub(super) type Images = HashMap<Vec<String>, Vec<Option<String>>>;

/// What a statement returned.
#[derive(Default)]
pub(super) struct Returned {
    pub(super) count: u64,
    pub(super) rows: Rows,
    pub(super) images: Vec<(Vec<String>, Vec<Option<String>>, bool)>,
}

/// The server's counters, and what else is known of the transaction.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) tables: Vec<(String, [u64; 3])>,
    pub(super) xid: Option<String>,
    /// The texts of the transaction's time.
    pub(super) now: Vec<String>,
}

/// What of a transaction's values is new each time.
pub(super) struct Clock {
    /// The texts of the transaction's time.
    pub(super) now: Vec<String>,
    /// Whether the statement asks for the time.
    pub(super) asked: bool,
    /// Keys that the transaction's own INSERTs were given.
    pub(super) generated: Vec<(String, String)>,
}

/// An UPDATE changes only rows that its predicate found before, or what they were is not known. Fewer rows
/// are a trigger's doing, and do no harm.
pub(super) fn same_rows(
    target: &Target,
    facts: &TableFacts,
    before: &Images,
    returned: &Returned,
) -> Result<(), Failure> {
    let moves = facts
        .key
        .iter()
        .any(|column| target.set_columns.contains(column));
    let found = |(key, _, _): &(Vec<String>, _, _)| before.contains_key(key);
    if target.verb != Dml::Update
        || moves
        || facts.key.is_empty()
        || returned.images.iter().all(found)
    {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Changed,
        format!(
            "the statement changed other rows of {} than its predicate found just before",
            facts.name
        ),
    )
    .note("the predicate gives other rows each time, or someone changed the data meanwhile; nothing was changed")
    .help("take random(), nextval() and other volatile functions out of the predicate, or run it again"))
}

/// Returns the changes of the statement's own table, and the rows that it updated of which is not known what
/// they were: of a table without a key, of an UPDATE that moves keys, of ON CONFLICT DO UPDATE.
pub(super) fn direct(
    target: &Target,
    facts: &TableFacts,
    mut before: Images,
    returned: &Returned,
    clock: &Clock,
) -> (Option<TableChange>, Vec<String>) {
    let mut unpaired = Vec::new();
    let moves = facts
        .key
        .iter()
        .any(|column| target.set_columns.contains(column));
    let mut table = TableChange {
        table: facts.name.clone(),
        key: facts.key.clone(),
        inserted: 0,
        updated: 0,
        deleted: 0,
        rows: Vec::new(),
        indirect: false,
    };
    for (key, image, fresh) in &returned.images {
        let deed = match target.verb {
            Dml::Insert if *fresh => Deed::Inserted,
            Dml::Insert | Dml::Update => Deed::Updated,
            Dml::Delete => Deed::Deleted,
        };
        match deed {
            Deed::Inserted => table.inserted += 1,
            Deed::Updated => table.updated += 1,
            Deed::Deleted => table.deleted += 1,
        }
        let old = before.remove(key).filter(|_| !moves);
        let columns = match (deed, old) {
            (Deed::Deleted, _) => differences(facts, target, Some(image), None, clock),
            (Deed::Inserted, _) => differences(facts, target, None, Some(image), clock),
            (Deed::Updated, Some(old)) => {
                differences(facts, target, Some(&old), Some(image), clock)
            }
            (Deed::Updated, None) => {
                unpaired.push(format!("{image:?}"));
                continue;
            }
        };
        table.rows.push(RowChange {
            key: if facts.key.is_empty() {
                Vec::new()
            } else {
                key.clone()
            },
            deed,
            columns,
            own: deed != Deed::Inserted
                && key.iter().any(|part| {
                    clock
                        .generated
                        .contains(&(facts.name.clone(), part.clone()))
                }),
        });
    }
    ((table.count() > 0).then_some(table), unpaired)
}

/// Returns the columns that differ.
fn differences(
    facts: &TableFacts,
    target: &Target,
    before: Option<&Vec<Option<String>>>,
    after: Option<&Vec<Option<String>>>,
    clock: &Clock,
) -> Vec<ColumnChange> {
    let value = |image: Option<&Vec<Option<String>>>, index: usize| {
        image.and_then(|image| image.get(index).cloned().flatten())
    };
    let mut changes = Vec::new();
    for (index, column) in facts.columns.iter().enumerate() {
        let (old, new) = (value(before, index), value(after, index));
        if before.is_some() && after.is_some() && old == new {
            continue;
        }
        let fresh = before.is_none() && after.is_some();
        let by_clock = new.as_ref().is_some_and(|new| clock.now.contains(new))
            || (clock.asked && column.temporal);
        // Only what the statement leaves to the default differs by its nature; what it names is its own.
        let by_default = fresh
            && column.volatile
            && !target.set_columns.is_empty()
            && !target.set_columns.contains(&column.name);
        let by_reference = column.reference
            && new
                .as_ref()
                .is_some_and(|new| clock.generated.iter().any(|(_, key)| key == new));
        changes.push(ColumnChange {
            column: column.name.clone(),
            before: old,
            after: new,
            volatile: after.is_some() && (by_clock || by_default || by_reference),
        });
    }
    changes
}

/// Returns what the server counted beyond the statement's own rows: triggers and cascades. The statement's
/// table comes with the name under which it is counted.
pub(super) fn indirect(
    own: Option<(&str, &TableChange)>,
    before: &Counters,
    after: &Counters,
    own_unknown: bool,
) -> Vec<TableChange> {
    let mut tables = Vec::new();
    for (name, counts) in &after.tables {
        let earlier = before
            .tables
            .iter()
            .find(|(known, _)| known == name)
            .map_or([0; 3], |(_, counts)| *counts);
        let mut own = own
            .filter(|(counted, _)| counted == name)
            .map_or([0; 3], |(_, table)| {
                [table.inserted, table.updated, table.deleted]
            });
        let counted = |index: usize| counts[index].saturating_sub(earlier[index]);
        // A row that an UPDATE moves to another partition is counted as deleted there and inserted here.
        let moved = own[1].saturating_sub(counted(1));
        own[0] += moved;
        own[2] += moved;
        let beyond = |index: usize| counted(index).saturating_sub(own[index]);
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

/// Returns the keys that new rows were given by their defaults, with their tables.
pub(super) fn generated(tables: &[TableChange]) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for table in tables {
        let rows = table.rows.iter().filter(|row| row.deed == Deed::Inserted);
        let columns = rows.flat_map(|row| &row.columns);
        let fresh = columns.filter(|column| column.volatile && table.key.contains(&column.column));
        keys.extend(fresh.filter_map(|column| Some((table.table.clone(), column.after.clone()?))));
    }
    keys
}
