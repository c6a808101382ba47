//! What became of the rows since: which can be put back, which are back already, and which someone changed.

use tokio_postgres::Row;

use super::later::Laters;
use super::relation::Relation;
use super::source::{JOURNAL, Source};
use super::text;
use crate::engine::change::{Changes, ColumnChange, Deed, RowChange, SHOWN_ROWS, TableChange};
use crate::engine::conflict::{Clash, Conflict, ConflictColumn, Restored};
use crate::runbook::data::record_fields;

/// How many conflicts are shown.
const SHOWN_CONFLICTS: usize = 100;

/// The table of the rows that are left as they are.
pub(super) const LEFT: &str = "pg_temp.runbook_left_out";

/// Makes that table.
pub(super) const LEFT_OUT: &str = "\
    CREATE TEMPORARY TABLE runbook_left_out (relation integer NOT NULL, key text NOT NULL) ON COMMIT DROP";

/// Returns the statement that locks the rows, in the order of their keys, so that two of them never wait for
/// each other.
pub(super) fn lock(source: &Source, relation: &Relation) -> String {
    let key: Vec<String> = relation
        .key
        .iter()
        .map(|column| format!("t.{}", crate::sql::ident::quote_ident(column)))
        .collect();
    format!(
        "SELECT count(*) FROM (SELECT FROM ({net}) AS n \
           CROSS JOIN LATERAL (SELECT coalesce(n.after, n.before)::{name} AS r OFFSET 0) AS x \
           JOIN {from} ON {has_key} ORDER BY {key} FOR UPDATE OF t) AS locked",
        net = relation.net(source),
        name = relation.name,
        from = relation.from(),
        has_key = relation.has_key_of("x.r"),
        key = key.join(", ")
    )
}

/// Returns common table expressions of which the last, `states`, says what became of each row.
fn with_states(source: &Source, relation: &Relation, laters: &Laters) -> String {
    let of = laters
        .iter()
        .filter(|(_, later)| later.relation == relation.name);
    let (mut all, mut others) = (Vec::new(), Vec::new());
    for (id, later) in of {
        all.push(id.to_string());
        if later.is_other {
            others.push(id.to_string());
        }
    }
    let list = |ids: &[String]| {
        if ids.is_empty() {
            "NULL".to_owned()
        } else {
            ids.join(", ")
        }
    };
    let late = if all.is_empty() {
        "SELECT NULL::text AS key, NULL::bigint AS other, NULL::bigint AS capture WHERE false"
            .to_owned()
    } else {
        format!(
            "SELECT i.key, max(i.capture) FILTER (WHERE i.capture IN ({})) AS other, max(i.capture) AS capture \
             FROM {JOURNAL} i WHERE i.capture IN ({}) GROUP BY i.key",
            list(&others),
            list(&all)
        )
    };
    format!(
        "WITH late AS ({late}), states AS MATERIALIZED ( \
           SELECT n.key, n.before, n.after, CASE WHEN t.tableoid IS NOT NULL THEN (t.*)::text END AS now, \
             coalesce(l.other, l.capture) AS capture, \
             CASE WHEN t.tableoid IS NULL THEN \
                    CASE WHEN n.before IS NULL THEN 'done' WHEN n.after IS NULL THEN 'back' ELSE 'deleted' END \
                  WHEN n.after IS NOT NULL AND {is_after} THEN \
                    CASE WHEN n.before = n.after THEN 'done' WHEN l.other IS NOT NULL THEN 'later' ELSE 'back' END \
                  WHEN n.before IS NOT NULL AND {is_before} THEN 'done' \
                  WHEN n.after IS NULL THEN 'exists' ELSE 'edited' END AS state \
           FROM ({net}) AS n CROSS JOIN LATERAL (SELECT coalesce(n.after, n.before)::{name} AS r OFFSET 0) AS x \
           LEFT JOIN {from} ON {has_key} LEFT JOIN late l ON l.key = n.key)",
        is_after = relation.is_as("n.after"),
        is_before = relation.is_as("n.before"),
        net = relation.net(source),
        name = relation.name,
        from = relation.from(),
        has_key = relation.has_key_of("x.r"),
    )
}

/// Returns the query for how many rows are in which state, with the first of them: only those come here.
pub(super) fn states(source: &Source, relation: &Relation, laters: &Laters) -> String {
    format!(
        "{} SELECT state, count(*), before IS NULL, after IS NULL, NULL, NULL, NULL, NULL, NULL::bigint \
         FROM states GROUP BY state, before IS NULL, after IS NULL \
         UNION ALL (SELECT state, 0, false, false, key, before, after, now, capture FROM states \
                    WHERE state NOT IN ('back', 'done') ORDER BY key LIMIT {SHOWN_CONFLICTS}) \
         UNION ALL (SELECT state, 0, false, false, key, before, after, now, capture FROM states \
                    WHERE state = 'back' ORDER BY key LIMIT {SHOWN_ROWS})",
        with_states(source, relation, laters)
    )
}

/// Returns the statement that notes which rows are left as they are.
pub(super) fn leave_out(
    source: &Source,
    relation: &Relation,
    index: usize,
    laters: &Laters,
) -> String {
    format!(
        "{} INSERT INTO {LEFT} SELECT {index}, key FROM states WHERE state <> 'back'",
        with_states(source, relation, laters)
    )
}

/// What became of the rows of one table.
#[derive(Default)]
pub(super) struct Found {
    inserted: u64,
    updated: u64,
    pub(super) deleted: u64,
    rows: Vec<RowChange>,
    done: u64,
    conflicting: u64,
    conflicts: Vec<Conflict>,
}

impl Found {
    /// Takes what the server says.
    pub(super) fn read(rows: &[Row], relation: &Relation, laters: &Laters) -> Self {
        let mut found = Self::default();
        for row in rows {
            let state: String = row.get(0);
            let Some(key) = text(row, 4) else {
                let count = u64::try_from(row.get::<_, i64>(1)).unwrap_or_default();
                match (state.as_str(), row.get(2), row.get(3)) {
                    ("back", false, true) => found.inserted += count,
                    ("back", true, _) => found.deleted += count,
                    ("back", false, false) => found.updated += count,
                    ("done", _, _) => found.done += count,
                    _ => found.conflicting += count,
                }
                continue;
            };
            let image = |index| text(row, index).and_then(|image| record_fields(&image));
            let picture = Picture {
                key: record_fields(&key)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Option::unwrap_or_default)
                    .collect(),
                before: image(5),
                after: image(6),
                now: image(7),
            };
            match clash(&state) {
                Some(clash) => {
                    let by = row.get::<_, Option<i64>>(8).and_then(|id| laters.get(&id));
                    let by = by.map(|later| later.by.clone());
                    found.conflicts.push(picture.conflict(relation, clash, by));
                }
                None => found.rows.push(picture.change(relation)),
            }
        }
        found
    }

    /// Returns whether some rows are left as they are.
    pub(super) fn is_partial(&self) -> bool {
        self.done + self.conflicting > 0
    }

    fn count(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// A row at all times.
struct Picture {
    key: Vec<String>,
    before: Option<Vec<Option<String>>>,
    after: Option<Vec<Option<String>>>,
    now: Option<Vec<Option<String>>>,
}

fn field(image: Option<&Vec<Option<String>>>, index: usize) -> Option<String> {
    image.and_then(|image| image.get(index).cloned().flatten())
}

impl Picture {
    fn conflict(self, relation: &Relation, clash: Clash, by: Option<String>) -> Conflict {
        let mut columns = Vec::new();
        for (index, column) in relation.columns.iter().enumerate() {
            let then = field(self.after.as_ref(), index);
            let now = field(self.now.as_ref(), index);
            let back = field(self.before.as_ref(), index);
            let differs = match clash {
                Clash::Edited => then != now && relation.compares(column),
                Clash::Exists => now != back && relation.compares(column),
                Clash::Deleted | Clash::LaterRun => then != back,
            };
            if differs {
                columns.push(ConflictColumn {
                    column: column.clone(),
                    then,
                    now,
                    back,
                });
            }
        }
        Conflict {
            table: relation.shown.clone(),
            key_columns: relation.key.clone(),
            key: self.key,
            clash,
            columns,
            by,
        }
    }

    /// Returns the change that putting the row back is: from what the fix left to what it was.
    fn change(self, relation: &Relation) -> RowChange {
        let deed = match (&self.before, &self.after) {
            (None, _) => Deed::Deleted,
            (_, None) => Deed::Inserted,
            _ => Deed::Updated,
        };
        let mut columns = Vec::new();
        for (index, column) in relation.columns.iter().enumerate() {
            let old = field(self.after.as_ref(), index);
            let new = field(self.before.as_ref(), index);
            if deed != Deed::Updated || old != new {
                columns.push(ColumnChange {
                    column: column.clone(),
                    before: old,
                    after: new,
                    volatile: false,
                });
            }
        }
        RowChange {
            key: self.key,
            deed,
            columns,
            own: false,
        }
    }
}

fn clash(state: &str) -> Option<Clash> {
    Some(match state {
        "edited" => Clash::Edited,
        "deleted" => Clash::Deleted,
        "exists" => Clash::Exists,
        "later" => Clash::LaterRun,
        _ => return None,
    })
}

/// Returns what putting all of it back comes to.
pub(super) fn told(found: &mut [Found], relations: &[Relation]) -> Restored {
    let mut restored = Restored::default();
    let mut tables = Vec::new();
    for (found, relation) in found.iter_mut().zip(relations) {
        restored.rows += found.count();
        restored.conflicting += found.conflicting;
        let room = SHOWN_CONFLICTS.saturating_sub(restored.conflicts.len());
        let conflicts = std::mem::take(&mut found.conflicts);
        restored.conflicts.extend(conflicts.into_iter().take(room));
        if found.count() > 0 {
            tables.push(TableChange {
                table: relation.shown.clone(),
                key: relation.key.clone(),
                inserted: found.inserted,
                updated: found.updated,
                deleted: found.deleted,
                rows: std::mem::take(&mut found.rows),
                indirect: relation.is_indirect,
            });
        }
    }
    if !tables.is_empty() {
        restored.changes = Changes::new(tables);
    }
    restored
}
