//! What a kind of statement is for. What is not listed is refused.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::tree;

/// A statement's class; the order of the arms in [`Class::of`] is the allowlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Rows come back, and nothing else happens unless a part of it is something else.
    Query,
    /// The plan of another statement.
    Explain,
    /// The value of a setting.
    Show,
    /// INSERT, UPDATE, DELETE and MERGE.
    Rows,
    /// What changes the schema, rights or settings of the server, and TRUNCATE.
    Schema,
    /// What rewrites or measures tables without changing what they say.
    Maintain,
    /// What an engine that owns the session and its transactions cannot let through, with the reason and what to do.
    Refused(&'static str, &'static str),
}

/// Where the engine does it itself.
const OWNED: &str = "the engine begins and ends every transaction itself: leave it out";

impl Class {
    /// Returns the class of a statement's node.
    pub(super) fn of(node: &SyntaxNode) -> Self {
        match node.kind() {
            SyntaxKind::SELECT
            | SyntaxKind::VALUES
            | SyntaxKind::TABLE
            | SyntaxKind::COMPOUND_SELECT
            | SyntaxKind::PAREN_SELECT => Self::Query,
            SyntaxKind::EXPLAIN => Self::Explain,
            SyntaxKind::SHOW => Self::Show,
            SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE => {
                Self::Rows
            }
            SyntaxKind::SELECT_INTO => Self::Schema,
            _ => tree::words(node)
                .next()
                .map_or(Self::Refused("is empty", "write one statement"), |word| {
                    Self::by_word(&word.text().to_ascii_lowercase())
                }),
        }
    }

    /// Returns true for a node that changes rows, as a statement or inside of one.
    pub(super) fn of_rows(node: &SyntaxNode) -> bool {
        matches!(
            node.kind(),
            SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE
        )
    }

    fn by_word(word: &str) -> Self {
        match word {
            "create" | "alter" | "drop" | "truncate" | "comment" | "security" | "grant"
            | "revoke" | "reassign" | "refresh" | "import" => Self::Schema,
            "vacuum" | "analyze" | "analyse" | "reindex" | "cluster" | "repack" | "checkpoint" => {
                Self::Maintain
            }
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint"
            | "release" => Self::Refused("controls the transaction", OWNED),
            "prepare" => Self::Refused(
                "prepares a transaction or a statement",
                "the engine prepares statements itself: write the statement alone",
            ),
            "execute" | "deallocate" => Self::Refused(
                "runs or drops a prepared statement, whose text cannot be checked",
                "write the statement itself",
            ),
            "set" | "reset" | "discard" => Self::Refused(
                "changes the session's settings",
                "put settings under the runbook's `session:`",
            ),
            "do" => Self::Refused(
                "runs code that cannot be checked",
                "write its statements as a list under `sql:`",
            ),
            "call" => Self::Refused(
                "runs a procedure, which may commit and cannot be checked",
                "write its statements as a list under `sql:`",
            ),
            "copy" => Self::Refused(
                "moves data to or from a file, a program or the client",
                "use a `query` to read, INSERT to write, or a `backup` step",
            ),
            "listen" | "notify" | "unlisten" => {
                Self::Refused("sends or awaits notifications", "leave it out")
            }
            "lock" => Self::Refused(
                "locks a table by hand",
                "the engine locks the rows that a `fix` changes: leave it out",
            ),
            "declare" | "fetch" | "move" | "close" => {
                Self::Refused("uses a cursor", "use a `query` with `limit`")
            }
            "load" => Self::Refused("loads a library into the server", "leave it out"),
            _ => Self::Refused(
                "is not of a kind that a runbook may run",
                "see the runbook language for what a step may do",
            ),
        }
    }
}
