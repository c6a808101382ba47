//! What row capture must know of a table: its columns, its key, and which values differ by their nature.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::Session;
use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::sql::ident::TableName;

/// The facts of one table.
#[derive(Debug)]
pub(super) struct TableFacts {
    /// Its name as the output shows it.
    pub(super) name: String,
    /// The name under which the server's counters are summed up: of a partition its root's.
    pub(super) root: String,
    /// Its columns in the order in which a row is printed.
    pub(super) columns: Vec<ColumnFacts>,
    /// The columns of its primary key, or of a unique index that no NULL can escape.
    pub(super) key: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ColumnFacts {
    pub(super) name: String,
    /// Whether a new row gets another value each time: identity, a sequence, a random or clock default.
    pub(super) volatile: bool,
    /// Whether it holds a date or a time.
    pub(super) temporal: bool,
    /// Whether it refers to a row of a table.
    pub(super) reference: bool,
}

const FACTS: &str = "\
    SELECT c.oid::regclass::text, c.relkind::text, a.attname::text, \
           (a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) ~* \
             '\\m(nextval|\\w*uuid\\w*|random|clock_timestamp|timeofday|now|transaction_timestamp|statement_timestamp)\\s*\\(|\\mCURRENT_(TIMESTAMP|TIME|DATE)\\M|\\mLOCALTIME', false))::text, \
           coalesce(array_position(k.cols, a.attnum), 0)::text, \
           coalesce(pg_partition_root(c.oid), c.oid)::regclass::text, \
           (t.typcategory = 'D')::text, \
           EXISTS (SELECT 1 FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey))::text \
    FROM pg_class c \
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
    WHERE c.oid = to_regclass($1) ORDER BY a.attnum";

impl Session {
    /// Returns the facts of a table; none where its rows cannot be captured, since it is no table.
    pub(super) async fn table(
        &mut self,
        name: &TableName,
    ) -> Result<Option<Arc<TableFacts>>, Failure> {
        let name = name.to_string();
        if let Some(known) = self.tables.get(&name) {
            return Ok(known.clone());
        }
        let rows = self
            .client
            .query_typed(FACTS, &[(&name, Type::TEXT)])
            .await
            .map_err(|error| failure::of(&error, FACTS, 0))?;
        let text = |row: &tokio_postgres::Row, index: usize| {
            row.get::<_, Option<String>>(index).unwrap_or_default()
        };
        let mut key: Vec<(usize, String)> = Vec::new();
        let mut columns = Vec::new();
        for row in &rows {
            let column = text(row, 2);
            match text(row, 4).parse() {
                Ok(0) | Err(_) => {}
                Ok(position) => key.push((position, column.clone())),
            }
            columns.push(ColumnFacts {
                name: column,
                volatile: text(row, 3) == "true",
                temporal: text(row, 6) == "true",
                reference: text(row, 7) == "true",
            });
        }
        key.sort();
        let is_table = rows
            .first()
            .is_some_and(|row| matches!(text(row, 1).as_str(), "r" | "p" | "v"));
        let facts = is_table.then(|| {
            Arc::new(TableFacts {
                name: rows.first().map(|row| text(row, 0)).unwrap_or_default(),
                root: rows.first().map(|row| text(row, 5)).unwrap_or_default(),
                columns,
                key: key.into_iter().map(|(_, column)| column).collect(),
            })
        });
        self.tables.insert(name, facts.clone());
        Ok(facts)
    }
}
