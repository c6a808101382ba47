//! Draws that somebody went on without what the target's policy demands.

use super::line::{Line, prose};
use super::look::{Look, Mark, Tone};

/// Draws who did, why, and what was lifted.
pub(super) fn draw(reason: &str, by: &str, lifted: &[String], look: Look) -> Vec<Line> {
    let label = look.line().gap(2).mark(Mark::Warning).gap(1);
    let label = label.toned(Tone::Bad, "the glass is broken: ");
    let said = format!("{reason} {} {by}", look.glyphs().dot);
    let mut lines = prose(&label, Tone::Bad, &said);
    for what in lifted {
        let label = look.line().gap(6).dim("without: ");
        lines.extend(prose(&label, Tone::Warn, what));
    }
    lines.push(look.line());
    lines
}
