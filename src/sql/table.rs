//! The tables that a statement names.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::ident::{TableName, decoded, path_parts};
use super::tree;

/// A table, view or other relation where a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// Its name, decoded; without a schema the search path decides.
    pub name: TableName,
    /// True where the statement changes its rows or its definition.
    pub written: bool,
    /// Where the name stands in the text.
    pub range: Range<usize>,
}

/// The parents under which a relation is only read.
const READ_UNDER: &[SyntaxKind] = &[
    SyntaxKind::RELATION_FROM_ITEM,
    SyntaxKind::LIKE_CLAUSE,
    SyntaxKind::REFERENCES_CONSTRAINT,
    SyntaxKind::FOREIGN_KEY_CONSTRAINT,
    SyntaxKind::FROM_TABLE,
];

/// Collects every relation in a tree, in order; the names of common table expressions are not relations.
pub(super) fn tables(root: &SyntaxNode) -> Vec<TableRef> {
    root.descendants()
        .filter_map(|node| {
            let parts = relation_parts(&node)?;
            let written = is_written(&node);
            // PostgreSQL never writes to a common table expression: that name is a table.
            if !written && parts.len() == 1 && is_common(&node, &parts[0]) {
                return None;
            }
            Some(TableRef {
                name: TableName::from_parts(parts)?,
                written,
                range: tree::range(&node),
            })
        })
        .collect()
}

fn relation_parts(node: &SyntaxNode) -> Option<Vec<String>> {
    let parts = match node.kind() {
        SyntaxKind::RELATION_NAME_REF => {
            path_parts(ast::RelationNameRef::cast(node.clone())?.path_ref())
        }
        SyntaxKind::TABLE_NAME_REF => path_parts(ast::TableNameRef::cast(node.clone())?.path_ref()),
        SyntaxKind::TABLE_NAME => {
            let path = ast::TableName::cast(node.clone())?.path()?;
            let mut parts = path_parts(path.qualifier());
            parts.push(decoded(path.segment()?.syntax()));
            parts
        }
        _ => return None,
    };
    (!parts.is_empty()).then_some(parts)
}

fn is_written(node: &SyntaxNode) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    match parent.kind() {
        SyntaxKind::RELATION_NAME => parent
            .parent()
            .is_none_or(|parent| parent.kind() != SyntaxKind::TABLE),
        kind => !READ_UNDER.contains(&kind),
    }
}

/// Returns true when a common table expression of the name is in scope at the node: those before it in the same
/// WITH (all of it when RECURSIVE), and those of every statement around it.
fn is_common(node: &SyntaxNode, name: &str) -> bool {
    let mut inside: Option<SyntaxNode> = None;
    for ancestor in node.ancestors() {
        if let Some(with) = ast::WithClause::cast(ancestor.clone()) {
            let recursive = with.recursive_token().is_some();
            let before = with
                .with_tables()
                .take_while(|table| recursive || inside.as_ref() != Some(table.syntax()));
            if names(before, name) {
                return true;
            }
        } else if let Some(with) = ancestor.children().find_map(ast::WithClause::cast)
            && inside.as_ref() != Some(with.syntax())
            && names(with.with_tables(), name)
        {
            return true;
        }
        inside = Some(ancestor);
    }
    false
}

fn names(mut tables: impl Iterator<Item = ast::WithTable>, name: &str) -> bool {
    tables.any(|table| {
        table
            .name()
            .is_some_and(|common| decoded(common.syntax()) == name)
    })
}
