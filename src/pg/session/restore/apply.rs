//! The statements that put rows back, and what is read again after them.

use tokio_postgres::Row;

use super::relation::Relation;
use super::{Images, check, text};
use crate::engine::failure::{Failure, FailureKind};
use crate::runbook::data::record_fields;

/// What is done to put rows back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Rows that were deleted come again.
    Insert,
    /// Rows that were updated get their values back.
    Update,
    /// Rows that were inserted go.
    Delete,
}

/// A statement that puts back rows of one capture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) verb: Verb,
    /// The capture, by its place.
    pub(super) capture: usize,
    /// Its table, by its place.
    pub(super) relation: usize,
}

/// Returns the condition that a row is not among those that are left as they are.
fn is_wanted(relation: usize, key: &str, is_partial: bool) -> String {
    if is_partial {
        let left = check::LEFT;
        format!(
            "AND NOT EXISTS (SELECT FROM {left} s WHERE s.relation = {relation} AND s.key = {key})"
        )
    } else {
        String::new()
    }
}

/// Returns a statement that puts back. What triggers and cascades did may be back by then, so of it only
/// what still differs is touched.
pub(super) fn statement(images: &Images, work: &Work, is_partial: bool) -> String {
    // Places come from the lists themselves; a statement that does nothing stands for what cannot be.
    let nothing = || "SELECT WHERE false".to_owned();
    let (Some(held), Some(relation)) = (
        images.source.captures.get(work.capture),
        images.relations.get(work.relation),
    ) else {
        return nothing();
    };
    let (image, condition) = match work.verb {
        Verb::Insert => ("before", "i.before IS NOT NULL AND i.after IS NULL"),
        Verb::Update => ("before", "i.before IS NOT NULL AND i.after IS NOT NULL"),
        Verb::Delete => ("after", "i.before IS NULL AND i.after IS NOT NULL"),
    };
    let rows = format!(
        "(SELECT i.{image} AS image, i.{image}::{name} AS r FROM {table} i WHERE i.capture = {id} AND {condition} {wanted} OFFSET 0) AS b",
        name = relation.name,
        table = images.source.table,
        id = held.id,
        wanted = is_wanted(work.relation, "i.key", is_partial),
    );
    let (name, from, has_key) = (&relation.name, relation.from(), relation.has_key_of("b.r"));
    let is_direct = held.capture.direct;
    match work.verb {
        Verb::Insert => {
            let columns: Vec<String> = relation.settable(&relation.columns).collect();
            let values: Vec<String> = columns
                .iter()
                .map(|column| format!("(b.r).{column}"))
                .collect();
            let missing = if is_direct {
                String::new()
            } else {
                format!("WHERE NOT EXISTS (SELECT FROM {from} WHERE {has_key})")
            };
            format!(
                "INSERT INTO {name} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {rows} {missing}",
                columns.join(", "),
                values.join(", ")
            )
        }
        Verb::Update => {
            let set: Vec<String> = relation
                .settable(&held.capture.changed)
                .map(|column| format!("{column} = (b.r).{column}"))
                .collect();
            if set.is_empty() {
                return nothing();
            }
            let differs = if is_direct {
                String::new()
            } else {
                format!("AND NOT {}", relation.is_as("b.image"))
            };
            format!(
                "UPDATE {from} SET {} FROM {rows} WHERE {has_key} {differs}",
                set.join(", ")
            )
        }
        Verb::Delete => format!("DELETE FROM {from} USING {rows} WHERE {has_key}"),
    }
}

/// Returns the query for a row that is not what it was.
pub(super) fn again(images: &Images, index: usize, is_partial: bool) -> String {
    let Some(relation) = images.relations.get(index) else {
        return "SELECT WHERE false".to_owned();
    };
    format!(
        "SELECT n.key, n.before, CASE WHEN t.tableoid IS NOT NULL THEN (t.*)::text END \
         FROM ({net}) AS n CROSS JOIN LATERAL (SELECT coalesce(n.before, n.after)::{name} AS r OFFSET 0) AS x \
         LEFT JOIN {from} ON {has_key} \
         WHERE CASE WHEN n.before IS NULL THEN t.tableoid IS NOT NULL \
                    WHEN t.tableoid IS NULL THEN true ELSE NOT {is_before} END {wanted} LIMIT 1",
        net = relation.net(&images.source),
        name = relation.name,
        from = relation.from(),
        has_key = relation.has_key_of("x.r"),
        is_before = relation.is_as("n.before"),
        wanted = is_wanted(index, "n.key", is_partial),
    )
}

/// Says which row did not become what it was.
pub(super) fn not_back(row: &Row, relation: &Relation) -> Failure {
    let key = text(row, 0).unwrap_or_default();
    let (table, columns) = (&relation.shown, relation.key.join(", "));
    let before = text(row, 1).and_then(|image| record_fields(&image));
    let now = text(row, 2).and_then(|image| record_fields(&image));
    let failure = |what: &str| {
        Failure::new(
            FailureKind::Conflict,
            format!("row ({columns}) = {key} of {table} did not become what it was: {what}"),
        )
    };
    let (Some(before), Some(now)) = (&before, &now) else {
        let what = if now.is_some() {
            "it is still there"
        } else {
            "it is not there"
        };
        return failure(what)
            .note("a trigger or a rule of the table keeps it from that; nothing was put back");
    };
    let differing = relation
        .columns
        .iter()
        .zip(before.iter().zip(now))
        .filter(|(column, (before, now))| before != now && relation.compares(column));
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let (mut names, mut words) = (Vec::new(), Vec::new());
    for (column, (before, now)) in differing {
        names.push(column.clone());
        words.push(format!(
            "{column} is {}, and was {}",
            shown(now),
            shown(before)
        ));
    }
    failure(&words.join("; "))
        .note(
            "a trigger changes it again, or something between the fixes did; nothing was put back",
        )
        .help(format!(
            "where a trigger keeps the column, name it in the fix: `ignore: [{}]`",
            names.join(", ")
        ))
}
