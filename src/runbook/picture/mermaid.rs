//! Mermaid flowcharts, which Markdown pages show as pictures.

use std::fmt::Write as _;

use super::{Arrow, Box, BoxKind, Picture, wrap};

/// Draws a picture.
pub fn draw(picture: &Picture) -> String {
    let mut text = String::from("flowchart TD\n");
    let mut frame = None;
    for (index, each) in picture.boxes.iter().enumerate() {
        if frame != each.frame {
            if frame.is_some() {
                text.push_str("  end\n");
            }
            if let Some(number) = each.frame {
                let title = escape(&format!("atomic {}", picture.frames[number]));
                let _ = writeln!(text, "  subgraph f{number} [\"{title}\"]");
            }
            frame = each.frame;
        }
        let space = if frame.is_some() { "    " } else { "  " };
        let _ = writeln!(text, "{space}{}", node(index, each));
    }
    if frame.is_some() {
        text.push_str("  end\n");
    }
    for arrow in &picture.arrows {
        let _ = writeln!(text, "  {}", line(arrow));
    }
    text.push_str("  classDef success fill:#d9f2df,stroke:#2e7d43\n");
    text.push_str("  classDef failure fill:#fbdcdc,stroke:#b3261e\n");
    text.push_str("  classDef fix fill:#fff1cc,stroke:#a86f00\n");
    text
}

fn node(index: usize, each: &Box) -> String {
    let lines: Vec<String> = wrap(&each.label, 40, 4)
        .iter()
        .map(|line| escape(line))
        .collect();
    let label = lines.join("<br>");
    match each.kind {
        BoxKind::Success => format!("b{index}([\"{label}\"]):::success"),
        BoxKind::Failure => format!("b{index}([\"{label}\"]):::failure"),
        BoxKind::Step("check") => format!("b{index}{{\"check<br>{label}\"}}"),
        BoxKind::Step("confirm") => format!("b{index}[/\"confirm<br>{label}\"/]"),
        BoxKind::Step("fix") => format!("b{index}[\"fix<br>{label}\"]:::fix"),
        BoxKind::Step(word) => format!("b{index}[\"{word}<br>{label}\"]"),
    }
}

fn line(arrow: &Arrow) -> String {
    let (from, to) = (arrow.from, arrow.to);
    let stroke = if arrow.error { "-.->" } else { "-->" };
    if arrow.label.is_empty() {
        format!("b{from} {stroke} b{to}")
    } else {
        format!("b{from} {stroke}|\"{}\"| b{to}", escape(&arrow.label))
    }
}

/// Mermaid reads entities in quoted texts, and nothing else of them.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            '`' => escaped.push_str("#96;"),
            '{' => escaped.push_str("#123;"),
            '}' => escaped.push_str("#125;"),
            other => escaped.push(other),
        }
    }
    escaped
}
