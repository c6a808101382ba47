//! Which columns of a result nobody is to see: the server says of each which table's column it comes from.

use tokio_postgres::Statement;
use tokio_postgres::types::Type;

use super::Session;
use super::read::column;
use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::runbook::data::Column;
use crate::runbook::sensitive::Sensitive;
use crate::sql::ident::TableName;

/// The tables and columns of OIDs and numbers. A partition has the name of the table that it is a part of, as far as
/// this is about; what a view shows may come from anywhere.
const ORIGINS: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text \
    FROM unnest($1::oid[], $2::int2[]) WITH ORDINALITY AS o (relation, number, nth) \
    LEFT JOIN pg_catalog.pg_class c ON c.oid = o.relation AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) \
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.number \
    ORDER BY o.nth";

impl Session {
    /// Says the values of which columns nobody is to see, beside those of the target; returns all of them.
    pub fn set_sensitive(&mut self, sensitive: &[Sensitive]) -> Vec<Sensitive> {
        self.columns.clear();
        self.sensitive = [sensitive, &self.settings.profile().sensitive].concat();
        self.sensitive.clone()
    }

    /// Returns the columns of what was prepared. One that comes from no table, such as an expression or a view's, is
    /// known by its name.
    pub(super) async fn columns_of(&self, prepared: &Statement) -> Result<Vec<Column>, Failure> {
        let columns = prepared.columns();
        let mut found: Vec<Column> = columns.iter().map(column).collect();
        if self.sensitive.is_empty() || columns.is_empty() {
            return Ok(found);
        }
        let relations: Vec<u32> = columns
            .iter()
            .map(|column| column.table_oid().unwrap_or_default())
            .collect();
        let numbers: Vec<i16> = columns
            .iter()
            .map(|column| column.column_id().unwrap_or_default())
            .collect();
        let rows = self
            .client
            .query_typed(
                ORIGINS,
                &[(&relations, Type::OID_ARRAY), (&numbers, Type::INT2_ARRAY)],
            )
            .await
            .map_err(|error| failure::of(&error, ORIGINS, ORIGINS.len()))?;
        for (column, row) in found.iter_mut().zip(&rows) {
            let name = |index: usize| row.get::<_, Option<String>>(index);
            let origin = name(1).zip(name(2)).map(|(table, column)| {
                let schema = name(0);
                let table = TableName {
                    schema,
                    name: table,
                };
                (table, column)
            });
            column.sensitive = self.sensitive.iter().any(|one| match &origin {
                Some((table, from)) => one.is(table, from),
                None => one.is_named(&column.name),
            });
        }
        Ok(found)
    }
}
