//! Where a `{{ }}` may stand in SQL: alone, as a value or a name, and never as what a call runs.

use std::ops::Range;

use super::{Part, PartKind};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::runbook::place::TextPlace;
use crate::sql::statement::Statement;
use crate::sql::token::{TokenKind, tokens};

/// Checks that every slot is one token of the statement, and that no parameter is written by hand.
pub(super) fn stands(
    text: &str,
    parts: &[Part],
    place: &TextPlace<'_>,
) -> Result<(), Box<Diagnostic>> {
    let tokens: Vec<(TokenKind, Range<usize>)> = tokens(text).collect();
    for part in parts {
        if let PartKind::Text(_) = part.kind {
            continue;
        }
        let token = tokens
            .iter()
            .find(|(_, range)| range.contains(&part.statement.start));
        if let Some(diagnostic) = token.and_then(|token| misplaced(text, part, token, place)) {
            return Err(Box::new(diagnostic));
        }
    }
    let by_hand = tokens.iter().find_map(|(kind, range)| {
        let author = parts.iter().find(|part| {
            let is_text = matches!(part.kind, PartKind::Text(_)) && !part.template.is_empty();
            is_text && part.statement.contains(&range.start)
        })?;
        (*kind == TokenKind::Param).then(|| {
            let start = author.template.start + (range.start - author.statement.start);
            start..start + range.len()
        })
    });
    match by_hand {
        Some(range) => Err(Box::new(
            Diagnostic::error("template", "a parameter is not written by hand")
                .at(place.span(range), "")
                .help("write `{{ x }}`: the engine numbers the values"),
        )),
        None => Ok(()),
    }
}

fn misplaced(
    text: &str,
    part: &Part,
    (kind, token): &(TokenKind, Range<usize>),
    place: &TextPlace<'_>,
) -> Option<Diagnostic> {
    let is_bind = matches!(part.kind, PartKind::Bind);
    let (what, help) = match kind {
        TokenKind::String | TokenKind::DollarString => (
            "quotes around",
            "take the quotes away: a value is sent apart from the text, and needs none \
             (for a part of a text write 'a ' || {{ x }}; for an array write ARRAY[...])",
        ),
        TokenKind::QuotedIdent if is_bind => (
            "double quotes around",
            "for a name write {{ x | ident }} without quotes, with a parameter of type identifier or enum",
        ),
        TokenKind::Comment => ("a comment around", "take it out of the comment"),
        _ if *token == part.statement && !is_glued(text, token) => return None,
        _ => {
            let title = "a template in SQL is glued to the text beside it";
            return Some(
                Diagnostic::error("template", title)
                    .at(
                        place.span(part.template.clone()),
                        "this is a whole value or name, never a part of one",
                    )
                    .help("put white space or an operator between: 'a ' || {{ x }} joins texts"),
            );
        }
    };
    Some(
        Diagnostic::error("template", format!("{what} a template in SQL"))
            .at(
                place.span(part.template.clone()),
                "this would be plain text, not a value",
            )
            .help(help),
    )
}

/// Returns whether what could be a part of a name or number touches a token.
fn is_glued(text: &str, token: &Range<usize>) -> bool {
    let is_word = |next: char| next.is_alphanumeric() || matches!(next, '_' | '$' | '"' | '\'');
    let before = text[..token.start].chars().next_back();
    let after = text[token.end..].chars().next();
    before.is_some_and(is_word) || after.is_some_and(is_word)
}

/// Refuses a call whose function a template names: the value would choose what runs.
pub(super) fn calls(
    statement: &Statement,
    locate: &dyn Fn(Range<usize>) -> Span,
) -> Result<(), Box<Diagnostic>> {
    let chosen = statement.functions().iter().find(|call| {
        !call.attribute
            && (is_made_up(&call.name) || call.schema.as_deref().is_some_and(is_made_up))
    });
    match chosen {
        Some(call) => Err(Box::new(
            Diagnostic::error("ident", "a template cannot name a function")
                .at(locate(call.range.clone()), "a value would choose what runs")
                .help("write the function\'s name; to choose among several use CASE, or a `check` that branches"),
        )),
        None => Ok(()),
    }
}

/// Returns whether a name stands for one that a template gives.
fn is_made_up(name: &str) -> bool {
    name.strip_prefix("name ")
        .is_some_and(|index| index.parse::<usize>().is_ok())
}

#[cfg(test)]
mod tests {
    use crate::base::source::{Source, Span, Spanned};
    use crate::runbook::statement::SqlTemplate;
    use crate::step::text::Sql;

    fn parse(text: &str) -> Result<SqlTemplate, String> {
        let span = Span::new(0, text.len());
        let sql = Sql(Spanned::new(text.to_owned(), span));
        SqlTemplate::parse(&sql, &Source::new("t", text))
            .map(|(template, _)| template)
            .map_err(|diagnostic| diagnostic.title)
    }

    #[test]
    fn only_white_space_control_is_no_part_of_a_value() {
        let cases = [
            ("{{ -x }}", "-x"),
            ("{{ - x }}", "- x"),
            ("{{-x-}}", "x"),
            ("{{- -x -}}", "-x"),
            ("{{+ x +}}", "x"),
            ("{{ 1 - -x }}", "1 - -x"),
        ];
        for (slot, bind) in cases {
            let template = parse(&format!("SELECT {slot}")).unwrap();
            assert_eq!(template.binds, [bind], "{slot}");
            assert_eq!(template.statement.text(), "SELECT $1", "{slot}");
        }
    }

    #[test]
    fn a_slot_is_a_whole_token() {
        let glued = [
            "SELECT {{ a }}0",
            "SELECT x{{ a }}",
            "SELECT {{ a }}x",
            "SELECT 1{{ a }}",
            "SELECT 1 AS \"x\"{{ a | ident }}",
            "SELECT 1 AS x{{ a | ident }}",
            "SELECT 1 AS U&{{ a | ident }}",
        ];
        for text in glued {
            let title = parse(text).unwrap_err();
            assert!(title.contains("glued"), "{text}: {title}");
        }
        let fine = [
            "SELECT ({{ a }})::int, {{ a }}::int, -{{ a }}, ARRAY[{{ a }},{{ b }}]",
            "SELECT t.{{ a | ident }} FROM {{ s | ident }}.t",
            "INSERT INTO {{ a | ident }} (x) VALUES ({{ b }})",
        ];
        for text in fine {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn no_parameter_is_written_by_hand() {
        for text in ["SELECT $1", "SELECT {{ a }} + $1", "SELECT {{ a }}, $2"] {
            let title = parse(text).unwrap_err();
            assert!(title.contains("by hand"), "{text}: {title}");
        }
        assert!(parse("SELECT '$1', a$1, {{ a }} FROM t -- $1").is_ok());
    }

    #[test]
    fn a_template_names_no_function() {
        let calls = [
            "SELECT {{ f | ident }}(1)",
            "SELECT {{ s | ident }}.f(1)",
            "SELECT public.{{ f | ident }}(1)",
            "SELECT * FROM {{ f | ident }}(1)",
        ];
        for text in calls {
            assert_eq!(
                parse(text).unwrap_err(),
                "a template cannot name a function",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_closed_is_said() {
        for text in ["SELECT {{ a", "SELECT {{ a FROM t WHERE b = 'x"] {
            assert_eq!(parse(text).unwrap_err(), "`{{` is not closed", "{text}");
        }
    }
}
