//! The data at risk: which rows of which tables change, and how much of each table that is.

use super::AtRisk;
use crate::engine::change::{Changes, TableChange};
use crate::engine::port::{Bound, Limits, World};
use crate::runbook::data::{Cell, array_literal, oid};
use crate::runbook::model::Step;
use crate::sql::statement::Statement;

/// How many rows the server believes that tables have.
const SIZES: &str = "SELECT c.reltuples::bigint \
    FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n) \
    LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name) AND c.reltuples > 0 ORDER BY t.n";

/// Returns the tables that a statement empties or drops as a whole.
fn emptied(fixes: &[&Step]) -> Vec<String> {
    let statements = fixes.iter().flat_map(|step| &step.sql);
    let whole = statements.filter(|sql| matches!(sql.statement.verb(), "TRUNCATE" | "DROP TABLE"));
    whole
        .flat_map(|sql| sql.statement.tables())
        .map(|table| table.name.to_string())
        .collect()
}

/// Returns the rows that change, by table: what the statements name, then what cascades and triggers add. That the
/// server does not know how many rows a table has is no failure.
pub(super) async fn at_risk<W: World>(
    changes: &Changes,
    fixes: &[&Step],
    world: &mut W,
    limits: &Limits,
) -> Vec<AtRisk> {
    let mut found = added(changes, &emptied(fixes));
    let names: Vec<String> = found.iter().map(|table| table.table.clone()).collect();
    for (table, of) in found.iter_mut().zip(sizes(&names, world, limits).await) {
        table.of = of.filter(|of| *of >= table.deleted + table.updated);
    }
    found.sort_by_key(|table| {
        let most = std::cmp::Reverse((table.whole, table.deleted, table.updated));
        (table.beside, most)
    });
    found
}

fn added(changes: &Changes, emptied: &[String]) -> Vec<AtRisk> {
    let whole = |table: &String| AtRisk {
        table: table.clone(),
        whole: true,
        ..AtRisk::default()
    };
    let mut found: Vec<AtRisk> = emptied.iter().map(whole).collect();
    for change in &changes.tables {
        let is_same = |known: &AtRisk, change: &TableChange| {
            // Of a table that goes as a whole nothing else is to be told.
            known.table == change.table && (known.whole || known.beside == change.indirect)
        };
        let known = found.iter().position(|known| is_same(known, change));
        let at = known.unwrap_or_else(|| {
            found.push(AtRisk {
                table: change.table.clone(),
                beside: change.indirect,
                ..AtRisk::default()
            });
            found.len() - 1
        });
        if let Some(known) = found.get_mut(at) {
            known.deleted += change.deleted;
            known.updated += change.updated;
            known.inserted += change.inserted;
        }
    }
    found
}

async fn sizes<W: World>(names: &[String], world: &mut W, limits: &Limits) -> Vec<Option<u64>> {
    let Ok(statement) = Statement::parse(SIZES) else {
        return Vec::new();
    };
    let bound = Bound {
        statement,
        binds: vec![Cell {
            text: Some(array_literal(names)),
            oid: oid::UNKNOWN,
        }],
    };
    if names.is_empty() {
        return Vec::new();
    }
    let rows = world.read(&bound, names.len(), limits).await;
    let rows = rows.map(|rows| rows.rows).unwrap_or_default();
    let size = |row: Vec<Option<String>>| row.first().cloned().flatten()?.parse().ok();
    rows.into_iter().map(size).collect()
}
