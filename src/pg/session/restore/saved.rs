//! Images out of a backup: each row as it was saved, and as the run left it that may be put back.

mod ran;

use tokio_postgres::types::{ToSql, Type};

use super::super::Session;
use super::super::capture_row::Capture;
use super::super::journal::Keeping;
use super::source::{FILE, Held, Since, Source};
use super::text;
use crate::archive::manifest::{Manifest, Table};
use crate::archive::store::Found;
use crate::engine::backup::FromBackup;
use crate::engine::event::TargetFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::pg::backup::into::wanted::wanted;
use crate::pg::backup::{Site, load};
use crate::sql::ident::{quote_ident, quote_literal};
use ran::Ran;

/// The rows of one table as they were saved: columns that are generated come by themselves there.
const SAVED: &str = "pg_temp.runbook_saved";

/// Settings by which the text of a value can be another value.
const MEANINGS: [(&str, &str); 4] = [
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("xmloption", "content"),
];

/// A table whose rows are put back, and what a backup has of it.
struct Subject<'a> {
    table: &'a Table,
    /// The number of its images.
    id: i64,
    is_partitioned: bool,
    /// Whether rows of it may be gone.
    is_emptied: bool,
}

impl Subject<'_> {
    /// Returns the live table as a FROM names it, as `t`.
    fn from(&self) -> String {
        let only = if self.is_partitioned { "" } else { "ONLY " };
        format!("{only}{} AS t", self.table.relation)
    }

    fn key(&self, of: &str) -> String {
        let columns = self.table.key.iter();
        let columns: Vec<String> = columns
            .map(|column| format!("{of}.{}", quote_ident(column)))
            .collect();
        columns.join(", ")
    }

    fn same_key(&self) -> String {
        format!("ROW({}) = ROW({})", self.key("t"), self.key("s"))
    }
}

impl Session {
    /// Makes the images of the rows of a backup that are not as they were saved. `before` is the row that was
    /// saved; `after` is what it must be now for being put back: what the run left, or nothing where it deleted
    /// the row. Where nobody can say that it was the run, `after` is what was saved, which it is not now: a
    /// conflict.
    pub(super) async fn of_backup(
        &self,
        entry: &Entry,
        site: &Site,
        source: &FromBackup,
    ) -> Result<Source, Failure> {
        let found = Found::open(&source.path)?;
        refuse_other(&found.manifest, &self.target)?;
        let key = site.key(&found)?;
        let tables = match &source.tables {
            Some(names) => wanted(&self.client, &found.manifest, names).await?,
            None => found.manifest.tables.iter().collect(),
        };
        let ran = self.ran(source, &tables).await?;
        let subjects = self.subjects(&tables, source).await?;
        self.run(&format!(
            "CREATE TEMPORARY TABLE {FILE} (capture bigint NOT NULL, key text NOT NULL, before text, after text) ON COMMIT DROP"
        ))
        .await?;
        let mut captures = Vec::new();
        for subject in &subjects {
            self.load(site, &found, key.as_ref(), subject).await?;
            let rows = self.compare_saved(subject, &ran, source).await?;
            self.run(&format!("DROP TABLE {SAVED}")).await?;
            if rows > 0 {
                let capture = self.capture_of(entry, subject, &ran, rows).await?;
                captures.push(Held {
                    id: subject.id,
                    capture,
                });
            }
        }
        self.forget_ran(&ran).await?;
        if captures.is_empty() {
            self.run(&format!("DROP TABLE {FILE}")).await?;
        } else {
            self.run(&format!("CREATE INDEX ON {FILE} (capture)"))
                .await?;
            self.run(&format!("ANALYZE {FILE}")).await?;
        }
        let since = if ran.is_of_journal() {
            Some(Since {
                entry: self.entry_before(source, &found.manifest).await?,
                run: source.run.clone().unwrap_or_default(),
            })
        } else {
            None
        };
        Ok(Source::of_backup(captures, since))
    }

    /// Finds the tables, and refuses those that have no rows to find again.
    async fn subjects<'a>(
        &self,
        tables: &[&'a Table],
        source: &FromBackup,
    ) -> Result<Vec<Subject<'a>>, Failure> {
        const KINDS: &str = "\
            SELECT c.relkind = 'p', EXISTS (SELECT FROM unnest($2::text[]) AS e(name) WHERE to_regclass(e.name) = c.oid) \
            FROM unnest($1::text[]) WITH ORDINALITY AS u(name, place) LEFT JOIN pg_class c ON c.oid = to_regclass(u.name) ORDER BY u.place";
        if let Some(table) = tables.iter().find(|table| table.key.is_empty()) {
            let relation = &table.relation;
            return Err(wrong(format!(
                "the rows of {relation} cannot be put back one by one: it has no key"
            ))
            .note("without a primary key, or a unique index of columns that are never NULL, no row can be found again")
            .help("restore the backup into a new database, or the table beside it: `--table NAME --as NEW`"));
        }
        let names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
        let params: [(&(dyn ToSql + Sync), Type); 2] = [
            (&names, Type::TEXT_ARRAY),
            (&source.emptied, Type::TEXT_ARRAY),
        ];
        let rows = self.ask(KINDS, &params).await?;
        let subject = |((id, table), row): ((i64, &&'a Table), &tokio_postgres::Row)| {
            let is_partitioned: Option<bool> = row.get(0);
            Ok(Subject {
                table,
                id,
                is_partitioned: is_partitioned.ok_or_else(|| gone(&table.relation))?,
                is_emptied: row.get(1),
            })
        };
        (1..).zip(tables).zip(&rows).map(subject).collect()
    }

    /// Has the saved rows of a table come to a table of this transaction.
    async fn load(
        &self,
        site: &Site,
        found: &Found,
        key: Option<&crate::archive::seal::FileKey>,
        subject: &Subject<'_>,
    ) -> Result<(), Failure> {
        let table = subject.table;
        self.same_columns(table).await?;
        self.run(&format!(
            "CREATE TEMPORARY TABLE {SAVED} (LIKE {} INCLUDING GENERATED) ON COMMIT DROP",
            table.relation
        ))
        .await?;
        let names: Vec<String> = MEANINGS
            .iter()
            .map(|(name, _)| format!("current_setting('{name}')"))
            .collect();
        let were = self
            .ask(&format!("SELECT {}", names.join(", ")), &[])
            .await?;
        let were = were.first();
        for (name, value) in MEANINGS {
            self.set(name, value).await?;
        }
        load::copy_into(&self.client, site, found, table, key, SAVED).await?;
        for (index, (name, _)) in MEANINGS.iter().enumerate() {
            if let Some(value) = were.and_then(|row| text(row, index)) {
                self.set(name, &value).await?;
            }
        }
        self.run(&format!("ANALYZE {SAVED}")).await.map(|_| ())
    }

    async fn set(&self, name: &str, value: &str) -> Result<(), Failure> {
        let set = format!("SET LOCAL {name} = {}", quote_literal(value));
        self.run(&set).await.map(|_| ())
    }

    /// Refuses a table of other columns, before its rows are read in vain.
    async fn same_columns(&self, table: &Table) -> Result<(), Failure> {
        use super::super::fingerprint::{difference, fingerprint};
        let question = format!(
            "SELECT coalesce({}, '')",
            fingerprint("to_regclass($1)::oid")
        );
        let rows = self
            .ask(&question, &[(&table.relation, Type::TEXT)])
            .await?;
        let now = rows
            .first()
            .and_then(|row| text(row, 0))
            .unwrap_or_default();
        let differences = difference(&table.fingerprint, &now);
        if differences.is_empty() {
            return Ok(());
        }
        let failure = wrong(format!(
            "the rows of {} cannot be put back: its columns are others than when they were saved",
            table.relation
        ));
        Err(differences
            .into_iter()
            .fold(failure, Failure::note)
            .note("nothing was put back")
            .help("restore the table beside it: `--table NAME --as NEW`; or the backup into a new database"))
    }

    /// Makes the images of a table's rows that are not as they were saved, and returns how many there are.
    async fn compare_saved(
        &self,
        subject: &Subject<'_>,
        ran: &Ran,
        source: &FromBackup,
    ) -> Result<u64, Failure> {
        let images = ran.images(subject.table);
        let name = &subject.table.relation;
        let after = if source.overwrite {
            "CASE WHEN t.tableoid IS NOT NULL THEN (t.*)::text END".to_owned()
        } else {
            format!(
                "CASE WHEN t.tableoid IS NULL AND {emptied} THEN NULL \
                   WHEN r.key IS NOT NULL AND (r.before = x.before OR ((r.before)::{name})::text = x.before) IS NOT TRUE THEN x.before \
                   WHEN t.tableoid IS NOT NULL AND {by_run} THEN (t.*)::text \
                   WHEN r.key IS NOT NULL THEN r.after ELSE x.before END",
                emptied = subject.is_emptied,
                by_run = ran.wrote("t"),
            )
        };
        self.run(&format!(
            "WITH ran AS ({images}) INSERT INTO {FILE} SELECT {id}, x.key, x.before, {after} \
             FROM {SAVED} AS s CROSS JOIN LATERAL (SELECT ROW({key})::text AS key, (s.*)::text AS before OFFSET 0) AS x \
             LEFT JOIN {from} ON {same_key} LEFT JOIN ran r ON r.key = x.key \
             WHERE t.tableoid IS NULL OR (t.*)::text <> x.before",
            id = subject.id,
            key = subject.key("s"),
            from = subject.from(),
            same_key = subject.same_key(),
        ))
        .await
    }

    /// Returns what the machinery must know of these images.
    async fn capture_of(
        &self,
        entry: &Entry,
        subject: &Subject<'_>,
        ran: &Ran,
        rows: u64,
    ) -> Result<Capture, Failure> {
        let table = subject.table;
        let of = || ran.of(&table.relation);
        let union = |list: fn(&Capture) -> &[String]| {
            let mut names: Vec<String> = Vec::new();
            for name in of().flat_map(list) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names
        };
        let tables = union(|capture| capture.tables.as_deref().unwrap_or_default());
        Ok(Capture {
            step: entry.unit.step,
            relation: table.relation.clone(),
            alone: !subject.is_partitioned,
            columns: table.fingerprint.clone(),
            key: table.key.clone(),
            changed: self.differing(subject).await?,
            kept: union(|capture| &capture.kept),
            ignored: union(|capture| &capture.ignored),
            tables: Some(tables).filter(|tables| !tables.is_empty()),
            direct: true,
            rows,
        })
    }

    /// Returns the columns that differ in any row: no others are set. An identity column that is always
    /// generated cannot be set; should it differ, that is found when the rows are read again.
    async fn differing(&self, subject: &Subject<'_>) -> Result<Vec<String>, Failure> {
        const SETTABLE: &str = "\
            SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped \
              AND a.attgenerated = '' AND a.attidentity <> 'a' AND NOT a.attname = ANY ($2) ORDER BY a.attnum";
        let table = subject.table;
        let params: [(&(dyn ToSql + Sync), Type); 2] = [
            (&table.relation, Type::TEXT),
            (&table.key, Type::TEXT_ARRAY),
        ];
        let columns: Vec<String> = self
            .ask(SETTABLE, &params)
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let differ: Vec<String> = columns
            .iter()
            .map(|column| {
                let column = quote_ident(column);
                format!("coalesce(bool_or((b.r).{column}::text IS DISTINCT FROM (b.n).{column}::text), false)")
            })
            .collect();
        let question = format!(
            "SELECT ARRAY[{differ}]::boolean[] FROM (SELECT i.before::{name} AS r, i.after::{name} AS n FROM {FILE} i \
             WHERE i.capture = {id} AND i.after IS NOT NULL AND i.before <> i.after OFFSET 0) AS b",
            differ = differ.join(", "),
            name = table.relation,
            id = subject.id,
        );
        let rows = self.ask(&question, &[]).await?;
        let differ: Vec<bool> = rows.first().map(|row| row.get(0)).unwrap_or_default();
        let both = columns.into_iter().zip(differ);
        Ok(both
            .filter(|(_, differs)| *differs)
            .map(|(column, _)| column)
            .collect())
    }

    /// Returns the last entry of the journal before all that may have changed the rows since: before the run, or
    /// before the backup, whose time is that of another clock.
    async fn entry_before(&self, source: &FromBackup, manifest: &Manifest) -> Result<i64, Failure> {
        const BEFORE: &str = "\
            SELECT coalesce((SELECT min(e.id) - 1 FROM runbook.entry e WHERE e.run = $1), \
              (SELECT max(e.id) FROM runbook.entry e WHERE e.at <= $2::text::timestamptz), 0)";
        let taken = manifest.taken_at.to_string();
        let params: [(&(dyn ToSql + Sync), Type); 2] =
            [(&source.run, Type::TEXT), (&taken, Type::TEXT)];
        let rows = self.ask(BEFORE, &params).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Returns whether the journal is in the database.
    fn has_journal(&self) -> bool {
        let keeping = self.writer.as_ref().map(|writer| &writer.keeping);
        keeping == Some(&Keeping::Database) && self.is_journal_there()
    }
}

/// Refuses the backup of another database: its rows are not those that are here under the same keys.
fn refuse_other(manifest: &Manifest, now: &TargetFacts) -> Result<(), Failure> {
    let then = &manifest.source;
    let is_other = |then: Option<&str>, now: Option<&str>| match (then, now) {
        (Some(then), Some(now)) => Some(then != now),
        _ => None,
    };
    let cluster = is_other(
        then.system_identifier.as_deref(),
        now.system_identifier.as_deref(),
    );
    let database = match (then.database_oid, now.database_oid) {
        (Some(then), Some(now)) => then != now,
        _ => then.database != now.database,
    };
    if cluster != Some(true) && !database {
        return Ok(());
    }
    let known = |facts: &TargetFacts| match &facts.system_identifier {
        Some(cluster) => format!("{} of cluster {cluster}", facts.database),
        None => facts.database.clone(),
    };
    let note = if cluster == Some(false) && then.database == now.database {
        "a database of its name is here, which was replaced or made anew since".to_owned()
    } else {
        format!("it is of {}, this is {}", known(then), known(now))
    };
    Err(wrong(format!("the backup {} is of another database", manifest.id))
        .note(note)
        .note("rows of the same keys may be others there; nothing was put back")
        .help("restore it into a new database, or a table of it beside those here: `--table NAME --as NEW`"))
}

fn gone(relation: &str) -> Failure {
    wrong(format!(
        "the rows of {relation} cannot be put back: the table is gone"
    ))
    .note("nothing was put back")
    .help("restore it as a new table: `--table NAME --as NAME`; or the backup into a new database")
}

fn wrong(message: String) -> Failure {
    Failure::new(FailureKind::Backup, message)
}
