//! Tables of words, for lists of runbooks and parameters.

use console::{measure_text_width, pad_str, truncate_str};

/// Lays out rows in columns. Where they are wider than `width`, the widest column is cut.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], width: usize, unicode: bool) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| measure_text_width(head)).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    widths.resize(columns.max(heads.len()), 0);
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(measure_text_width(cell));
        }
    }
    shrink(&mut widths, width);
    let cut = if unicode { "…" } else { "..." };
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| {
                let cell = truncate_str(cell, *width, cut);
                pad_str(&cell, *width, console::Alignment::Left, None).into_owned()
            })
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut text = String::new();
    if heads.iter().any(|head| !head.is_empty()) {
        text.push_str(&line(&mut heads.iter().copied()));
    }
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Leaves out columns of `lines`, whose first are the heads, where there is no room for all: in the order of `heads`,
/// as many as must be. The others are never cut: an id is what other commands are given.
pub(super) fn narrow(lines: &mut [Vec<String>], heads: &[&str], width: usize) {
    for head in heads {
        let Some(first) = lines.first() else { return };
        let widest = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| measure_text_width(cell) + 2).max()
        };
        let total: usize = (0..first.len()).filter_map(widest).sum();
        let Some(at) = first.iter().position(|each| each == head) else {
            continue;
        };
        if total <= width + 2 {
            return;
        }
        for line in lines.iter_mut().filter(|line| at < line.len()) {
            line.remove(at);
        }
    }
}

fn shrink(widths: &mut [usize], width: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    let total: usize = widths.iter().sum::<usize>() + gaps;
    let over = total.saturating_sub(width);
    if let Some(widest) = widths.iter_mut().max().filter(|_| over > 0) {
        *widest = widest.saturating_sub(over).max(10);
    }
}

/// Indents every line that is not empty.
pub(super) fn indent(text: &str, by: usize) -> String {
    let space = " ".repeat(by);
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{space}{line}\n")
            }
        })
        .collect()
}
