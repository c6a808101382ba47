//! What a table is: found by its name, with everything that must be known to save all of it.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::refused;
use crate::archive::row::Tally;
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::pg::session::fingerprint::fingerprint;
use crate::sql::ident::quote_ident;

/// A table that is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its OID.
    pub oid: u32,
    /// Its name with its schema, quoted.
    pub relation: String,
    /// Its columns, all but generated ones, unquoted.
    pub columns: Vec<String>,
    /// Its columns in words, as `session::fingerprint` gives them.
    pub fingerprint: String,
    /// The columns of a unique key without NULL: the primary key, else the shortest one.
    pub key: Vec<String>,
    /// Whether it is partitioned: its rows are those of its partitions.
    pub partitioned: bool,
    /// About how many bytes it has on the server, partitions and TOAST included.
    pub bytes: u64,
}

impl Saved {
    /// Returns the saved columns as SQL names them; `of` is what the FROM calls the table, or nothing where no other
    /// table is there.
    pub fn names(&self, of: &str) -> Vec<String> {
        let dot = if of.is_empty() { "" } else { "." };
        let columns = self.columns.iter();
        columns
            .map(|column| format!("{of}{dot}{}", quote_ident(column)))
            .collect()
    }

    /// Returns SQL for the text of a row as a record: all saved columns in order.
    pub fn record(&self) -> String {
        if self.columns.is_empty() {
            // Its line is empty, as that of one empty text is.
            return "'(\"\")'::text".to_owned();
        }
        format!("ROW({})::text", self.list())
    }

    /// Returns the saved columns, quoted, with commas between them: none for a table without columns.
    pub fn list(&self) -> String {
        self.names("").join(", ")
    }

    /// Returns the table as a FROM names it: without those that inherit from it.
    pub fn from(&self) -> String {
        let only = if self.partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.relation)
    }
}

/// The tables of these names, and those that inherit from them. Partitions do not: their rows are those of
/// their root.
const NAMED: &str = "\
    WITH RECURSIVE named(name, place, id) AS ( \
      SELECT u.name, u.place, pg_catalog.to_regclass(u.name)::oid FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(name, place)), \
    asked(name, place, id, heir) AS ( \
      SELECT name, place, id, false FROM named \
      UNION \
      SELECT asked.name, asked.place, i.inhrelid, true FROM asked \
        JOIN pg_class p ON p.oid = asked.id AND p.relkind = 'r' JOIN pg_inherits i ON i.inhparent = p.oid) ";

/// All tables that hold rows themselves. Those of extensions are made by their extension.
const ALL: &str = "\
    WITH asked(name, place, id, heir) AS ( \
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), row_number() OVER (ORDER BY n.nspname, c.relname), c.oid, false \
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
        AND n.nspname::text !~ '^pg_' AND n.nspname <> 'information_schema' \
        AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')) ";

/// What is before the fingerprint, and what is after it.
const FACTS: [&str; 2] = [
    "\
    SELECT asked.name, c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relkind::text, \
      (SELECT coalesce(pg_catalog.array_agg(a.attname::text ORDER BY a.attnum), '{}') FROM pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), ",
    ", \
      coalesce((SELECT (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place) \
                 FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, place) \
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.place <= i.indnkeyatts) \
         FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate \
           AND i.indpred IS NULL AND i.indexprs IS NULL \
           AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, place) \
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num \
                 WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull) \
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1), '{}'), \
      CASE c.relkind WHEN 'p' \
        THEN (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_table_size(p.relid)), 0)::bigint FROM pg_catalog.pg_partition_tree(c.oid) p WHERE p.isleaf) \
        WHEN 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END, \
      c.relpersistence = 't', \
      n.nspname ~ '^pg_' AND c.relpersistence <> 't' OR n.nspname = 'information_schema', \
      pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
      c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid), \
      c.relkind = 'p' AND EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_class f ON f.oid = p.relid AND f.relkind = 'f'), \
      current_user::text, asked.heir \
    FROM asked LEFT JOIN pg_class c ON c.oid = asked.id LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid IS NULL OR NOT (c.relispartition AND EXISTS ( \
      SELECT 1 FROM pg_catalog.pg_partition_ancestors(c.oid) up JOIN asked other ON other.id = up.relid WHERE up.relid <> c.oid)) \
    ORDER BY asked.place, asked.heir, 3",
];

/// Finds tables by their names as an author writes them. A table that others inherit from brings these
/// along as tables of their own. Views, foreign tables and whatever else has no rows of its own are refused,
/// and so are tables of which the login may not read everything: by its rights, or by row-level security.
///
/// # Errors
/// All names of which there is no such table, with the nearest; why one cannot be saved.
pub async fn tables(client: &Client, names: &[String]) -> Result<Vec<Saved>, Failure> {
    let found = asked(client, names).await?;
    Ok(found.into_iter().map(|asked| asked.saved).collect())
}

/// A table with how it was asked for.
pub(super) struct Asked {
    pub(super) saved: Saved,
    /// The name by which it was; none where it only inherits from one that was.
    pub(super) name: Option<String>,
    /// The name of a table that it inherits from.
    pub(super) heir_of: Option<String>,
}

/// Finds tables as [`tables`] does, and says how each was asked for.
///
/// # Errors
/// As [`tables`].
pub(super) async fn asked(client: &Client, names: &[String]) -> Result<Vec<Asked>, Failure> {
    let found = query(client, NAMED, &[(&names, Type::TEXT_ARRAY)]).await?;
    let missing: Vec<&str> = found
        .iter()
        .filter(|one| one.saved.is_none())
        .map(|one| one.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(no_tables(client, &missing).await);
    }
    sound(found)
}

/// Finds all tables of the database that hold rows, of all schemas but the system's. The rows of partitions
/// are theirs, not their root's.
///
/// # Errors
/// As [`tables`].
pub async fn all(client: &Client) -> Result<Vec<Saved>, Failure> {
    let found = sound(query(client, ALL, &[]).await?)?;
    Ok(found.into_iter().map(|asked| asked.saved).collect())
}

/// Has the server count and hash the saved columns of a table, in the open transaction.
///
/// # Errors
/// The server's word.
pub async fn tally(client: &Client, table: &Saved) -> Result<Tally, Failure> {
    let of = Tally::sql(&table.names("t"));
    let query = format!("SELECT {of} FROM {} AS t", table.from());
    let rows = client
        .query_typed(&query, &[])
        .await
        .map_err(|error| failure::of(&error, "", 0))?;
    read_tally(&rows, table)
}

/// Reads what the server counted and hashed.
pub(super) fn read_tally(rows: &[Row], table: &Saved) -> Result<Tally, Failure> {
    let read = |row: &Row| Tally::read(row.try_get(0).ok()?, row.try_get(1).ok()?);
    rows.first().and_then(read).ok_or_else(|| {
        refused(format!(
            "the server did not count the rows of {}",
            table.relation
        ))
    })
}

/// What the catalog says of a name.
struct Found {
    name: String,
    /// None where there is no such table.
    saved: Option<Saved>,
    /// Why it cannot be saved, and what to do.
    wrong: Option<(String, String)>,
    /// Whether it is there only because it inherits from another.
    heir: bool,
}

async fn query(
    client: &Client,
    asked: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Found>, Failure> {
    let query = format!("{asked}{}{}{}", FACTS[0], fingerprint("c.oid"), FACTS[1]);
    let wrong = |error: tokio_postgres::Error| failure::of(&error, "", 0);
    let rows = client.query_typed(&query, params).await.map_err(wrong)?;
    rows.iter().map(|row| read(row).map_err(wrong)).collect()
}

fn read(row: &Row) -> Result<Found, tokio_postgres::Error> {
    let name = row.try_get(0)?;
    let heir = row.try_get(14)?;
    let Some(oid) = row.try_get(1)? else {
        return Ok(Found {
            name,
            saved: None,
            wrong: None,
            heir,
        });
    };
    let kind: String = row.try_get(3)?;
    let saved = Saved {
        oid,
        relation: row.try_get(2)?,
        columns: row.try_get(4)?,
        fingerprint: row.try_get::<_, Option<_>>(5)?.unwrap_or_default(),
        key: row.try_get(6)?,
        partitioned: kind == "p",
        // A table that was dropped a moment ago has no size.
        bytes: row
            .try_get::<_, Option<i64>>(7)?
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default(),
    };
    Ok(Found {
        name,
        wrong: wrong(row, &saved.relation, &kind)?,
        saved: Some(saved),
        heir,
    })
}

/// Says why a table cannot be saved in full, and what to do.
fn wrong(
    row: &Row,
    table: &str,
    kind: &str,
) -> Result<Option<(String, String)>, tokio_postgres::Error> {
    let flag = |index: usize| {
        row.try_get::<_, Option<bool>>(index)
            .map(|flag| flag == Some(true))
    };
    let login: String = row.try_get(13)?;
    let what = match kind {
        "r" | "p" => None,
        "v" => Some("a view: it has no rows of its own"),
        "m" => Some("a materialized view: its rows are made from those of tables"),
        "f" => Some("a foreign table: its rows are on another server"),
        _ => Some("no table"),
    };
    if let Some(what) = what {
        let help = "name the tables that hold the rows";
        return Ok(Some((format!("{table} is {what}"), help.to_owned())));
    }
    if flag(8)? {
        let help = "name tables that stay";
        return Ok(Some((format!("{table} is temporary"), help.to_owned())));
    }
    if flag(9)? {
        let why = format!("{table} belongs to PostgreSQL itself");
        return Ok(Some((why, "name tables of your own".to_owned())));
    }
    if !flag(10)? {
        return Ok(Some((
            format!("{login} may not read {table}"),
            format!(
                "GRANT SELECT ON {table} TO {login}, and USAGE on its schema; or use a login that may read it"
            ),
        )));
    }
    if flag(11)? {
        return Ok(Some((
            format!(
                "row-level security of {table} hides rows from {login}: only a part of it would be saved"
            ),
            format!(
                "use a login that sees all rows: the table's owner, or one with BYPASSRLS (ALTER ROLE {login} BYPASSRLS)"
            ),
        )));
    }
    if flag(12)? {
        return Ok(Some((
            format!(
                "{table} has a partition that is a foreign table: its rows are on another server"
            ),
            "name the other partitions one by one".to_owned(),
        )));
    }
    Ok(None)
}

/// Returns the tables, each once, unless one of them cannot be saved in full.
fn sound(found: Vec<Found>) -> Result<Vec<Asked>, Failure> {
    let mut wrong: Vec<(String, String)> =
        found.iter().filter_map(|one| one.wrong.clone()).collect();
    wrong.dedup();
    if let Some((why, help)) = wrong.first() {
        let rest = wrong.iter().skip(1);
        let failure = rest.fold(refused(why), |failure, (why, _)| failure.note(why));
        return Err(failure.help(help));
    }
    let mut tables: Vec<Asked> = Vec::new();
    for one in found {
        let Some(saved) = one.saved else {
            continue;
        };
        let (name, heir_of) = if one.heir {
            (None, Some(one.name))
        } else {
            (Some(one.name), None)
        };
        match tables.iter_mut().find(|known| known.saved.oid == saved.oid) {
            Some(known) => {
                known.name = known.name.take().or(name);
                known.heir_of = known.heir_of.take().or(heir_of);
            }
            None => tables.push(Asked {
                saved,
                name,
                heir_of,
            }),
        }
    }
    Ok(tables)
}

/// Returns the failure of names of which there are no tables.
async fn no_tables(client: &Client, missing: &[&str]) -> Failure {
    const TABLES: &str = "\
        SELECT c.relname::text, pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_table_is_visible(c.oid) \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'p') AND n.nspname::text !~ '^pg_' AND n.nspname <> 'information_schema'";
    let message = match missing {
        [only] => format!("there is no table {only}"),
        many => format!("there are no tables {}", words::list(many)),
    };
    // Without the names that are near the failure is still the one to tell.
    let rows = client.query_typed(TABLES, &[]).await.unwrap_or_default();
    let mut known: Vec<String> = Vec::new();
    for row in &rows {
        let text = |index| row.try_get::<_, String>(index).unwrap_or_default();
        if row.try_get(2).unwrap_or_default() {
            known.push(text(0));
        }
        known.push(text(1));
    }
    let failure = Failure::new(FailureKind::Backup, message);
    let near = missing
        .iter()
        .filter_map(|name| words::did_you_mean(name, known.iter().map(String::as_str)));
    let failure = near.fold(failure, Failure::help);
    if failure.help.is_empty() {
        return failure.help(
            "is this the database that you mean? a schema may have to be named: sales.orders",
        );
    }
    failure
}
