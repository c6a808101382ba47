//! What the journal of a database keeps of runs, for who compares it with their records.

use tokio_postgres::types::Type;

use super::failure;
use super::session::Session;
use crate::engine::failure::Failure;
use crate::engine::journal::{Entry, Unit};
use crate::runbook::data::array_literal;
use crate::runbook::model::StepId;

const JOURNAL: &str = "SELECT to_regclass('runbook.entry')::text";

const ENTRIES: &str = "\
    SELECT by_run, run, step::text, item::text, part::text, undo::text, name, head FROM runbook.entry \
    WHERE by_run = ANY ($1::text::text[]) ORDER BY id";

/// A row of the journal: the run that wrote it, the transaction, and the head of that run's log before COMMIT.
pub type Row = (String, Entry, Option<String>);

/// Returns what the journal keeps of what these runs wrote; nothing where the database has no journal.
///
/// # Errors
/// The server's word.
pub async fn kept(session: &Session, runs: &[String]) -> Result<Option<Vec<Row>>, Failure> {
    let client = session.client();
    let there = client
        .query_typed(JOURNAL, &[])
        .await
        .map_err(|error| failure::of(&error, JOURNAL, 0))?;
    let there = there
        .first()
        .and_then(|row| row.get::<_, Option<String>>(0));
    if there.is_none() {
        return Ok(None);
    }
    let runs = array_literal(runs);
    let rows = client
        .query_typed(ENTRIES, &[(&runs, Type::TEXT)])
        .await
        .map_err(|error| failure::of(&error, ENTRIES, 0))?;
    Ok(Some(rows.iter().map(row).collect()))
}

fn row(row: &tokio_postgres::Row) -> Row {
    let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
    let unit = Unit {
        step: StepId(text(2).parse().unwrap_or_default()),
        // No item is -1 there.
        item: text(3).parse().ok(),
        part: text(4).parse().unwrap_or_default(),
    };
    let entry = Entry {
        run: text(1),
        unit,
        name: text(6),
        undo: text(5) == "true",
    };
    (text(0), entry, row.get(7))
}
