//! What surrounds a place in a SQL text: a string, a quoted name, a comment or plain SQL.

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind as Raw};

/// What a stretch of SQL text is, as far as substituting into it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A string in single quotes of any form: `'..'`, `E'..'`, `U&'..'`, `B'..'`, `X'..'`, `N'..'`.
    String,
    /// A string between dollar signs: `$$..$$`, `$tag$..$tag$`.
    DollarString,
    /// A name in double quotes, `U&".."` included.
    QuotedIdent,
    /// A comment, `-- ..` or `/* .. */`.
    Comment,
    /// A parameter: `$1`.
    Param,
    /// Everything else: names, numbers, operators, space.
    Other,
}

/// Returns the tokens of a text in order; together they cover it without gaps.
///
/// The text need not be valid SQL: what is not closed goes on to the end.
pub fn tokens(text: &str) -> impl Iterator<Item = (TokenKind, Range<usize>)> + '_ {
    raw(text).map(|(kind, range)| (TokenKind::from(kind), range))
}

/// Returns what the byte at `offset` is part of; [`TokenKind::Other`] past the end.
///
/// A `$1` that is glued to a name before it (`abc$1`) is a part of that name, so the answer there is `Other`
/// and not `Param`: whoever substituted it can refuse it.
pub fn context_at(text: &str, offset: usize) -> TokenKind {
    tokens(text)
        .find(|(_, range)| range.contains(&offset))
        .map_or(TokenKind::Other, |(kind, _)| kind)
}

/// Returns the lexer's own tokens with their places.
pub(super) fn raw(text: &str) -> impl Iterator<Item = (Raw, Range<usize>)> + '_ {
    squawk_lexer::tokenize(text).scan(0_usize, |at, token| {
        let start = *at;
        *at += usize::try_from(token.len).ok()?;
        Some((token.kind, start..*at))
    })
}

impl From<Raw> for TokenKind {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Literal { kind } => match kind {
                LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => Self::Other,
                LiteralKind::DollarQuotedString { .. } => Self::DollarString,
                LiteralKind::Str { .. }
                | LiteralKind::NationalStr { .. }
                | LiteralKind::ByteStr { .. }
                | LiteralKind::BitStr { .. }
                | LiteralKind::UnicodeEscStr { .. }
                | LiteralKind::EscStr { .. } => Self::String,
            },
            Raw::QuotedIdent { .. } => Self::QuotedIdent,
            Raw::LineComment | Raw::BlockComment { .. } => Self::Comment,
            Raw::PositionalParam { .. } => Self::Param,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn context_of_a_placeholder() {
        // The offset asked about is that of the first `$1`.
        let cases = [
            ("select $1", TokenKind::Param),
            ("select $1::int", TokenKind::Param),
            ("select '$1'", TokenKind::String),
            ("select 'it''s $1'", TokenKind::String),
            ("select '\\' || $1", TokenKind::Param),
            ("select E'\\' $1'", TokenKind::String),
            ("select U&'$1'", TokenKind::String),
            ("select b'$1'", TokenKind::String),
            ("select X'$1'", TokenKind::String),
            ("select n'$1'", TokenKind::String),
            ("select $$ $1 $$", TokenKind::DollarString),
            ("select $a$ $$ $1 $a$", TokenKind::DollarString),
            ("select $a$ $a $a$, $1", TokenKind::Param),
            ("select \"a $1\"", TokenKind::QuotedIdent),
            ("select \"a\"\" $1\"", TokenKind::QuotedIdent),
            ("select U&\"$1\"", TokenKind::QuotedIdent),
            ("select 1 -- $1", TokenKind::Comment),
            ("select 1 -- '\n, $1", TokenKind::Param),
            ("select /* /* */ $1 */ 1", TokenKind::Comment),
            ("select abc$1", TokenKind::Other),
            ("select 'open $1", TokenKind::String),
            ("select jsonb ? $1", TokenKind::Param),
            ("select 'é', $1", TokenKind::Param),
        ];
        for (text, expected) in cases {
            let offset = text.find("$1").unwrap();
            assert_eq!(context_at(text, offset), expected, "{text}");
        }
        assert_eq!(context_at("select", 6), TokenKind::Other);
        assert_eq!(context_at("", 0), TokenKind::Other);
    }

    proptest! {
        #[test]
        fn tokens_cover_any_text(text in any::<String>(), offset in 0_usize..64) {
            let mut end = 0;
            for (_, range) in tokens(&text) {
                prop_assert_eq!(range.start, end);
                end = range.end;
            }
            prop_assert_eq!(end, text.len());
            context_at(&text, offset);
        }
    }
}
