//! A table of a backup as a new table beside the one that it was saved from.

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::super::{Site, load, refused};
use super::{TEXTS, backed, compare, run, sequence, wanted};
use crate::archive::manifest::Table;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::backup::BackedTable;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::failure;
use crate::pg::session::Session;
use crate::pg::session::fingerprint::fingerprint;
use crate::sql::ident::quote_ident;

/// Makes the table, fills it and compares it.
pub(super) async fn make(
    session: &mut Session,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    (table, name): (&str, &str),
    limits: &Limits,
) -> Result<BackedTable, Failure> {
    let client = session.client();
    let work = async {
        let table = wanted::one(client, &found.manifest, table).await?;
        run(client, &format!("BEGIN; {TEXTS}")).await?;
        let name = free(client, table, name).await?;
        create(client, table, &name).await?;
        load::copy_into(client, site, found, table, key, &name).await?;
        compare(client, table, &name, false).await?;
        sequence::advance(client, &name).await?;
        run(client, &format!("ANALYZE {name}; COMMIT")).await?;
        Ok(BackedTable {
            table: name,
            ..backed(table)
        })
    };
    let done = session.guarded(limits, work).await;
    if done.is_err() {
        // The first failure is the one to tell.
        let _ = session.client().batch_execute("ROLLBACK").await;
    }
    done
}

/// Returns a new table's name, quoted and with its schema: that of the saved one, where it names none.
async fn free(client: &Client, table: &Table, name: &str) -> Result<String, Failure> {
    const NAME: &str = "\
        SELECT f.name, pg_catalog.to_regclass(f.name) IS NOT NULL FROM ( \
          SELECT pg_catalog.format('%I.%I', CASE cardinality(n.parts) WHEN 1 THEN s.parts[1] ELSE n.parts[1] END, \
            n.parts[cardinality(n.parts)]) AS name \
          FROM (SELECT parse_ident($1)) AS n(parts), (SELECT parse_ident($2)) AS s(parts)) AS f";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&name, Type::TEXT), (&table.relation, Type::TEXT)];
    let rows = client
        .query_typed(NAME, &params)
        .await
        .map_err(|error| failure::of(&error, NAME, NAME.len()))?;
    let row = rows
        .first()
        .ok_or_else(|| refused(format!("{name} is no name of a table")))?;
    let name: String = row.get(0);
    if row.get(1) {
        return Err(refused(format!("there is a table {name} already"))
            .note("a table is never overwritten by this; nothing was changed")
            .help("give the new one another name: `--as NAME`"));
    }
    Ok(name)
}

/// Makes the table: like the live one where it has the same columns, else as it was when it was saved.
async fn create(client: &Client, table: &Table, name: &str) -> Result<(), Failure> {
    let text = format!(
        "SELECT coalesce({}, ''), EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = l.id AND k.contype = 'c' AND NOT k.convalidated) \
         FROM (SELECT pg_catalog.to_regclass($1)::oid) AS l(id)",
        fingerprint("l.id")
    );
    let rows = client
        .query_typed(&text, &[(&table.relation, Type::TEXT)])
        .await
        .map_err(|error| failure::of(&error, &text, text.len()))?;
    let is_like = |row: &tokio_postgres::Row| row.get::<_, String>(0) == table.fingerprint;
    if let Some(row) = rows.first().filter(|row| is_like(row)) {
        // Rows that a check is not held to may be among those that come.
        let checks = if row.get(1) {
            " EXCLUDING CONSTRAINTS"
        } else {
            ""
        };
        let live = &table.relation;
        let like = format!("CREATE TABLE {name} (LIKE {live} INCLUDING ALL{checks})");
        return run(client, &like).await;
    }
    anew(client, table, name).await
}

/// Makes the table by its own definition, without what it had together with others.
async fn anew(client: &Client, table: &Table, name: &str) -> Result<(), Failure> {
    let begins = [
        format!("CREATE TABLE {} (", table.relation),
        format!("CREATE UNLOGGED TABLE {} (", table.relation),
    ];
    let columns = table.definition.before.iter().find_map(|statement| {
        let rest = begins
            .iter()
            .find_map(|begin| statement.strip_prefix(begin.as_str()))?;
        // The columns end with a parenthesis on a line of its own.
        rest.rfind("\n)").and_then(|end| rest.get(..end))
    });
    let columns = columns.ok_or_else(|| {
        refused(format!(
            "{} has other columns now, or is gone, and the backup does not say what they were",
            table.relation
        ))
        .help("restore the backup into a new database, and take the rows from there")
    })?;
    for statement in &table.definition.before {
        if statement.starts_with("CREATE SEQUENCE IF NOT EXISTS ") {
            run(client, statement).await?;
        }
    }
    run(client, &format!("CREATE TABLE {name} ({columns}\n)")).await?;
    if table.key.is_empty() {
        return Ok(());
    }
    let key: Vec<String> = table.key.iter().map(|column| quote_ident(column)).collect();
    let key = format!("ALTER TABLE {name} ADD PRIMARY KEY ({})", key.join(", "));
    run(client, &key).await
}
