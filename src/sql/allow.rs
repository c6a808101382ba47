//! Which statements a `query` or `check` may read with, and which a `fix` may change with.
//!
//! Both verdicts look at the statement, then at every statement, clause and call inside it, at any depth.

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::class::Class;
use super::function::{self, FunctionCall, Hazard};
use super::statement::SqlError;
use super::tree;

const USE_A_FIX: &str = "a `query` and a `check` only read: put it in a `fix`";

/// Says whether the statement does nothing but read.
pub(super) fn read(statement: &SyntaxNode, verb: &str) -> Result<(), SqlError> {
    match Class::of(statement) {
        Class::Query | Class::Show | Class::Explain => {}
        Class::Refused(reason, help) => return Err(refused(statement, verb, reason, help)),
        Class::Schema if statement.kind() == SyntaxKind::SELECT_INTO => {
            return Err(select_into(statement));
        }
        Class::Rows | Class::Schema | Class::Maintain => {
            return Err(refused(statement, verb, "changes something", USE_A_FIX));
        }
    }
    statement
        .descendants()
        .skip(1)
        .try_for_each(|node| read_part(&node, statement))?;
    function::hazards(statement)
        .into_iter()
        .next()
        .map_or(Ok(()), |(name, range, hazard)| {
            let help = match hazard {
                Hazard::Acts | Hazard::ActsForGood => USE_A_FIX,
                Hazard::RunsSql | Hazard::Files | Hazard::Session => "leave it out",
            };
            Err(SqlError::new(format!("`{name}` {}", hazard.reason()), range).help(help))
        })
}

/// Refuses a part of a read that is more than one.
fn read_part(node: &SyntaxNode, statement: &SyntaxNode) -> Result<(), SqlError> {
    let kind = node.kind();
    if matches!(kind, SyntaxKind::SELECT_INTO | SyntaxKind::INTO_CLAUSE) {
        return Err(select_into(node));
    }
    if kind == SyntaxKind::LOCKING_CLAUSE {
        let message = "FOR UPDATE and FOR SHARE lock the rows that are read";
        return Err(SqlError::new(message, tree::range(node))
            .help("leave the locking clause out: a `fix` locks the rows that it changes"));
    }
    let is_statement = ast::Stmt::can_cast(kind) || ast::WithQuery::can_cast(kind);
    if !is_statement || Class::of(node) == Class::Query {
        return Ok(());
    }
    let verb = verb(node);
    let message = if statement.kind() == SyntaxKind::EXPLAIN {
        format!("EXPLAIN of {verb} is not a read: with ANALYZE it runs the statement")
    } else {
        format!("{verb} inside of a query changes something")
    };
    Err(SqlError::new(message, tree::range(node)).help(USE_A_FIX))
}

/// Says whether the statement changes something, in a way that a `fix` can answer for.
pub(super) fn fix(
    statement: &SyntaxNode,
    verb: &str,
    calls: &[FunctionCall],
) -> Result<(), SqlError> {
    if let Class::Refused(reason, help) = Class::of(statement) {
        return Err(refused(statement, verb, reason, help));
    }
    for node in statement.descendants().skip(1) {
        if ast::Stmt::can_cast(node.kind())
            && let Class::Refused(reason, help) = Class::of(&node)
        {
            return Err(refused(&node, &self::verb(&node), reason, help));
        }
    }
    for (name, range, hazard) in function::hazards(statement) {
        if matches!(hazard, Hazard::RunsSql | Hazard::Files | Hazard::Session) {
            let message = format!("`{name}` {}", hazard.reason());
            return Err(SqlError::new(message, range).help("leave it out"));
        }
    }
    match Class::of(statement) {
        Class::Rows => Ok(()),
        Class::Schema | Class::Maintain => bindable(statement, verb),
        Class::Query if changes_rows(statement) || acts(calls) => Ok(()),
        _ => Err(
            SqlError::new(format!("{verb} changes nothing"), tree::range(statement)).help(
                "a `fix` must change something: use a `query`, or write a function that changes \
             something with its schema in front",
            ),
        ),
    }
}

/// Returns true when a statement has a data-changing one inside.
pub(super) fn changes_rows(statement: &SyntaxNode) -> bool {
    statement
        .descendants()
        .skip(1)
        .any(|node| Class::of_rows(&node))
}

/// Returns true when a call is known to act, or is of a schema that the author named: then only the catalog knows.
pub(super) fn acts(calls: &[FunctionCall]) -> bool {
    calls.iter().filter(|call| !call.attribute).any(|call| {
        let known = function::hazard(&call.name);
        matches!(known, Some(Hazard::Acts | Hazard::ActsForGood)) || is_foreign(call)
    })
}

/// Returns true for a function of a schema that is not PostgreSQL's own.
pub(super) fn is_foreign(call: &FunctionCall) -> bool {
    call.schema
        .as_deref()
        .is_some_and(|schema| schema != "pg_catalog" && schema != "information_schema")
}

/// Returns true for what is planned as a query: PostgreSQL takes parameters nowhere else.
pub(super) fn takes_parameters(statement: &SyntaxNode) -> bool {
    let planned = [SyntaxKind::SELECT_INTO, SyntaxKind::CREATE_TABLE_AS];
    let class = Class::of(statement);
    planned.contains(&statement.kind())
        || matches!(class, Class::Query | Class::Explain | Class::Rows)
}

/// Refuses parameters where PostgreSQL takes none.
fn bindable(statement: &SyntaxNode, verb: &str) -> Result<(), SqlError> {
    if takes_parameters(statement) {
        return Ok(());
    }
    let parameter =
        tree::words(statement).find(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM);
    parameter.map_or(Ok(()), |token| {
        let message = format!("PostgreSQL takes no parameters in {verb}");
        Err(SqlError::new(message, tree::token_range(&token))
            .help("`{{ x | literal }}` puts in a value as a quoted text, `{{ x | ident }}` a name"))
    })
}

/// Returns what a statement is called: `UPDATE`, `CREATE INDEX CONCURRENTLY`.
pub(super) fn verb(node: &SyntaxNode) -> String {
    let concurrently = tree::has_own_token(node, SyntaxKind::CONCURRENTLY_KW)
        || ast::Reindex::cast(node.clone()).is_some_and(|it| it.is_concurrently());
    let words = match node.kind() {
        SyntaxKind::COMPOUND_SELECT | SyntaxKind::PAREN_SELECT => "SELECT".to_owned(),
        SyntaxKind::REFRESH => "REFRESH MATERIALIZED VIEW".to_owned(),
        SyntaxKind::REASSIGN => "REASSIGN OWNED".to_owned(),
        // Some of these share a kind (COMMIT and END), or have one with another name (SAVEPOINT).
        _ if matches!(Class::of(node), Class::Refused(..)) => first_words(node),
        kind => format!("{kind:?}").replace('_', " "),
    };
    if concurrently {
        words + " CONCURRENTLY"
    } else {
        words
    }
}

fn first_words(node: &SyntaxNode) -> String {
    let mut words = tree::words(node).map(|token| token.text().to_ascii_uppercase());
    let first = words.next().unwrap_or_default();
    match (first.as_str(), words.next()) {
        ("COMMIT" | "ROLLBACK" | "PREPARE", Some(second))
            if ["PREPARED", "TRANSACTION", "TO", "AND"].contains(&second.as_str()) =>
        {
            format!("{first} {second}")
        }
        _ => first,
    }
}

fn refused(node: &SyntaxNode, verb: &str, reason: &str, help: &str) -> SqlError {
    SqlError::new(format!("{verb} {reason}"), tree::range(node)).help(help)
}

fn select_into(node: &SyntaxNode) -> SqlError {
    SqlError::new("SELECT INTO creates a table", tree::range(node))
        .help("leave INTO out, or write CREATE TABLE AS in a `fix`")
}

#[cfg(test)]
mod tests;
