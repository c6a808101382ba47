//! `query`: reads, and shows what it read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::flow::Goto;
use super::shape::RowsGuard;
use super::text::{Name, Sql, Template};

/// Reads rows, in a READ ONLY transaction; a statement that can write is refused before anything runs.
/// Its result is `.rows` and `.count`; with `rows: 1` also its columns directly.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The name of the step, by which later templates read its result.
    pub query: Name,
    /// The statement: SELECT, VALUES, TABLE, WITH, SHOW or EXPLAIN.
    pub sql: Option<Sql>,
    /// A program to run instead; its result is `.stdout`, `.stderr` and `.code`.
    pub command: Option<Command>,
    /// How many rows there must be. With `1`, the columns are the result directly.
    pub rows: Option<RowsGuard>,
    /// Where to go when the number of rows is not what `rows` says; without it that is an error.
    #[serde(rename = "else")]
    pub otherwise: Option<Goto>,
    /// How the rows are shown.
    #[serde(default)]
    pub show: Show,
    /// How many rows are kept for display and for templates (default 1000); `.count` is always exact.
    pub limit: Option<u32>,
    /// A file that all rows are written to, as its ending says: `.csv` or `.jsonl`. It must not be there yet.
    /// The result has its `.path`, `.count` and `.sha256` then.
    pub save: Option<Template>,
    /// Hands the command the connection's password in PGPASSWORD.
    #[serde(default)]
    pub pass_connection: bool,
}

/// How rows are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// RFC 4180, after a line with the names of the columns.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl FileFormat {
    /// Returns what the ending of a file's name says.
    pub fn of(path: &str) -> Option<Self> {
        let (stem, ending) = path.rsplit_once('.')?;
        match ending {
            _ if stem.is_empty() || stem.ends_with('/') => None,
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// As a table, a line a row.
    #[default]
    Table,
    /// One column a line, for few wide rows.
    Record,
    /// As bars: the first column names them, the last one is their length.
    Chart,
    /// Not at all.
    None,
}
