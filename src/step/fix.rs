//! `fix`: changes data; the only kind that does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::{Command, Expect};
use super::shape::{Entries, OneOrMany, RowsGuard, Span};
use super::text::{Name, Sql, Template};

/// Changes data, in one transaction that ends only when the row guard holds. Its result is `.count`,
/// `.rows` (of RETURNING) and `.changes`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// The name of the step.
    pub fix: Name,
    /// One statement, or a list of them that run in order in the one transaction.
    pub sql: Option<OneOrMany<Sql>>,
    /// A program to run instead.
    pub command: Option<Command>,
    /// What a command must come to.
    pub expect: Option<Expect>,
    /// How many rows it must change in all; outside of it the transaction rolls back. Required for UPDATE
    /// and DELETE.
    pub rows: Option<RowsGuard>,
    /// The only tables that may change, by triggers and cascades too.
    pub tables: Option<Vec<Template>>,
    /// Statements that undo it, where row images cannot serve; or `none`: it cannot be undone, and that is known.
    pub undo: Option<OneOrMany<Sql>>,
    /// A SELECT of one boolean that says whether it was done: asked when a run goes on that was cut short while
    /// the fix ran a program, or ran outside of transactions.
    pub verify: Option<Sql>,
    /// Works through many rows in several transactions.
    pub batch: Option<Batch>,
    /// `none` where PostgreSQL demands that a statement runs outside of a transaction.
    #[serde(default)]
    pub transaction: TransactionMode,
    /// Whether it is meant for the rows alone that row-level security shows to the login or role: those that it
    /// hides stay as they are. Without it, a fix under such policies is refused.
    #[serde(default)]
    pub row_security: bool,
    /// Columns that triggers keep, such as `updated_at`: left out of comparisons.
    pub ignore: Option<Vec<Template>>,
    /// Rules of the lint that it breaks on purpose, each with the reason: `ban-drop-column: …`.
    #[serde(default)]
    pub accept: Entries<Template>,
    /// Hands the command the connection's password in PGPASSWORD.
    #[serde(default)]
    pub pass_connection: bool,
}

impl Fix {
    /// Returns whether nothing can take back what it does: it runs a program, or outside of transactions.
    pub fn is_final(&self) -> bool {
        self.command.is_some() || self.transaction == TransactionMode::None
    }

    /// Returns whether the author says that nothing can undo it.
    pub fn is_never_undone(&self) -> bool {
        let undo = self.undo.as_ref().map(|undo| undo.0.as_slice());
        matches!(undo, Some([only]) if only.text().trim() == "none")
    }
}

/// Work in several transactions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// How many rows one transaction changes at most.
    #[schemars(range(min = 1))]
    pub size: u32,
    /// How long to wait between two of them.
    pub pause: Option<Span>,
}

/// Whether a fix runs in a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransactionMode {
    /// In one transaction.
    #[default]
    One,
    /// Outside of any, for the statements that PostgreSQL allows only there.
    None,
}
