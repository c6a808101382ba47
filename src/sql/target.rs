//! The parts of an INSERT, UPDATE or DELETE, from which row capture builds
//! `WITH .. SELECT .. FROM table alias, from.. WHERE ..`.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::ident::{TableName, decoded, path_parts};
use super::tree;

/// The three statements whose rows can be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dml {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

/// What a data-changing statement changes, and by which predicate. The texts are slices as the author wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which statement it is.
    pub verb: Dml,
    /// The table, decoded.
    pub table: TableName,
    /// The table as written, without ONLY, `*` and the alias.
    pub table_sql: String,
    /// True for `ONLY table`: inheriting tables are left alone.
    pub only: bool,
    /// The alias, decoded.
    pub alias: Option<String>,
    /// The WITH clause in front, with its keyword.
    pub with_sql: Option<String>,
    /// What follows FROM of an UPDATE or USING of a DELETE.
    pub from_sql: Option<String>,
    /// The predicate without WHERE.
    pub where_sql: Option<String>,
    /// The place of the predicate in the text, without its keyword.
    pub where_at: Option<Range<usize>>,
    /// The place of the RETURNING clause in the text, with its keyword.
    pub returning: Option<Range<usize>>,
    /// The columns that an UPDATE sets or an INSERT names, decoded.
    pub set_columns: Vec<String>,
    /// True for INSERT .. ON CONFLICT.
    pub on_conflict: bool,
    /// True for ON CONFLICT DO UPDATE.
    pub overwrites: bool,
    /// True for `WHERE CURRENT OF cursor`.
    pub where_current_of: bool,
}

/// Returns the target of a statement: none for what is not a plain INSERT, UPDATE or DELETE, for one with a
/// data-changing WITH, and for FOR PORTION OF, which writes rows that its predicate does not name.
pub(super) fn target(statement: &SyntaxNode, source: &str) -> Option<Target> {
    const CHANGES: [SyntaxKind; 5] = [
        SyntaxKind::INSERT,
        SyntaxKind::UPDATE,
        SyntaxKind::DELETE,
        SyntaxKind::MERGE,
        SyntaxKind::FOR_PORTION_OF,
    ];
    let hidden = statement
        .descendants()
        .skip(1)
        .any(|node| CHANGES.contains(&node.kind()));
    if hidden {
        return None;
    }
    match statement.kind() {
        SyntaxKind::INSERT => insert(&ast::Insert::cast(statement.clone())?, source),
        SyntaxKind::UPDATE => update(&ast::Update::cast(statement.clone())?, source),
        SyntaxKind::DELETE => delete(&ast::Delete::cast(statement.clone())?, source),
        _ => None,
    }
}

fn insert(insert: &ast::Insert, source: &str) -> Option<Target> {
    let alias = insert.alias().and_then(|alias| alias.name());
    let columns = insert.column_target_list();
    Some(Target {
        alias: alias.map(|name| decoded(name.syntax())),
        with_sql: clause(insert.with_clause(), source),
        returning: place(insert.returning_clause()),
        set_columns: columns.as_ref().map(column_names).unwrap_or_default(),
        on_conflict: insert.on_conflict_clause().is_some(),
        overwrites: insert
            .on_conflict_clause()
            .is_some_and(|clause| overwrites(clause.syntax())),
        ..named(Dml::Insert, &insert.relation_name_ref()?, source)?
    })
}

fn update(update: &ast::Update, source: &str) -> Option<Target> {
    let relation = update.relation_name()?;
    let alias = update.alias().and_then(|alias| alias.name());
    let condition = update.where_clause_or_current_of();
    Some(Target {
        only: relation.only_token().is_some(),
        alias: alias.map(|name| decoded(name.syntax())),
        with_sql: clause(update.with_clause(), source),
        from_sql: after_keyword(update.from_clause(), source),
        where_sql: predicate(condition.as_ref(), source),
        where_at: predicate_place(condition.as_ref()),
        returning: place(update.returning_clause()),
        set_columns: assigned(update),
        where_current_of: matches!(
            condition,
            Some(ast::WhereClauseOrCurrentOf::WhereCurrentOf(_))
        ),
        ..named(Dml::Update, &relation.relation_name_ref()?, source)?
    })
}

fn delete(delete: &ast::Delete, source: &str) -> Option<Target> {
    let relation = delete.relation_name()?;
    let alias = delete.alias().and_then(|alias| alias.name());
    let condition = delete.where_clause_or_current_of();
    Some(Target {
        only: relation.only_token().is_some(),
        alias: alias.map(|name| decoded(name.syntax())),
        with_sql: clause(delete.with_clause(), source),
        from_sql: after_keyword(delete.using_clause(), source),
        where_sql: predicate(condition.as_ref(), source),
        where_at: predicate_place(condition.as_ref()),
        returning: place(delete.returning_clause()),
        where_current_of: matches!(
            condition,
            Some(ast::WhereClauseOrCurrentOf::WhereCurrentOf(_))
        ),
        ..named(Dml::Delete, &relation.relation_name_ref()?, source)?
    })
}

/// Returns a target with nothing but its table.
fn named(verb: Dml, relation: &ast::RelationNameRef, source: &str) -> Option<Target> {
    Some(Target {
        verb,
        table: TableName::from_parts(path_parts(relation.path_ref()))?,
        table_sql: tree::text(relation.syntax(), source).to_owned(),
        only: false,
        alias: None,
        with_sql: None,
        from_sql: None,
        where_sql: None,
        where_at: None,
        returning: None,
        set_columns: Vec::new(),
        on_conflict: false,
        overwrites: false,
        where_current_of: false,
    })
}

/// Returns whether ON CONFLICT goes on with DO UPDATE.
fn overwrites(clause: &SyntaxNode) -> bool {
    let kinds: Vec<SyntaxKind> = tree::words(clause).map(|token| token.kind()).collect();
    kinds
        .windows(2)
        .any(|pair| pair == [SyntaxKind::DO_KW, SyntaxKind::UPDATE_KW])
}

fn assigned(update: &ast::Update) -> Vec<String> {
    let list = update.set_clause().and_then(|set| set.set_column_list());
    list.into_iter()
        .flat_map(|list| list.set_columns())
        .flat_map(|column| match column {
            ast::SetColumn::SetSingleColumn(one) => one
                .column_target()
                .as_ref()
                .and_then(column_name)
                .into_iter()
                .collect(),
            ast::SetColumn::SetMultipleColumns(many) => many
                .column_target_list()
                .as_ref()
                .map(column_names)
                .unwrap_or_default(),
        })
        .collect()
}

fn column_names(list: &ast::ColumnTargetList) -> Vec<String> {
    list.column_targets()
        .filter_map(|column| column_name(&column))
        .collect()
}

fn column_name(column: &ast::ColumnTarget) -> Option<String> {
    Some(decoded(column.name()?.syntax()))
}

fn clause(node: Option<impl ast::AstNode>, source: &str) -> Option<String> {
    node.map(|node| tree::text(node.syntax(), source).to_owned())
}

fn after_keyword(node: Option<impl ast::AstNode>, source: &str) -> Option<String> {
    node.map(|node| tree::text_after_keyword(node.syntax(), source).to_owned())
}

fn place(node: Option<impl ast::AstNode>) -> Option<Range<usize>> {
    node.map(|node| tree::range(node.syntax()))
}

fn predicate(condition: Option<&ast::WhereClauseOrCurrentOf>, source: &str) -> Option<String> {
    match condition? {
        ast::WhereClauseOrCurrentOf::WhereClause(clause) => {
            Some(tree::text_after_keyword(clause.syntax(), source).to_owned())
        }
        ast::WhereClauseOrCurrentOf::WhereCurrentOf(_) => None,
    }
}

fn predicate_place(condition: Option<&ast::WhereClauseOrCurrentOf>) -> Option<Range<usize>> {
    match condition? {
        ast::WhereClauseOrCurrentOf::WhereClause(clause) => {
            tree::range_after_keyword(clause.syntax())
        }
        ast::WhereClauseOrCurrentOf::WhereCurrentOf(_) => None,
    }
}
