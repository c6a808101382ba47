//! Where the images of a transaction are: in the journal, or in a file that is sent to the server.

use std::path::Path;

use tokio_postgres::types::Type;

use super::super::Session;
use super::super::capture_row::Capture;
use super::super::image_file::{ImageReader, Kept};
use super::super::journal::Keeping;
use super::conflict;
use crate::engine::failure::Failure;
use crate::engine::journal::Entry;
use crate::runbook::model::StepId;

/// The table of the images that the journal has.
pub(super) const JOURNAL: &str = "runbook.image";

/// The table that the images of a file are sent to.
pub(super) const FILE: &str = "pg_temp.runbook_image";

/// About how many bytes of images are sent at once.
const CHUNK: usize = 1 << 20;

/// The captures of a transaction, and the table that their images are in.
pub(super) struct Source {
    pub(super) table: &'static str,
    /// Oldest first.
    pub(super) captures: Vec<Held>,
    /// Whether each capture says how many images it has. Of a backup nobody counted those that are put back.
    pub(super) is_counted: bool,
    /// What is done later than what is put back; none where the journal is not in the database.
    pub(super) since: Option<Since>,
}

impl Source {
    /// Returns the rows of a backup, which were sent to a table of this transaction.
    pub(super) fn of_backup(captures: Vec<Held>, since: Option<Since>) -> Self {
        Self {
            table: FILE,
            captures,
            is_counted: false,
            since,
        }
    }
}

/// What is done later: by whatever the journal has after an entry.
pub(super) struct Since {
    /// The entry's id in the journal.
    pub(super) entry: i64,
    /// The run whose changes are put back.
    pub(super) run: String,
}

/// A capture and its number, by which its images are found.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) capture: Capture,
}

const CAPTURES: &str = "\
    SELECT e.id, c.id, c.step, c.relation, c.alone, c.columns, c.key, c.changed, c.kept, c.ignored, c.tables, c.direct, c.rows, \
           to_regclass(c.relation) IS NULL \
    FROM runbook.entry e LEFT JOIN runbook.capture c ON c.entry = e.id \
    WHERE e.run = $1 AND e.step = $2 AND e.item = $3 AND e.part = $4 AND NOT e.undo ORDER BY c.id";

impl Session {
    /// Finds the captures of an entry, of the wanted fixes.
    pub(super) async fn source(
        &self,
        entry: &Entry,
        fixes: Option<&[StepId]>,
    ) -> Result<Source, Failure> {
        let wanted = |step: StepId| fixes.is_none_or(|fixes| fixes.contains(&step));
        match self.writer.as_ref().map(|writer| &writer.keeping) {
            Some(Keeping::Local(base)) => self.of_file(base, entry, &wanted).await,
            _ => self.of_journal(entry, &wanted).await,
        }
    }

    async fn of_journal(
        &self,
        entry: &Entry,
        wanted: &impl Fn(StepId) -> bool,
    ) -> Result<Source, Failure> {
        let unit = entry.unit;
        let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let item = unit.item.map_or(-1, number);
        let part = i32::try_from(unit.part).unwrap_or(i32::MAX);
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
            (&entry.run, Type::TEXT),
            (&number(unit.step.0), Type::INT4),
            (&item, Type::INT4),
            (&part, Type::INT4),
        ];
        let rows = self.ask(CAPTURES, &params).await?;
        let Some(first) = rows.first() else {
            return Err(conflict(format!(
                "step `{}` of run {} cannot be put back: the journal does not know it",
                entry.name, entry.run
            ))
            .note("it was never committed, or the journal was begun anew since"));
        };
        let mut captures = Vec::new();
        for row in &rows {
            // An entry without captures changed nothing that has images.
            let Some(id) = row.get::<_, Option<i64>>(1) else {
                continue;
            };
            let step = StepId(usize::try_from(row.get::<_, i32>(2)).unwrap_or(usize::MAX));
            if !wanted(step) {
                continue;
            }
            let capture = Capture {
                step,
                relation: row.get(3),
                alone: row.get(4),
                columns: row.get(5),
                key: row.get(6),
                changed: row.get(7),
                kept: row.get(8),
                ignored: row.get(9),
                tables: row.get(10),
                direct: row.get(11),
                rows: u64::try_from(row.get::<_, i64>(12)).unwrap_or_default(),
            };
            if row.get::<_, bool>(13) {
                return Err(gone(&capture.relation));
            }
            captures.push(Held { id, capture });
        }
        Ok(Source {
            table: JOURNAL,
            captures,
            is_counted: true,
            since: Some(Since {
                entry: first.get(0),
                run: entry.run.clone(),
            }),
        })
    }

    /// Sends the images of a file to a table of this transaction, a chunk at a time.
    async fn of_file(
        &self,
        base: &Path,
        entry: &Entry,
        wanted: &impl Fn(StepId) -> bool,
    ) -> Result<Source, Failure> {
        let mut source = Source {
            table: FILE,
            captures: Vec::new(),
            is_counted: true,
            since: None,
        };
        let Some(mut reader) = ImageReader::open(base, entry)? else {
            return Err(conflict(format!(
                "step `{}` of run {} cannot be put back: its row images are not in {}",
                entry.name,
                entry.run,
                base.join(&entry.run).join("images").display()
            ))
            .note("it was never committed, or they were removed since; nothing was put back")
            .help("bring the folder back from a backup, then try it again"));
        };
        self.run(&format!(
            "CREATE TEMPORARY TABLE {FILE} (capture bigint NOT NULL, key text NOT NULL, before text, after text) ON COMMIT DROP"
        ))
        .await?;
        let mut chunk = Chunk::default();
        let mut id = 0;
        let mut is_wanted = false;
        while let Some(next) = reader.next()? {
            match next {
                Kept::Capture(capture) => {
                    self.send_images(FILE, &mut chunk, id).await?;
                    id += 1;
                    is_wanted = wanted(capture.step);
                    if is_wanted {
                        source.captures.push(Held {
                            id,
                            capture: *capture,
                        });
                    }
                }
                Kept::Image { key, before, after } if is_wanted => {
                    chunk.push(key, before, after);
                    if chunk.is_full() {
                        self.send_images(FILE, &mut chunk, id).await?;
                    }
                }
                Kept::Image { .. } => {}
            }
        }
        self.send_images(FILE, &mut chunk, id).await?;
        self.run(&format!("CREATE INDEX ON {FILE} (capture)"))
            .await?;
        self.run(&format!("ANALYZE {FILE}")).await?;
        let names: Vec<&str> = source
            .captures
            .iter()
            .map(|held| held.capture.relation.as_str())
            .collect();
        let text = "SELECT name FROM unnest($1) AS name WHERE to_regclass(name) IS NULL";
        let missing = self.ask(text, &[(&names, Type::TEXT_ARRAY)]).await?;
        match missing.first() {
            Some(row) => Err(gone(row.get(0))),
            None => Ok(source),
        }
    }

    /// Sends images of a capture to a table of this transaction.
    pub(super) async fn send_images(
        &self,
        table: &str,
        chunk: &mut Chunk,
        id: i64,
    ) -> Result<(), Failure> {
        if chunk.keys.is_empty() {
            return Ok(());
        }
        let text = format!(
            "INSERT INTO {table} SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])"
        );
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
            (&id, Type::INT8),
            (&chunk.keys, Type::TEXT_ARRAY),
            (&chunk.before, Type::TEXT_ARRAY),
            (&chunk.after, Type::TEXT_ARRAY),
        ];
        self.ask(&text, &params).await?;
        *chunk = Chunk::default();
        Ok(())
    }
}

/// Images on their way to the server.
#[derive(Default)]
pub(super) struct Chunk {
    keys: Vec<String>,
    before: Vec<Option<String>>,
    after: Vec<Option<String>>,
    bytes: usize,
}

impl Chunk {
    /// Returns whether it is time to send them.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > CHUNK
    }

    pub(super) fn push(&mut self, key: String, before: Option<String>, after: Option<String>) {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.bytes += key.len() + length(&before) + length(&after);
        self.keys.push(key);
        self.before.push(before);
        self.after.push(after);
    }
}

fn gone(relation: &str) -> Failure {
    conflict(format!(
        "the rows of {relation} cannot be put back: the table is gone"
    ))
    .note("nothing was put back")
    .help("make the table as it was, then try it again; or restore a backup")
}
