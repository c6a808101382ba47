//! Rows: for each map of columns and values there must be one.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::object::catalogued;
use super::{Auditor, FORBIDDEN, get};
use crate::engine::database::{Standing, WantedRow, row_name};
use crate::engine::failure::Failure;
use crate::pg::bind::{borrowed, params};
use crate::runbook::data::{Cell, oid};
use crate::sql::ident::quote_ident;

/// How many rows one statement looks for.
const AT_ONCE: usize = 100;

/// The base types of a table's columns, and whether row-level security decides what the login sees.
const COLUMNS: &str = "\
    SELECT a.attname::text, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, row_security_active($1) \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";

/// A table whose rows are looked for.
struct Table<'a> {
    text: &'a str,
    written: &'a str,
    /// The types of its columns.
    kinds: HashMap<String, u32>,
    /// Whether policies decide what the login sees of it.
    hides: bool,
}

impl Auditor<'_> {
    pub(super) async fn rows(&self) -> Result<Vec<Standing>, Failure> {
        let mut standings = Vec::new();
        for (table, rows) in &self.wanted.rows {
            match self.owner(table) {
                Err(missing) => standings.extend(rows.iter().map(|_| missing.clone())),
                Ok(relation) => {
                    let values = [(&relation.oid as _, Type::OID)];
                    let columns = self.asked.rows(COLUMNS, &values).await?;
                    let hides = columns.first().map_or(Ok(false), |row| get(row, 2))?;
                    let kinds = columns.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?)));
                    let table = Table {
                        text: table,
                        written: &relation.written,
                        kinds: kinds.collect::<Result<_, Failure>>()?,
                        hides,
                    };
                    standings.extend(self.of_table(&table, rows).await?);
                }
            }
        }
        Ok(standings)
    }

    /// Looks for rows of a table: all at once, and one by one where the server refuses that.
    async fn of_table(
        &self,
        table: &Table<'_>,
        rows: &[WantedRow],
    ) -> Result<Vec<Standing>, Failure> {
        let mut standings = Vec::new();
        for some in rows.chunks(AT_ONCE) {
            let all: Vec<&WantedRow> = some.iter().collect();
            match self.exist(table, &all).await {
                Ok(there) => standings.extend(there.iter().map(|there| table.standing(*there))),
                Err(failure) if is_of_row(&failure) => {
                    for row in some {
                        standings.push(self.alone(table, row).await?);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(standings)
    }

    async fn alone(&self, table: &Table<'_>, row: &WantedRow) -> Result<Standing, Failure> {
        let failure = match self.exist(table, &[row]).await {
            Ok(there) => return Ok(table.standing(there.first().copied().unwrap_or(false))),
            Err(failure) => failure,
        };
        match failure.sqlstate.as_deref() {
            Some(FORBIDDEN) => Ok(Standing::Unseen(failure.message)),
            Some("42703") => {
                let gone = row
                    .iter()
                    .map(|(column, _)| column)
                    .find(|column| !table.kinds.contains_key(&catalogued(column)));
                let name = gone.map_or("", String::as_str);
                Ok(Standing::missing(format!("there is no column {name}")))
            }
            _ if is_of_row(&failure) => Err(self.refused(table, row, failure).await),
            _ => Err(failure),
        }
    }

    /// Says which value the server refuses.
    async fn refused(&self, table: &Table<'_>, row: &WantedRow, failure: Failure) -> Failure {
        for pair in row {
            let one = vec![pair.clone()];
            if let Err(failure) = self.exist(table, &[&one]).await {
                return of_row(failure, &row_name(table.text, &one));
            }
        }
        of_row(failure, &row_name(table.text, row))
    }

    /// Returns of each row whether there is one.
    async fn exist(&self, table: &Table<'_>, rows: &[&WantedRow]) -> Result<Vec<bool>, Failure> {
        let mut binds = Vec::new();
        let questions: Vec<String> = rows
            .iter()
            .map(|row| table.question(row, &mut binds))
            .collect();
        let text = format!("SELECT {}", questions.join(", "));
        let params = params(&binds);
        let values = borrowed(&params);
        let found = self.asked.tried(self.asked.rows(&text, &values)).await?;
        let Some(row) = found.first() else {
            return Ok(vec![false; rows.len()]);
        };
        (0..rows.len()).map(|index| get(row, index)).collect()
    }
}

impl Table<'_> {
    /// Returns a question for one row; its values are typed by the columns that they are compared with.
    fn question(&self, row: &WantedRow, binds: &mut Vec<Cell>) -> String {
        let conditions: Vec<String> = row
            .iter()
            .map(|(column, value)| {
                let name = catalogued(column);
                let quoted = quote_ident(&name);
                let Some(value) = value else {
                    return format!("{quoted} IS NULL");
                };
                binds.push(Cell {
                    text: Some(value.clone()),
                    oid: oid::UNKNOWN,
                });
                let number = binds.len();
                match self.kinds.get(&name) {
                    // These have no `=` of their own.
                    Some(&oid::JSON) => format!("{quoted}::jsonb = ${number}::jsonb"),
                    Some(142 | 600) => format!("{quoted}::text = ${number}::text"),
                    _ => format!("{quoted} = ${number}"),
                }
            })
            .collect();
        let filter = if conditions.is_empty() {
            "true".to_owned()
        } else {
            conditions.join(" AND ")
        };
        format!("EXISTS (SELECT FROM {} WHERE {filter})", self.written)
    }

    fn standing(&self, there: bool) -> Standing {
        match (there, self.hides) {
            (true, _) => Standing::There,
            (false, true) => {
                Standing::missing("unless row-level security hides it from this login")
            }
            (false, false) => Standing::Missing(None),
        }
    }
}

/// Returns whether a failure is about a row that is looked for, and not about the connection or time.
fn is_of_row(failure: &Failure) -> bool {
    failure
        .sqlstate
        .as_deref()
        .is_some_and(|code| code.starts_with("22") || code.starts_with("42"))
}

fn of_row(failure: Failure, row: &str) -> Failure {
    let message = format!("the row {row} cannot be looked for: {}", failure.message);
    Failure { message, ..failure }.help("write a value that the column's type can hold")
}
