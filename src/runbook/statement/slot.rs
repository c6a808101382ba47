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
        if matches!(part.kind, PartKind::Literal(_)) && is_beside_text(&tokens, text, part) {
            return Err(Box::new(
                Diagnostic::error("template", "a literal stands beside another text")
                    .at(place.span(part.template.clone()), "")
                    .help("PostgreSQL would join them: put both into one value"),
            ));
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
    let is_name = matches!(part.kind, PartKind::Name(_));
    let is_whole = *token == part.statement && !is_glued(text, token);
    let (what, help) = match kind {
        TokenKind::String if is_whole && matches!(part.kind, PartKind::Literal(_)) => return None,
        TokenKind::String | TokenKind::DollarString => (
            "quotes around",
            "take the quotes away: a value is sent apart from the text, and needs none \
             (for a part of a text write 'a ' || {{ x }}; for an array write ARRAY[...])",
        ),
        TokenKind::QuotedIdent if !is_name => (
            "double quotes around",
            "for a name write {{ x | ident }} without quotes, with a parameter of type identifier or enum",
        ),
        TokenKind::Comment => ("a comment around", "take it out of the comment"),
        _ if is_whole => return None,
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

/// Returns whether only white space and comments are between a literal and another text: two in a row can be
/// one, and the first says then how the second is read.
fn is_beside_text(tokens: &[(TokenKind, Range<usize>)], text: &str, part: &Part) -> bool {
    let is_blank = |(kind, range): &&(TokenKind, Range<usize>)| {
        let space = text
            .get(range.clone())
            .is_some_and(|text| text.trim().is_empty());
        *kind == TokenKind::Comment || space
    };
    let is_text = |token: Option<&(TokenKind, Range<usize>)>| {
        token.is_some_and(|(kind, _)| matches!(kind, TokenKind::String | TokenKind::DollarString))
    };
    let mut before = tokens
        .iter()
        .rev()
        .skip_while(|(_, range)| range.end > part.statement.start);
    let mut after = tokens
        .iter()
        .skip_while(|(_, range)| range.start < part.statement.end);
    is_text(before.find(|token| !is_blank(token))) || is_text(after.find(|token| !is_blank(token)))
}

/// Returns what is wrong with a text that would be a statement if its values were literals.
pub(super) fn must_be_literal(
    text: &str,
    parts: &[Part],
    place: &TextPlace<'_>,
) -> Option<Diagnostic> {
    let is_bind = |part: &&Part| matches!(part.kind, PartKind::Bind);
    let first = parts.iter().find(is_bind)?;
    let literal = |part: &Part| match part.kind {
        PartKind::Bind => Some("'literal'"),
        _ => text.get(part.statement.clone()),
    };
    let text: String = parts.iter().filter_map(literal).collect();
    let statement = Statement::parse(&text).ok()?;
    let title = format!("PostgreSQL takes no parameters in {}", statement.verb());
    (!statement.takes_parameters()).then(|| {
        Diagnostic::error("sql", title)
            .at(place.span(first.template.clone()), "")
            .help("`{{ x | literal }}` puts in a value as a quoted text, `{{ x | ident }}` a name")
    })
}

/// Refuses a literal where a parameter can stand, and where its text would be run.
pub(super) fn literals(
    statement: &Statement,
    parts: &[Part],
    place: &TextPlace<'_>,
) -> Option<Diagnostic> {
    let mut parts = parts.iter();
    let part =
        parts.find(|part| matches!(part.kind, PartKind::Literal(_) | PartKind::Number(_)))?;
    let wrong = |title: String| {
        Diagnostic::error("literal", title).at(place.span(part.template.clone()), "")
    };
    if statement.takes_parameters() {
        let title = format!("{} takes its values apart from its text", statement.verb());
        return Some(wrong(title).help("leave `| literal` out: `{{ x }}` is sent as a parameter"));
    }
    statement.holds_code().then(|| {
        wrong(format!(
            "a template in {} would be run as code",
            statement.verb()
        ))
        .help("write the body in the runbook, and give it the value when it is called")
    })
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
    use proptest::prelude::*;

    use crate::base::source::{Source, Span, Spanned};
    use crate::runbook::statement::{Fillings, SqlTemplate};
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
    fn a_literal_stands_where_no_parameter_can() {
        let fine = [
            "ALTER ROLE r PASSWORD {{ a | literal }}",
            "ALTER ROLE {{ r | ident }} VALID UNTIL {{ a | literal }}",
            "CREATE ROLE r LOGIN PASSWORD {{ a | literal }} VALID UNTIL {{ b|literal }}",
            "COMMENT ON TABLE t IS {{ a | literal }}",
            "ALTER SYSTEM SET work_mem = {{ a | literal }}",
            "ALTER DATABASE d SET app.x TO {{ a | literal }}",
            "ALTER TABLE t ALTER c SET DEFAULT {{ a | literal }}",
            "ALTER TABLE t ADD c text DEFAULT {{ a | literal }} NOT NULL",
            "CREATE VIEW v AS SELECT * FROM t WHERE a = {{ a | literal }}",
            "ALTER TABLE t ADD CHECK (a <> {{ a | literal }})",
            "ALTER ROLE r CONNECTION LIMIT {{ a | literal }}",
            "ALTER DATABASE d CONNECTION LIMIT = {{ a | literal }}",
            "ALTER TABLE t ALTER COLUMN c SET STATISTICS {{ a | literal }}",
            "CREATE SEQUENCE s INCREMENT BY {{ a | literal }} MINVALUE {{ b | literal }} START {{ c | literal }} CACHE {{ d | literal }}",
        ];
        for text in fine {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
        let refused = [
            ("SELECT {{ a | literal }}", "apart from its text"),
            (
                "UPDATE t SET a = {{ a | literal }} WHERE true",
                "apart from its text",
            ),
            (
                "CREATE TABLE t AS SELECT {{ a | literal }}",
                "apart from its text",
            ),
            ("EXPLAIN SELECT {{ a | literal }}", "apart from its text"),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS {{ a | literal }}",
                "run as code",
            ),
            (
                "CREATE PROCEDURE f() LANGUAGE plpgsql AS {{ a | literal }}",
                "run as code",
            ),
            ("COMMENT ON TABLE t IS '{{ a | literal }}'", "quotes around"),
            (
                "COMMENT ON TABLE t IS ' {{ a | literal }} '",
                "quotes around",
            ),
            (
                "COMMENT ON TABLE t IS $${{ a | literal }}$$",
                "quotes around",
            ),
            (
                "COMMENT ON TABLE \"{{ a | literal }}\" IS 'x'",
                "quotes around",
            ),
            (
                "COMMENT ON TABLE t IS 'x' -- {{ a | literal }}",
                "a comment around",
            ),
            ("COMMENT ON TABLE t IS E{{ a | literal }}", "quotes around"),
            ("COMMENT ON TABLE t IS U&{{ a | literal }}", "quotes around"),
            ("COMMENT ON TABLE t IS {{ a | literal }}x", "quotes around"),
            (
                "COMMENT ON TABLE t IS E'x'\n{{ a | literal }}",
                "beside another text",
            ),
            (
                "COMMENT ON TABLE t IS {{ a | literal }} /* */\n {{ b | literal }}",
                "beside",
            ),
        ];
        for (text, why) in refused {
            let title = parse(text).unwrap_err();
            assert!(title.contains(why), "{text}: {title}");
        }
    }

    #[test]
    fn where_only_a_number_can_stand_it_has_no_quotes() {
        let filled = |text: &str, value: &str| {
            let literals = vec![Some(value.to_owned())];
            let names = Vec::new();
            let filled = parse(text).unwrap().filled(&Fillings { names, literals });
            filled
                .map(|filled| filled.text().to_owned())
                .map_err(|error| error.message)
        };
        let limit = "ALTER ROLE r CONNECTION LIMIT {{ a | literal }}";
        for number in ["5", "-1", "0"] {
            let bare = format!("ALTER ROLE r CONNECTION LIMIT {number}");
            assert_eq!(filled(limit, number), Ok(bare));
        }
        for text in [
            "",
            "-",
            "--1",
            "5 SUPERUSER",
            "5; DROP ROLE r",
            "1e5",
            "NaN",
            "0x5",
            "'5'",
            "٥",
            "1.",
        ] {
            let wrong = filled(limit, text).unwrap_err();
            assert!(wrong.contains("only a number"), "{text}: {wrong}");
        }
        let comment = "COMMENT ON TABLE t IS {{ a | literal }}";
        assert_eq!(filled(comment, "5").unwrap(), "COMMENT ON TABLE t IS '5'");
    }

    #[test]
    fn a_parameter_that_cannot_be_is_said_to_be_a_literal() {
        let title = parse("ALTER ROLE r PASSWORD {{ a }}").unwrap_err();
        assert_eq!(title, "PostgreSQL takes no parameters in ALTER ROLE");
        let template = parse("ALTER TABLE t ALTER c SET DEFAULT {{ a }}").unwrap();
        let error = template.statement.allowed_in_fix().unwrap_err();
        assert!(error.help.unwrap().contains("| literal"));
        // What is wrong beside is said as ever.
        let title = parse("ALTER ROLE r PASSWRD {{ a }}").unwrap_err();
        assert!(title.contains("does not parse"), "{title}");
    }

    proptest! {
        #[test]
        fn a_statement_is_the_same_whatever_its_literal_is(text in "[\\PC\n'\\\\$;-]{0,20}") {
            let template = parse("ALTER ROLE r PASSWORD {{ a | literal }} VALID UNTIL 'x'").unwrap();
            let filled = template.filled(&Fillings { literals: vec![Some(text)], names: Vec::new() }).unwrap();
            prop_assert_eq!(filled.verb(), "ALTER ROLE");
            prop_assert_eq!(filled.access(), template.statement.access());
            prop_assert_eq!(filled.risk().risk, template.statement.risk().risk);
            prop_assert!(filled.text().ends_with(" VALID UNTIL 'x'"));
        }
    }

    #[test]
    fn what_is_not_closed_is_said() {
        for text in ["SELECT {{ a", "SELECT {{ a FROM t WHERE b = 'x"] {
            assert_eq!(parse(text).unwrap_err(), "`{{` is not closed", "{text}");
        }
    }
}
