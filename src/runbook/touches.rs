//! What a runbook touches: the tables that its statements name, and what they do to them.

use std::collections::BTreeSet;

use super::model::{Runbook, Step};
use super::statement::SqlTemplate;
use crate::sql::ident::TableName;
use crate::step::Kind;

/// The tables that a runbook names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// Those that are only read, by name.
    pub reads: Vec<String>,
    /// Those that are written, by name.
    pub writes: Vec<String>,
}

impl Touches {
    /// Returns the tables that a runbook names.
    pub fn of(runbook: &Runbook) -> Self {
        let mut touches = Self::of_statements(runbook.steps.iter().flat_map(|step| &step.sql));
        let mut reads: BTreeSet<String> = touches.reads.into_iter().collect();
        let looked_at = runbook.steps.iter().flat_map(rows_of);
        reads.extend(looked_at.filter(|table| !touches.writes.contains(table)));
        touches.reads = reads.into_iter().collect();
        touches
    }

    /// Returns the tables that statements name.
    pub fn of_statements<'a>(statements: impl Iterator<Item = &'a SqlTemplate>) -> Self {
        let (mut reads, mut writes) = (BTreeSet::new(), BTreeSet::new());
        for sql in statements {
            for table in sql.statement.tables() {
                let name = shown(sql, &table.name);
                if table.written {
                    writes.insert(name);
                } else {
                    reads.insert(name);
                }
            }
        }
        Self {
            reads: reads.difference(&writes).cloned().collect(),
            writes: writes.into_iter().collect(),
        }
    }
}

/// Returns the tables whose rows a check looks for.
fn rows_of(step: &Step) -> Vec<String> {
    let Kind::Check(check) = &step.kind else {
        return Vec::new();
    };
    let tables = check.database.iter().flat_map(|database| &database.rows.0);
    tables.map(|(table, _)| table.value.clone()).collect()
}

/// A name that a template gives has a made-up one in the statement.
fn shown(sql: &SqlTemplate, name: &TableName) -> String {
    let made_up = name.name.strip_prefix("name ");
    let index = made_up.and_then(|index| index.parse::<usize>().ok());
    match index.and_then(|index| sql.names.get(index)) {
        Some(expression) => format!("{{{{ {expression} | ident }}}}"),
        None => name.to_string(),
    }
}
