//! The parts of a batch: the rows that a statement's predicate finds, in the order of their key, so many at
//! a time. Each part is the same statement with the bounds of its keys added to its predicate.

use std::sync::Arc;

use super::Session;
use super::table::TableFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Bound, Limits, Part};
use crate::pg::bind;
use crate::runbook::data::{Cell, oid};
use crate::sql::ident::{TableName, quote_ident};
use crate::sql::statement::Statement;
use crate::sql::target::Target;

impl Session {
    /// Finds the next part of a statement's rows: `size` of them, after a key.
    ///
    /// # Errors
    /// The server's word; a table without a key cannot be worked through in parts.
    pub async fn part(
        &mut self,
        bound: &Bound,
        after: Option<&[String]>,
        size: u32,
        limits: &Limits,
    ) -> Result<Part, Failure> {
        let Some(target) = bound.statement.target() else {
            return Err(no_parts(bound.statement.verb()));
        };
        let name = quote_ident(target.alias.as_deref().unwrap_or(&target.table.name));
        let facts = self.table_of_part(&target.table, limits).await?;
        let columns: Vec<String> = facts
            .iter()
            .flat_map(|facts| &facts.key)
            .map(|column| format!("{name}.{}", quote_ident(column)))
            .collect();
        if columns.is_empty() {
            return Err(no_parts(&target.table.name));
        }
        let mut binds = bound.binds.clone();
        let mut conditions = Vec::new();
        if let Some(after) = after {
            conditions.push(compare(&columns, ">", after, &mut binds));
        }
        let mut of = 0;
        if after.is_none() {
            let count = reading(&count(target), &binds)?;
            let rows = self.read(&count, 1, limits).await?;
            let found = rows.rows.first().and_then(|row| row.first()?.as_ref());
            of = found.and_then(|text| text.parse().ok()).unwrap_or_default();
        }
        let window = reading(&window(target, &columns, &conditions, size), &binds)?;
        let found = self.read(&window, 2, limits).await?;
        let key = |row: &Vec<Option<String>>| -> Vec<String> {
            row.iter()
                .map(|cell| cell.clone().unwrap_or_default())
                .collect()
        };
        let last = found.rows.first().map(key);
        if let Some(last) = &last {
            conditions.push(compare(&columns, "<=", last, &mut binds));
        }
        Ok(Part {
            bound: narrowed(bound, &conditions, binds)?,
            more: found.rows.len() > 1,
            of,
            last: last.unwrap_or_default(),
        })
    }

    /// Returns the facts of the table that a name means under the run's settings.
    async fn table_of_part(
        &mut self,
        name: &TableName,
        limits: &Limits,
    ) -> Result<Option<Arc<TableFacts>>, Failure> {
        if self.local.is_empty() {
            return self.table(name).await;
        }
        if self.depth > 0 {
            let pending = self.take_pending_within(limits);
            self.guarded(limits, self.begin(&pending)).await?;
            return self.table(name).await;
        }
        let begin = format!("BEGIN READ ONLY{}", self.local_settings());
        let begun = self.guarded(limits, self.begin(&begin)).await;
        let facts = match begun {
            Ok(()) => self.table(name).await,
            Err(failure) => Err(failure),
        };
        self.broken |= self.begin("ROLLBACK").await.is_err();
        facts
    }
}

/// Returns the statement that finds the last row of a part, and whether there is one after it.
fn window(target: &Target, columns: &[String], conditions: &[String], size: u32) -> String {
    let texts: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{column}::text AS k{index}"))
        .collect();
    format!(
        "{} ORDER BY {} OFFSET {} LIMIT 2",
        select(target, &texts.join(", "), conditions),
        columns.join(", "),
        size.saturating_sub(1),
    )
}

fn count(target: &Target) -> String {
    select(target, "count(*)::text AS count", &[])
}

/// Returns a SELECT of the rows that a statement is about.
fn select(target: &Target, what: &str, conditions: &[String]) -> String {
    let own = target.where_sql.iter().map(|own| format!("({own}\n)"));
    let all: Vec<String> = own.chain(conditions.iter().cloned()).collect();
    let condition = if all.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", all.join(" AND "))
    };
    let alias = target.alias.as_deref();
    let alias = alias.map_or(String::new(), |alias| format!(" AS {}", quote_ident(alias)));
    format!(
        "{with} SELECT {what} FROM {only}{table}{alias}{condition}",
        with = target.with_sql.as_deref().unwrap_or_default(),
        only = if target.only { "ONLY " } else { "" },
        table = target.table_sql,
    )
}

/// Compares the key with values, which are bound behind those that there are.
fn compare(columns: &[String], how: &str, values: &[String], binds: &mut Vec<Cell>) -> String {
    let mut places = Vec::new();
    for value in values {
        binds.push(Cell {
            text: Some(value.clone()),
            // The column says what it is.
            oid: oid::UNKNOWN,
        });
        places.push(format!("${}", binds.len()));
    }
    format!("({}) {how} ({})", columns.join(", "), places.join(", "))
}

fn narrowed(bound: &Bound, conditions: &[String], binds: Vec<Cell>) -> Result<Bound, Failure> {
    if conditions.is_empty() {
        return Ok(bound.clone());
    }
    let statement = bound.statement.narrowed(&conditions.join(" AND "));
    match statement {
        Ok(Some(statement)) => Ok(Bound { statement, binds }),
        Ok(None) => Err(no_parts(bound.statement.verb())),
        Err(error) => Err(Failure::new(FailureKind::Statement, error.message)),
    }
}

/// Returns a reading statement with those of the values that it uses.
fn reading(text: &str, binds: &[Cell]) -> Result<Bound, Failure> {
    let (text, binds) = bind::renumber(text, binds);
    let statement = Statement::parse(&text)
        .map_err(|error| Failure::new(FailureKind::Statement, error.message))?;
    Ok(Bound { statement, binds })
}

fn no_parts(what: &str) -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        format!("{what} cannot be worked through in parts: its rows have no key to go by"),
    )
    .help("take `batch` away, or give the table a primary key")
}
