//! A table whose rows are put back: what it is now, and the SQL by which its rows meet their images.

use tokio_postgres::Row;

use super::super::fingerprint::{difference, fingerprint};
use super::source::Source;
use super::{conflict, text};
use crate::engine::failure::Failure;
use crate::sql::ident::quote_ident;

/// A table whose rows are put back.
pub(super) struct Relation {
    /// Its name with its schema, quoted.
    pub(super) name: String,
    /// Its name as the output shows it.
    pub(super) shown: String,
    /// The names under which the server counts its changes: its own, and those of what inherits from it.
    pub(super) counted: Vec<String>,
    /// The tables that it references, as they are counted.
    pub(super) parents: Vec<String>,
    /// `ONLY`, where what inherits from it has images of its own.
    only: &'static str,
    /// Its columns in the order in which a row is printed.
    pub(super) columns: Vec<String>,
    generated: Vec<String>,
    /// Whether triggers may change more than what is put back.
    pub(super) has_triggers: bool,
    pub(super) key: Vec<String>,
    /// Columns that are not compared: triggers keep them.
    left_out: Vec<String>,
    /// The numbers of its captures, oldest first.
    pub(super) captures: Vec<i64>,
    /// Whether only triggers and cascades changed it.
    pub(super) is_indirect: bool,
}

/// Returns the question for what tables are.
pub(super) fn facts() -> String {
    format!(
        "SELECT r.name, c.oid::regclass::text, (c.relkind = 'p')::text, {}, \
           ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum), \
           ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''), \
           ARRAY(SELECT DISTINCT coalesce(pg_catalog.pg_partition_root(f.oid::regclass), f.oid)::regclass::text FROM family f WHERE f.top = c.oid), \
           ARRAY(SELECT DISTINCT coalesce(pg_catalog.pg_partition_root(k.confrelid::regclass), k.confrelid)::regclass::text \
                 FROM pg_constraint k JOIN family f ON f.oid = k.conrelid WHERE f.top = c.oid AND k.contype = 'f'), \
           EXISTS (SELECT FROM pg_trigger g JOIN family f ON f.oid = g.tgrelid WHERE f.top = c.oid AND NOT g.tgisinternal)::text, \
           coalesce(pg_catalog.pg_partition_root(c.oid::regclass), c.oid)::regclass::text \
         FROM unnest($1::text[]) WITH ORDINALITY AS r(name, nr) JOIN pg_class c ON c.oid = to_regclass(r.name) ORDER BY r.nr",
        fingerprint("c.oid")
    )
    .replacen(
        "SELECT",
        "WITH RECURSIVE family(top, oid) AS ( \
           SELECT to_regclass(name)::oid, to_regclass(name)::oid FROM unnest($1::text[]) AS name \
           UNION SELECT f.top, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid) SELECT",
        1,
    )
}

impl Relation {
    /// Takes what the server says of a table, and refuses it where its columns are others than those of the
    /// images.
    pub(super) fn read(row: &Row, source: &Source) -> Result<Self, Failure> {
        let name: String = row.get(0);
        let shown: String = row.get(1);
        let now = text(row, 3).unwrap_or_default();
        let held: Vec<_> = source
            .captures
            .iter()
            .filter(|held| held.capture.relation == name)
            .collect();
        let (mut key, mut left_out) = (Vec::new(), Vec::new());
        for held in &held {
            let differences = difference(&held.capture.columns, &now);
            if !differences.is_empty() {
                let failure = conflict(format!(
                    "the rows of {shown} cannot be put back: its columns are others than when they were changed"
                ));
                return Err(differences
                    .into_iter()
                    .fold(failure, Failure::note)
                    .note("nothing was put back")
                    .help("bring the columns back to what they were, or change the rows by a runbook of its own"));
            }
            key.clone_from(&held.capture.key);
            left_out.extend(held.capture.kept.iter().cloned());
            left_out.extend(held.capture.ignored.iter().cloned());
        }
        let is_partitioned = text(row, 2).as_deref() == Some("true");
        let columns: Vec<String> = row.get(4);
        // The key is what a row is found by, so it is compared whatever a fix ignores.
        left_out.retain(|column| columns.contains(column) && !key.contains(column));
        let is_alone = !is_partitioned && held.iter().all(|held| held.capture.alone);
        Ok(Self {
            only: if is_alone { "ONLY " } else { "" },
            counted: if is_alone {
                vec![row.get(9)]
            } else {
                row.get(6)
            },
            generated: row.get(5),
            parents: row.get(7),
            has_triggers: text(row, 8).as_deref() == Some("true"),
            captures: held.iter().map(|held| held.id).collect(),
            is_indirect: held.iter().all(|held| !held.capture.direct),
            name,
            shown,
            columns,
            key,
            left_out,
        })
    }

    /// Returns the table as a FROM names it, under the alias `t`.
    pub(super) fn from(&self) -> String {
        format!("{}{} AS t", self.only, self.name)
    }

    /// Returns the condition that a row of `t` has the key of a record.
    pub(super) fn has_key_of(&self, record: &str) -> String {
        let parts = self.key.iter().map(|column| {
            let column = quote_ident(column);
            format!("t.{column} = ({record}).{column}")
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// Returns the condition that a row of `t` is as an image says. Its text is compared first; should the
    /// run's settings print values in another way than those of the images, the image is printed anew.
    pub(super) fn is_as(&self, image: &str) -> String {
        let name = &self.name;
        if self.left_out.is_empty() {
            return format!("((t.*)::text = {image} OR (t.*)::text = (({image})::{name})::text)");
        }
        let fields = |record: &str| {
            self.columns
                .iter()
                .filter(|column| {
                    !self.left_out.contains(column) && !self.generated.contains(column)
                })
                .map(|column| format!("{record}.{}", quote_ident(column)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        format!(
            "(SELECT ROW({})::text = ROW({})::text FROM (SELECT ({image})::{name} AS r OFFSET 0) AS m)",
            fields("t"),
            fields("(m.r)")
        )
    }

    /// Returns whether a column is compared.
    pub(super) fn compares(&self, column: &str) -> bool {
        !self.left_out.iter().any(|left| left == column)
    }

    /// Returns the columns of these that a statement may set.
    pub(super) fn settable<'a>(
        &'a self,
        columns: &'a [String],
    ) -> impl Iterator<Item = String> + 'a {
        columns
            .iter()
            .filter(|column| !self.generated.contains(column))
            .map(|column| quote_ident(column))
    }

    /// Returns a query for what all captures together did to each row: its text before the first, and after
    /// the last.
    pub(super) fn net(&self, source: &Source) -> String {
        let table = source.table;
        match self.captures.as_slice() {
            [only] => format!(
                "SELECT i.key, i.before, i.after FROM {table} i \
                 WHERE i.capture = {only} AND coalesce(i.before, i.after) IS NOT NULL"
            ),
            several => {
                let ids: Vec<String> = several.iter().map(i64::to_string).collect();
                format!(
                    "SELECT g.key, g.before, g.after FROM (SELECT i.key, (array_agg(i.before ORDER BY i.capture))[1] AS before, \
                       (array_agg(i.after ORDER BY i.capture DESC))[1] AS after \
                     FROM {table} i WHERE i.capture IN ({}) GROUP BY i.key) AS g WHERE coalesce(g.before, g.after) IS NOT NULL",
                    ids.join(", ")
                )
            }
        }
    }
}
