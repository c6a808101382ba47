//! The names of the columns that a read returns, as far as its text tells.

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::column_name::ColumnName;
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// Returns the names of a read's columns; nothing where only the catalog knows them, as for `*`.
pub(super) fn columns(node: &SyntaxNode) -> Option<Vec<String>> {
    if let Some(select) = ast::Select::cast(node.clone()) {
        let targets = select.select_clause()?.target_list()?;
        return targets.targets().map(column).collect();
    }
    if ast::CompoundSelect::can_cast(node.kind()) || ast::ParenSelect::can_cast(node.kind()) {
        // The first part names the columns of a UNION; a WITH before it is no part.
        return node
            .children()
            .find(|child| ast::SelectVariant::can_cast(child.kind()))
            .and_then(|child| columns(&child));
    }
    None
}

fn column(target: ast::Target) -> Option<String> {
    // `t.*` is as many columns as the table has.
    let last = super::tree::words(target.syntax()).last()?;
    if last.kind() == SyntaxKind::STAR {
        return None;
    }
    match ColumnName::from_target(target)?.0 {
        ColumnName::Star => None,
        ColumnName::UnknownColumn(None) => Some("?column?".to_owned()),
        ColumnName::Column(name) | ColumnName::UnknownColumn(Some(name)) => Some(name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::statement::Statement;

    #[test]
    fn columns_are_named_as_the_server_names_them() {
        let cases = [
            (
                "SELECT c.id, name AS \"Full Name\", count(*), 1, a.b::text",
                Some("id,Full Name,count,?column?,b"),
            ),
            ("SELECT * FROM t", None),
            ("SELECT t.*, 1 AS n FROM t", None),
            ("WITH x AS (SELECT 1 AS a) SELECT a AS b FROM x", Some("b")),
            ("SELECT 1 AS a UNION ALL SELECT 2 AS b", Some("a")),
            ("(SELECT 1 AS a)", Some("a")),
            ("SHOW work_mem", None),
        ];
        for (sql, names) in cases {
            let found = Statement::parse(sql).unwrap().output_columns();
            assert_eq!(
                found.map(|names| names.join(",")).as_deref(),
                names,
                "{sql}"
            );
        }
    }
}
