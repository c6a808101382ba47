//! One parsed statement, and every question about it.

use std::ops::Range;
use std::sync::Arc;

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::class::Class;
use super::function::{self, FunctionCall};
use super::predicate::{self, Restriction};
use super::risk::{self, Assessment};
use super::table::{self, TableRef};
use super::target::{self, Target};
use super::{allow, guard, transaction, tree};

/// Why a statement is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What is wrong, without a full stop.
    pub message: String,
    /// Where, in bytes of the given text.
    pub range: Option<Range<usize>>,
    /// What to do next.
    pub help: Option<String>,
}

impl SqlError {
    pub(super) fn new(message: impl Into<String>, range: impl Into<Option<Range<usize>>>) -> Self {
        Self {
            message: message.into(),
            range: range.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a statement does to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads, as far as its text tells; functions are for the catalog to judge.
    Read,
    /// It changes rows: INSERT, UPDATE, DELETE, MERGE, or one of them inside of a WITH.
    Write,
    /// It changes the schema, rights or settings of the server.
    Schema,
    /// It maintains tables and indexes: VACUUM, ANALYZE, REINDEX.
    Maintain,
    /// It is a query that calls a function which acts, or may act.
    Act,
    /// It is of no use to a runbook: transactions, sessions, cursors, files, code.
    Control,
}

/// One statement that parsed. What it means was read off its tree once; no part of the tree is kept.
#[derive(Clone, Debug)]
pub struct Statement {
    source: String,
    range: Range<usize>,
    /// Shared, since a statement is copied for every time that it runs.
    facts: Arc<Facts>,
}

/// How values get into a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    /// Apart from its text.
    Parameters,
    /// As texts in it.
    Literals,
    /// Not at all: a text in it is the body of a function.
    Code,
}

#[derive(Clone, Debug)]
struct Facts {
    verb: String,
    access: Access,
    read: Result<(), SqlError>,
    fix: Result<(), SqlError>,
    functions: Vec<FunctionCall>,
    tables: Vec<TableRef>,
    target: Option<Target>,
    placeholders: Vec<(u32, Range<usize>)>,
    needs_no_transaction: Option<&'static str>,
    acts_at_once: Option<String>,
    picks_rows: bool,
    restriction: Option<Restriction>,
    returned: Returned,
    values: Values,
    columns: Option<Vec<String>>,
    risk: Assessment,
}

/// What comes back of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Nothing,
    Rows,
    /// Exactly one row, whatever the tables hold.
    OneRow,
}

impl Statement {
    /// Parses a text that must be one statement of PostgreSQL's grammar. A trailing semicolon and comments are fine.
    ///
    /// Places in what it returns are bytes of `text`.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        guard::check(text)?;
        let (range, facts) = guard::isolated(|| {
            let node = single(text)?;
            Ok((tree::range_without_semicolon(&node), facts(&node, text)?))
        })??;
        Ok(Self {
            source: text.to_owned(),
            range,
            facts: Arc::new(facts),
        })
    }

    /// Returns the statement without the semicolon, and without the space and comments around it.
    pub fn text(&self) -> &str {
        self.source.get(self.range.clone()).unwrap_or_default()
    }

    /// Returns the text that was given.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Returns where [`Statement::text`] stands in the given text.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns what the statement is called: `SELECT`, `UPDATE`, `CREATE INDEX CONCURRENTLY`.
    pub fn verb(&self) -> &str {
        &self.facts.verb
    }

    /// Returns what it does to the database.
    pub fn access(&self) -> Access {
        self.facts.access
    }

    /// Says whether a `query` or a `check` may run it (design: Statements): only what is known to read.
    pub fn allowed_in_read(&self) -> Result<(), SqlError> {
        self.facts.read.clone()
    }

    /// Says whether a `fix` may run it (design: Statements): it changes something, in the engine's transaction.
    pub fn allowed_in_fix(&self) -> Result<(), SqlError> {
        self.facts.fix.clone()
    }

    /// Returns every function that it calls. Operators and casts call functions too: they are not here.
    pub fn functions(&self) -> &[FunctionCall] {
        &self.facts.functions
    }

    /// Returns every table that it names, without the names of common table expressions.
    pub fn tables(&self) -> &[TableRef] {
        &self.facts.tables
    }

    /// Returns the parts of an INSERT, UPDATE or DELETE whose rows can be captured.
    pub fn target(&self) -> Option<&Target> {
        self.facts.target.as_ref()
    }

    /// Returns the names of a read's columns; nothing where only the catalog knows them, as for `*`.
    pub fn output_columns(&self) -> Option<Vec<String>> {
        self.facts.columns.clone()
    }

    /// Returns the `$n` in it, with their numbers, in order.
    pub fn placeholders(&self) -> &[(u32, Range<usize>)] {
        &self.facts.placeholders
    }

    /// Returns what it is that PostgreSQL refuses to run in a transaction, if it is that.
    pub fn needs_no_transaction(&self) -> Option<&'static str> {
        self.facts.needs_no_transaction
    }

    /// Returns the function in it that acts the moment it is called, whatever becomes of the transaction.
    pub fn acts_at_once(&self) -> Option<&str> {
        self.facts.acts_at_once.as_deref()
    }

    /// Returns true when it changes rows that it picks: an UPDATE, DELETE or MERGE, inside of a WITH too.
    pub fn picks_rows(&self) -> bool {
        self.facts.picks_rows
    }

    /// Returns true for an UPDATE or DELETE with a WHERE clause.
    pub fn has_where(&self) -> bool {
        matches!(
            self.facts.restriction,
            Some(Restriction::AlwaysTrue | Restriction::Some)
        )
    }

    /// Returns true for an UPDATE or DELETE whose WHERE clause every row passes, or in which no column takes part.
    pub fn always_true_where(&self) -> bool {
        self.facts.restriction == Some(Restriction::AlwaysTrue)
    }

    /// Returns true when rows come back: of a read, and of RETURNING.
    pub fn returns_rows(&self) -> bool {
        self.facts.returned != Returned::Nothing
    }

    /// Returns true where PostgreSQL takes parameters: in what is planned as a query.
    pub fn takes_parameters(&self) -> bool {
        self.facts.values == Values::Parameters
    }

    /// Returns true when it returns exactly one row, whatever the tables hold.
    pub fn is_one_row(&self) -> bool {
        self.facts.returned == Returned::OneRow
    }

    /// Returns true when a text in it is the body of a function.
    pub fn holds_code(&self) -> bool {
        self.facts.values == Values::Code
    }

    /// Returns how dangerous it is, and why (language: Risk).
    pub fn risk(&self) -> &Assessment {
        &self.facts.risk
    }
}

/// Parses a text and returns its only statement.
fn single(text: &str) -> Result<SyntaxNode, SqlError> {
    let parse = SourceFile::parse(text);
    let root = parse.syntax_node();
    let mut statements = root
        .children()
        .filter(|node| ast::Stmt::can_cast(node.kind()) && node.kind() != SyntaxKind::EMPTY_STMT);
    let first = statements.next();
    if let (Some(_), Some(second)) = (&first, statements.next()) {
        return Err(
            SqlError::new("two statements in one text", tree::range(&second))
                .help("write each as an item of its own"),
        );
    }
    if let Some(error) = parse.errors().first() {
        let range: Range<usize> = error.range().into();
        let message = error.message();
        return Err(SqlError::new(
            format!("SQL does not parse: {message}"),
            range,
        ));
    }
    let broken = root
        .descendants_with_tokens()
        .find(|element| element.kind() == SyntaxKind::ERROR);
    if let Some(broken) = broken {
        let range: Range<usize> = broken.text_range().into();
        return Err(SqlError::new("SQL does not parse", range));
    }
    first.ok_or_else(|| SqlError::new("there is no statement", None).help("write one statement"))
}

fn facts(node: &SyntaxNode, text: &str) -> Result<Facts, SqlError> {
    let verb = allow::verb(node);
    let functions = function::calls(node);
    let access = access(node, &functions);
    let picking = [SyntaxKind::UPDATE, SyntaxKind::DELETE, SyntaxKind::MERGE];
    Ok(Facts {
        access,
        picks_rows: access == Access::Write && tree::has_node(node, &picking),
        read: allow::read(node, &verb),
        fix: allow::fix(node, &verb, &functions),
        tables: table::tables(node),
        target: target::target(node, text),
        placeholders: placeholders(node)?,
        needs_no_transaction: transaction::needs_none(node),
        acts_at_once: function::at_once(node),
        restriction: matches!(node.kind(), SyntaxKind::UPDATE | SyntaxKind::DELETE)
            .then(|| predicate::restriction(node)),
        values: match node.kind() {
            SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE => Values::Code,
            _ if allow::takes_parameters(node) => Values::Parameters,
            _ => Values::Literals,
        },
        columns: super::column::columns(node),
        returned: returned(node),
        risk: risk::assess(node, &verb, &functions),
        functions,
        verb,
    })
}

fn returned(node: &SyntaxNode) -> Returned {
    let rows = match Class::of(node) {
        Class::Query | Class::Explain | Class::Show => true,
        Class::Rows => node
            .children()
            .any(|child| child.kind() == SyntaxKind::RETURNING_CLAUSE),
        _ => false,
    };
    match rows {
        true if super::one_row::is_certain(node) => Returned::OneRow,
        true => Returned::Rows,
        false => Returned::Nothing,
    }
}

fn access(node: &SyntaxNode, calls: &[FunctionCall]) -> Access {
    match Class::of(node) {
        Class::Rows => Access::Write,
        Class::Schema => Access::Schema,
        Class::Maintain => Access::Maintain,
        Class::Refused(..) => Access::Control,
        Class::Query | Class::Explain | Class::Show if allow::changes_rows(node) => Access::Write,
        Class::Query | Class::Explain | Class::Show if allow::acts(calls) => Access::Act,
        Class::Query | Class::Explain | Class::Show => Access::Read,
    }
}

fn placeholders(node: &SyntaxNode) -> Result<Vec<(u32, Range<usize>)>, SqlError> {
    tree::words(node)
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .map(|token| {
            let range = tree::token_range(&token);
            let number = token.text().get(1..).and_then(|digits| digits.parse().ok());
            match number {
                Some(number @ 1..) => Ok((number, range)),
                _ => Err(SqlError::new("a parameter is `$1`, `$2`, ..", range)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
