//! What a runbook touches: the tables that its statements name, and what they do to them.

use std::collections::BTreeSet;

use super::model::Runbook;
use super::statement::SqlTemplate;
use crate::sql::ident::TableName;

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
        Self::of_statements(runbook.steps.iter().flat_map(|step| &step.sql))
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

/// A name that a template gives has a made-up one in the statement.
fn shown(sql: &SqlTemplate, name: &TableName) -> String {
    let made_up = name.name.strip_prefix("name ");
    let index = made_up.and_then(|index| index.parse::<usize>().ok());
    match index.and_then(|index| sql.names.get(index)) {
        Some(expression) => format!("{{{{ {expression} | ident }}}}"),
        None => name.to_string(),
    }
}
