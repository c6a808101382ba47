//! Draws rows as records: a column a line, its value whole.

use super::line::{Line, paragraph};
use super::look::{Look, Tone};
use super::table::{GAP, cell};
use crate::runbook::data::{Column, Rows};

/// Draws at most `most` rows, with an empty line between them.
pub(super) fn draw(rows: &Rows, most: usize, look: Look) -> Vec<Line> {
    let names: Vec<Line> = rows
        .columns
        .iter()
        .map(|Column { name, .. }| look.line().dim(name))
        .collect();
    let width = names.iter().map(Line::width).fold(0, usize::max) + GAP;
    let mut lines = Vec::new();
    for row in rows.rows.iter().take(most) {
        if !lines.is_empty() {
            lines.push(look.line());
        }
        for (name, value) in names.iter().zip(row) {
            let label = name.clone().to(width);
            match value.as_deref() {
                // Here is room for the lines of a text, which a table shows on one.
                Some(text) if text.contains('\n') => {
                    lines.extend(paragraph(&label, Tone::Plain, text));
                }
                value => lines.push(label.then(&cell(value, look))),
            }
        }
    }
    lines
}
