//! The statements that capture what a change does: the rows are locked and counted first, changed next,
//! and joined to what they were in the same statement.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::Session;
use super::table::TableFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Terms;
use crate::engine::port::Bound;
use crate::pg::{bind, failure};
use crate::runbook::data::array_literal;
use crate::sql::ident::{quote_ident, quote_literal};
use crate::sql::target::{Dml, OnConflict, Target};

/// What a statement is about, and how it is captured.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) target: &'a Target,
    pub(super) facts: Arc<TableFacts>,
}

/// A number and a sum of hashes: the same for the same keys in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) count: u64,
    pub(super) sum: i128,
}

impl Subject<'_> {
    /// Whether the statement reaches tables that inherit from its own.
    pub(super) fn is_tree(&self) -> bool {
        !self.target.only && self.target.verb != Dml::Insert && !self.facts.children.is_empty()
    }

    /// Whether the statement sets a column of the key.
    pub(super) fn moves(&self) -> bool {
        let set = &self.target.set_columns;
        self.target.verb == Dml::Update && self.facts.key.iter().any(|column| set.contains(column))
    }

    /// Whether the rows are found again by their keys after an UPDATE.
    fn is_paired(&self) -> bool {
        self.target.verb == Dml::Update
            && !self.facts.key.is_empty()
            && !self.moves()
            && !self.is_tree()
    }

    /// Whether the rows that change are those that the predicate found before.
    pub(super) fn is_locked(&self) -> bool {
        self.target.verb != Dml::Insert
            && !self.facts.key.is_empty()
            && !self.moves()
            && self.facts.kind != "v"
    }

    /// Returns how the statement's own clauses name its table.
    fn name(&self) -> String {
        quote_ident(
            self.target
                .alias
                .as_deref()
                .unwrap_or(&self.target.table.name),
        )
    }

    fn key(&self) -> String {
        key_sql(&self.facts, &self.name())
    }

    /// Returns what locks the rows of the statement's predicate, and tells how many they are and which.
    fn locking(&self) -> String {
        let Target {
            alias,
            from_sql,
            where_sql,
            with_sql,
            table_sql,
            only,
            ..
        } = self.target;
        let clause = |before: &str, text: Option<&str>| {
            text.map(|text| format!("{before}{text}"))
                .unwrap_or_default()
        };
        let alias = alias.as_deref().map(quote_ident);
        // Only a join can find a row more than once.
        let distinct = if from_sql.is_some() { "DISTINCT " } else { "" };
        // A sum of bigints is added up in 128 bits: it never overflows, and costs much less than numerics.
        let hash = "pg_catalog.hashtextextended(runbook_key, 0::bigint)";
        format!(
            "{with} SELECT count({distinct}runbook_key)::text, coalesce(sum({distinct}{hash}), 0)::text FROM \
             (SELECT {key} AS runbook_key FROM {only}{table_sql}{alias}{from}{condition}\n FOR UPDATE OF {name}) AS runbook_locked",
            with = with_sql.as_deref().unwrap_or_default(),
            key = self.key(),
            only = if *only { "ONLY " } else { "" },
            alias = clause(" AS ", alias.as_deref()),
            from = clause(", ", from_sql.as_deref()),
            condition = clause(" WHERE ", where_sql.as_deref()),
            name = self.name(),
        )
    }

    /// Returns the author's statement with what captures its rows around it: key, hash of the key, before,
    /// after, whether it is new, and the record of what it returns. `store` is the capture that gets them.
    /// `most` rows are paired at most: the planner knows by it how few they are, and does not read all of the
    /// table for them.
    pub(super) fn capturing(&self, own: &str, store: Option<&str>, most: Option<u64>) -> String {
        let name = self.name();
        let returning = match self.target.returning {
            Some(_) => ",",
            None => "RETURNING",
        };
        let fresh = if self.target.on_conflict == Some(OnConflict::Update) {
            format!("({name}.xmax = 0)")
        } else {
            "true".to_owned()
        };
        let (mut keys, mut joined) = (Vec::new(), Vec::new());
        if self.is_paired() {
            for (index, column) in self.facts.key.iter().enumerate() {
                let column = quote_ident(column);
                keys.push(format!(", {name}.{column} AS runbook_key_{index}"));
                joined.push(format!("runbook_old.{column} = c.runbook_key_{index}"));
            }
        }
        let (before, after, old) = match self.target.verb {
            Dml::Update if self.is_paired() => (
                "(runbook_old.*)::text",
                "c.runbook_image",
                format!(
                    " LEFT JOIN {}{} AS runbook_old ON {}",
                    if self.target.only { "ONLY " } else { "" },
                    self.facts.relation,
                    joined.join(" AND ")
                ),
            ),
            Dml::Delete => ("c.runbook_image", "NULL::text", String::new()),
            Dml::Insert | Dml::Update => ("NULL::text", "c.runbook_image", String::new()),
        };
        let record = if self.target.returning.is_some() {
            "c::text"
        } else {
            "NULL::text"
        };
        let change = most.map_or_else(
            || "runbook_change".to_owned(),
            |most| format!("(SELECT * FROM runbook_change LIMIT {most})"),
        );
        let pairs = format!(
            "WITH runbook_change AS ({own}\n{returning} {key} AS runbook_key{keys}, ({name}.*)::text AS runbook_image, \
               {fresh} AS runbook_fresh), \
             runbook_pair AS (SELECT c.runbook_key, {before} AS runbook_before, {after} AS runbook_after, \
               c.runbook_fresh, {record} AS runbook_record FROM {change} AS c{old})",
            key = self.key(),
            keys = keys.concat(),
        );
        let is_kept_whole = self.target.returning.is_none() && fresh == "true";
        format!("{pairs}{}", told(store, is_kept_whole))
    }
}

/// Returns what stores the pairs of rows, and tells them. Where a row's image is all that there is to tell,
/// what is stored tells it: the rows need not be held to be read a second time.
fn told(store: Option<&str>, is_kept_whole: bool) -> String {
    let Some(id) = store else {
        return told_from_pairs(String::new());
    };
    let insert = format!(
        "INSERT INTO runbook.image (capture, key, before, after) \
         SELECT {id}, runbook_key, runbook_before, runbook_after FROM runbook_pair"
    );
    if is_kept_whole {
        return format!(
            " {insert} RETURNING key, pg_catalog.hashtextextended(key, 0::bigint), before, after, true, NULL::text"
        );
    }
    told_from_pairs(format!(", runbook_stored AS ({insert})"))
}

fn told_from_pairs(stored: String) -> String {
    stored
        + " SELECT runbook_key, pg_catalog.hashtextextended(runbook_key, 0::bigint), runbook_before, runbook_after, \
            runbook_fresh, runbook_record FROM runbook_pair"
}

/// Returns an expression for a row's key as text.
pub(super) fn key_sql(facts: &TableFacts, name: &str) -> String {
    let columns: Vec<String> = facts
        .key
        .iter()
        .map(|column| format!("{name}.{}", quote_ident(column)))
        .collect();
    format!("ROW({})::text", columns.join(", "))
}

impl Session {
    /// Whether what is changed now is kept in the journal of the database.
    pub(super) fn stores_images(&self, terms: &Terms) -> bool {
        use crate::engine::journal::Undo;
        let here = self
            .writer
            .as_ref()
            .is_some_and(|writer| writer.keeping == super::journal::Keeping::Database);
        here && terms.undo == Undo::Images && !self.entries.is_empty()
    }

    /// Locks the rows of a statement's predicate, and says which they are.
    pub(super) async fn lock_rows(
        &self,
        bound: &Bound,
        subject: Option<&Subject<'_>>,
    ) -> Result<Option<Keys>, Failure> {
        let Some(subject) = subject.filter(|subject| subject.is_locked()) else {
            return Ok(None);
        };
        let (text, binds) = bind::renumber(&subject.locking(), &bound.binds);
        let params = bind::params(&binds);
        let rows = self
            .client
            .query_typed(&text, &bind::borrowed(&params))
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        let field = |index: usize| {
            rows.first()
                .and_then(|row| row.get::<_, Option<&str>>(index))
        };
        Ok(Some(Keys {
            count: field(0)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            sum: field(1)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        }))
    }

    /// Begins to keep what a statement changes in a table, and returns the capture's id.
    pub(super) async fn begin_capture(
        &self,
        facts: &TableFacts,
        terms: &Terms,
        direct: bool,
    ) -> Result<String, Failure> {
        let tables = terms
            .tables
            .as_ref()
            .map_or("NULL".to_owned(), |tables| list(tables));
        let text = format!(
            "INSERT INTO runbook.capture (entry, step, relation, alone, columns, key, changed, kept, ignored, tables, direct, rows) \
             SELECT e.id, {}, {}, {}, {}, {}, '{{}}', '{{}}', {}, {tables}, {direct}, 0 FROM ({}) AS e RETURNING id::text",
            terms.step.0,
            quote_literal(&facts.relation),
            facts.kind == "r",
            quote_literal(&facts.fingerprint),
            list(&facts.key),
            list(&terms.ignore),
            self.entry_sql(),
        );
        let none: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 0] = [];
        let rows = self
            .client
            .query_typed(&text, &none)
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        rows.first()
            .and_then(|row| row.get::<_, Option<String>>(0))
            .ok_or_else(|| Failure::new(FailureKind::Statement, "the journal gave a capture no id"))
    }
}

/// Returns what completes a capture: it is sent along with what comes next.
pub(super) fn completed<'a>(
    id: &str,
    changed: impl IntoIterator<Item = &'a String>,
    kept: impl IntoIterator<Item = &'a String>,
    rows: u64,
) -> String {
    let names = |names: Vec<String>| list(&names);
    format!(
        "UPDATE runbook.capture SET changed = {}, kept = {}, rows = {rows} WHERE id = {id}",
        names(changed.into_iter().cloned().collect()),
        names(kept.into_iter().cloned().collect()),
    )
}

fn list(names: &[String]) -> String {
    format!("{}::text[]", quote_literal(&array_literal(names)))
}
