//! Columns whose values nobody is to see: `sensitive: [users.password]`.

use super::document::Head;
use crate::base::diagnostic::Diagnostic;
use crate::sql::ident::{TableName, name_parts};

/// A column whose values are shown as `•••`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitive {
    /// The table; without it every table.
    table: Option<TableName>,
    /// The column, as the catalog knows it.
    column: String,
}

impl Sensitive {
    /// Reads `table.column`, `schema.table.column` or `*.column`, each name as PostgreSQL reads it; nothing where
    /// the text is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let every = text.trim().strip_prefix("*.");
        let mut parts = name_parts(every.unwrap_or(text))?;
        let column = parts.pop()?;
        let name = parts.pop();
        let schema = parts.pop();
        let table = name.map(|name| TableName { schema, name });
        let is_whole = parts.is_empty() && table.is_some() == every.is_none();
        is_whole.then_some(Self { table, column })
    }

    /// Returns whether it is a column of a table. Where only one of both says its schema, the schema may be any.
    pub fn is(&self, table: &TableName, column: &str) -> bool {
        let is_table = self.table.as_ref().is_none_or(|own| {
            let schemas = own.schema.as_ref().zip(table.schema.as_ref());
            own.name == table.name && schemas.is_none_or(|(own, other)| own == other)
        });
        is_table && self.is_named(column)
    }

    /// Returns whether a column whose table is not known has its name.
    pub fn is_named(&self, column: &str) -> bool {
        self.column == column
    }

    /// Returns whether its name stands in a text, such as the list of a key's columns and expressions.
    pub fn is_in(&self, text: &str) -> bool {
        text.contains(&self.column)
    }
}

/// Returns the columns that a runbook calls sensitive.
pub(super) fn of(head: &Head) -> Vec<Sensitive> {
    let texts = head.sensitive.iter();
    texts
        .filter_map(|text| Sensitive::parse(&text.value))
        .collect()
}

/// Checks how columns are written.
pub(super) fn check(head: &Head, diagnostics: &mut Vec<Diagnostic>) {
    for text in &head.sensitive {
        if Sensitive::parse(&text.value).is_some() {
            continue;
        }
        let title = format!("`{}` is no column of a table", text.value);
        diagnostics.push(
            Diagnostic::error("sensitive", title)
                .at(text.span, "")
                .help("write `table.column`, `schema.table.column`, or `*.column` for every table; names with capital letters in double quotes: '\"User\".password'"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_postgresql_reads_them() {
        let table = |schema: Option<&str>, name: &str| TableName {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
        };
        let is = |text: &str, name: &TableName, column: &str| {
            Sensitive::parse(text).is_some_and(|one| one.is(name, column))
        };
        let user = table(None, "User");
        assert!(is("\"User\".password", &user, "password"));
        assert!(is("\"User\".PassWord", &user, "password"));
        assert!(!is("User.password", &user, "password"));
        assert!(is("*.password", &user, "password"));
        assert!(is("*.\"tokenHash\"", &user, "tokenHash"));
        let other = table(Some("audit"), "users");
        assert!(is("users.password", &other, "password"));
        assert!(is("audit.users.password", &other, "password"));
        assert!(!is("public.users.password", &other, "password"));
        assert!(!is("users.email", &other, "password"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "password",
            "*",
            "*.",
            "*.*",
            "users.",
            ".password",
            "a.b.c.d",
            "*.a.b",
            "users.*",
            "users password",
            "users.\"password",
        ] {
            assert_eq!(Sensitive::parse(text), None, "{text}");
        }
    }
}
