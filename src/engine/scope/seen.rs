//! What templates see of a step's results. Rows and rounds become values only when a template looks at them: a
//! context is built for every step, and most steps read little of what came before.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::super::event::{Assertion, StepResult};
use crate::runbook::data::{Rows, value};
use crate::runbook::model::Step;
use crate::step::Kind;
use crate::step::database::Group;
use crate::step::shape::RowsGuard;

/// The results of a step, in order; a loop has several.
type Results = Arc<Vec<StepResult>>;

/// Returns what is seen of one result of a step.
pub(super) fn result(step: &Step, results: &Results, index: usize) -> Value {
    if matches!(
        (&step.kind, &results[index]),
        (Kind::Backup(_), StepResult::WouldRun)
    ) {
        let keys = ["id", "path", "rows", "bytes", "sha256"];
        return Value::from_pairs(keys.map(|key| (key, Value::from(NOT_MADE))));
    }
    one(results, index, has_columns(step))
}

/// What a dry run shows of a backup that it does not make, so that questions and reports that name it can be
/// read.
const NOT_MADE: &str = "(no backup in a dry run)";

/// What a dry run shows of a file that it does not write.
const NOT_WRITTEN: &str = "(no file in a dry run)";

/// Returns what is seen of a loop.
pub(super) fn rounds(step: &Step, results: &Results, count: u64) -> Value {
    let all = Rounds {
        results: Arc::clone(results),
        columns: has_columns(step),
    };
    Value::from_pairs([
        ("results", Value::from_object(all)),
        ("count", Value::from(count)),
    ])
}

/// Returns whether the columns of a step's only row are read as its attributes.
pub(super) fn has_columns(step: &Step) -> bool {
    match &step.kind {
        Kind::Query(query) => query.rows.as_ref().is_some_and(RowsGuard::is_one),
        _ => false,
    }
}

fn one(results: &Results, index: usize, columns: bool) -> Value {
    let mut entries: Vec<(&str, Value)> = Vec::new();
    let mut add = |key, value| entries.push((key, value));
    let records = || {
        Value::from_object(Records {
            results: Arc::clone(results),
            index,
        })
    };
    match &results[index] {
        StepResult::Query { rows, saved, .. } => {
            add("rows", records());
            if let Some(saved) = saved {
                let sha256 = saved.sha256.as_deref();
                add("path", Value::from(saved.path.as_str()));
                add("sha256", Value::from(sha256.unwrap_or(NOT_WRITTEN)));
            }
            add("count", Value::from(rows.count));
            if let (true, Some(row)) = (columns, rows.rows.first()) {
                for (column, text) in rows.columns.iter().zip(row) {
                    add(&column.name, value(text.as_deref(), column.oid));
                }
            }
        }
        StepResult::Check { passed, items, .. } => {
            add("passed", Value::from(*passed));
            add("items", items.iter().map(assertion).collect());
            // Of a check that looks for nothing of a database, no runbook that is valid reads them.
            add("missing", missing(items));
            let unseen = items.iter().filter(|item| !item.seen);
            add(
                "unseen",
                unseen.map(|item| Value::from(item.name.as_str())).collect(),
            );
        }
        StepResult::Confirm { yes, by, .. } => {
            add("answer", Value::from(if *yes { "yes" } else { "no" }));
            add("by", Value::from(by.as_str()));
        }
        StepResult::Fix { count, changes, .. } => {
            add("count", Value::from(*count));
            add("rows", records());
            add("changes", Value::from(changes.count()));
        }
        StepResult::Command {
            code,
            stdout,
            stderr,
            ..
        } => {
            add("code", Value::from(*code));
            add("stdout", Value::from(stdout.as_str()));
            add("stderr", Value::from(stderr.as_str()));
        }
        StepResult::Rollback {
            restored,
            conflicts,
            ..
        } => {
            add("restored", Value::from(*restored));
            add("conflicts", Value::from(conflicts.len()));
        }
        StepResult::Backup(backed) => {
            add("id", Value::from(backed.id.as_str()));
            add("path", Value::from(backed.path.as_str()));
            add("rows", Value::from(backed.rows));
            add("bytes", Value::from(backed.bytes));
            add("sha256", Value::from(backed.sha256.as_str()));
        }
        // No step of a runbook comes to it.
        StepResult::Restored(_) | StepResult::WouldRun => {}
    }
    Value::from_pairs(entries)
}

fn assertion(item: &Assertion) -> Value {
    let mut pairs = vec![
        ("name", Value::from(item.name.as_str())),
        ("passed", Value::from(item.passed)),
    ];
    if let Some(group) = item.group {
        let text = |text: &Option<String>| Value::from(text.as_deref());
        pairs.extend([
            ("group", Value::from(group.key())),
            ("seen", Value::from(item.seen)),
            ("found", text(&item.found)),
            ("why", text(&item.why)),
            ("otherwise", text(&item.otherwise)),
        ]);
    }
    Value::from_pairs(pairs)
}

/// What a database does not have, or not as it must be: the names of every group.
fn missing(items: &[Assertion]) -> Value {
    let names = |group: Group| -> Value {
        let of = items
            .iter()
            .filter(|item| item.group == Some(group) && !item.passed && item.seen);
        of.map(|item| Value::from(item.name.as_str())).collect()
    };
    Value::from_pairs(Group::ALL.map(|group| (group.key(), names(group))))
}

/// The rows of a result, each a map by column.
#[derive(Debug)]
struct Records {
    results: Results,
    index: usize,
}

impl Records {
    fn rows(&self) -> Option<&Rows> {
        match self.results.get(self.index)? {
            StepResult::Query { rows, .. } | StepResult::Fix { rows, .. } => Some(rows),
            _ => None,
        }
    }
}

impl Object for Records {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let rows = self.rows()?;
        let row = rows.rows.get(key.as_usize()?)?;
        Some(rows.record(row))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.rows().map_or(0, |rows| rows.rows.len()))
    }
}

/// The results of a loop.
#[derive(Debug)]
struct Rounds {
    results: Results,
    columns: bool,
}

impl Object for Rounds {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_usize()?;
        (index < self.results.len()).then(|| one(&self.results, index, self.columns))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.results.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::context::Context;
    use crate::runbook::data::{Column, oid};
    use crate::step::query::Show;

    #[test]
    fn rows_are_a_list_of_maps() {
        let id = Column {
            name: "id".to_owned(),
            kind: "int8".to_owned(),
            oid: oid::INT8,
            ..Column::default()
        };
        let row = |text: &str| vec![Some(text.to_owned())];
        let rows = Rows {
            columns: vec![id],
            rows: vec![row("7"), row("8")],
            count: 2,
        };
        let result = StepResult::Query {
            rows,
            show: Show::default(),
            guard: None,
            saved: None,
        };
        let mut context = Context::default();
        context.insert("q", one(&Arc::new(vec![result]), 0, false));
        let cases = [
            ("{{ q.rows[1].id + 1 }}", "9"),
            ("{{ q.rows | length }}", "2"),
            ("{{ q.rows | map(attribute='id') | join(',') }}", "7,8"),
            ("{% for row in q.rows %}{{ row.id }};{% endfor %}", "7;8;"),
            ("{{ q.rows[2] is defined }}", "false"),
        ];
        for (template, text) in cases {
            assert_eq!(context.render(template).as_deref(), Ok(text), "{template}");
        }
    }
}
