//! What the journal knows of a run: which of its units were committed, and which were put back since.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Session;
use crate::engine::failure::Failure;
use crate::engine::journal::{Entry, Unit};
use crate::pg::failure;
use crate::runbook::model::StepId;

/// A unit of a run, as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its entry.
    pub entry: Entry,
    /// The runbook.
    pub runbook: String,
    /// SHA-256 of the runbook's text.
    pub hash: String,
    /// Who ran it.
    pub actor: String,
    /// When it was committed, for people.
    pub at: String,
    /// The run that put it back, by whom and when.
    pub undone: Option<String>,
    /// Whether the journal has what it takes to put it back. Without row images nothing can but statements, and
    /// those only the record has.
    pub has_images: bool,
    /// The fixes that it has images of.
    pub fixes: Vec<StepId>,
}

/// Newest last. The texts come as the server prints them.
const UNITS: &str = "\
    SELECT e.step::text, e.item::text, e.part::text, e.name, e.runbook, e.hash, e.actor, \
           date_trunc('second', e.at)::text, \
           u.by_run || ' by ' || u.actor || ' at ' || date_trunc('second', u.at)::text, \
           (EXISTS (SELECT FROM runbook.capture c WHERE c.entry = e.id) AND \
            e.rows = (SELECT coalesce(sum(c.rows), 0) FROM runbook.capture c WHERE c.entry = e.id AND c.direct))::text, \
           ARRAY(SELECT DISTINCT c.step FROM runbook.capture c WHERE c.entry = e.id) \
    FROM runbook.entry e LEFT JOIN runbook.entry u \
      ON u.run = e.run AND u.step = e.step AND u.item = e.item AND u.part = e.part AND u.undo \
    WHERE e.run = $1 AND NOT e.undo ORDER BY e.id";

const UNDONE: &str = "\
    SELECT step::text, item::text, part::text FROM runbook.entry WHERE run = $1 AND undo ORDER BY id";

impl Session {
    /// Returns what the journal in the database knows of a run, in the order of the commits; nothing where
    /// there is no journal.
    ///
    /// # Errors
    /// The server's word.
    pub async fn units(&self, run: &str) -> Result<Vec<Recorded>, Failure> {
        let rows = self.of_run(UNITS, run).await?;
        let recorded = |row: &Row| {
            let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
            Recorded {
                entry: Entry {
                    run: run.to_owned(),
                    unit: unit(row),
                    name: text(3),
                    undo: false,
                },
                runbook: text(4),
                hash: text(5),
                actor: text(6),
                at: text(7),
                undone: row.get(8),
                has_images: text(9) == "true",
                fixes: row
                    .get::<_, Vec<i32>>(10)
                    .into_iter()
                    .filter_map(|step| usize::try_from(step).ok().map(StepId))
                    .collect(),
            }
        };
        Ok(rows.iter().map(recorded).collect())
    }

    /// Returns what of a run was put back, as the journal knows it: units, and single fixes of atomics.
    ///
    /// # Errors
    /// The server's word.
    pub async fn undone(&self, run: &str) -> Result<Vec<Unit>, Failure> {
        Ok(self.of_run(UNDONE, run).await?.iter().map(unit).collect())
    }

    async fn of_run(&self, text: &str, run: &str) -> Result<Vec<Row>, Failure> {
        let exists = "SELECT to_regclass('runbook.entry')::text";
        let known = self.client.query_typed(exists, &[]).await;
        let known = known.map_err(|error| failure::of(&error, exists, 0))?;
        if known
            .iter()
            .all(|row| row.get::<_, Option<String>>(0).is_none())
        {
            return Ok(Vec::new());
        }
        let rows = self.client.query_typed(text, &[(&run, Type::TEXT)]).await;
        rows.map_err(|error| failure::of(&error, text, 0))
    }
}

/// Reads the unit that a row begins with.
fn unit(row: &Row) -> Unit {
    let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
    Unit {
        step: StepId(text(0).parse().unwrap_or_default()),
        // -1 says that there is none.
        item: text(1).parse().ok(),
        part: text(2).parse().unwrap_or_default(),
    }
}
