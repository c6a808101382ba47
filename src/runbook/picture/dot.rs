//! Graphs in the language of Graphviz.

use std::fmt::Write as _;

use super::{Box, BoxKind, Picture, wrap};

/// Draws a picture.
pub fn draw(picture: &Picture) -> String {
    let mut text = String::from("digraph runbook {\n");
    let _ = writeln!(
        text,
        "  label={}; labelloc=t; node [shape=box, style=filled, fillcolor=white, fontname=\"sans-serif\"];",
        quote(&picture.title)
    );
    for (number, frame) in picture.frames.iter().enumerate() {
        let title = quote(&format!("atomic {frame}"));
        let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label={title};");
        for (index, each) in boxes(picture, Some(number)) {
            let _ = writeln!(text, "    {}", node(index, each));
        }
        text.push_str("  }\n");
    }
    for (index, each) in boxes(picture, None) {
        let _ = writeln!(text, "  {}", node(index, each));
    }
    for arrow in &picture.arrows {
        let mut facts = vec![format!("label={}", quote(&arrow.label))];
        if arrow.error {
            facts.push("style=dashed".to_owned());
        }
        let facts = facts.join(", ");
        let _ = writeln!(text, "  b{} -> b{} [{facts}];", arrow.from, arrow.to);
    }
    text.push_str("}\n");
    text
}

fn boxes(picture: &Picture, frame: Option<usize>) -> impl Iterator<Item = (usize, &Box)> {
    picture
        .boxes
        .iter()
        .enumerate()
        .filter(move |(_, each)| each.frame == frame)
}

fn node(index: usize, each: &Box) -> String {
    let lines = wrap(&each.label, 40, 4).join("\n");
    let (label, facts) = match each.kind {
        BoxKind::Success => (lines, ", shape=oval, fillcolor=\"#d9f2df\""),
        BoxKind::Failure => (lines, ", shape=oval, fillcolor=\"#fbdcdc\""),
        BoxKind::Step(word) => (
            format!("{word}\n{lines}"),
            match word {
                "check" => ", shape=diamond",
                "fix" => ", fillcolor=\"#fff1cc\"",
                "confirm" => ", shape=parallelogram",
                _ => "",
            },
        ),
    };
    format!("b{index} [label={}{facts}];", quote(&label))
}

fn quote(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
