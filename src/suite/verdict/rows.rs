//! The rows that a case expects, beside those that came.

use serde_json::Value;

use super::diff::{Part, align, lines};
use crate::base::words;
use crate::runbook::data::{Rows, oid};
use crate::runbook::param::Literal;
use crate::suite::document::RowsAfter;

/// As many characters of a value as fit beside others.
const WIDEST: usize = 40;

/// Returns how the rows differ from the expected ones; nothing where they do not.
pub(super) fn compare(expected: &RowsAfter, came: &Rows) -> Option<Vec<String>> {
    let kinds: Vec<u32> = came.columns.iter().map(|column| column.oid).collect();
    let wanted: Vec<Vec<Option<String>>> =
        expected.are.iter().map(|row| row_of(row, &kinds)).collect();
    let more = came.count > words::long(came.rows.len());
    if wanted == came.rows && !more {
        return None;
    }
    let mut table: Vec<Vec<String>> = vec![
        came.columns
            .iter()
            .map(|column| column.name.clone())
            .collect(),
    ];
    let parts = align(&wanted, &came.rows);
    let rows = parts.iter().map(|part| match part {
        Part::Both(row) | Part::Expected(row) | Part::Came(row) => {
            row.iter().map(|cell| shown(cell.as_deref())).collect()
        }
    });
    table.extend(rows);
    let table = aligned(&table);
    let mut texts = table.iter().map(String::as_str);
    let header = texts.next().unwrap_or_default().to_owned();
    let signed: Vec<Part<&str>> = parts
        .iter()
        .zip(texts)
        .map(|(part, text)| match part {
            Part::Both(_) => Part::Both(text),
            Part::Expected(_) => Part::Expected(text),
            Part::Came(_) => Part::Came(text),
        })
        .collect();
    let mut found = vec![format!("  {header}")];
    found.extend(lines(&signed, "row"));
    if more {
        let kept = words::count(words::long(came.rows.len()), "row");
        found.push(format!(
            "+ … {} rows in all, of which {kept} were kept",
            came.count
        ));
    }
    if same_but_ordered(&wanted, &came.rows) && !more {
        found.push("  these are the same rows in another order: add ORDER BY".to_owned());
    }
    Some(found)
}

fn same_but_ordered(expected: &[Vec<Option<String>>], came: &[Vec<Option<String>>]) -> bool {
    let sorted = |rows: &[Vec<Option<String>>]| {
        let mut rows = rows.to_vec();
        rows.sort();
        rows
    };
    sorted(expected) == sorted(came)
}

/// Returns the texts of an expected row.
fn row_of(row: &Literal, kinds: &[u32]) -> Vec<Option<String>> {
    let cells = match &row.0 {
        Value::Array(cells) => cells.as_slice(),
        one => std::slice::from_ref(one),
    };
    cells
        .iter()
        .enumerate()
        .map(|(index, cell)| text(cell, kinds.get(index) == Some(&oid::BOOL)))
        .collect()
}

/// Returns a value as PostgreSQL prints it. A text `true` of a text column is that text.
fn text(cell: &Value, is_bool: bool) -> Option<String> {
    Some(match cell {
        Value::Null => return None,
        Value::Bool(value) if is_bool => if *value { "t" } else { "f" }.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// Returns a value in one short line; a text that reads as NULL does stands in quotes.
fn shown(cell: Option<&str>) -> String {
    let text = match cell {
        None => return "null".to_owned(),
        Some(text @ ("null" | "")) => return format!("\"{text}\""),
        Some(text) => text.replace('\n', "\\n"),
    };
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        line.join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}
