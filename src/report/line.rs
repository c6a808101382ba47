//! A line of output. Text is made harmless when it enters a line, so nothing that is drawn can do harm.

use std::fmt;

use super::look::{Glyphs, Look, Mark, Tone};
use crate::base::words;

/// Prose is not broken to be narrower.
const NARROWEST: usize = 20;

/// A line of toned, harmless text.
#[derive(Clone, Debug)]
pub struct Line {
    look: Look,
    spans: Vec<(Tone, String)>,
    width: usize,
    /// Spaces that are written once something follows them: a line never ends with any.
    gap: usize,
}

impl Line {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            spans: Vec::new(),
            width: 0,
            gap: 0,
        }
    }

    /// Adds text of a tone.
    #[must_use]
    pub fn toned(mut self, tone: Tone, text: &str) -> Self {
        let text = harmless(text, self.look.glyphs());
        self.push(tone, text);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn plain(self, text: &str) -> Self {
        self.toned(Tone::Plain, text)
    }

    /// Adds text that matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> Self {
        self.toned(Tone::Dim, text)
    }

    /// Adds a mark, as wide as the widest one.
    #[must_use]
    pub fn mark(self, mark: Mark) -> Self {
        let glyphs = self.look.glyphs();
        let end = self.width() + glyphs.mark_width;
        self.toned(mark.tone(), mark.glyph(glyphs)).to(end)
    }

    /// Adds spaces.
    #[must_use]
    pub fn gap(mut self, columns: usize) -> Self {
        self.gap += columns;
        self
    }

    /// Adds spaces up to a column.
    #[must_use]
    pub fn to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width());
        self.gap(missing)
    }

    /// Adds another line.
    #[must_use]
    pub fn then(mut self, other: &Self) -> Self {
        for (tone, text) in &other.spans {
            self.push(*tone, text.clone());
        }
        self.gap(other.gap)
    }

    /// Adds another line that ends at a column, or two spaces on where there is no room.
    #[must_use]
    pub fn ending(self, other: &Self, column: usize) -> Self {
        let start = column.saturating_sub(other.width());
        self.gap(2).to(start).then(other)
    }

    /// Returns the line, moved to the right.
    #[must_use]
    pub fn indented(self, columns: usize) -> Self {
        Self::new(self.look).gap(columns).then(&self)
    }

    /// Returns the line, cut to a width.
    #[must_use]
    pub fn shortened(self, most: usize) -> Self {
        if self.width <= most {
            return self;
        }
        let ellipsis = console::truncate_str(self.look.glyphs().ellipsis, most, "");
        let mut short = Self::new(self.look);
        let mut room = most.saturating_sub(console::measure_text_width(&ellipsis));
        for (tone, text) in &self.spans {
            let width = console::measure_text_width(text);
            if width > room {
                let part = console::truncate_str(text, room, "");
                short.push(*tone, format!("{part}{ellipsis}"));
                break;
            }
            short.push(*tone, text.clone());
            room -= width;
        }
        short
    }

    /// Returns how many columns it has.
    pub fn width(&self) -> usize {
        self.width + self.gap
    }

    /// Returns whether there is no text in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    fn push(&mut self, tone: Tone, text: String) {
        if text.is_empty() {
            return;
        }
        if self.gap > 0 {
            self.spans.push((Tone::Plain, " ".repeat(self.gap)));
        }
        self.width += self.gap + console::measure_text_width(&text);
        self.gap = 0;
        self.spans.push((tone, text));
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spans.iter().try_for_each(|(tone, text)| {
            write!(f, "{}", tone.style(self.look.colors).apply_to(text))
        })
    }
}

/// Puts items side by side, on as many lines as they need.
pub(super) fn flow(items: &[Line], gap: usize, look: Look) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(last) if last.width() + gap + item.width() <= look.edge() => {
                *last = std::mem::replace(last, look.line()).gap(gap).then(item);
            }
            _ => lines.push(item.clone()),
        }
    }
    lines
}

/// Puts a text of several lines after a label: the later lines stand under the first.
pub(super) fn paragraph(label: &Line, tone: Tone, text: &str) -> Vec<Line> {
    let mut lines = text.trim_end().split('\n').enumerate();
    let draw = |(index, text): (usize, &str)| {
        let text = text.strip_suffix('\r').unwrap_or(text);
        let start = if index == 0 {
            label.clone()
        } else {
            Line::new(label.look).gap(label.width())
        };
        start.toned(tone, text)
    };
    lines.by_ref().map(draw).collect()
}

/// Puts a text after a label as [`paragraph`] does, and breaks lines between words where they would run over the
/// width.
pub(super) fn prose(label: &Line, tone: Tone, text: &str) -> Vec<Line> {
    let Some(width) = label.look.width else {
        return paragraph(label, tone, text);
    };
    let room = width.saturating_sub(label.width()).max(NARROWEST);
    let lines = text.trim_end().split('\n');
    let broken: Vec<String> = lines.flat_map(|line| words::wrapped(line, room)).collect();
    paragraph(label, tone, &broken.join("\n"))
}

/// Returns the text with everything shown that a terminal would obey instead of showing it.
fn harmless(text: &str, glyphs: &Glyphs) -> String {
    disarmed(text, glyphs.newline, glyphs.tab)
}

/// Returns the same for a page, which has room for lines and tabs.
pub(super) fn legible(text: &str) -> String {
    disarmed(&text.replace("\r\n", "\n"), "\n", "\t")
}

fn disarmed(text: &str, newline: &str, tab: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str(newline),
            '\t' => safe.push_str(tab),
            acting if acts(acting) => safe.extend(acting.escape_default()),
            shown => safe.push(shown),
        }
    }
    safe
}

/// Returns whether a character does something to the text around it: control characters, and those
/// that reorder, hide or break it.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        colors: false,
        unicode: true,
        width: None,
    };

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let text = "a\x1b[31mb\x07\r\nc\td\u{9b}2J\u{202e}e";
        let line = LOOK.line().plain(text);
        assert_eq!(
            line.to_string(),
            "a\\u{1b}[31mb\\u{7}\\r↵c⇥d\\u{9b}2J\\u{202e}e"
        );
    }

    #[test]
    fn lines_are_cut_by_what_they_show_and_never_end_in_blanks() {
        let line = LOOK.line().plain("日本").dim("語です").gap(4);
        assert_eq!(line.to_string(), "日本語です");
        for width in 0..12 {
            assert!(line.clone().shortened(width).width <= width);
        }
        assert_eq!(line.clone().shortened(8).to_string(), "日本語…");
        assert_eq!(line.shortened(1).to_string(), "…");
    }

    #[test]
    fn colours_are_those_asked_for() {
        let line = |colors| Look { colors, ..LOOK }.line().toned(Tone::Good, "x");
        assert_eq!(line(true).to_string(), "\x1b[32mx\x1b[0m");
        assert_eq!(line(false).to_string(), "x");
    }
}
