//! Which statements PostgreSQL refuses to run inside a transaction block.

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::tree;

/// Returns what it is that must run outside of a transaction, if the statement is of that kind.
///
/// From the calls of `PreventInTransactionBlock` in PostgreSQL's sources. What depends on options or on the
/// catalog counts when it can be: then the statement runs alone, which is always allowed.
pub(super) fn needs_none(statement: &SyntaxNode) -> Option<&'static str> {
    let concurrently = tree::has_own_token(statement, SyntaxKind::CONCURRENTLY_KW);
    match statement.kind() {
        SyntaxKind::VACUUM => Some("VACUUM"),
        SyntaxKind::REPACK => Some("REPACK"),
        SyntaxKind::CREATE_INDEX if concurrently => Some("CREATE INDEX CONCURRENTLY"),
        SyntaxKind::DROP_INDEX if concurrently => Some("DROP INDEX CONCURRENTLY"),
        SyntaxKind::REINDEX => reindex(statement),
        SyntaxKind::CREATE_DATABASE => Some("CREATE DATABASE"),
        SyntaxKind::DROP_DATABASE => Some("DROP DATABASE"),
        SyntaxKind::ALTER_DATABASE if tree::has_node(statement, &[SyntaxKind::SET_TABLESPACE]) => {
            Some("ALTER DATABASE SET TABLESPACE")
        }
        SyntaxKind::ALTER_SYSTEM => Some("ALTER SYSTEM"),
        SyntaxKind::CREATE_TABLESPACE => Some("CREATE TABLESPACE"),
        SyntaxKind::DROP_TABLESPACE => Some("DROP TABLESPACE"),
        SyntaxKind::CLUSTER => {
            let one = ast::Cluster::cast(statement.clone())
                .is_some_and(|it| it.table_name_ref().is_some() || it.cluster_legacy().is_some());
            (!one).then_some("CLUSTER of all tables")
        }
        SyntaxKind::CREATE_SUBSCRIPTION => Some("CREATE SUBSCRIPTION"),
        SyntaxKind::DROP_SUBSCRIPTION => Some("DROP SUBSCRIPTION"),
        SyntaxKind::ALTER_SUBSCRIPTION => Some("ALTER SUBSCRIPTION"),
        SyntaxKind::ALTER_TABLE
            if tree::has_node(statement, &[SyntaxKind::DETACH_CONCURRENTLY]) =>
        {
            Some("DETACH PARTITION CONCURRENTLY")
        }
        _ => None,
    }
}

fn reindex(statement: &SyntaxNode) -> Option<&'static str> {
    let reindex = ast::Reindex::cast(statement.clone())?;
    if reindex.is_concurrently() {
        return Some("REINDEX CONCURRENTLY");
    }
    match reindex.reindex_target()? {
        ast::ReindexTarget::ReindexTargetDatabase(_) => Some("REINDEX DATABASE"),
        ast::ReindexTarget::ReindexTargetSchema(_) => Some("REINDEX SCHEMA"),
        ast::ReindexTarget::ReindexTargetSystem(_) => Some("REINDEX SYSTEM"),
        ast::ReindexTarget::ReindexTargetIndex(_) | ast::ReindexTarget::ReindexTargetTable(_) => {
            None
        }
    }
}
