//! The functions that a read calls, looked up in the catalog: a volatile one of the database's own may do
//! anything, and READ ONLY does not stop all of it.

use tokio_postgres::types::Type;

use super::failure;
use super::session::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::runbook::data::array_literal;
use crate::sql::statement::Statement;

/// What belongs to an extension that only looks into the storage is left out: its functions are declared volatile,
/// since what they find changes with every write, and change nothing themselves. Those that do are refused by name.
const VOLATILE: &str = "\
    SELECT n.nspname::text, p.proname::text, (p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1)::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
    WHERE p.proname = ANY ($1::text::text[]) AND p.provolatile = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
      AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass \
          AND d.deptype = 'e' AND e.extname IN ('amcheck', 'pageinspect', 'pg_buffercache', 'pg_freespacemap', \
            'pg_visibility', 'pgrowlocks', 'pgstattuple', 'pg_stat_statements', 'pg_walinspect'))";

/// Refuses reads that call a volatile function which PostgreSQL does not bring itself.
///
/// # Errors
/// The function, and what to do about it; or the server's word.
pub async fn refuse_volatile<'a>(
    session: &Session,
    reads: impl IntoIterator<Item = &'a Statement>,
) -> Result<(), Failure> {
    let calls: Vec<_> = reads.into_iter().flat_map(Statement::functions).collect();
    let mut names: Vec<String> = calls.iter().map(|call| call.name.clone()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let names = array_literal(&names);
    let rows = session
        .client()
        .query_typed(VOLATILE, &[(&names, Type::TEXT)])
        .await
        .map_err(|error| failure::of(&error, VOLATILE, 0))?;
    for row in &rows {
        let (schema, name, takes_one): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        // `row.name` calls a function that can do with one argument, unless it is a column.
        let called = calls.iter().find(|call| {
            call.name == name
                && (!call.attribute || takes_one == "true")
                && call
                    .schema
                    .as_ref()
                    .is_none_or(|written| *written == schema)
        });
        if called.is_some() {
            return Err(Failure::new(
                FailureKind::Statement,
                format!("the function {schema}.{name} is VOLATILE: it may change data, and a `query` or `check` never does"),
            )
            .help(format!("if it only reads, say so: ALTER FUNCTION {schema}.{name} STABLE; if it writes, call it in a `fix`")));
        }
    }
    Ok(())
}
