//! What a person types: where a statement ends, and how its words are completed.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::{describe, line};
use crate::engine::failure::Failure;
use crate::pg::session::Session;
use crate::sql::ident::quote_ident;

/// More names would be of no help.
const NAMES: &str = "\
    SELECT pg_catalog.pg_table_is_visible(c.oid) AS visible, n.nspname AS schema, c.relname AS name, \
           pg_catalog.array_to_json(pg_catalog.array_agg(a.attname ORDER BY a.attnum))::text AS columns \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped \
      AND n.nspname NOT IN ('pg_toast', 'information_schema') \
    GROUP BY c.oid, n.nspname, c.relname ORDER BY n.nspname = 'pg_catalog', n.nspname, c.relname LIMIT 20000";

const COMMANDS: [&str; 13] = [
    "\\?",
    "\\conninfo",
    "\\d",
    "\\df",
    "\\dn",
    "\\dt",
    "\\du",
    "\\dx",
    "\\fix",
    "\\l",
    "\\q",
    "\\timing",
    "\\x",
];

const KEYWORDS: [&str; 40] = [
    "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "COUNT", "CROSS", "DESC", "DISTINCT", "ELSE",
    "END", "EXISTS", "EXPLAIN", "FALSE", "FROM", "FULL", "GROUP", "HAVING", "ILIKE", "IN", "INNER",
    "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "SELECT",
    "THEN", "TRUE", "UNION", "WHEN", "WHERE", "WITH",
];

/// The names of the database's tables and of their columns, as they are written in a statement.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Each table with its columns.
    tables: Vec<(String, Vec<String>)>,
}

impl Names {
    /// Reads the names.
    ///
    /// # Errors
    /// The server's word.
    pub(super) async fn read(session: &mut Session) -> std::result::Result<Self, Failure> {
        let rows = describe::ask(session, NAMES, vec![]).await?;
        let tables = rows.rows.iter().filter_map(|row| {
            let [visible, schema, name, columns] = row.as_slice() else {
                return None;
            };
            let name = quoted(name.as_deref()?);
            let name = match visible.as_deref() {
                Some("t") => name,
                _ => format!("{}.{name}", quoted(schema.as_deref()?)),
            };
            let columns: Vec<String> = serde_json::from_str(columns.as_deref()?).ok()?;
            Some((name, columns.iter().map(|column| quoted(column)).collect()))
        });
        Ok(Self {
            tables: tables.collect(),
        })
    }

    /// Returns what may stand where `word` begins, in the text `before` it.
    fn candidates(&self, text: &str, before: &str, word: &str) -> Vec<String> {
        if before.trim().is_empty() && word.starts_with('\\') {
            return matching(COMMANDS.iter().copied(), word);
        }
        let tables = self.tables.iter().map(|(name, _)| name.as_str());
        let last = before.split_whitespace().last().unwrap_or_default();
        let is_after = |words: &[&str]| words.iter().any(|word| last.eq_ignore_ascii_case(word));
        if is_after(&["from", "join", "\\d", "\\dt"]) {
            return matching(tables, word);
        }
        let named = |table: &str| {
            let short = table.rsplit('.').next().unwrap_or(table);
            text.split(|letter: char| !letter.is_alphanumeric() && !"_\"".contains(letter))
                .any(|part| part == short)
        };
        let (qualifier, _) = word.rsplit_once('.').unwrap_or_default();
        let of_tables = self.tables.iter().filter(|(table, _)| named(table));
        let columns = of_tables.flat_map(|(_, columns)| columns);
        let mut found = if qualifier.is_empty() {
            matching(columns.map(String::as_str), word)
        } else {
            let full: Vec<String> = columns
                .map(|column| format!("{qualifier}.{column}"))
                .collect();
            matching(full.iter().map(String::as_str), word)
        };
        found.extend(matching(tables, word));
        if word.starts_with(|first: char| first.is_ascii_lowercase()) {
            let lower: Vec<String> = KEYWORDS.iter().map(|word| word.to_lowercase()).collect();
            found.extend(matching(lower.iter().map(String::as_str), word));
        } else {
            found.extend(matching(KEYWORDS.iter().copied(), word));
        }
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|name| seen.insert(name.clone()));
        found
    }
}

fn matching<'a>(names: impl Iterator<Item = &'a str>, word: &str) -> Vec<String> {
    let is_like = |name: &&str| {
        let start = name.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    names.filter(is_like).map(str::to_owned).collect()
}

/// Returns a name as it is written in a statement: quoted only where it must be.
fn quoted(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let is_plain = name.starts_with(plain)
        && name
            .chars()
            .all(|letter| plain(letter) || letter.is_ascii_digit());
    if is_plain {
        name.to_owned()
    } else {
        quote_ident(name)
    }
}

/// Helps a person to type.
pub(super) struct Typing {
    names: Names,
}

impl Typing {
    pub(super) fn new(names: Names) -> Self {
        Self { names }
    }
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or(line);
        let ends = |letter: char| letter.is_whitespace() || "(),;=<>".contains(letter);
        let start = typed.rfind(ends).map_or(0, |at| {
            at + typed[at..].chars().next().map_or(1, char::len_utf8)
        });
        let (before, word) = typed.split_at(start);
        Ok((start, self.names.candidates(line, before, word)))
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if line::is_whole(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {}

impl Helper for Typing {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let table = |name: &str, columns: &[&str]| {
            let columns = columns.iter().map(|column| (*column).to_owned());
            (name.to_owned(), columns.collect())
        };
        Names {
            tables: vec![
                table("users", &["id", "email", "is_active"]),
                table("\"User\"", &["id", "\"createdAt\""]),
                table("sales.orders", &["id", "total"]),
            ],
        }
    }

    fn complete(line: &str) -> Vec<String> {
        let history = rustyline::history::DefaultHistory::new();
        let typing = Typing::new(names());
        let context = Context::new(&history);
        typing.complete(line, line.len(), &context).unwrap().1
    }

    #[test]
    fn tables_stand_after_from_and_columns_of_what_is_named() {
        assert_eq!(complete("select * from us"), ["users"]);
        assert_eq!(complete("select * from sales.o"), ["sales.orders"]);
        assert_eq!(complete("select * from users where is_"), ["is_active"]);
        assert_eq!(complete("select * from users u where u.em"), ["u.email"]);
        assert_eq!(complete("\\d us"), ["users"]);
        assert_eq!(complete("\\ti"), ["\\timing"]);
        assert_eq!(complete("SEL"), ["SELECT"]);
        assert_eq!(complete("select * from \"Us"), ["\"User\""]);
        assert_eq!(complete("é"), Vec::<String>::new());
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for (name, written) in [
            ("a_1", "a_1"),
            ("User", "\"User\""),
            ("1a", "\"1a\""),
            ("a b", "\"a b\""),
        ] {
            assert_eq!(quoted(name), written);
        }
    }
}
