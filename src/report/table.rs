//! Draws rows: a borderless table, a record, or a chart.

use super::amount;
use super::line::Line;
use super::look::Look;
use super::{chart, record};
use crate::runbook::data::{Rows, oid};
use crate::step::query::Show;

/// How many rows of a table are shown in a run.
pub const MOST_ROWS: usize = 20;

/// Between columns.
pub(super) const GAP: usize = 2;

/// A column of text stays at least this wide; rather the last columns are left out.
const NARROWEST: usize = 8;

/// Draws at most `most` rows.
pub fn draw(rows: &Rows, show: Show, most: usize, look: Look) -> Vec<Line> {
    if rows.columns.is_empty() || rows.rows.is_empty() {
        return Vec::new();
    }
    let mut lines = match show {
        Show::Table => table(rows, most, look),
        Show::Record => record::draw(rows, most, look),
        Show::Chart => chart::draw(rows, most, look),
        Show::None => return Vec::new(),
    };
    let shown = rows.rows.len().min(most);
    let more = rows.count.saturating_sub(amount::long(shown));
    if more > 0 {
        lines.push(more_of(&amount::rows(more), look));
    }
    lines
}

/// Returns "… and 3 more rows".
pub(super) fn more_of(counted: &str, look: Look) -> Line {
    let ellipsis = look.glyphs().ellipsis;
    let words = match counted.split_once(' ') {
        Some((number, things)) => format!("{ellipsis} and {number} more {things}"),
        None => format!("{ellipsis} and {counted} more"),
    };
    look.line().dim(&words)
}

/// Draws a value: NULL is a dim `null`, and a text that reads the same stands in quotes.
pub(super) fn cell(value: Option<&str>, look: Look) -> Line {
    match value {
        None => look.line().dim("null"),
        Some("null") => look.line().plain("\"null\""),
        Some(text) => look.line().plain(text),
    }
}

/// A column with its cells drawn.
struct Column {
    header: Line,
    cells: Vec<Line>,
    /// Whether it has numbers, which end at its right.
    number: bool,
    width: usize,
}

impl Column {
    fn put(&self, line: Line, cell: &Line) -> Line {
        let cell = cell.clone().shortened(self.width);
        let (start, blank) = (line.width(), self.width.saturating_sub(cell.width()));
        let line = line.gap(if self.number { blank } else { 0 });
        line.then(&cell).to(start + self.width)
    }

    fn least(&self) -> usize {
        if self.number {
            self.width
        } else {
            self.width.min(NARROWEST)
        }
    }
}

fn table(rows: &Rows, most: usize, look: Look) -> Vec<Line> {
    let mut columns: Vec<Column> = (0..rows.columns.len())
        .map(|index| column(rows, index, most, look))
        .collect();
    let left_out = look.width.map_or(0, |width| fit(&mut columns, width));
    let put = |cell: &dyn Fn(&Column) -> Option<&Line>| {
        columns
            .iter()
            .enumerate()
            .fold(look.line(), |line, (index, column)| {
                let line = line.gap(if index == 0 { 0 } else { GAP });
                match cell(column) {
                    Some(cell) => column.put(line, cell),
                    None => line.gap(column.width),
                }
            })
    };
    let mut lines = vec![put(&|column| Some(&column.header))];
    let shown = rows.rows.len().min(most);
    lines.extend((0..shown).map(|row| put(&|column| column.cells.get(row))));
    if left_out > 0 {
        let names: Vec<&str> = rows.columns[rows.columns.len() - left_out..]
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let counted = crate::base::words::count(amount::long(left_out), "column");
        let more = more_of(&counted, look).dim(&format!(": {}", names.join(", ")));
        lines.push(
            look.width
                .map_or(more.clone(), |width| more.shortened(width)),
        );
    }
    lines
}

fn column(rows: &Rows, index: usize, most: usize, look: Look) -> Column {
    let meta = &rows.columns[index];
    let header = look.line().dim(&meta.name);
    let cells: Vec<Line> = rows
        .rows
        .iter()
        .take(most)
        .map(|row| match row.get(index) {
            Some(value) => cell(value.as_deref(), look),
            None => look.line(),
        })
        .collect();
    let width = cells
        .iter()
        .map(Line::width)
        .fold(header.width(), usize::max);
    Column {
        header,
        cells,
        number: is_number(meta.oid),
        width,
    }
}

/// Makes columns as narrow as a width demands: the widest text first. Returns how many of the last ones
/// had to be left out.
fn fit(columns: &mut Vec<Column>, width: usize) -> usize {
    let total = |widths: &mut dyn Iterator<Item = usize>| {
        widths
            .map(|width| width + GAP)
            .sum::<usize>()
            .saturating_sub(GAP)
    };
    for column in columns.iter_mut() {
        column.width = column.width.min(width);
    }
    let all = columns.len();
    while columns.len() > 1 && total(&mut columns.iter().map(Column::least)) > width {
        columns.pop();
    }
    while total(&mut columns.iter().map(|column| column.width)) > width {
        let widest = columns
            .iter_mut()
            .filter(|column| column.width > column.least())
            .max_by_key(|column| column.width);
        match widest {
            Some(column) => column.width -= 1,
            None => break,
        }
    }
    all - columns.len()
}

/// Returns whether values of a type are numbers.
pub(super) fn is_number(kind: u32) -> bool {
    const MONEY: u32 = 790;
    matches!(
        kind,
        oid::INT2
            | oid::INT4
            | oid::INT8
            | oid::OID
            | oid::FLOAT4
            | oid::FLOAT8
            | oid::NUMERIC
            | MONEY
    )
}
