//! A run as Markdown that GitHub shows well: whatever a database holds is text in it, never markup.

use std::fmt::Write as _;

use super::page::{Block, Cell, Page, Section, Table};

/// Draws a page.
pub fn draw(page: &Page) -> String {
    let mut text = format!("# {}\n\n", inline(&page.title));
    let _ = writeln!(text, "**{}**", inline(&page.ending.words));
    for line in &page.ending.lines {
        let _ = writeln!(text, "\n{}", inline(line));
    }
    text.push('\n');
    text.push_str(&blocks(&page.ending.blocks));
    let facts = page.facts.iter();
    text.push_str(&pairs(
        facts.map(|fact| (fact.name.as_str(), fact.value.as_str())),
    ));
    if !page.params.is_empty() {
        text.push_str("## Parameters\n\n");
        let params = page.params.iter();
        text.push_str(&pairs(
            params.map(|param| (param.name.as_str(), param.value.as_str())),
        ));
    }
    if !page.not_rehearsed.is_empty() {
        text.push_str("## What it could not rehearse\n\n");
        for what in &page.not_rehearsed {
            let _ = writeln!(text, "- {}", inline(what));
        }
        text.push('\n');
    }
    text.push_str(&answers(page));
    text.push_str("## Steps\n\n");
    for section in &page.sections {
        text.push_str(&step(section, "###"));
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("| | |\n|---|---|\n");
    for (name, value) in pairs {
        let _ = writeln!(text, "| **{}** | {} |", inline(name), inline(value));
    }
    text.push('\n');
    text
}

fn answers(page: &Page) -> String {
    if page.answers.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "## Who confirmed what\n\n| Confirm | Question | Answer | By | When |\n|---|---|---|---|---|\n",
    );
    for answer in &page.answers {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            inline(&answer.step),
            inline(&answer.question),
            answer.said,
            inline(&answer.by),
            answer.at
        );
    }
    text.push('\n');
    text
}

fn step(section: &Section, level: &str) -> String {
    let mut text = format!("{level} {} {}", section.glyph, inline(&section.name));
    if !section.item.is_empty() {
        let _ = write!(text, " — {}", inline(&section.item));
    }
    text.push_str("\n\n");
    let facts = [&section.kind, &section.summary, &section.took, &section.at];
    let facts: Vec<String> = facts
        .into_iter()
        .filter(|fact| !fact.is_empty())
        .map(|fact| inline(fact))
        .collect();
    let _ = writeln!(text, "{}\n", facts.join(" · "));
    if !section.about.is_empty() {
        let _ = writeln!(text, "*{}*\n", inline(&section.about));
    }
    text.push_str(&blocks(&section.blocks));
    for inner in &section.inner {
        text.push_str(&step(inner, "####"));
    }
    text
}

fn blocks(blocks: &[Block]) -> String {
    blocks
        .iter()
        .map(|block| self::block(block) + "\n")
        .collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Text { text } => inline(text) + "\n",
        Block::Question { text } => format!("> {}\n", inline(text)),
        Block::Help { text } => format!("**help:** {}\n", inline(text)),
        Block::Output { text } => code(text),
        Block::Table(found) => table(found),
        Block::List { items } => items.iter().fold(String::new(), |mut text, item| {
            let mark = if item.good { "✓" } else { "✗" };
            let _ = writeln!(text, "- {mark} {}", inline(&item.text));
            if !item.help.is_empty() {
                let _ = writeln!(text, "  <br>**help:** {}", inline(&item.help));
            }
            text
        }),
        Block::Failure {
            message,
            notes,
            help,
        } => {
            let mut text = format!("> **error:** {}\n", inline(message));
            for note in notes {
                let _ = writeln!(text, "> <br>note: {}", inline(note));
            }
            for help in help {
                let _ = writeln!(text, "> <br>help: {}", inline(help));
            }
            text
        }
    }
}

fn table(table: &Table) -> String {
    let mut text = String::new();
    if !table.caption.is_empty() {
        let _ = writeln!(text, "**{}**\n", inline(&table.caption));
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    if !table.rows.is_empty() {
        let heads = table.heads.iter().map(|head| inline(&head.name));
        text.push_str(&line(heads.collect()));
        let rules = table
            .heads
            .iter()
            .map(|head| if head.number { "---:" } else { "---" });
        text.push_str(&line(rules.map(str::to_owned).collect()));
    }
    for row in &table.rows {
        // A row has a cell for each heading, or the lines would not stand under each other.
        let cells =
            (0..table.heads.len()).map(|index| row.get(index).map_or_else(String::new, cell));
        text.push_str(&line(cells.collect()));
    }
    if !table.more.is_empty() {
        let _ = writeln!(text, "\n*{}*", inline(&table.more));
    }
    text
}

fn cell(cell: &Cell) -> String {
    if cell.null {
        format!("*{}*", cell.text)
    } else {
        inline(&cell.text)
    }
}

/// Returns a block of code whose fence is longer than any in it.
fn code(text: &str) -> String {
    let mut fence = String::from("```");
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{text}\n{fence}\n")
}

/// Returns a text on one line.
fn inline(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().split('\n').map(escape).collect();
    lines.join("<br>")
}

/// Returns a line in which nothing is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let start = text.len()
        - text
            .trim_start_matches(|next: char| next.is_ascii_digit())
            .len();
    for (index, next) in text.char_indices() {
        // A number and a point, or one of these, begin a list, a heading or a rule.
        let begins = match next {
            '-' | '+' | '=' => index == 0,
            '.' | ')' => index == start && start > 0,
            _ => false,
        };
        match next {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' => escaped.push_str("&emsp;"),
            // Spaces at the start make a block of code.
            ' ' if text[..index].trim().is_empty() => escaped.push_str("&nbsp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '$' | '!' => {
                escaped.push('\\');
                escaped.push(next);
            }
            next if begins => {
                escaped.push('\\');
                escaped.push(next);
            }
            next => escaped.push(next),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let cases = [
            ("a|b`c*d_e", "a\\|b\\`c\\*d\\_e"),
            ("<script>&", "&lt;script&gt;&amp;"),
            ("1. one", "1\\. one"),
            ("15.18", "15\\.18"),
            ("- one\n# two", "\\- one<br>\\# two"),
            ("[a](b) ![c](d)", "\\[a\\](b) \\!\\[c\\](d)"),
            ("    code\tx", "&nbsp;&nbsp;&nbsp;&nbsp;code&emsp;x"),
            ("anna@example.com 1-2", "anna@example.com 1-2"),
        ];
        for (text, expected) in cases {
            assert_eq!(inline(text), expected);
        }
        assert_eq!(code("a\n````\nb"), "`````text\na\n````\nb\n`````\n");
    }
}
