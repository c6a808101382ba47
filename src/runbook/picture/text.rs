//! The steps and their ways as lines of text.

use std::fmt::Write as _;

use super::{Arrow, BoxKind, Picture};

/// Draws a picture; without Unicode, in ASCII.
pub fn draw(picture: &Picture, unicode: bool) -> String {
    let arrow = if unicode { "→" } else { "->" };
    let mut text = String::new();
    let (mut frame, mut branch) = (None, None);
    for (index, each) in picture.boxes.iter().enumerate() {
        let BoxKind::Step(word) = each.kind else {
            continue;
        };
        if branch != each.branch {
            let name = each.branch.as_deref().unwrap_or_default();
            let _ = writeln!(text, "\nbranch {name}");
            branch.clone_from(&each.branch);
        }
        if frame != each.frame {
            if let Some(number) = each.frame {
                let _ = writeln!(text, "atomic {}", picture.frames[number]);
            }
            frame = each.frame;
        }
        let space = if frame.is_some() { "  " } else { "" };
        let _ = writeln!(text, "{space}{word} {}", each.label);
        for way in ways(picture, index) {
            let label = if way.label.is_empty() {
                String::new()
            } else {
                format!("{} ", way.label)
            };
            let _ = writeln!(text, "{space}  {label}{arrow} {}", target(picture, way.to));
        }
    }
    text
}

/// Returns the ways of a box that say more than the order of the lines.
fn ways(picture: &Picture, from: usize) -> impl Iterator<Item = &Arrow> {
    picture.arrows.iter().filter(move |way| {
        let follows = way.to == from + 1
            && matches!(picture.boxes[way.to].kind, BoxKind::Step(_))
            && picture.boxes[way.to].branch == picture.boxes[from].branch;
        way.from == from && !(follows && matches!(way.label.as_str(), "" | "yes"))
    })
}

fn target(picture: &Picture, index: usize) -> String {
    let each = &picture.boxes[index];
    let end = |word: &str| {
        if each.label == word {
            format!("({word})")
        } else {
            format!("({word}) {}", each.label)
        }
    };
    match each.kind {
        BoxKind::Step(_) => each.label.clone(),
        BoxKind::Success => end("done"),
        BoxKind::Failure => end("failed"),
    }
}
