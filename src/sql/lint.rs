//! Warnings about schema changes, by the rules of squawk.

use std::ops::Range;

use squawk_linter::{Linter, Rule};
use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SourceFile, SyntaxKind};

use super::class::Class;
use super::guard;

/// Something in a schema change that is known to hurt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name in squawk's documentation.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
    /// Where, in bytes of the given text.
    pub range: Range<usize>,
}

/// The rules that ask for what the engine does for every fix, or against it: time-outs, one transaction,
/// statements that can be run again, and comments for squawk itself.
const OFF: &[Rule] = &[
    Rule::RequireTimeoutSettings,
    Rule::RequireLockTimeout,
    Rule::RequireStatementTimeout,
    Rule::TransactionNesting,
    Rule::BanUncommittedTransaction,
    Rule::PreferRobustStmts,
    Rule::UnusedIgnore,
];

/// Returns what squawk's default rules find in a schema change; nothing for other statements, and for what does not
/// parse, which [`Statement::parse`](super::statement::Statement::parse) reports.
pub fn lint(text: &str, in_transaction: bool) -> Vec<Finding> {
    if guard::check(text).is_err() {
        return Vec::new();
    }
    guard::isolated(|| findings(text, in_transaction)).unwrap_or_default()
}

fn findings(text: &str, in_transaction: bool) -> Vec<Finding> {
    let parse = SourceFile::parse(text);
    let changes_schema = parse
        .syntax_node()
        .children()
        .filter(|node| ast::Stmt::can_cast(node.kind()) && node.kind() != SyntaxKind::SELECT_INTO)
        .any(|node| matches!(Class::of(&node), Class::Schema | Class::Maintain));
    if !changes_schema || !parse.errors().is_empty() {
        return Vec::new();
    }
    let mut linter = Linter::with_rules(&[], OFF);
    linter.settings.assume_in_transaction = in_transaction;
    linter
        .lint(&parse, text)
        .into_iter()
        .map(|violation| Finding {
            rule: violation.code.to_string(),
            message: violation.message,
            help: violation.help,
            range: violation.text_range.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str, in_transaction: bool) -> Vec<String> {
        lint(text, in_transaction)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn schema_changes_are_linted() {
        let cases = [
            (
                "create index i on t (a)",
                true,
                "require-concurrent-index-creation",
            ),
            (
                "alter table t alter column a type bigint",
                true,
                "changing-column-type",
            ),
            ("alter table t drop column a", true, "ban-drop-column"),
            ("drop table t", true, "ban-drop-table"),
            ("alter table t rename to u", false, "renaming-table"),
            ("truncate t cascade", true, "ban-truncate-cascade"),
        ];
        for (text, in_transaction, rule) in cases {
            let found = rules(text, in_transaction);
            assert!(found.iter().any(|found| found == rule), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_the_engine_does_itself_is_not_asked_for() {
        let cases = [
            ("create index concurrently i on t (a)", false),
            ("alter table t add column a bigint", true),
            ("select 1", true),
            ("update t set a = 1", true),
            ("alter table", true),
        ];
        for (text, in_transaction) in cases {
            assert_eq!(rules(text, in_transaction), Vec::<String>::new(), "{text}");
        }
    }
}
