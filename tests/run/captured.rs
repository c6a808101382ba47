//! A fix with the images of every row that it changed, made by comparing whole tables: what undo is held to
//! does not depend on how a run captures.

use runbook::engine::conflict::Restored;
use runbook::engine::failure::Failure;
use runbook::engine::journal::Entry;
use runbook::engine::port::Close;
use runbook::pg::session::Session;
use runbook::pg::session::capture_row::Capture;
use runbook::pg::session::fingerprint::fingerprint;
use runbook::pg::session::image_file::ImageFile;
use runbook::runbook::model::StepId;
use runbook::step::rollback::OnConflict;

use crate::session::{block_on, connect, entry, limits};
use crate::test::Test;

/// A table that a fix changes.
pub(crate) struct Table {
    relation: &'static str,
    key: &'static str,
    direct: bool,
    alone: bool,
}

/// A table whose rows a fix changes itself, with the columns of its key.
pub(crate) fn own(relation: &'static str, key: &'static str) -> Table {
    Table {
        relation,
        key,
        direct: true,
        alone: true,
    }
}

/// A table that triggers or cascades change.
pub(crate) fn indirect(relation: &'static str, key: &'static str) -> Table {
    Table {
        direct: false,
        ..own(relation, key)
    }
}

/// A partitioned table, or one with all that inherit from it.
pub(crate) fn family(relation: &'static str, key: &'static str) -> Table {
    Table {
        alone: false,
        ..own(relation, key)
    }
}

/// A fix.
pub(crate) struct Fix<'a> {
    pub(crate) run: &'a str,
    pub(crate) sql: &'a str,
    pub(crate) tables: &'a [Table],
    pub(crate) ignored: &'a [&'a str],
    pub(crate) kept: &'a [&'a str],
    pub(crate) allowed: Option<&'a [&'a str]>,
}

impl<'a> Fix<'a> {
    pub(crate) fn new(run: &'a str, sql: &'a str, tables: &'a [Table]) -> Self {
        Self {
            run,
            sql,
            tables,
            ignored: &[],
            kept: &[],
            allowed: None,
        }
    }

    /// Does it, as step 0 of its run.
    pub(crate) fn apply(&self, test: &Test) {
        self.apply_as(test, 0, true);
    }

    /// Does another statement of a fix that was begun.
    pub(crate) fn and(&self, test: &Test, step: usize) {
        self.apply_as(test, step, false);
    }

    fn apply_as(&self, test: &Test, step: usize, is_new: bool) {
        journal(test);
        let connection = test.connect();
        let mut texts = vec![String::from("BEGIN")];
        let list = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            format!("ARRAY[{}]::text[]", names.join(", "))
        };
        let rows = |table: &Table| {
            let only = if table.alone { "ONLY " } else { "" };
            let key: Vec<String> = table
                .key
                .split(", ")
                .map(|key| format!("t.{key}"))
                .collect();
            format!(
                "SELECT ROW({})::text AS key, (t.*)::text AS image FROM {only}{} AS t",
                key.join(", "),
                table.relation
            )
        };
        for (index, table) in self.tables.iter().enumerate() {
            texts.push(format!(
                "CREATE TEMPORARY TABLE old_{index} ON COMMIT DROP AS {}",
                rows(table)
            ));
        }
        texts.push(self.sql.to_owned());
        if !is_new {
            // Here the fixes of an atomic come one after the other.
            texts.push("ALTER TABLE runbook.capture DISABLE TRIGGER guard".to_owned());
        }
        if is_new {
            texts.push(format!(
                "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor) \
                 VALUES ('{run}', 0, 'step_0', '{run}', 't', 'abc', 'ann')",
                run = self.run
            ));
        }
        for (index, table) in self.tables.iter().enumerate() {
            let relation = table.relation;
            let columns = connection.rows(&format!(
                "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped"
            ));
            let changed: Vec<String> = columns
                .lines()
                .map(|column| format!(
                    "SELECT parse_ident('{column}') FROM d WHERE before IS NOT NULL AND after IS NOT NULL \
                     AND ((before::{relation}).{column})::text IS DISTINCT FROM ((after::{relation}).{column})::text"
                ))
                .collect();
            texts.push(format!(
                "WITH d AS MATERIALIZED (SELECT key, o.image AS before, n.image AS after FROM old_{index} o FULL JOIN ({new}) n USING (key) \
                     WHERE o.image IS DISTINCT FROM n.image), \
                 c AS (INSERT INTO runbook.capture (entry, step, relation, alone, columns, key, changed, kept, ignored, tables, direct, rows) \
                     SELECT max(e.id), {step}, '{relation}', {alone}, {columns}, \
                            ARRAY(SELECT (parse_ident(k))[1] FROM unnest(string_to_array('{key}', ', ')) k), \
                            ARRAY(SELECT DISTINCT v[1] FROM ({changed}) AS g(v)), \
                            {kept}, {ignored}, {tables}, {direct}, (SELECT count(*) FROM d) \
                     FROM runbook.entry e WHERE e.run = '{run}' HAVING EXISTS (SELECT FROM d) RETURNING id) \
                 INSERT INTO runbook.image SELECT c.id, d.* FROM c, d",
                new = rows(table),
                alone = table.alone,
                columns = fingerprint(&format!("'{relation}'::regclass")),
                key = table.key,
                changed = changed.join(" UNION ALL "),
                kept = list(self.kept),
                ignored = list(self.ignored),
                tables = self.allowed.map_or("NULL".to_owned(), list),
                direct = table.direct,
                run = self.run,
            ));
        }
        texts.push("ALTER TABLE runbook.capture ENABLE ALWAYS TRIGGER guard".to_owned());
        texts.push("COMMIT".to_owned());
        connection.run(&texts.join("; "));
    }
}

/// Makes the journal.
fn journal(test: &Test) {
    if test.rows("SELECT to_regclass('runbook.entry')") == "null" {
        block_on(async {
            let mut session = connect(&test.db.url(), "zzzzzz").await;
            session.open();
            session
                .record(&entry("zzzzzz", 9), &limits())
                .await
                .unwrap();
            session.close(Close::Commit, &limits()).await.unwrap();
        });
    }
}

/// Moves the images of a run from the journal into a file, as a target without a schema has them.
pub(crate) fn to_file(test: &Test, run: &str) {
    let connection = test.connect();
    let mut file = ImageFile::create(test.root(), &entry(run, 0)).unwrap();
    let of = format!(
        "FROM runbook.capture c JOIN runbook.entry e ON e.id = c.entry WHERE e.run = '{run}'"
    );
    for id in connection
        .rows(&format!("SELECT c.id {of} ORDER BY 1"))
        .lines()
    {
        let json = connection.rows(&format!(
            "SELECT to_json(c) FROM runbook.capture c WHERE id = {id}"
        ));
        let capture: Capture = serde_json::from_str(&json).unwrap();
        file.capture(&capture).unwrap();
        let images = connection.rows(&format!(
            "SELECT json_build_array(key, before, after) FROM runbook.image WHERE capture = {id}"
        ));
        for image in images.lines() {
            let image: [Option<String>; 3] = serde_json::from_str(image).unwrap();
            file.image(
                image[0].as_deref().unwrap(),
                image[1].as_deref(),
                image[2].as_deref(),
            )
            .unwrap();
        }
    }
    file.finish().unwrap();
    connection.run("DROP SCHEMA runbook CASCADE");
}

/// Puts back in a transaction of its own what step 0 of a run did.
pub(crate) fn undo(test: &Test, run: &str) -> Result<Restored, Failure> {
    undo_by(test, run, None, OnConflict::Stop)
}

/// Puts back what some of its fixes did.
pub(crate) fn undo_by(
    test: &Test,
    run: &str,
    fixes: Option<&[StepId]>,
    on_conflict: OnConflict,
) -> Result<Restored, Failure> {
    block_on(async {
        let mut session = connect(&test.db.url(), "undoer").await;
        undo_in(&mut session, &entry(run, 0), fixes, on_conflict).await
    })
}

/// Puts back in a session.
pub(crate) async fn undo_in(
    session: &mut Session,
    entry: &Entry,
    fixes: Option<&[StepId]>,
    on_conflict: OnConflict,
) -> Result<Restored, Failure> {
    session.open();
    let result = match session.record(&entry.undoing(), &limits()).await {
        Ok(()) => session.restore(entry, fixes, on_conflict, &limits()).await,
        Err(failure) => Err(failure),
    };
    let result = match result {
        Ok(restored) => Box::pin(session.settle(&limits())).await.map(|_| restored),
        failed => failed,
    };
    let stops = |restored: &Restored| on_conflict == OnConflict::Stop && restored.conflicting > 0;
    let how = match &result {
        Ok(restored) if !stops(restored) => Close::Commit,
        _ => Close::Rollback,
    };
    session.close(how, &limits()).await?;
    result
}

/// Conflicts as lines.
pub(crate) fn conflicts(restored: &Restored) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let mut lines = vec![format!(
        "{} rows back, {} not",
        restored.rows, restored.conflicting
    )];
    for conflict in &restored.conflicts {
        lines.push(format!(
            "{:?} {} ({}) = ({}){}",
            conflict.clash,
            conflict.table,
            conflict.key_columns.join(", "),
            conflict.key.join(", "),
            conflict
                .by
                .as_ref()
                .map(|by| format!(" by {by}"))
                .unwrap_or_default()
        ));
        lines.extend(conflict.columns.iter().map(|column| {
            format!(
                "  {}: then {}, now {}, back {}",
                column.column,
                shown(&column.then),
                shown(&column.now),
                shown(&column.back)
            )
        }));
    }
    crate::session::moments(&lines.join("\n"))
}

/// What was put back, as lines.
pub(crate) fn changes(restored: &Restored) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let mut lines = Vec::new();
    for table in &restored.changes.tables {
        lines.push(format!(
            "{}: {} inserted, {} updated, {} deleted",
            table.table, table.inserted, table.updated, table.deleted
        ));
        for row in &table.rows {
            let columns: Vec<String> = row
                .columns
                .iter()
                .map(|column| {
                    format!(
                        "{} {} → {}",
                        column.column,
                        shown(&column.before),
                        shown(&column.after)
                    )
                })
                .collect();
            lines.push(format!(
                "  {:?} ({}): {}",
                row.deed,
                row.key.join(", "),
                columns.join(", ")
            ));
        }
    }
    lines.join("\n")
}
