//! Changing rows: what they were, the statement, what they are, and what else the server counted.

use std::sync::Arc;

use super::Session;
use super::image::{Clock, Counters, Images, Returned, direct, generated, indirect, same_rows};
use super::table::TableFacts;
use crate::base::words;
use crate::engine::change::Changes;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Terms;
use crate::engine::port::{Bound, Changed, Limits};
use crate::pg::{bind, failure};
use crate::runbook::data::{Rows, record_fields};
use crate::sql::ident::quote_ident;
use crate::sql::statement::Access;
use crate::sql::target::{Dml, Target};

/// How many rows of one statement are held in memory before it is refused.
const MOST_ROWS: usize = 1_000_000;

impl Session {
    /// Runs a changing statement in the open transaction, and says which rows it changed.
    ///
    /// # Errors
    /// The server's word.
    pub async fn change(
        &mut self,
        bound: &Bound,
        _terms: &Terms,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        if self.depth == 0 {
            let message = "a changing statement was about to run outside of a transaction";
            return Err(Failure::new(FailureKind::Unsupported, message)
                .help("please report it: it is a defect"));
        }
        self.settled = false;
        let watch = self.watch_counters().await?;
        let mut pending = self.take_pending_within(limits);
        if !self.local.is_empty() || self.depth > 1 {
            // What a table's name means may depend on the run's settings, and on what the transaction did.
            self.guarded(limits, self.begin(&pending)).await?;
            pending.clear();
        }
        let target = bound
            .statement
            .target()
            .filter(|target| !target.where_current_of);
        let facts = match target {
            // A failure here must not lose what begins the transaction.
            Some(target) => match self.table(&target.table).await {
                Ok(facts) => facts,
                Err(failure) => {
                    self.pending = pending;
                    return Err(failure);
                }
            },
            None => None,
        };
        // The first flight opens the transaction and locks the rows; only then the statement is sent, so
        // that it can never run outside of the transaction.
        let first = async {
            let images = async {
                match (target, &facts) {
                    (Some(target), Some(facts))
                        if target.verb == Dml::Update && !facts.key.is_empty() =>
                    {
                        self.before(bound, target, facts).await
                    }
                    _ => Ok(Images::new()),
                }
            };
            let (begun, counted, before) =
                tokio::join!(biased; self.begin(&pending), self.counters(&watch.baseline), images);
            begun?;
            let before = before?;
            Ok((counted?, before))
        };
        let (counted, before) = self.guarded(limits, first).await?;
        let second = async {
            let (returned, after) = tokio::join!(biased;
                self.statement(bound, target, facts.as_ref()),
                self.counters(&watch.counters)
            );
            let returned = returned?;
            Ok((returned, after?))
        };
        let (returned, after) = self.guarded(limits, second).await?;
        self.xid.clone_from(&after.xid);
        self.changed += returned.count;
        if bound.statement.access() == Access::Schema {
            self.forget();
        }
        self.told(bound, facts.as_deref(), before, &counted, &after, returned)
    }

    /// Makes of images and counters what is told of a statement.
    fn told(
        &mut self,
        bound: &Bound,
        facts: Option<&TableFacts>,
        before: Images,
        counted: &Counters,
        after: &Counters,
        returned: Returned,
    ) -> Result<Changed, Failure> {
        let (mut tables, mut unpaired, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        let target = bound.statement.target();
        if let (Some(target), Some(facts)) = (target, facts) {
            same_rows(target, facts, &before, &returned)?;
            let clock = Clock {
                now: after.now.clone(),
                asked: asks_for_the_time(bound),
                generated: self.generated.clone(),
            };
            let (table, blurred) = direct(target, facts, before, &returned, &clock);
            if !blurred.is_empty() {
                let rows = words::count(blurred.len() as u64, "updated row");
                unseen.push(format!(
                    "{rows} of {}: what they were cannot be shown",
                    facts.name
                ));
            }
            unpaired = blurred;
            tables.extend(table);
        } else {
            unseen.push(format!(
                "{}: its rows cannot be shown one by one",
                bound.statement.verb()
            ));
        }
        self.generated.extend(generated(&tables));
        let own = tables.first().zip(facts);
        let own = own.map(|(table, facts)| (facts.root.as_str(), table));
        let unknown = target.is_none() || facts.is_none();
        tables.extend(indirect(own, counted, after, unknown));
        Ok(Changed {
            count: returned.count,
            rows: returned.rows,
            changes: Changes::with(tables, unpaired, unseen),
        })
    }

    /// Reads and locks the rows that an UPDATE is going to change, by its own predicate.
    async fn before(
        &self,
        bound: &Bound,
        target: &Target,
        facts: &TableFacts,
    ) -> Result<Images, Failure> {
        let name = reference(target);
        let from = target
            .from_sql
            .as_deref()
            .map(|from| format!(", {from}"))
            .unwrap_or_default();
        let condition = target
            .where_sql
            .as_deref()
            .map(|condition| format!(" WHERE {condition}"))
            .unwrap_or_default();
        let alias = target
            .alias
            .as_deref()
            .map(|alias| format!(" AS {}", quote_ident(alias)))
            .unwrap_or_default();
        let text = format!(
            "{with} SELECT {key}, ({name}.*)::text FROM {only}{table}{alias}{from}{condition}\n FOR UPDATE OF {name}",
            with = target.with_sql.as_deref().unwrap_or_default(),
            key = key_sql(target, facts),
            only = if target.only { "ONLY " } else { "" },
            table = target.table_sql,
        );
        let (text, binds) = bind::renumber(&text, &bound.binds);
        let rows = self.query(&text, &binds).await?;
        Ok(rows
            .iter()
            .map(|row| (fields(row, 0), record(row, 1)))
            .collect())
    }

    async fn query(
        &self,
        text: &str,
        binds: &[crate::runbook::data::Cell],
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let params = bind::params(binds);
        let rows = self
            .client
            .query_typed(text, &bind::borrowed(&params))
            .await
            .map_err(|error| failure::of(&error, text, 0))?;
        if rows.len() > MOST_ROWS {
            let message = format!(
                "the statement concerns {} rows; one may change {MOST_ROWS} at most",
                rows.len()
            );
            return Err(Failure::new(FailureKind::Unsupported, message)
                .help("change them in several steps, each with its predicate"));
        }
        Ok(rows)
    }

    async fn statement(
        &self,
        bound: &Bound,
        target: Option<&Target>,
        facts: Option<&Arc<TableFacts>>,
    ) -> Result<Returned, Failure> {
        let own = bound.statement.text();
        let (Some(target), Some(facts)) = (target, facts) else {
            return self.uncaptured(bound).await;
        };
        let name = reference(target);
        let fresh = if target.on_conflict {
            format!("({name}.xmax = 0)::text")
        } else {
            "'true'".to_owned()
        };
        let images = format!(
            "{}, ({name}.*)::text AS runbook_image, {fresh} AS runbook_fresh",
            key_sql(target, facts)
        );
        if target.returning.is_none() {
            let rows = self
                .query(&format!("{own}\n RETURNING {images}"), &bound.binds)
                .await?;
            return Ok(Returned {
                count: rows.len() as u64,
                rows: Rows::default(),
                images: rows
                    .iter()
                    .map(|row| (fields(row, 0), record(row, 1), flag(row, 2)))
                    .collect(),
            });
        }
        let text = format!(
            "WITH runbook_change AS ({own}\n, {images}) \
             SELECT runbook_change.runbook_key, runbook_change.runbook_image, runbook_change.runbook_fresh, \
                    runbook_change::text FROM runbook_change"
        );
        let (described, rows) =
            tokio::join!(biased; self.columns(bound), self.query(&text, &bound.binds));
        let (columns, rows) = (described?, rows?);
        let returned = rows
            .iter()
            .take(crate::engine::change::SHOWN_ROWS)
            .map(|row| {
                let mut fields = record(row, 3);
                fields.truncate(columns.len());
                fields
            });
        Ok(Returned {
            count: rows.len() as u64,
            rows: Rows {
                rows: returned.collect(),
                count: rows.len() as u64,
                columns,
            },
            images: rows
                .iter()
                .map(|row| (fields(row, 0), record(row, 1), flag(row, 2)))
                .collect(),
        })
    }

    /// Runs a statement whose rows cannot be captured: the server's counters tell what it did.
    async fn uncaptured(&self, bound: &Bound) -> Result<Returned, Failure> {
        let own = bound.statement.text();
        let params = bind::params(&bound.binds);
        let wrong = |error| failure::of(&error, own, 0);
        let count = self
            .client
            .execute_typed(own, &bind::borrowed(&params))
            .await
            .map_err(wrong)?;
        Ok(Returned {
            count,
            ..Returned::default()
        })
    }
}

/// Returns whether a statement asks for the time: its dates and times are new each time then.
fn asks_for_the_time(bound: &Bound) -> bool {
    const CLOCKS: [&str; 6] = [
        "now",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "timeofday",
        "age",
    ];
    let text = bound.statement.text().to_uppercase();
    let keyword = [
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "LOCALTIME",
    ];
    bound
        .statement
        .functions()
        .iter()
        .any(|call| CLOCKS.contains(&call.name.as_str()))
        || keyword.iter().any(|word| text.contains(word))
}

/// Returns how a statement's own clauses name its table.
fn reference(target: &Target) -> String {
    quote_ident(target.alias.as_deref().unwrap_or(&target.table.name))
}

fn key_sql(target: &Target, facts: &TableFacts) -> String {
    let name = reference(target);
    let columns: Vec<String> = facts
        .key
        .iter()
        .map(|column| format!("{name}.{}", quote_ident(column)))
        .collect();
    format!("ROW({})::text AS runbook_key", columns.join(", "))
}

fn fields(row: &tokio_postgres::Row, index: usize) -> Vec<String> {
    record(row, index)
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect()
}

fn record(row: &tokio_postgres::Row, index: usize) -> Vec<Option<String>> {
    row.get::<_, Option<&str>>(index)
        .and_then(record_fields)
        .unwrap_or_default()
}

fn flag(row: &tokio_postgres::Row, index: usize) -> bool {
    row.get::<_, Option<&str>>(index) == Some("true")
}
