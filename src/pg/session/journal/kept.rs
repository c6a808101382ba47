//! What the journal keeps of runs, for who compares it with their records.

use tokio_postgres::types::Type;

use super::schema::Standing;
use crate::engine::failure::Failure;
use crate::engine::journal::{Entry, Unit};
use crate::pg::failure;
use crate::pg::session::Session;
use crate::runbook::data::array_literal;
use crate::runbook::model::StepId;

const KEPT: &str = "\
    SELECT by_run, run, step::text, item::text, part::text, undo::text, name, head FROM runbook.entry \
    WHERE by_run = ANY ($1::text::text[]) ORDER BY id";

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The run that wrote it.
    pub by_run: String,
    /// The transaction.
    pub entry: Entry,
    /// The head of that run's log before COMMIT.
    pub head: Option<String>,
}

impl Session {
    /// Returns what the journal keeps of what these runs wrote: nothing where there is no journal.
    ///
    /// # Errors
    /// The journal is damaged or newer, or the server's word.
    pub async fn kept(&self, runs: &[String]) -> Result<Vec<Row>, Failure> {
        self.journal.usable()?;
        if self.journal == Standing::Missing {
            return Ok(Vec::new());
        }
        let runs = array_literal(runs);
        let rows = self
            .client
            .query_typed(KEPT, &[(&runs, Type::TEXT)])
            .await
            .map_err(|error| failure::of(&error, KEPT, 0))?;
        Ok(rows.iter().map(row).collect())
    }
}

fn row(row: &tokio_postgres::Row) -> Row {
    let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
    let unit = Unit {
        step: StepId(text(2).parse().unwrap_or_default()),
        // No item is -1 there.
        item: text(3).parse().ok(),
        part: text(4).parse().unwrap_or_default(),
    };
    Row {
        by_run: text(0),
        entry: Entry {
            run: text(1),
            unit,
            name: text(6),
            undo: text(5) == "true",
        },
        head: row.get(7),
    }
}
