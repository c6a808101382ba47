//! What putting back changed beyond the rows that were to be put back: nothing, or it is refused.

use super::super::guard::Counters;
use super::Images;
use super::apply::{Verb, Work};
use super::check::Found;
use crate::base::words;
use crate::engine::change::TableChange;
use crate::engine::failure::{Failure, FailureKind};

/// Finds the names under which the server counts tables.
pub(super) const ROOTS: &str = "\
    SELECT coalesce(pg_catalog.pg_partition_root(to_regclass(name)), to_regclass(name))::text FROM unnest($1::text[]) AS name";

/// Returns the tables that the fixes say may change too.
pub(super) fn names(images: &Images) -> Vec<String> {
    let captures = images.source.captures.iter();
    captures
        .flat_map(|held| held.capture.tables.iter().flatten().cloned())
        .collect()
}

/// Refuses what changed beyond the rows that were to be put back, and the tables that may change. Triggers
/// of a table may do their work in tables that they changed before; but no row may go that was not to go.
/// Returns what changed besides and may.
pub(super) fn nothing_else(
    images: &Images,
    found: &[Found],
    done: &[(Work, u64)],
    allowed: &[String],
    before: &Counters,
    after: &Counters,
) -> Result<Vec<TableChange>, Failure> {
    let mut besides = Vec::new();
    let since = |table: &str, counts: [u64; 3]| {
        let earlier = before.tables.iter().find(|(known, _)| known == table);
        let earlier = earlier.map_or([0; 3], |(_, counts)| *counts);
        [0, 1, 2].map(|at: usize| counts[at].saturating_sub(earlier[at]))
    };
    let relations = &images.relations;
    for (table, counts) in &after.tables {
        let is_known = relations.iter().any(|known| known.counted.contains(table));
        let beyond = since(table, *counts);
        if is_known || beyond == [0; 3] {
            continue;
        }
        if !allowed.contains(table) {
            return Err(refuse(table, beyond));
        }
        besides.push(beside(table, beyond));
    }
    let emptied = after
        .exclusive
        .iter()
        .find(|table| !before.exclusive.contains(table) && !allowed.contains(table));
    if let Some(table) = emptied {
        return Err(Failure::new(
            FailureKind::Conflict,
            format!("putting the rows back would empty or rebuild {table}"),
        )
        .note("a trigger does that; nothing was put back")
        .help(format!(
            "where that is on purpose, name it in the fix: `tables: […, {table}]`"
        )));
    }
    let has_triggers = relations.iter().any(|known| known.has_triggers);
    for relation in relations {
        let mut counted = [0; 3];
        for (table, counts) in &after.tables {
            if relation.counted.contains(table) {
                let counts = since(table, *counts);
                counted = [0, 1, 2].map(|at: usize| counted[at] + counts[at]);
            }
        }
        // What inherits from a table may have images of its own.
        let shares = |at: usize| {
            let other = relations.get(at);
            other.is_some_and(|other| {
                other
                    .counted
                    .iter()
                    .any(|table| relation.counted.contains(table))
            })
        };
        let own = |verb: Verb| {
            let works = done.iter();
            let of = works.filter(|(work, _)| work.verb == verb && shares(work.relation));
            of.map(|(_, count)| count).sum::<u64>()
        };
        // A row that goes to another partition is counted as deleted there and inserted here.
        let moved = own(Verb::Update).saturating_sub(counted[1]);
        let going = found.iter().enumerate().filter(|(at, _)| shares(*at));
        let going: u64 = going.map(|(_, found)| found.deleted).sum();
        let beyond = [
            counted[0].saturating_sub(own(Verb::Insert) + moved),
            counted[1].saturating_sub(own(Verb::Update)),
            counted[2].saturating_sub(own(Verb::Delete).max(going) + moved),
        ];
        if beyond == [0; 3] {
            continue;
        }
        let may_change = relation.counted.iter().any(|table| allowed.contains(table));
        if !may_change && (beyond[2] > 0 || !has_triggers) {
            return Err(refuse(&relation.shown, beyond));
        }
        besides.push(beside(&relation.shown, beyond));
    }
    Ok(besides)
}

/// What a trigger or a cascade changed.
fn beside(table: &str, [inserted, updated, deleted]: [u64; 3]) -> TableChange {
    TableChange {
        table: table.to_owned(),
        key: Vec::new(),
        inserted,
        updated,
        deleted,
        rows: Vec::new(),
        indirect: true,
    }
}

fn refuse(table: &str, [inserted, updated, deleted]: [u64; 3]) -> Failure {
    let counts = [
        (inserted, "inserted"),
        (updated, "updated"),
        (deleted, "deleted"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", words::count(*count, "row")))
        .collect();
    Failure::new(
        FailureKind::Conflict,
        format!(
            "putting the rows back would change {table} too: {}",
            counts.join(", ")
        ),
    )
    .note("by a cascade or a trigger; the fix did not change these rows, so they would be lost or altered; nothing was put back")
    .help(format!("rows of {table} that came since and point to what would go: delete them or point them elsewhere first"))
    .help(format!("where a trigger writes to {table} on purpose, name it in the fix: `tables: […, {table}]`"))
}
