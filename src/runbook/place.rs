//! Where a part of a YAML text stands in its file, block scalars, folding and quotes included.

use std::ops::Range;

use crate::base::source::{Source, Span, Spanned};

/// Translates offsets in a text into places in the file that it was read from.
#[derive(Clone)]
pub struct TextPlace<'a> {
    source: &'a Source,
    text: &'a str,
    whole: Span,
    /// What is before the part that is looked at, in bytes of the text.
    base: usize,
}

impl<'a> TextPlace<'a> {
    /// Returns the places of a text.
    pub fn new(source: &'a Source, text: &'a Spanned<String>) -> Self {
        Self {
            source,
            text: &text.value,
            whole: text.span,
            base: 0,
        }
    }

    /// Returns the places of the part of the text that begins at `offset`.
    #[must_use]
    pub fn from(&self, offset: usize) -> Self {
        Self {
            base: self.base + offset,
            ..self.clone()
        }
    }

    /// Returns the text that the places are of.
    pub(super) fn text(&self) -> &'a str {
        self.text.get(self.base..).unwrap_or_default()
    }

    /// Returns the place of the whole text.
    pub fn whole(&self) -> Span {
        self.whole
    }

    /// Returns the place of a range of bytes.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.offset(self.base + range.start);
        let end = self.offset(self.base + range.end);
        Span::new(start, end)
    }

    /// Returns the place of a node of a template.
    pub(super) fn node(&self, span: minijinja::machinery::Span) -> Span {
        self.span(span.start_offset as usize..span.end_offset as usize)
    }

    /// Walks the text and the file side by side. Where they differ, the file has indentation, a line
    /// break that was folded, or an escape; so the file is skipped up to the next match.
    fn offset(&self, target: usize) -> usize {
        let raw = self.source.slice(self.whole);
        let quoted =
            raw.starts_with(['"', '\'']) && !self.text.starts_with(raw.get(..1).unwrap_or(""));
        let mut at = usize::from(quoted);
        for (index, wanted) in self.text.char_indices() {
            if index >= target {
                break;
            }
            at = skip_to(raw, at, wanted);
        }
        if target < self.text.len() {
            let wanted = self.text[target..].chars().next().unwrap_or(' ');
            at = before(raw, at, wanted);
        }
        self.whole.start + at.min(raw.len())
    }
}

/// Returns the offset after the next `wanted` that only white space and escapes precede.
fn skip_to(raw: &str, at: usize, wanted: char) -> usize {
    let start = before(raw, at, wanted);
    match raw.get(start..).and_then(|rest| rest.chars().next()) {
        Some(found) if found == wanted => start + found.len_utf8(),
        // A folded line break or an escape: one for one.
        Some(found) => start + found.len_utf8(),
        None => start,
    }
}

fn before(raw: &str, at: usize, wanted: char) -> usize {
    let rest = raw.get(at..).unwrap_or("");
    if rest.starts_with(wanted) {
        return at;
    }
    let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    if rest[skipped..].starts_with(wanted) {
        return at + skipped;
    }
    // `''` in single quotes and `\"` in double quotes stand for one character.
    match rest.get(1..) {
        Some(escaped) if escaped.starts_with(wanted) => at + 1,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml::{self, Value};

    #[test]
    fn every_word_of_a_text_is_found_in_its_file() {
        let files = [
            "a: say {{ word }} now\n",
            "a: 'say ''it'' {{ word }} now'\n",
            "a: \"say \\\"it\\\" {{ word }}\"\n",
            "a: |\n  SELECT 1,\n\n      2\n  FROM {{ word }}\n  -- end\n",
            "a: >\n  folded\n  text {{ word }}\n\n  end\n",
            "a: plain\n  going on {{ word }} here\n",
        ];
        for file in files {
            let source = Source::new("t", file);
            let Value::Map(entries) = yaml::parse(&source).unwrap().value else {
                unreachable!("a map")
            };
            let Value::Text(text) = &entries[0].value.value else {
                unreachable!("a text")
            };
            let text = Spanned::new(text.clone(), entries[0].value.span);
            let at = text.find("word").unwrap();
            let place = TextPlace::new(&source, &text);
            assert_eq!(source.slice(place.span(at..at + 4)), "word", "{file}");
        }
    }
}
