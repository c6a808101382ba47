//! What is settled about a text before the parser sees it, so that the parser ends, and reads what the server reads.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::ScopedJoinHandle;

use squawk_lexer::{LiteralKind, TokenKind as Raw};

use super::statement::SqlError;
use super::token::raw;

/// The longest text of a statement. Values are bound, so only the author's own words count.
const MAX_BYTES: usize = 1 << 20;
/// The deepest brackets; PostgreSQL's own stack allows a few thousand.
const MAX_BRACKETS: usize = 200;
/// The longest run of tokens without a comma or a bracket's end: a bound of how deep a tree can get.
/// The parser's time grows with the square of the depth: at this one it is a tenth of a second at worst.
const MAX_CHAIN: usize = 3_000;
/// The longest function body that is written as a quoted string, whose escapes hide what is in it.
const MAX_QUOTED_BODY: usize = 8 << 10;
/// How often function bodies may stand in each other.
const MAX_BODIES: usize = 8;
/// The parser is recursive: this holds what the bounds above let through, in a debug build too.
const STACK_BYTES: usize = 128 << 20;

thread_local! {
    /// Whether this thread's stack is of that size.
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// Refuses a text that the parser could not be trusted with.
pub(super) fn check(text: &str) -> Result<(), SqlError> {
    if text.len() > MAX_BYTES {
        return Err(SqlError::new(
            format!("the statement is longer than {MAX_BYTES} bytes"),
            None,
        )
        .help("pass data as parameters"));
    }
    if let Some(at) = text.find('\0') {
        return Err(SqlError::new(
            "a NUL character cannot be part of SQL",
            at..at + 1,
        ));
    }
    escape_strings(text)?;
    let makes_bodies = raw(text)
        .find(|(kind, _)| matches!(kind, Raw::Ident))
        .is_some_and(|(_, range)| {
            let word = &text[range];
            word.eq_ignore_ascii_case("create") || word.eq_ignore_ascii_case("do")
        });
    depth(text, makes_bodies, MAX_BODIES).map_err(|at| {
        let range = at.start.min(text.len())..at.end.min(text.len());
        SqlError::new("the statement is nested too deeply", range).help(
            "split it, use `= ANY($1)` for a long OR, and dollar quotes for a function's body",
        )
    })
}

/// Runs the parser where neither its recursion nor a panic of it can take the process down.
pub(super) fn isolated<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlError> {
    roomy(work).map_err(|_| SqlError::new("the statement could not be parsed", None))
}

/// Runs work on a thread whose stack holds the parser: on this one, where it is such a thread already, else on a
/// new one. Who parses many statements does it once around all of them. The error is what the work panicked with.
pub(crate) fn roomy<T: Send>(work: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    if HAS_ROOM.get() {
        return catch_unwind(AssertUnwindSafe(work));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("sql-parser".into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                HAS_ROOM.set(true);
                work()
            })
            .map_err(|error| Box::new(format!("there is no thread to be had: {error}")) as _)
            .and_then(ScopedJoinHandle::join)
    })
}

/// Refuses an `E'..'` that goes on in a second string: PostgreSQL reads escapes in that one too, where the
/// lexer here does not, and so sees other statements in the same text.
fn escape_strings(text: &str) -> Result<(), SqlError> {
    let mut after_escape = false;
    for (kind, range) in raw(text) {
        match kind {
            Raw::Whitespace | Raw::LineComment | Raw::BlockComment { .. } => {}
            Raw::Literal { .. } if after_escape && text[range.clone()].starts_with('\'') => {
                return Err(
                    SqlError::new("an E'..' string cannot go on in a second one", range)
                        .help("join the two with `||`, or write them as one"),
                );
            }
            _ => {
                after_escape = matches!(
                    kind,
                    Raw::Literal {
                        kind: LiteralKind::EscStr { .. }
                    }
                );
            }
        }
    }
    Ok(())
}

/// Bounds the depth of the tree that a text can have; the error is where it goes over.
fn depth(text: &str, makes_bodies: bool, bodies: usize) -> Result<(), Range<usize>> {
    // One entry for each open bracket, with the tokens since the last comma and the set operators in it. All the
    // nodes above a token were begun by tokens that are counted here, because a comma or a closing bracket ends
    // every expression since the one before; only set operators nest across commas.
    let mut open = vec![(0_usize, 0_usize)];
    let mut chain = 0;
    for (kind, range) in raw(text) {
        let nested = open.len() > 1;
        let Some(top) = open.last_mut() else { break };
        match kind {
            Raw::Whitespace | Raw::LineComment | Raw::BlockComment { .. } => continue,
            Raw::Comma | Raw::Semi => {
                chain -= top.0;
                top.0 = 0;
            }
            Raw::CloseParen | Raw::CloseBracket if nested => {
                chain -= open.pop().map_or(0, |(tokens, sets)| tokens + sets);
            }
            Raw::Ident if is_set_operator(&text[range.clone()]) => {
                top.1 += 1;
                chain += 1;
            }
            _ => {
                top.0 += 1;
                chain += 1;
            }
        }
        match kind {
            Raw::OpenParen | Raw::OpenBracket => open.push((0, 0)),
            Raw::Literal { kind } if makes_bodies => {
                body(&text[range.clone()], kind, bodies).map_err(|()| range.clone())?;
            }
            _ => {}
        }
        if open.len() > MAX_BRACKETS || chain > MAX_CHAIN {
            return Err(range);
        }
    }
    Ok(())
}

fn is_set_operator(word: &str) -> bool {
    ["union", "intersect", "except", "join"]
        .iter()
        .any(|operator| word.eq_ignore_ascii_case(operator))
}

/// Bounds a string that may be a function's body, which the parser parses as well.
fn body(token: &str, kind: LiteralKind, bodies: usize) -> Result<(), ()> {
    match kind {
        LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => Ok(()),
        LiteralKind::DollarQuotedString { .. } => {
            let inner = token
                .get(1..)
                .and_then(|rest| rest.split_once('$'))
                .map_or("", |(_, inner)| inner);
            if bodies == 0 {
                return Err(());
            }
            depth(inner, true, bodies - 1).map_err(|_| ())
        }
        _ => {
            let hidden = token.matches(['(', '[', '\\']).count();
            if token.len() > MAX_QUOTED_BODY || hidden > MAX_BRACKETS {
                return Err(());
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::lint::lint;
    use crate::sql::statement::Statement;

    fn repeated(before: &str, unit: &str, count: usize, after: &str) -> String {
        format!("{before}{}{after}", unit.repeat(count))
    }

    #[test]
    fn deep_texts_end_in_an_error_and_not_in_a_crash() {
        let body = |inner: &str| format!("create function f() returns int language sql as {inner}");
        let deep = repeated("select ", "(", 100_000, "1");
        let texts = [
            deep.clone(),
            repeated("select ", "not ", 100_000, "true"),
            repeated("select ", "- ", 100_000, "1"),
            repeated("select 1", " + 1", 100_000, ""),
            repeated("select 1", "::int", 100_000, ""),
            repeated("select a", ".a", 100_000, ""),
            repeated("select a", "[1]", 100_000, ""),
            repeated("select 1, 2", " union select 1, 2", 50_000, ""),
            repeated("select 1 from a", " join b on true", 50_000, ""),
            repeated("", "select ", 100_000, "1"),
            repeated("", "explain ", 100_000, "select 1"),
            repeated("select ", "case when ", 100_000, "1"),
            repeated("", "with a as (", 50_000, "select 1"),
            repeated("select '", "a", 2_000_000, "'"),
            body(&format!("$$ {deep} $$")),
            body(&format!("$a$ {} $a$", body(&format!("$$ {deep} $$")))),
            body(&format!("'{deep}'")),
            body(&format!("E'{}'", "\x28".repeat(10_000))),
        ];
        for text in texts {
            let shown = &text[..text.len().min(60)];
            assert!(Statement::parse(&text).is_err(), "{shown}");
            assert_eq!(lint(&text, true), [], "{shown}");
        }
    }

    #[test]
    fn long_texts_that_are_not_deep_are_fine() {
        let texts = [
            repeated("select 1 where 1 in (1", ", 1", 20_000, ")"),
            repeated("insert into t values (1)", ", (1, 'a', now())", 3_000, ""),
            repeated("select 1 where a = 1", " or a = 1", 600, ""),
            repeated("select ", "(", 150, "1") + &")".repeat(150),
            repeated("select '", "(", 100_000, "'"),
        ];
        for text in texts {
            let shown = &text[..text.len().min(60)];
            assert!(Statement::parse(&text).is_ok(), "{shown}");
        }
    }

    #[test]
    fn the_deepest_text_that_is_let_through_fits_the_stack() {
        for unit in ["not ", "- ", "case when ", "select ", "exists ", "array "] {
            let count = super::MAX_CHAIN / unit.split_whitespace().count() - 10;
            // Whether it parses is the parser's affair.
            let _ended = Statement::parse(&repeated("select ", unit, count, "1"));
            let _ended = Statement::parse(&repeated("select 1 ", unit, count, ""));
        }
        for unit in [" + 1", "::int", ".a", "[1]", " union select 1"] {
            let count = super::MAX_CHAIN / 5;
            let _ended = Statement::parse(&repeated("select a", unit, count, ""));
        }
        for unit in [
            "(",
            "(select ",
            "f(",
            "array[",
            "(with a as (select ",
            "case when (",
        ] {
            let _ended = Statement::parse(&repeated("select ", unit, 190, "1"));
        }
    }

    #[test]
    fn an_escape_string_never_goes_on_in_another() {
        // PostgreSQL reads the second string as '\'  || ' and then calls lo_unlink.
        let texts = [
            "select E'a'\n'\\'  || '  , lo_unlink(1) , ' '",
            "select E'a' -- x\n 'b'",
            "select e'a' 'b'",
        ];
        for text in texts {
            let text = text.replace("\\n", "\n");
            assert!(Statement::parse(&text).is_err(), "{text}");
        }
        assert!(Statement::parse("select E'a\\'b', 'c' || E'd'").is_ok());
        assert!(Statement::parse("select 1\0").is_err());
    }
}
