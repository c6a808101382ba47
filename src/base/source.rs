//! A text that was read, where it came from, and positions in it.

use std::ops::Range;
use std::sync::Arc;

/// A half-open range of byte offsets in a [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Returns the span from `start` up to `end`; an end before the start is moved to it.
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// Returns the smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// Returns the span as a range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A line and a column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A text with its display name and the offsets of its lines.
#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    /// Returns a source; `name` is what messages call it, mostly a path.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self(Arc::new(Inner {
            name: name.into(),
            text,
            lines,
        }))
    }

    /// Returns what messages call this text.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Returns the text of a span; what lies outside of the text is left out.
    pub fn slice(&self, span: Span) -> &str {
        &self.0.text[self.clamp(span).range()]
    }

    /// Returns the part of a span that lies in the text, on character boundaries.
    #[must_use]
    pub fn clamp(&self, span: Span) -> Span {
        let clamp = |at: usize| self.floor(at.min(self.0.text.len()));
        Span::new(clamp(span.start), clamp(span.end))
    }

    /// Returns the line and column of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset.min(self.0.text.len()));
        let line = self.0.lines.partition_point(|start| *start <= offset);
        let start = self.0.lines[line - 1];
        Position {
            line,
            column: self.0.text[start..offset].chars().count() + 1,
        }
    }

    /// Returns the byte offset where a line (from 1) begins, or the end of the text.
    pub fn line_start(&self, line: usize) -> usize {
        let index = line.saturating_sub(1);
        self.0
            .lines
            .get(index)
            .copied()
            .unwrap_or(self.0.text.len())
    }

    fn floor(&self, mut offset: usize) -> usize {
        while !self.0.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// A value and where it stands in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Returns `value` at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Returns another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned::new(f(self.value), self.span)
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let source = Source::new("x", "añb\nc");
        assert_eq!(source.position(3), Position { line: 1, column: 3 });
        assert_eq!(source.position(5), Position { line: 2, column: 1 });
        assert_eq!(source.position(99), Position { line: 2, column: 2 });
        assert_eq!(source.slice(Span::new(1, 3)), "ñ");
    }
}
