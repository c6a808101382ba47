//! The sequences of a table's columns, which must be ahead of what is in the table.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::engine::failure::Failure;
use crate::pg::failure;

/// The statements that move the sequences of a table's columns: identity and `serial`. They only ever go on.
const ADVANCES: &str = "\
    SELECT pg_catalog.format( \
      'SELECT pg_catalog.setval(%L, x.last) FROM (SELECT %s(t.%I)::bigint AS last FROM %s AS t) AS x, %s AS q \
       WHERE x.last %s q.last_value OR x.last = q.last_value AND NOT q.is_called', \
      s.seqrelid::regclass, CASE WHEN s.seqincrement > 0 THEN 'max' ELSE 'min' END, a.attname, c.oid::regclass, s.seqrelid::regclass, \
      CASE WHEN s.seqincrement > 0 THEN '>' ELSE '<' END) \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum \
        AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') \
      JOIN pg_sequence s ON s.seqrelid = d.objid \
    WHERE c.oid = pg_catalog.to_regclass($1) AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)";

/// Moves the sequences of a table on, where they are behind its rows.
///
/// # Errors
/// The server's word.
pub(super) async fn advance(client: &Client, relation: &str) -> Result<(), Failure> {
    let rows = client
        .query_typed(ADVANCES, &[(&relation, Type::TEXT)])
        .await
        .map_err(|error| failure::of(&error, ADVANCES, ADVANCES.len()))?;
    for row in &rows {
        super::run(client, row.get(0)).await?;
    }
    Ok(())
}
