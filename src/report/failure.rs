//! Draws a failure as every error of the program looks.

use super::line::{Line, prose};
use super::look::{Look, Tone};
use crate::engine::failure::Failure;

/// Draws what went wrong, what is known about it, and what to do next.
pub fn draw(failure: &Failure, look: Look) -> Vec<Line> {
    let message = match &failure.sqlstate {
        Some(code) => format!("{} (SQLSTATE {code})", failure.message),
        None => failure.message.clone(),
    };
    let mut lines = prose(
        &look.line().toned(Tone::Bad, "error: "),
        Tone::Strong,
        &message,
    );
    for note in &failure.notes {
        lines.extend(prose(
            &look.line().gap(2).dim("= note: "),
            Tone::Plain,
            note,
        ));
    }
    for text in &failure.help {
        lines.extend(help(text, look));
    }
    lines
}

/// Draws what to do next.
pub(super) fn help(text: &str, look: Look) -> Vec<Line> {
    let label = look.line().gap(2).toned(Tone::Ask, "= help: ");
    prose(&label, Tone::Plain, text)
}
