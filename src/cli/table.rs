//! Tables of words, for lists of runbooks and parameters.

use console::{measure_text_width, pad_str, truncate_str};

use crate::base::words;

/// A column is not cut to less than this.
const LEAST: usize = 10;

/// Lays out rows in columns. Where they are wider than `width`, the widest columns are cut.
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
    let mut over = total.saturating_sub(width);
    while over > 0 {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > LEAST) else {
            return;
        };
        let left = widest.saturating_sub(over).max(LEAST);
        over -= *widest - left;
        *widest = left;
    }
}

/// Breaks the lines that are wider than `width` between words; what follows of one stands a little deeper.
pub(super) fn folded(text: &str, width: usize) -> String {
    let mut all = String::new();
    for line in text.lines() {
        if measure_text_width(line) <= width {
            all.extend([line, "\n"]);
            continue;
        }
        let deep = line.len() - line.trim_start().len();
        let room = width.saturating_sub(deep + 2).max(20);
        for (part, deep) in words::wrapped(line.trim_start(), room)
            .iter()
            .zip(std::iter::once(deep).chain(std::iter::repeat(deep + 2)))
        {
            all.extend([" ".repeat(deep).as_str(), part, "\n"]);
        }
    }
    all
}

/// Lays the paragraphs of a text out anew where they are wider than `width`; lists and what is indented keep their
/// lines.
pub(super) fn reflowed(text: &str, width: usize) -> String {
    let paragraphs = text.trim_end().split("\n\n").map(|paragraph| {
        let own = |line: &str| {
            line.starts_with([' ', '-', '*']) || line.starts_with(|c: char| c.is_ascii_digit())
        };
        if paragraph.lines().any(own)
            || paragraph
                .lines()
                .all(|line| measure_text_width(line) <= width)
        {
            return folded(paragraph, width);
        }
        let all: Vec<&str> = paragraph.split_whitespace().collect();
        words::wrapped(&all.join(" "), width).join("\n") + "\n"
    });
    let paragraphs: Vec<String> = paragraphs.collect();
    paragraphs.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_columns_are_cut_as_must_be() {
        let cells = [
            "enable-user",
            "Enable an inactive user",
            "medium",
            "crm, user, login, access",
        ];
        let row: Vec<String> = cells.iter().map(ToString::to_string).collect();
        let heads = ["NAME", "TITLE", "RISK", "TAGS"];
        assert_eq!(
            table(&heads, &[row], 45, true),
            "NAME         TITLE         RISK    TAGS\n\
             enable-user  Enable an i…  medium  crm, user…\n"
        );
    }

    #[test]
    fn a_line_is_broken_between_words_and_goes_on_deeper() {
        assert_eq!(
            folded("  suspended: the whole company is suspended\n  ok\n", 30),
            "  suspended: the whole\n    company is suspended\n  ok\n"
        );
    }

    #[test]
    fn paragraphs_are_laid_out_anew_and_lists_are_not() {
        let text = "One two three four five six seven\neight.\n\n- first\n- second of these\n";
        assert_eq!(
            reflowed(text, 20),
            "One two three four\nfive six seven\neight.\n\n- first\n- second of these\n"
        );
    }
}
