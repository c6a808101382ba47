//! All that a database has now, as a check of it wants it: what its schemas hold, but not what extensions brought,
//! partitions, and what PostgreSQL and this program keep for themselves.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::failure;
use super::session::Session;
use crate::engine::database::{OfTable, Wanted};
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::sql::ident::quote_ident;

/// With an empty search path, types are written with their schemas.
const ALONE: &str = "SELECT set_config('search_path', '', true)";

/// The schemas of people, and what did not come with an extension or as a part of another thing.
const OURS: &str = "\
    s.nspname !~ '^pg_' AND s.nspname NOT IN ('information_schema', 'runbook') \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = '{class}'::regclass \
        AND d.objid = {oid} AND d.deptype = ANY ('{kinds}'))";

const TABLES: &str = "\
    SELECT s.nspname::text, c.relname::text, c.relrowsecurity \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND {ours} \
    ORDER BY s.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

const COLUMNS: &str = "\
    SELECT s.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND {ours} \
    ORDER BY s.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attnum";

/// Since PostgreSQL 18 NOT NULL is a constraint with a name of the server's own; it says nothing to a reader.
const CONSTRAINTS: &str = "\
    SELECT s.nspname::text, c.relname::text, o.conname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
    JOIN pg_catalog.pg_constraint o ON o.conrelid = c.oid AND o.convalidated AND o.contype NOT IN ('n', 't') \
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND {ours} \
    ORDER BY s.nspname COLLATE \"C\", c.relname COLLATE \"C\", o.conname COLLATE \"C\"";

const TRIGGERS: &str = "\
    SELECT s.nspname::text, c.relname::text, t.tgname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
    WHERE NOT c.relispartition AND {ours} \
    ORDER BY s.nspname COLLATE \"C\", c.relname COLLATE \"C\", t.tgname COLLATE \"C\"";

/// The index of a constraint is there with the constraint.
const INDEXES: &str = "\
    SELECT s.nspname::text, c.relname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
    JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND i.indisvalid AND i.indisready \
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
    WHERE NOT c.relispartition AND NOT t.relispartition AND {ours} \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conindid = c.oid AND o.contype IN ('p', 'u', 'x')) \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
        AND d.objid = t.oid AND d.deptype = 'e') \
    ORDER BY s.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

const FUNCTIONS: &str = "\
    SELECT f.schema, f.name, f.of FROM ( \
        SELECT s.nspname::text AS schema, p.proname::text AS name, array_to_string(ARRAY( \
            SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n) ORDER BY a.n \
        ), ', ') AS of \
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace WHERE {ours} \
    ) AS f ORDER BY f.schema COLLATE \"C\", f.name COLLATE \"C\", f.of COLLATE \"C\"";

const EXTENSIONS: &str =
    "SELECT extname::text FROM pg_catalog.pg_extension ORDER BY extname COLLATE \"C\"";

/// What the database sets for all who connect to it. Applications keep secrets there too.
const SETTINGS: &str = "\
    SELECT split_part(o.text, '=', 1), substr(o.text, strpos(o.text, '=') + 1) \
    FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
    CROSS JOIN LATERAL unnest(s.setconfig) AS o (text) \
    WHERE s.setrole = 0 AND d.datname = current_database() \
    AND split_part(o.text, '=', 1) !~* '\\..*(secret|password|token|key|credential)' \
    ORDER BY o.text COLLATE \"C\"";

impl Session {
    /// Returns all that the database has now.
    ///
    /// # Errors
    /// The server's word.
    pub async fn inventory(&mut self, limits: &Limits) -> Result<Wanted, Failure> {
        self.inspect(limits, async |client: &tokio_postgres::Client| {
            let ask = async |text: &str| {
                let rows = client.query_typed(text, &[]).await;
                rows.map_err(|error| failure::of(&error, text, 0))
            };
            ask(ALONE).await?;
            let class = |text: &str| ours(text, "pg_catalog.pg_class", "c.oid");
            let tables = ask(&class(TABLES)).await?;
            let indexes = ask(&class(INDEXES)).await?;
            let functions = ask(&ours(FUNCTIONS, "pg_catalog.pg_proc", "p.oid")).await?;
            let names = Names::of(tables.iter().chain(&indexes).chain(&functions))?;
            let secured = tables.iter().filter(|row| row.try_get(2).unwrap_or(false));
            let pairs = |row: &Row| Ok((text(row, 0)?, text(row, 1)?));
            let settings = ask(SETTINGS).await?;
            let extensions = ask(EXTENSIONS).await?;
            Ok(Wanted {
                tables: names.all(&tables)?,
                columns: names.under(&ask(&class(COLUMNS)).await?, |row| {
                    Ok((quoted(row, 2)?, Some(text(row, 3)?)))
                })?,
                constraints: names.under(&ask(&class(CONSTRAINTS)).await?, |row| quoted(row, 2))?,
                triggers: names.under(&ask(&class(TRIGGERS)).await?, |row| quoted(row, 2))?,
                indexes: names.all(&indexes)?,
                functions: functions
                    .iter()
                    .map(|row| Ok(format!("{}({})", names.name(row)?, text(row, 2)?)))
                    .collect::<Result<_, Failure>>()?,
                row_security: secured
                    .map(|row| names.name(row))
                    .collect::<Result<_, _>>()?,
                extensions: extensions
                    .iter()
                    .map(|row| quoted(row, 0))
                    .collect::<Result<_, _>>()?,
                roles: Vec::new(),
                settings: settings.iter().map(pairs).collect::<Result<_, Failure>>()?,
                rows: Vec::new(),
                schema: names.schema.as_deref().map(quote_ident),
            })
        })
        .await
    }
}

/// Fills in which objects are people's own. A partitioned table depends on itself as an internal part does, so
/// that says something of functions only.
fn ours(question: &str, class: &str, oid: &str) -> String {
    let kinds = if class == "pg_catalog.pg_proc" {
        "{e,i}"
    } else {
        "{e}"
    };
    let ours = OURS
        .replace("{class}", class)
        .replace("{oid}", oid)
        .replace("{kinds}", kinds);
    question.replace("{ours}", &ours)
}

fn text(row: &Row, index: usize) -> Result<String, Failure> {
    row.try_get(index)
        .map_err(|error| failure::of(&error, "", 0))
}

fn quoted(row: &Row, index: usize) -> Result<String, Failure> {
    text(row, index).map(|name| quote_ident(&name))
}

/// How things are named: those of the schema that the check names stand without it.
struct Names {
    schema: Option<String>,
}

impl Names {
    /// Takes `public` as the schema that the check names, else the first there is.
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<Self, Failure> {
        let mut schemas: Vec<String> = rows.map(|row| text(row, 0)).collect::<Result<_, _>>()?;
        schemas.sort();
        let public = schemas.iter().position(|schema| schema == "public");
        let first = public.unwrap_or_default();
        Ok(Self {
            schema: schemas.into_iter().nth(first),
        })
    }

    fn name(&self, row: &Row) -> Result<String, Failure> {
        let (schema, name) = (text(row, 0)?, quoted(row, 1)?);
        Ok(if self.schema.as_ref() == Some(&schema) {
            name
        } else {
            format!("{}.{name}", quote_ident(&schema))
        })
    }

    fn all(&self, rows: &[Row]) -> Result<Vec<String>, Failure> {
        rows.iter().map(|row| self.name(row)).collect()
    }

    /// Groups what belongs to tables; the tables are in the order of the rows.
    fn under<T>(
        &self,
        rows: &[Row],
        of: impl Fn(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<OfTable<T>>, Failure> {
        let mut tables: Vec<OfTable<T>> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let table = self.name(row)?;
            let place = *places.entry(table.clone()).or_insert(tables.len());
            if place == tables.len() {
                tables.push((table, Vec::new()));
            }
            if let Some((_, all)) = tables.get_mut(place) {
                all.push(of(row)?);
            }
        }
        Ok(tables)
    }
}
