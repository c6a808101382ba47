//! What row capture must know of a table: its columns, its key, and which values differ by their nature.

use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Session;
use super::fingerprint::fingerprint;
use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::sql::ident::TableName;

/// The facts of one table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableFacts {
    /// Its name as the output shows it.
    pub(super) name: String,
    /// The name under which the server's counters are summed up: of a partition its root's.
    pub(super) root: String,
    /// Its columns in the order in which a row is printed.
    pub(super) columns: Vec<ColumnFacts>,
    /// The columns of its primary key, or of a unique index that no NULL can escape.
    pub(super) key: Vec<String>,
    /// The columns to which only the server gives values: an identity ALWAYS.
    pub(super) always: Vec<String>,
    /// Its name with its schema, quoted.
    pub(super) relation: String,
    /// What it is, as the catalog says it: `r` a table, `p` a partitioned one, `v` a view, `f` a foreign one.
    pub(super) kind: String,
    /// Its columns in words.
    pub(super) fingerprint: String,
    /// Whether it has triggers of its own, beside those of foreign keys.
    pub(super) has_triggers: bool,
    /// Whether a rule rewrites what is done to it.
    pub(super) has_rules: bool,
    /// Whether row-level security may hide rows from this login.
    pub(super) hides_rows: bool,
    /// The tables that inherit from it, with their schemas, quoted; partitions are not among them.
    pub(super) children: Vec<String>,
}

impl TableFacts {
    /// Returns how to read all rows of the table, and none of those that inherit from it.
    pub(super) fn alone(&self) -> String {
        let only = if self.kind == "p" { "" } else { "ONLY " };
        format!("{only}{}", self.relation)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColumnFacts {
    pub(super) name: String,
    /// Whether a new row gets another value each time: identity, a sequence, a random or clock default.
    pub(super) volatile: bool,
    /// Whether it holds a date or a time.
    pub(super) temporal: bool,
    /// Whether it refers to a row of a table.
    pub(super) reference: bool,
}

/// What is before the table's fingerprint, and what is after it.
const FACTS: [&str; 2] = [
    "\
    SELECT c.oid::regclass::text, c.relkind::text, a.attname::text, \
           (a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) ~* \
             '\\m(nextval|\\w*uuid\\w*|random|clock_timestamp|timeofday|now|transaction_timestamp|statement_timestamp)\\s*\\(|\\mCURRENT_(TIMESTAMP|TIME|DATE)\\M|\\mLOCALTIME', false))::text, \
           coalesce(array_position(k.cols, a.attnum), 0)::text, \
           coalesce(pg_catalog.pg_partition_root(c.oid::regclass), c.oid)::regclass::text, \
           (t.typcategory = 'D')::text, \
           EXISTS (SELECT 1 FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey))::text, \
           (a.attidentity = 'a')::text, \
           pg_catalog.format('%I.%I', s.nspname, c.relname), \
           EXISTS (SELECT 1 FROM pg_trigger g WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgrelid IN \
             (SELECT c.oid UNION ALL SELECT p.relid FROM pg_partition_tree(c.oid) p))::text, \
           (c.relkind IN ('r', 'p') AND EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_enabled <> 'D'))::text, \
           (c.relkind IN ('r', 'p') AND row_security_active(c.oid))::text, \
           (WITH RECURSIVE heir(id) AS (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r' \
              UNION SELECT i.inhrelid FROM pg_inherits i JOIN heir ON i.inhparent = heir.id) \
            SELECT array_agg(pg_catalog.format('%I.%I', hs.nspname, hc.relname) ORDER BY hs.nspname, hc.relname) FROM heir \
              JOIN pg_class hc ON hc.oid = heir.id JOIN pg_namespace hs ON hs.oid = hc.relnamespace), ",
    " \
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
    LEFT JOIN LATERAL ( \
      SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS cols FROM pg_index i \
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate \
        AND i.indpred IS NULL AND i.indexprs IS NULL \
        AND NOT EXISTS (SELECT 1 FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS n(num) \
                        JOIN pg_attribute ka ON ka.attrelid = c.oid AND ka.attnum = n.num WHERE NOT ka.attnotnull) \
      ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) k ON true \
    WHERE c.oid = to_regclass($1) ORDER BY a.attnum",
];

impl Session {
    /// Returns the facts of a table; none where its rows cannot be captured, since it is no table.
    pub(super) async fn table(
        &mut self,
        name: &TableName,
    ) -> Result<Option<Arc<TableFacts>>, Failure> {
        self.table_named(&name.to_string()).await
    }

    /// Returns the facts of a table by its name as SQL writes it.
    pub(super) async fn table_named(
        &mut self,
        name: &str,
    ) -> Result<Option<Arc<TableFacts>>, Failure> {
        if let Some(known) = self.tables.get(name) {
            return Ok(known.clone());
        }
        let query = format!("{}{}{}", FACTS[0], fingerprint("c.oid"), FACTS[1]);
        let rows = self
            .client
            .query_typed(&query, &[(&name, Type::TEXT)])
            .await
            .map_err(|error| failure::of(&error, &query, 0))?;
        let facts = read(&rows).map(Arc::new);
        self.tables.insert(name.to_owned(), facts.clone());
        Ok(facts)
    }
}

fn read(rows: &[Row]) -> Option<TableFacts> {
    let text = |row: &Row, index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
    let flag = |row: &Row, index: usize| text(row, index) == "true";
    let mut key: Vec<(usize, String)> = Vec::new();
    let mut columns = Vec::new();
    for row in rows {
        let column = text(row, 2);
        match text(row, 4).parse() {
            Ok(0) | Err(_) => {}
            Ok(position) => key.push((position, column.clone())),
        }
        columns.push(ColumnFacts {
            name: column,
            volatile: flag(row, 3),
            temporal: flag(row, 6),
            reference: flag(row, 7),
        });
    }
    key.sort();
    let first = rows.first()?;
    let kind = text(first, 1);
    matches!(kind.as_str(), "r" | "p" | "v" | "f").then(|| TableFacts {
        name: text(first, 0),
        root: text(first, 5),
        columns,
        key: key.into_iter().map(|(_, column)| column).collect(),
        always: rows
            .iter()
            .filter(|row| flag(row, 8))
            .map(|row| text(row, 2))
            .collect(),
        relation: text(first, 9),
        kind,
        has_triggers: flag(first, 10),
        has_rules: flag(first, 11),
        hides_rows: flag(first, 12),
        children: first.get::<_, Option<Vec<String>>>(13).unwrap_or_default(),
        fingerprint: text(first, 14),
    })
}
