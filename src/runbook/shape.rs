//! What can be read of a name: the columns of a query, the answer of a question, the facts of a run.

use super::model::Step;
use crate::step::Kind;

/// The attributes of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not known before the statement is prepared.
    Any,
    /// These.
    Names(Vec<String>),
}

impl Shape {
    fn of(names: &[&str]) -> Self {
        Self::Names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Adds the columns of a statement, where they are known.
    fn with(self, columns: Option<Vec<String>>) -> Self {
        match (self, columns) {
            (Self::Names(names), Some(columns)) => Self::Names([columns, names].concat()),
            _ => Self::Any,
        }
    }
}

/// Returns what the engine itself provides under a name.
pub fn builtin(name: &str) -> Option<Shape> {
    match name {
        "run" => Some(Shape::of(&[
            "id",
            "started_at",
            "actor",
            "previous",
            "dry_run",
        ])),
        "target" => Some(Shape::of(&[
            "name",
            "database",
            "server_version",
            "server_version_num",
        ])),
        _ => None,
    }
}

/// Returns what a step's result has.
pub fn of_step(step: &Step) -> Shape {
    if step.common.for_each.is_some() {
        return Shape::of(&["count", "results"]);
    }
    let command = Shape::of(&["stdout", "stderr", "code"]);
    match &step.kind {
        Kind::Query(query) if query.command.is_some() => command,
        Kind::Query(query) => {
            let shape = match query.save {
                Some(_) => Shape::of(&["rows", "count", "path", "sha256"]),
                None => Shape::of(&["rows", "count"]),
            };
            if query
                .rows
                .as_ref()
                .is_some_and(crate::step::shape::RowsGuard::is_one)
            {
                shape.with(columns(step))
            } else {
                shape
            }
        }
        Kind::Check(check) if check.database.is_some() => {
            Shape::of(&["passed", "items", "missing", "unseen"])
        }
        Kind::Check(_) => Shape::of(&["passed", "items"]),
        Kind::Confirm(_) => Shape::of(&["answer", "by"]),
        Kind::Backup(_) => Shape::of(&["id", "path", "rows", "bytes", "sha256"]),
        Kind::Fix(fix) if fix.command.is_some() => command,
        Kind::Fix(_) => Shape::of(&["count", "rows", "changes"]),
        Kind::Rollback(_) => Shape::of(&["restored", "conflicts"]),
        Kind::Atomic(_) => Shape::of(&["count"]),
        Kind::Use(_) => Shape::of(&[]),
    }
}

/// Returns the columns of a query that are read by way of its rows only.
pub fn row_columns(step: &Step) -> Vec<String> {
    match &step.kind {
        Kind::Query(query) if query.sql.is_some() => columns(step).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Returns the bare names that a check's own row or command gives to its expressions.
pub fn own_columns(step: &Step) -> Option<Shape> {
    match &step.kind {
        Kind::Check(check) if check.sql.is_some() => Some(Shape::of(&[]).with(columns(step))),
        Kind::Check(check) if check.command.is_some() => {
            Some(Shape::of(&["stdout", "stderr", "code"]))
        }
        _ => None,
    }
}

fn columns(step: &Step) -> Option<Vec<String>> {
    step.sql
        .first()
        .and_then(|sql| sql.statement.output_columns())
}
