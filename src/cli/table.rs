//! Tables of words, for lists of runbooks and parameters.

use console::{measure_text_width, pad_str, truncate_str};

/// Lays out rows in columns. Where they are wider than `width`, the widest column is cut.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], width: usize, unicode: bool) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| measure_text_width(head)).collect();
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
