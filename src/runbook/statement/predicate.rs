//! The rows of a backup: a table and a predicate, as the statement that finds them.

use super::SqlTemplate;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Spanned};
use crate::runbook::place::TextPlace;
use crate::runbook::reference::Reference;
use crate::sql::ident::TableName;
use crate::sql::token::{TokenKind, tokens};
use crate::step::text::Sql;

impl SqlTemplate {
    /// Parses a predicate as the statement `SELECT FROM table WHERE (predicate)`, which finds the rows of a
    /// table that it is true for. What it reads and where it is wrong is told as of any other statement.
    ///
    /// # Errors
    /// As [`Self::parse`]; what should name a table does not, or the predicate closes a bracket that it did
    /// not open: it would be more than a predicate then.
    pub fn parse_predicate(
        table: &Spanned<String>,
        sql: &Sql,
        source: &Source,
    ) -> Result<(Self, Vec<Reference>), Box<Diagnostic>> {
        if TableName::parse(&table.value).is_none() {
            return Err(Box::new(no_table(table)));
        }
        if let Some(diagnostic) = unbalanced(sql, source) {
            return Err(Box::new(diagnostic));
        }
        let before = format!("SELECT FROM {} WHERE (", table.value);
        // The line break ends a comment at the end of the predicate.
        Self::parse_within([&before, "\n)"], sql, source)
    }

    /// Returns a statement of a predicate without what is the same in all of them, on one line:
    /// `users WHERE (company_id = $1)`.
    pub fn shown_predicate(statement: &str) -> String {
        let rows = statement.strip_prefix("SELECT FROM ").unwrap_or(statement);
        match rows.strip_suffix("\n)") {
            Some(rows) => format!("{})", rows.trim_end()),
            None => rows.to_owned(),
        }
    }
}

fn no_table(table: &Spanned<String>) -> Diagnostic {
    let title = format!("`{}` is no name of a table", table.value);
    let diagnostic = Diagnostic::error("sql", title).at(table.span, "");
    if table.value.contains("{{") {
        return diagnostic
            .help("the table stands in the runbook; the predicate may have templates");
    }
    diagnostic.help(
        "write `users`, `crm.users`, or `'\"Users\"'` with its quotes where it has upper case",
    )
}

/// Finds a bracket without its other half.
fn unbalanced(sql: &Sql, source: &Source) -> Option<Diagnostic> {
    let text = sql.text();
    let place = TextPlace::new(source, &sql.0);
    let wrong = |title: &str, range: std::ops::Range<usize>| {
        let diagnostic = Diagnostic::error("sql", title).at(place.span(range), "");
        diagnostic.help("a predicate is what stands after WHERE: `company_id = {{ company }}`")
    };
    let mut open = Vec::new();
    for (kind, range) in tokens(text) {
        match (kind, text.get(range.clone())) {
            (TokenKind::Other, Some("(")) => open.push(range),
            (TokenKind::Other, Some(")")) if open.pop().is_none() => {
                return Some(wrong(
                    "the predicate closes a bracket that it did not open",
                    range,
                ));
            }
            _ => {}
        }
    }
    let range = open.pop()?;
    Some(wrong("a bracket of the predicate is not closed", range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;

    fn parse(table: &str, predicate: &str) -> Result<String, String> {
        let spanned = |text: &str| Spanned::new(text.to_owned(), Span::new(0, text.len()));
        let source = Source::new("t", predicate);
        match SqlTemplate::parse_predicate(&spanned(table), &Sql(spanned(predicate)), &source) {
            Ok((template, _)) => {
                assert!(template.statement.allowed_in_read().is_ok());
                assert_eq!(template.statement.tables().len(), 1, "{predicate}");
                Ok(template.statement.text().to_owned())
            }
            Err(diagnostic) => Err(diagnostic.title),
        }
    }

    #[test]
    fn a_predicate_is_the_end_of_a_statement() {
        let cases = [
            (
                "users",
                "id = {{ id }}",
                "SELECT FROM users WHERE (id = $1\n)",
            ),
            (
                "crm.\"Users\"",
                "a = {{ x }} OR b = {{ x }} -- both",
                "SELECT FROM crm.\"Users\" WHERE (a = $1 OR b = $1 -- both\n)",
            ),
            ("t", "(a) AND (b)", "SELECT FROM t WHERE ((a) AND (b)\n)"),
            ("t", "name = ')('", "SELECT FROM t WHERE (name = ')('\n)"),
            ("t", "true", "SELECT FROM t WHERE (true\n)"),
        ];
        for (table, predicate, text) in cases {
            assert_eq!(parse(table, predicate).as_deref(), Ok(text), "{predicate}");
        }
    }

    #[test]
    fn what_is_no_predicate_or_table_is_refused() {
        let predicates = [
            "",
            "id = 1; DELETE FROM users",
            "true) OR (true",
            "(true",
            "id =",
            "true ORDER BY id",
            "true LIMIT 1",
            "id = '{{ x }}'",
            "id = $1",
        ];
        for predicate in predicates {
            assert!(parse("users", predicate).is_err(), "{predicate}");
        }
        let tables = [
            "",
            "users u",
            "users, companies",
            "ONLY users",
            "users *",
            "f()",
            "(SELECT 1) x",
            "users -- x",
            "{{ table }}",
            "users WHERE true; DROP TABLE users",
            "select",
            "\"users",
        ];
        for table in tables {
            assert!(parse(table, "true").is_err(), "{table}");
        }
    }

    #[test]
    fn it_is_shown_on_one_line() {
        let text = parse("users", "id = {{ id }}").unwrap();
        assert_eq!(SqlTemplate::shown_predicate(&text), "users WHERE (id = $1)");
    }
}
