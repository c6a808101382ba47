//! The statements that make a table anew in another database, printed by the server that has it.
//!
//! A backup of tables brings what their rows need and what keeps them right: schemas, types, collations,
//! functions that defaults, checks and indexes call, sequences, columns, partitions, inheritance, keys, checks,
//! indexes, foreign keys between its tables, and comments. It does not bring what acts on others or says who may
//! do what: triggers, rules, views, policies, owners, rights. A `database` backup has these.

mod after;
mod before;
mod needs;

use std::collections::HashMap;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::catalog::Saved;
use crate::archive::manifest::Definition;
use crate::engine::failure::Failure;
use crate::pg::failure;

/// The tables and their partitions, as common table expressions that the questions begin with. `top` is the table
/// that is saved, `saved` whether all that the table inherits from is made along with it: what it has of these is
/// theirs then.
const FAMILY: &str = "\
    WITH RECURSIVE tree(top, oid, depth) AS ( \
      SELECT o, o, 0 FROM unnest($1::oid[]) AS o \
      UNION ALL SELECT t.top, i.inhrelid, t.depth + 1 FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid \
        JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'), \
    family AS ( \
      SELECT t.top, t.depth, c.oid, c.relname, c.relkind, c.relpersistence, c.reloptions, c.relam, c.relreplident, \
        c.relispartition, c.relpartbound, quote_ident(n.nspname) AS schema, \
        quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, \
        h.parents, coalesce(h.known, false) AS inherits, c.relispartition AND coalesce(h.known, false) AS is_part \
      FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
      LEFT JOIN LATERAL ( \
        SELECT bool_and(i.inhparent IN (SELECT oid FROM tree)) AS known, \
          string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) AS parents \
        FROM pg_inherits i WHERE i.inhrelid = c.oid) AS h ON true)";

/// Returns what makes tables anew in another database, by the catalog as the connection's transaction sees it:
/// first the types that they need, then for each table, in order, its own statements. The search path must be
/// empty, so that everything is printed with its schema.
///
/// What cannot be made by itself, such as a type that is written in C, is a statement that fails and says so: a
/// backup of such a table can still be put back where it came from.
///
/// # Errors
/// The server's word.
pub(super) async fn of(
    client: &Client,
    tables: &[Saved],
) -> Result<(Vec<String>, Vec<Definition>), Failure> {
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let (needs, before, after) = tokio::join!(biased;
        needs::of(client, &oids),
        ask(client, before::QUESTIONS, &oids),
        ask(client, after::QUESTIONS, &oids)
    );
    let (mut before, mut after) = (before?, after?);
    let mut take = |oid: &u32| Definition {
        before: before.remove(oid).unwrap_or_default(),
        after: after.remove(oid).unwrap_or_default(),
    };
    let definitions = oids.iter().map(&mut take).collect();
    Ok((needs?, definitions))
}

/// Asks for statements: each answer is a table's OID and a statement.
async fn ask(
    client: &Client,
    questions: &[&str],
    oids: &[u32],
) -> Result<HashMap<u32, Vec<String>>, Failure> {
    let mut statements: HashMap<u32, Vec<String>> = HashMap::new();
    for question in questions {
        for row in rows(client, question, oids).await? {
            let of = statements.entry(row.get(0)).or_default();
            let text: String = row.get(1);
            if !of.contains(&text) {
                of.push(text);
            }
        }
    }
    Ok(statements)
}

async fn rows(client: &Client, question: &str, oids: &[u32]) -> Result<Vec<Row>, Failure> {
    let text = format!("{FAMILY}{question}");
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&oids, Type::OID_ARRAY)];
    client
        .query_typed(&text, &params)
        .await
        .map_err(|error| failure::of(&error, &text, text.len()))
}
