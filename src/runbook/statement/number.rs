//! Where PostgreSQL's grammar has a number and nothing else: there a literal is put in without quotes.

use crate::sql::statement::SqlError;
use crate::sql::token::{TokenKind, tokens};

/// What stands for a number until there is one.
pub(super) const MADE_UP: &str = "1";

/// The words after which only a number can follow, each with what must stand before it.
const BEFORE: [(&str, &str); 7] = [
    ("LIMIT", "CONNECTION"),
    ("STATISTICS", "SET"),
    ("BY", "INCREMENT"),
    ("WITH", "START"),
    ("WITH", "RESTART"),
    ("MODULUS", ""),
    ("REMAINDER", ""),
];

/// The same of sequences and of functions, whose statements say that they are about one.
const OPTIONS: [&str; 8] = [
    "INCREMENT",
    "MINVALUE",
    "MAXVALUE",
    "START",
    "RESTART",
    "CACHE",
    "COST",
    "ROWS",
];

/// Returns whether only a number can follow a text.
pub(super) fn must_follow(text: &str) -> bool {
    let words = tokens(text).filter(|(kind, _)| *kind != TokenKind::Comment);
    let words = words.filter_map(|(_, range)| text.get(range));
    let words: Vec<String> = words
        .filter(|word| !word.trim().is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    let mut back = words
        .iter()
        .rev()
        .map(String::as_str)
        .filter(|word| *word != "=");
    let (last, before) = (back.next().unwrap_or_default(), back.next());
    let is_after = BEFORE
        .iter()
        .any(|(word, first)| *word == last && (first.is_empty() || before == Some(first)));
    let mut subject = words.iter().map(String::as_str);
    let has_options = matches!(subject.next(), Some("CREATE" | "ALTER"))
        && subject
            .find(|word| !matches!(*word, "OR" | "REPLACE" | "TEMP" | "TEMPORARY" | "UNLOGGED"))
            .is_some_and(|word| matches!(word, "SEQUENCE" | "FUNCTION" | "PROCEDURE" | "ROUTINE"));
    is_after || (has_options && OPTIONS.contains(&last))
}

/// Returns a value as a number in SQL.
///
/// # Errors
/// It is none.
pub(super) fn of(value: Option<&String>) -> Result<String, SqlError> {
    let text = value.map_or("NULL", String::as_str);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits(whole) && is_digits(fraction) {
        return Ok(text.to_owned());
    }
    Err(SqlError {
        message: format!("PostgreSQL takes only a number here, not `{text}`"),
        range: None,
        help: Some("give the parameter the type int, bigint or numeric".to_owned()),
    })
}
