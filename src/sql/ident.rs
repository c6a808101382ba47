//! Names and literals, quoted for SQL text that the engine itself writes.

use std::fmt;

use squawk_syntax::ast::AstNode as _;
use squawk_syntax::quote;
use squawk_syntax::{SyntaxNode, ast};

use super::statement::Statement;

/// The number of bytes that PostgreSQL keeps of a name (`NAMEDATALEN - 1`).
const NAME_BYTES: usize = 63;

/// The name of a table as the catalog knows it: decoded, folded and cut as PostgreSQL does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema, where the name has one.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quote_ident(schema))?;
        }
        f.write_str(&quote_ident(&self.name))
    }
}

impl TableName {
    /// Reads the name of a table as SQL writes it, with a schema or without; nothing where the text is
    /// anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let before = "SELECT FROM ";
        let statement = Statement::parse(&format!("{before}{text}")).ok()?;
        match statement.tables() {
            // Whatever else stands in the text would be more than the name.
            [only] if only.range == (before.len()..before.len() + text.len()) => {
                Some(only.name.clone())
            }
            _ => None,
        }
    }

    /// Takes a table's name from its dotted parts; a database's name in front is left out.
    pub(super) fn from_parts(mut parts: Vec<String>) -> Option<Self> {
        let name = parts.pop()?;
        let schema = parts.pop();
        Some(Self { schema, name })
    }
}

/// Returns the dotted parts of a name as the catalog knows them: decoded, folded and cut as PostgreSQL does.
/// Nothing where the text is no name.
pub fn name_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_part(quoted)?
        } else {
            let end = rest
                .find(|next: char| !(next.is_alphanumeric() || matches!(next, '_' | '$')))
                .unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            if part.starts_with(|first: char| first.is_ascii_digit() || first == '$') {
                return None;
            }
            (part.to_ascii_lowercase(), after)
        };
        if part.is_empty() {
            return None;
        }
        parts.push(cut(part));
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(parts);
        }
        rest = rest.strip_prefix('.')?.trim_start();
    }
}

/// Takes a name up to its closing quote, and returns what follows it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

/// Quotes a name where it needs quotes: reserved words and column-like keywords, upper case, what is not
/// ASCII, a leading digit, a quote inside, an empty name.
///
/// What is not ASCII would need none, but a reader cannot tell which letters fold: quotes say it.
pub fn quote_ident(name: &str) -> String {
    let quoted = quote::quote_quoted_ident(name);
    if name.is_ascii() {
        quoted
    } else {
        quote::quote_ident_always(name)
    }
}

/// Quotes a text as a string constant that means the same with `standard_conforming_strings` on and off.
pub fn quote_literal(text: &str) -> String {
    let quoted = quote::quote_string_literal(text);
    if text.contains('\\') {
        format!("E{}", quoted.replace('\\', "\\\\"))
    } else {
        quoted
    }
}

/// Decodes the name in a node as PostgreSQL does: quotes and escapes removed, folded where unquoted, cut to 63 bytes.
pub(super) fn decoded(node: &SyntaxNode) -> String {
    cut(ast::normalize_name_node(node))
}

fn cut(mut name: String) -> String {
    if name.len() > NAME_BYTES {
        let mut end = NAME_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// Decodes the dotted parts of a name, outermost first.
pub(super) fn path_parts(path: Option<ast::PathRef>) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some(path) = rest {
        if let Some(segment) = path.segment() {
            parts.push(decoded(segment.syntax()));
        }
        rest = path.qualifier();
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_as_postgresql_reads_them() {
        let cases: [(&str, Option<&[&str]>); 12] = [
            ("users", Some(&["users"])),
            ("Users", Some(&["users"])),
            ("\"Users\"", Some(&["Users"])),
            ("app . \"User\"", Some(&["app", "User"])),
            ("\"a\"\"b.c\".d", Some(&["a\"b.c", "d"])),
            ("größe_1$", Some(&["größe_1$"])),
            ("", None),
            ("a b", None),
            ("a.", None),
            ("1a", None),
            ("\"open", None),
            ("\"\"", None),
        ];
        for (text, parts) in cases {
            let parts =
                parts.map(|parts| parts.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(name_parts(text), parts, "{text}");
        }
        assert_eq!(name_parts(&"x".repeat(70)).unwrap()[0].len(), 63);
    }

    #[test]
    fn case_42_names_are_quoted_where_needed() {
        let cases = [
            ("users", "users"),
            ("_a1$", "_a1$"),
            ("Users", "\"Users\""),
            ("select", "\"select\""),
            ("user", "\"user\""),
            ("left", "\"left\""),
            ("int", "\"int\""),
            ("values", "\"values\""),
            ("1a", "\"1a\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("größe", "\"größe\""),
            ("", "\"\""),
            ("a\\b", "\"a\\b\""),
            ("a;--", "\"a;--\""),
        ];
        for (name, expected) in cases {
            assert_eq!(quote_ident(name), expected, "{name}");
        }
    }

    #[test]
    fn literals() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn table_names() {
        let name = TableName {
            schema: Some("Sales".into()),
            name: "order".into(),
        };
        assert_eq!(name.to_string(), "\"Sales\".\"order\"");
    }

    proptest! {
        #[test]
        fn a_quoted_name_reads_back(name in "[^\\x00]{1,15}") {
            let sql = format!("select 1 from {}", quote_ident(&name));
            let statement = crate::sql::statement::Statement::parse(&sql).unwrap();
            prop_assert_eq!(&statement.tables()[0].name.name, &name);
        }
    }
}
