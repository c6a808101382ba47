//! What must be known of tables before their rows are replaced: their columns, triggers, and who references them.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::super::super::refused;
use crate::archive::manifest::Table;
use crate::archive::store::Found;
use crate::base::words;
use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::pg::session::fingerprint::{difference, fingerprint};

/// The tables with their partitions.
const FAMILY: &str = "\
    WITH RECURSIVE family(top, oid, place) AS ( \
      SELECT c.oid, c.oid, u.place::int - 1 FROM unnest($1::text[]) WITH ORDINALITY AS u(name, place) JOIN pg_class c ON c.oid = to_regclass(u.name) \
      UNION ALL SELECT f.top, i.inhrelid, f.place FROM family f JOIN pg_class p ON p.oid = f.oid AND p.relkind = 'p' \
        JOIN pg_inherits i ON i.inhparent = f.oid) ";

const MISSING: &str = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL";

/// Foreign keys of tables that are not replaced.
const REFERENCES: &str = "\
    SELECT DISTINCT k.conrelid::regclass::text, c.oid::regclass::text \
    FROM family f JOIN pg_constraint k ON k.confrelid = f.oid AND k.contype = 'f' AND k.conparentid = 0 JOIN pg_class c ON c.oid = f.top \
    WHERE k.conrelid NOT IN (SELECT oid FROM family) ORDER BY 1, 2";

/// Foreign keys among the tables: by which place, to which, whether it can wait for the end, what has it wait and
/// what ends that.
const FOREIGN: &str = "\
    SELECT f.place, r.place, k.condeferrable, \
      pg_catalog.format('ALTER TABLE %s ALTER CONSTRAINT %I DEFERRABLE INITIALLY DEFERRED', k.conrelid::regclass, k.conname), \
      pg_catalog.format('ALTER TABLE %s ALTER CONSTRAINT %I %s', k.conrelid::regclass, k.conname, \
        CASE WHEN NOT k.condeferrable THEN 'NOT DEFERRABLE' WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'DEFERRABLE INITIALLY IMMEDIATE' END) \
    FROM family f JOIN pg_constraint k ON k.conrelid = f.oid AND k.contype = 'f' AND k.conparentid = 0 JOIN family r ON r.oid = k.confrelid \
    WHERE r.place <> f.place ORDER BY 1, 2, k.conname";

/// Triggers that would fire: of which table, what keeps them from it, and what lets them fire again.
const TRIGGERS: &str = "\
    SELECT c.oid::regclass::text, pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', g.tgrelid::regclass, g.tgname), \
      pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', g.tgrelid::regclass, \
        CASE g.tgenabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END, g.tgname) \
    FROM family f JOIN pg_trigger g ON g.tgrelid = f.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' JOIN pg_class c ON c.oid = f.top \
    ORDER BY 1, g.tgrelid, g.tgname";

/// A table as it is now.
pub(super) struct Now {
    /// Which of the wanted ones it is.
    pub(super) place: usize,
    name: String,
    pub(super) is_partitioned: bool,
}

impl Now {
    /// Returns the table as TRUNCATE names it: what inherits from it has rows of its own.
    pub(super) fn from(&self) -> String {
        let only = if self.is_partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.name)
    }
}

/// What must be known of the tables.
pub(super) struct Facts {
    /// The tables, referenced ones before those that reference them.
    pub(super) tables: Vec<Now>,
    /// What has foreign keys in a circle wait for the end.
    pub(super) defer: Vec<String>,
    pub(super) undefer: Vec<String>,
    /// What keeps triggers from firing.
    pub(super) disable: Vec<String>,
    pub(super) enable: Vec<String>,
    /// Of which tables how many triggers do not fire.
    pub(super) silenced: Vec<(String, usize)>,
}

impl Facts {
    /// Asks the server, under the locks of the tables.
    ///
    /// # Errors
    /// A table is not as it was saved, hides rows, or is referenced by one that is not replaced.
    pub(super) async fn read(
        client: &Client,
        tables: &[&Table],
        found: &Found,
    ) -> Result<Self, Failure> {
        let names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
        let columns = format!(
            "SELECT f.place, c.oid::regclass::text, c.relkind = 'p', row_security_active(c.oid), {} \
             FROM family f JOIN pg_class c ON c.oid = f.oid WHERE f.top = f.oid ORDER BY f.place",
            fingerprint("c.oid")
        );
        let rows = ask(client, &columns, &names).await?;
        let now = rows
            .iter()
            .map(|row| now(row, tables))
            .collect::<Result<Vec<_>, _>>()?;
        let others = ask(client, REFERENCES, &names).await?;
        if !others.is_empty() {
            return Err(referenced(&others, found));
        }
        let foreign = ask(client, FOREIGN, &names).await?;
        let triggers = ask(client, TRIGGERS, &names).await?;
        let mut facts = Self {
            tables: now,
            defer: Vec::new(),
            undefer: Vec::new(),
            disable: triggers.iter().map(|row| row.get(1)).collect(),
            enable: triggers.iter().map(|row| row.get(2)).collect(),
            silenced: Vec::new(),
        };
        for row in &triggers {
            let table: String = row.get(0);
            match facts
                .silenced
                .last_mut()
                .filter(|(known, _)| *known == table)
            {
                Some((_, count)) => *count += 1,
                None => facts.silenced.push((table, 1)),
            }
        }
        facts.sort(&foreign);
        Ok(facts)
    }

    /// Puts referenced tables before those that reference them; in a circle foreign keys wait for the end.
    fn sort(&mut self, foreign: &[Row]) {
        let edges: Vec<(usize, usize)> = foreign
            .iter()
            .map(|row| (place(row, 0), place(row, 1)))
            .collect();
        let mut left = std::mem::take(&mut self.tables);
        while !left.is_empty() {
            let is_free = |now: &Now| {
                let mut needs = edges.iter().filter(|(child, _)| *child == now.place);
                !needs.any(|(_, parent)| left.iter().any(|other| other.place == *parent))
            };
            let at = left.iter().position(is_free).unwrap_or_default();
            let next = left.remove(at);
            for (row, (child, parent)) in foreign.iter().zip(&edges) {
                let waits = *child == next.place && left.iter().any(|now| now.place == *parent);
                if waits {
                    self.defer.push(row.get(3));
                    self.undefer.push(row.get(4));
                }
            }
            self.tables.push(next);
        }
    }
}

fn place(row: &Row, index: usize) -> usize {
    usize::try_from(row.get::<_, i32>(index)).unwrap_or_default()
}

fn now(row: &Row, tables: &[&Table]) -> Result<Now, Failure> {
    let (place, name): (usize, String) = (place(row, 0), row.get(1));
    if row.get(3) {
        return Err(refused(format!(
            "row-level security of {name} hides rows from this login: not all of them could be replaced"
        ))
        .note("nothing was replaced")
        .help("use the table's owner, or a login with BYPASSRLS"));
    }
    let then = tables
        .get(place)
        .map_or("", |table| table.fingerprint.as_str());
    let columns = row.get::<_, Option<String>>(4).unwrap_or_default();
    let differences = difference(then, &columns);
    if !differences.is_empty() {
        let failure = refused(format!(
            "the rows of {name} cannot be replaced: its columns are others than when it was saved"
        ));
        return Err(differences
            .into_iter()
            .fold(failure, Failure::note)
            .note("nothing was replaced")
            .help("restore it as a table beside it: `--table NAME --as NEW`; or the backup into a new database"));
    }
    Ok(Now {
        place,
        name,
        is_partitioned: row.get(2),
    })
}

/// Refuses tables that are not there.
///
/// # Errors
/// Which.
pub(super) async fn refuse_missing(client: &Client, names: &[&str]) -> Result<(), Failure> {
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    let rows = client
        .query_typed(MISSING, &params)
        .await
        .map_err(|error| failure::of(&error, MISSING, MISSING.len()))?;
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused(format!(
        "there is no table {} any more whose rows could be replaced",
        words::list(&missing)
    ))
    .note("nothing was replaced")
    .help("restore it as a new table: `--table NAME --as NEW`; or the backup into a new database"))
}

fn referenced(others: &[Row], found: &Found) -> Failure {
    let names: Vec<String> = others.iter().map(|row| row.get(0)).collect();
    let failure = others.iter().fold(
        refused("the rows cannot be replaced: tables that are not replaced reference them"),
        |failure, row| {
            let (child, parent): (String, String) = (row.get(0), row.get(1));
            failure.note(format!("{child} references {parent}"))
        },
    );
    let saved = |name: &&String| {
        let tables = &found.manifest.tables;
        tables.iter().any(|table| &table.relation == *name)
    };
    let failure = failure.note("nothing was replaced");
    let mut saved: Vec<&String> = names.iter().filter(saved).collect();
    saved.dedup();
    if saved.len() == names.len() {
        return failure.help(format!(
            "replace {} too: the backup has it",
            words::list(&saved)
        ));
    }
    failure
        .help("put single rows back instead, those that differ or are gone: `--merge`")
        .help("or restore the backup into a new database: without `--in-place`")
}

async fn ask(client: &Client, question: &str, names: &[&str]) -> Result<Vec<Row>, Failure> {
    let text = format!("{FAMILY}{question}");
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    client
        .query_typed(&text, &params)
        .await
        .map_err(|error| failure::of(&error, &text, text.len()))
}
