//! How dangerous a statement is, by the rules of the language's section on risk.

use std::fmt;

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::class::Class;
use super::function::{self, FunctionCall, Hazard};
use super::predicate::{self, Restriction};
use super::{allow, tree};

/// How dangerous a statement, a step or a runbook is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It reads, or adds what nobody uses yet.
    #[default]
    Low,
    /// It changes what is there, and can be undone.
    Medium,
    /// It destroys, touches everything, or cannot be undone.
    High,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// A risk and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The risk of the statement by itself.
    pub risk: Risk,
    /// The risk where the author wrote an `undo:` for it; lower only where the lack of one was the reason.
    pub with_undo: Risk,
    /// Why, in a few words without a full stop.
    pub reason: String,
}

impl Assessment {
    fn new(risk: Risk, reason: impl Into<String>) -> Self {
        Self {
            risk,
            with_undo: risk,
            reason: reason.into(),
        }
    }

    /// High for want of an undo only.
    fn not_undoable(reason: impl Into<String>) -> Self {
        Self {
            with_undo: Risk::Medium,
            ..Self::new(Risk::High, reason)
        }
    }
}

/// Assesses a statement. What is not known is at least medium.
pub(super) fn assess(statement: &SyntaxNode, verb: &str, calls: &[FunctionCall]) -> Assessment {
    let whole_table = statement
        .descendants()
        .filter(|node| matches!(node.kind(), SyntaxKind::UPDATE | SyntaxKind::DELETE))
        .find_map(|node| whole_table(&node));
    if let Some(found) = whole_table {
        return found;
    }
    let class = Class::of(statement);
    let hides_change =
        matches!(class, Class::Query | Class::Rows) && allow::changes_rows(statement);
    let called = matches!(class, Class::Query | Class::Explain | Class::Rows)
        .then(|| calls_risk(statement, calls))
        .flatten();
    let own = match class {
        _ if hides_change => {
            Assessment::not_undoable("a data-changing WITH, which before-images cannot undo")
        }
        Class::Query | Class::Explain | Class::Show => Assessment::new(Risk::Low, "only reads"),
        Class::Rows => rows(statement, verb),
        Class::Schema => schema(statement, verb),
        Class::Maintain => maintain(statement, verb),
        Class::Refused(reason, _) => Assessment::new(Risk::High, format!("{verb} {reason}")),
    };
    match called {
        Some(called) if called.risk > own.risk => called,
        _ => own,
    }
}

fn whole_table(statement: &SyntaxNode) -> Option<Assessment> {
    let verb = allow::verb(statement);
    match predicate::restriction(statement) {
        Restriction::Missing => Some(Assessment::new(
            Risk::High,
            format!("{verb} without WHERE touches every row"),
        )),
        Restriction::AlwaysTrue => Some(Assessment::new(
            Risk::High,
            format!("{verb} whose WHERE does not depend on the row touches every row"),
        )),
        Restriction::Some => None,
    }
}

fn calls_risk(statement: &SyntaxNode, calls: &[FunctionCall]) -> Option<Assessment> {
    let known = function::hazards(statement)
        .into_iter()
        .map(|(name, _, hazard)| {
            let risk = match hazard {
                Hazard::Acts => Risk::Medium,
                _ => Risk::High,
            };
            Assessment::new(risk, format!("`{name}` {}", hazard.reason()))
        })
        .max_by_key(|found| found.risk);
    let foreign = calls
        .iter()
        .find(|call| !call.attribute && allow::is_foreign(call))
        .filter(|_| matches!(Class::of(statement), Class::Query))
        .map(|call| Assessment::not_undoable(format!("what `{}` changes is not known", call.name)));
    known
        .into_iter()
        .chain(foreign)
        .max_by_key(|found| found.risk)
}

fn rows(statement: &SyntaxNode, verb: &str) -> Assessment {
    match statement.kind() {
        SyntaxKind::INSERT if tree::has_node(statement, &[SyntaxKind::ON_CONFLICT_CLAUSE]) => {
            Assessment::new(
                Risk::Medium,
                "INSERT .. ON CONFLICT may change rows that are there",
            )
        }
        SyntaxKind::INSERT => Assessment::new(Risk::Low, "only adds rows"),
        SyntaxKind::UPDATE | SyntaxKind::DELETE => {
            Assessment::new(Risk::Medium, format!("{verb} with a predicate"))
        }
        _ => Assessment::not_undoable("MERGE, which before-images cannot undo"),
    }
}

fn schema(statement: &SyntaxNode, verb: &str) -> Assessment {
    let high = |why: &str| Assessment::new(Risk::High, format!("{verb} {why}"));
    let medium = |why: &str| Assessment::new(Risk::Medium, format!("{verb} {why}"));
    let low = |why: &str| Assessment::new(Risk::Low, format!("{verb} {why}"));
    match statement.kind() {
        SyntaxKind::TRUNCATE => high("deletes every row"),
        SyntaxKind::ALTER_SYSTEM => high("changes the whole server"),
        SyntaxKind::REASSIGN => high("changes every object of a role"),
        SyntaxKind::COMMENT_ON => low("changes no data"),
        SyntaxKind::SELECT_INTO | SyntaxKind::CREATE_TABLE_AS => low("creates a table"),
        SyntaxKind::CREATE_TABLE => {
            if tree::has_node(statement, &[SyntaxKind::PARTITION_OF]) {
                medium("locks the table that it becomes a part of")
            } else {
                low("creates a table")
            }
        }
        SyntaxKind::CREATE_INDEX => {
            if tree::has_own_token(statement, SyntaxKind::CONCURRENTLY_KW) {
                low("blocks no writes")
            } else {
                medium("blocks writes while it runs")
            }
        }
        SyntaxKind::GRANT | SyntaxKind::REVOKE => medium("changes who may do what"),
        _ => match tree::first_word(statement) {
            Some(SyntaxKind::DROP_KW) => high("destroys what it names"),
            Some(SyntaxKind::ALTER_KW) => alter(statement, verb),
            _ => medium("changes the schema"),
        },
    }
}

/// The parts of an ALTER that make PostgreSQL write the whole table anew.
const REWRITES: &[SyntaxKind] = &[
    SyntaxKind::SET_TYPE,
    SyntaxKind::SET_LOGGED,
    SyntaxKind::SET_UNLOGGED,
    SyntaxKind::SET_ACCESS_METHOD,
    SyntaxKind::SET_TABLESPACE,
    SyntaxKind::SET_EXPRESSION,
    SyntaxKind::MERGE_PARTITIONS,
    SyntaxKind::SPLIT_PARTITION,
    SyntaxKind::ALL_IN_TABLESPACE,
];

fn alter(statement: &SyntaxNode, verb: &str) -> Assessment {
    if tree::words(statement).any(|word| word.kind() == SyntaxKind::DROP_KW) {
        return Assessment::new(Risk::High, format!("{verb} drops something"));
    }
    if tree::has_node(statement, REWRITES) {
        return Assessment::new(Risk::High, format!("{verb} rewrites the table"));
    }
    let actions: Vec<ast::AlterTableAction> = ast::AlterTable::cast(statement.clone())
        .map(|table| table.actions().collect())
        .unwrap_or_default();
    let columns = actions.iter().map(|action| match action {
        ast::AlterTableAction::AddColumn(column) => add_column(column),
        _ => Risk::Medium,
    });
    match columns.max() {
        Some(Risk::Low) => Assessment::new(Risk::Low, format!("{verb} adds a column")),
        Some(Risk::High) => Assessment::new(
            Risk::High,
            format!("{verb} rewrites the table to fill a new column"),
        ),
        _ => Assessment::new(Risk::Medium, format!("{verb} locks what it changes")),
    }
}

/// A new column is free when it is empty or has a constant default; a computed value is written to every row.
fn add_column(column: &ast::AddColumn) -> Risk {
    let node = column.syntax();
    let filled = [SyntaxKind::CALL_EXPR, SyntaxKind::GENERATED_CONSTRAINT];
    let serial = column.ty().is_some_and(|ty| {
        let name = ty.syntax().text().to_string().trim().to_ascii_lowercase();
        name.contains("serial")
    });
    let checked = [
        SyntaxKind::NOT_NULL_CONSTRAINT,
        SyntaxKind::CHECK_CONSTRAINT,
        SyntaxKind::UNIQUE_CONSTRAINT,
        SyntaxKind::PRIMARY_KEY_CONSTRAINT,
        SyntaxKind::REFERENCES_CONSTRAINT,
    ];
    if serial || tree::has_node(node, &filled) {
        Risk::High
    } else if tree::has_node(node, &checked) {
        Risk::Medium
    } else {
        Risk::Low
    }
}

fn maintain(statement: &SyntaxNode, verb: &str) -> Assessment {
    let rewrites = match statement.kind() {
        SyntaxKind::CLUSTER | SyntaxKind::REPACK => true,
        _ => ast::Vacuum::cast(statement.clone()).is_some_and(|vacuum| vacuum.is_full()),
    };
    if rewrites {
        Assessment::new(
            Risk::High,
            format!("{verb} rewrites tables and blocks all use of them"),
        )
    } else {
        Assessment::new(
            Risk::Medium,
            format!("{verb} takes locks or loads the server"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement::Statement;

    fn risk(text: &str) -> Assessment {
        Statement::parse(text).expect(text).risk().clone()
    }

    #[test]
    fn risks_of_the_language() {
        let cases = [
            (Risk::Low, "select 1 from t"),
            (Risk::Low, "insert into t values (1)"),
            (Risk::Low, "create table t (a int)"),
            (Risk::Low, "create table t as select 1"),
            (Risk::Low, "alter table t add column a int"),
            (Risk::Low, "alter table t add a text default 'x', add b int"),
            (Risk::Low, "create unique index concurrently i on t (a)"),
            (Risk::Low, "comment on column t.a is 'x'"),
            (Risk::Medium, "update t set a = 1 where id = $1"),
            (Risk::Medium, "delete from t where id = 1 and true"),
            (
                Risk::Medium,
                "insert into t values (1) on conflict do nothing",
            ),
            (
                Risk::Medium,
                "insert into t values (1) on conflict (a) do update set a = 2 where t.a = 1",
            ),
            (Risk::Medium, "create index i on t (a)"),
            (Risk::Medium, "alter table t add column a int not null"),
            (Risk::Medium, "alter table t add constraint c check (a > 0)"),
            (Risk::Medium, "grant select on t to u"),
            (Risk::Medium, "revoke select on t from u"),
            (Risk::Medium, "select pg_terminate_backend(1)"),
            (Risk::Medium, "insert into t values (setval('s', 1))"),
            (Risk::Medium, "create extension x"),
            (Risk::Medium, "vacuum t"),
            (Risk::Medium, "alter type e add value 'x'"),
            (Risk::High, "update t set a = 1"),
            (Risk::High, "delete from only t"),
            (Risk::High, "delete from t where true"),
            (Risk::High, "delete from t where (1 = 1)"),
            (Risk::High, "update t set a = 1 where $1"),
            (Risk::High, "update t set a = 1 where $1 = 2 or id = 1"),
            (Risk::High, "update t set a = 1 where id = t.id or ID = id"),
            (Risk::High, "delete from t where a is null or (a = a)"),
            (Risk::High, "delete from t where a is null or a is not null"),
            (Risk::High, "delete from t where a /* x */ >= A"),
            (Risk::High, "delete from t where a like '%'"),
            (Risk::High, "delete from t where exists (select 1)"),
            (
                Risk::High,
                "with x as (delete from t) update u set a = 1 where id = 2",
            ),
            (Risk::High, "drop index i"),
            (Risk::High, "drop table t"),
            (Risk::High, "truncate t"),
            (Risk::High, "alter table t drop column a"),
            (Risk::High, "alter table t add column b int, drop column a"),
            (Risk::High, "alter table t alter a type bigint"),
            (Risk::High, "alter table t set unlogged"),
            (
                Risk::High,
                "alter table t add column a timestamptz default now()",
            ),
            (Risk::High, "alter table t add column a bigserial"),
            (Risk::High, "alter system reset all"),
            (Risk::High, "reassign owned by a to b"),
            (Risk::High, "drop owned by a"),
            (
                Risk::High,
                "merge into t using u on t.id = u.id when matched then delete",
            ),
            (
                Risk::High,
                "with x as (update t set a = 1 where b = 2 returning *) select * from x",
            ),
            (Risk::High, "select partman.run_maintenance()"),
            (Risk::High, "select pg_promote()"),
            (Risk::High, "vacuum full t"),
            (Risk::High, "cluster t"),
            (Risk::High, "commit"),
        ];
        for (expected, text) in cases {
            let found = risk(text);
            assert_eq!(found.risk, expected, "{text}: {}", found.reason);
        }
    }

    #[test]
    fn an_undo_lowers_only_what_lacked_one() {
        let merge = risk("merge into t using u on t.id = u.id when matched then delete");
        assert_eq!(merge.with_undo, Risk::Medium);
        assert_eq!(risk("delete from t").with_undo, Risk::High);
    }

    #[test]
    fn risks_are_ordered_and_named() {
        assert!(Risk::Low < Risk::Medium && Risk::Medium < Risk::High);
        assert_eq!(format!("{:>7}", Risk::Medium), " medium");
        assert_eq!(serde_json::to_string(&Risk::High).unwrap(), "\"high\"");
    }
}
