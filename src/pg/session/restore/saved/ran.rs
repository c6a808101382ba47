//! What a run did to the rows of a backup, by the images that it kept.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::super::super::Session;
use super::super::super::capture_row::Capture;
use super::super::super::image_file::{self, Kept};
use super::super::super::journal::Keeping;
use super::super::source::{Chunk, JOURNAL};
use crate::archive::manifest::Table;
use crate::engine::backup::FromBackup;
use crate::engine::failure::Failure;
use crate::runbook::model::StepId;
use crate::sql::ident::quote_literal;

/// The table that the images of files are sent to.
const FILES: &str = "pg_temp.runbook_ran";

/// What units did that are not put back.
const CAPTURES: &str = "\
    SELECT c.id, c.relation, c.alone, c.columns, c.key, c.changed, c.kept, c.ignored, c.tables, c.direct, c.rows \
    FROM runbook.entry e JOIN runbook.capture c ON c.entry = e.id \
    WHERE e.run = $1 AND NOT e.undo AND c.relation = ANY ($2) \
      AND NOT EXISTS (SELECT FROM runbook.entry u WHERE (u.run, u.step, u.item, u.part, u.undo) = (e.run, e.step, e.item, e.part, true)) \
    ORDER BY c.id";

/// Whether the transaction of an entry is the one that wrote it, and so few ago that no other has its number.
const OWN: &str = "\
    e.xmin::text::numeric = e.xid::text::numeric % 4294967296 \
    AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric - e.xid::text::numeric < 4294967296";

/// What a run did.
#[derive(Default)]
pub(super) struct Ran {
    /// The run, where the journal knows its transactions.
    run: Option<String>,
    /// Where its images are; none where it kept none.
    table: Option<&'static str>,
    captures: Vec<(i64, Capture)>,
    is_of_journal: bool,
}

impl Ran {
    /// Returns whether the journal is in the database.
    pub(super) fn is_of_journal(&self) -> bool {
        self.is_of_journal
    }

    /// Returns its captures of a table, oldest first.
    pub(super) fn of(&self, relation: &str) -> impl Iterator<Item = &Capture> {
        let of = self.captures.iter().map(|(_, capture)| capture);
        of.filter(move |capture| capture.relation == relation)
    }

    /// Returns the query for what it did to each row of a table: its text before the first change, and after the
    /// last. Images by another key, or of other columns, say nothing of these rows.
    pub(super) fn images(&self, table: &Table) -> String {
        let is_of = |capture: &Capture| {
            capture.relation == table.relation
                && capture.key == table.key
                && capture.columns == table.fingerprint
        };
        let of = self.captures.iter().filter(|(_, capture)| is_of(capture));
        let ids: Vec<String> = of.map(|(id, _)| id.to_string()).collect();
        match self.table.filter(|_| !ids.is_empty()) {
            None => {
                "SELECT NULL::text AS key, NULL::text AS before, NULL::text AS after WHERE false"
                    .to_owned()
            }
            Some(images) => format!(
                "SELECT i.key, (array_agg(i.before ORDER BY i.capture))[1] AS before, \
                   (array_agg(i.after ORDER BY i.capture DESC))[1] AS after \
                 FROM {images} i WHERE i.capture IN ({}) GROUP BY i.key",
                ids.join(", ")
            ),
        }
    }

    /// Returns the condition that one of its transactions wrote a row, with or without images: an entry that came
    /// back out of a backup was written by who restored it, together with all rows that came with it.
    pub(super) fn wrote(&self, row: &str) -> String {
        match &self.run {
            None => "false".to_owned(),
            Some(run) => format!(
                "{row}.xmin IN (SELECT e.xmin FROM runbook.entry e WHERE e.run = {} AND NOT e.undo AND {OWN})",
                quote_literal(run)
            ),
        }
    }
}

impl Session {
    /// Finds what the run of a source did to tables.
    pub(super) async fn ran(&self, source: &FromBackup, tables: &[&Table]) -> Result<Ran, Failure> {
        let is_of_journal = self.has_journal();
        let none = Ran {
            is_of_journal,
            ..Ran::default()
        };
        // What is put back whoever changed it needs no images.
        let Some(run) = source.run.as_ref().filter(|_| !source.overwrite) else {
            return Ok(none);
        };
        if let Some(Keeping::Local(base)) = self.writer.as_ref().map(|writer| &writer.keeping) {
            return self.ran_by_files(base, run, tables).await;
        }
        if !is_of_journal {
            return Ok(none);
        }
        let names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
        let params: [(&(dyn ToSql + Sync), Type); 2] =
            [(run, Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = self.ask(CAPTURES, &params).await?;
        Ok(Ran {
            run: Some(run.clone()),
            table: Some(JOURNAL),
            captures: rows.iter().map(capture).collect(),
            is_of_journal,
        })
    }

    /// Sends the images of a run's files to a table of this transaction.
    async fn ran_by_files(
        &self,
        base: &std::path::Path,
        run: &str,
        tables: &[&Table],
    ) -> Result<Ran, Failure> {
        let mut ran = Ran::default();
        for entry in image_file::entries(base, run)? {
            let Some(mut reader) = image_file::ImageReader::open(base, &entry)? else {
                continue;
            };
            if self.put_back_by(&entry).await?.is_some() {
                continue;
            }
            if ran.table.is_none() {
                self.run(&format!(
                    "CREATE TEMPORARY TABLE {FILES} (capture bigint NOT NULL, key text NOT NULL, before text, after text) ON COMMIT DROP"
                ))
                .await?;
                ran.table = Some(FILES);
            }
            let (mut chunk, mut id, mut is_wanted) = (Chunk::default(), 0, false);
            while let Some(next) = reader.next()? {
                match next {
                    Kept::Capture(capture) => {
                        self.send_images(FILES, &mut chunk, id).await?;
                        id = ran.captures.last().map_or(1, |(last, _)| last + 1);
                        let of = |table: &&Table| table.relation == capture.relation;
                        is_wanted = tables.iter().any(of);
                        if is_wanted {
                            ran.captures.push((id, *capture));
                        }
                    }
                    Kept::Image { key, before, after } if is_wanted => {
                        chunk.push(key, before, after);
                        if chunk.is_full() {
                            self.send_images(FILES, &mut chunk, id).await?;
                        }
                    }
                    Kept::Image { .. } => {}
                }
            }
            self.send_images(FILES, &mut chunk, id).await?;
        }
        Ok(ran)
    }

    /// Drops what was sent.
    pub(super) async fn forget_ran(&self, ran: &Ran) -> Result<(), Failure> {
        if ran.table == Some(FILES) {
            self.run(&format!("DROP TABLE {FILES}")).await?;
        }
        Ok(())
    }
}

fn capture(row: &Row) -> (i64, Capture) {
    let capture = Capture {
        step: StepId(0),
        relation: row.get(1),
        alone: row.get(2),
        columns: row.get(3),
        key: row.get(4),
        changed: row.get(5),
        kept: row.get(6),
        ignored: row.get(7),
        tables: row.get(8),
        direct: row.get(9),
        rows: u64::try_from(row.get::<_, i64>(10)).unwrap_or_default(),
    };
    (row.get(0), capture)
}
