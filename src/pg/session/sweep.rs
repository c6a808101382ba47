//! Finding what a table's rows were, and are, without knowing which of them changed: for what triggers and
//! cascades do, and for tables that inherit from a statement's own.
//!
//! A cursor that is declared before the statement keeps the snapshot of then, and reads lazily: fetched after
//! the statement it shows the old versions of all rows that were changed since, for these have an `xmax` now.
//! The new versions are those whose `xmin` is a transaction in progress: no other one's can be seen.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio_postgres::types::Type;

use super::Session;
use super::capture::key_sql;
use super::table::TableFacts;
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;

/// How many rows that a statement does not change itself are looked at.
const MOST: usize = 100_000;

/// A row before and after.
pub(super) struct Swept {
    pub(super) key: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// An old version of a row.
struct Old {
    image: String,
    /// Who changed or locked it.
    xmax: String,
}

/// The transaction's own id, and the first id that no transaction had yet.
const IDS: &str = "(SELECT pg_current_xact_id()::text::bigint AS own, \
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next OFFSET 0) AS runbook_id";

/// Moves the end of the snapshots behind all subtransactions of the open transaction: one that is rolled back
/// counts as completed.
const BUMP: &str = "SAVEPOINT runbook_sweep; \
    SELECT pg_logical_emit_message(true, 'runbook', ''); \
    ROLLBACK TO SAVEPOINT runbook_sweep; RELEASE SAVEPOINT runbook_sweep";

/// Returns an expression for the whole id of a transaction of which a row keeps the lower half: the one
/// nearest to our own.
fn full(id: &str) -> String {
    format!(
        "(runbook_id.own + ((({id})::text::bigint - runbook_id.own % 4294967296 + 6442450944) % 4294967296 - 2147483648))"
    )
}

fn cursor(index: usize) -> String {
    format!("runbook_sweep_{index}")
}

/// Returns what declares the cursors of tables.
pub(super) fn declare(tables: &[Arc<TableFacts>]) -> String {
    let declare = |(index, facts): (usize, &Arc<TableFacts>)| {
        format!(
            "DECLARE {} NO SCROLL CURSOR FOR SELECT {}, (runbook_row.*)::text, runbook_row.xmax::text \
             FROM {} AS runbook_row, {IDS} WHERE runbook_row.xmax::text <> '0' OR {} >= runbook_id.own",
            cursor(index),
            key_sql(facts, "runbook_row"),
            facts.alone(),
            full("runbook_row.xmin"),
        )
    };
    let all: Vec<String> = tables.iter().enumerate().map(declare).collect();
    all.join("; ")
}

/// Returns what closes the cursors of so many tables.
pub(super) fn close(count: usize) -> String {
    let all: Vec<String> = (0..count)
        .map(|index| format!("CLOSE {}", cursor(index)))
        .collect();
    all.join("; ")
}

impl Session {
    /// Returns a snapshot as text, for comparing what ended since.
    pub(super) async fn snapshot(&self, wanted: bool) -> Result<String, Failure> {
        if !wanted {
            return Ok(String::new());
        }
        let rows = self
            .ask_plainly("SELECT pg_current_snapshot()::text")
            .await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    async fn ask_plainly(&self, text: &str) -> Result<Vec<tokio_postgres::Row>, Failure> {
        self.client
            .query_typed(text, &[])
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }

    /// Returns the rows of a table that changed since its cursor was declared. `counted` is what
    /// the server counted of it.
    pub(super) async fn sweep(
        &self,
        index: usize,
        facts: &TableFacts,
        snapshot: &str,
        counted: [u64; 3],
    ) -> Result<Vec<Swept>, Failure> {
        let fetch = format!("FETCH FORWARD {} FROM {}", MOST + 1, cursor(index));
        let id = full("runbook_row.xmin");
        let present = format!(
            "SELECT {}, (runbook_row.*)::text FROM {} AS runbook_row, {IDS} \
             WHERE CASE WHEN {id} >= runbook_id.own AND {id} < runbook_id.next \
                        THEN pg_xact_status({id}::text::xid8) = 'in progress' ELSE false END LIMIT {}",
            key_sql(facts, "runbook_row"),
            facts.alone(),
            MOST + 1,
        );
        let (bumped, old, new) = tokio::join!(biased;
            self.begin(BUMP), self.ask_plainly(&fetch), self.ask_plainly(&present));
        bumped?;
        let (old, new) = (old?, new?);
        if old.len() > MOST || new.len() > MOST {
            return Err(too_many(facts));
        }
        let mut before: HashMap<String, Old> = old
            .iter()
            .map(|row| {
                let (image, xmax) = (row.get(1), row.get(2));
                (row.get(0), Old { image, xmax })
            })
            .collect();
        let (mut swept, mut changers) = (Vec::new(), BTreeSet::new());
        let mut same = 0;
        for row in &new {
            let (key, after): (String, String) = (row.get(0), row.get(1));
            let old = before.remove(&key);
            if old.as_ref().is_some_and(|old| old.image == after) {
                same += 1;
                continue;
            }
            changers.extend(old.as_ref().map(|old| old.xmax.clone()));
            swept.push(Swept {
                key,
                before: old.map(|old| old.image),
                after: Some(after),
            });
        }
        let gone = self.gone(facts, before).await?;
        changers.extend(gone.iter().map(|(_, old)| old.xmax.clone()));
        self.refuse_others(facts, &changers, snapshot).await?;
        swept.extend(gone.into_iter().map(|(key, old)| Swept {
            key,
            before: Some(old.image),
            after: None,
        }));
        within(facts, &swept, counted)?;
        if facts.hides_rows && swept.len() as u64 + same < counted.iter().sum() {
            return Err(unseen(facts));
        }
        Ok(swept)
    }

    /// Returns the old versions of which no row is left.
    async fn gone(
        &self,
        facts: &TableFacts,
        old: HashMap<String, Old>,
    ) -> Result<Vec<(String, Old)>, Failure> {
        let keys: Vec<&str> = old
            .iter()
            .filter(|(_, old)| old.xmax != "0")
            .map(|(key, _)| key.as_str())
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT {key} FROM {} AS runbook_row WHERE {key} = ANY ($1)",
            facts.alone(),
            key = key_sql(facts, "runbook_row"),
        );
        let rows = self
            .client
            .query_typed(&text, &[(&keys, Type::TEXT_ARRAY)])
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        let mut old: Vec<(String, Old)> =
            old.into_iter().filter(|(_, old)| old.xmax != "0").collect();
        let left: std::collections::HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
        old.retain(|(key, _)| !left.contains(key));
        Ok(old)
    }

    /// Refuses rows that another session changed between the snapshot and our own change: what they were just
    /// before it is not known.
    async fn refuse_others(
        &self,
        facts: &TableFacts,
        changers: &BTreeSet<String>,
        snapshot: &str,
    ) -> Result<(), Failure> {
        let ids: Vec<&str> = changers.iter().map(String::as_str).collect();
        let text = format!(
            "SELECT 1 FROM unnest($1::text[]) AS x(id), {IDS}, LATERAL (SELECT {} AS id OFFSET 0) AS f \
             WHERE CASE WHEN f.id > 2 AND f.id < runbook_id.next \
                        THEN pg_xact_status(f.id::text::xid8) = 'committed' \
                             AND NOT pg_visible_in_snapshot(f.id::text::xid8, $2::text::pg_snapshot) ELSE false END",
            full("x.id")
        );
        let rows = self
            .client
            .query_typed(&text, &[(&ids, Type::TEXT_ARRAY), (&snapshot, Type::TEXT)])
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        if rows.is_empty() {
            Ok(())
        } else {
            Err(meanwhile(facts))
        }
    }
}

/// No more rows can be ours than the server counted; it counts what subtransactions did that were taken back
/// as well, so there may be fewer.
fn within(
    facts: &TableFacts,
    swept: &[Swept],
    [inserted, updated, deleted]: [u64; 3],
) -> Result<(), Failure> {
    let count = |before: bool, after: bool| {
        let of = |row: &&Swept| row.before.is_some() == before && row.after.is_some() == after;
        swept.iter().filter(of).count() as u64
    };
    let ours = count(false, true) <= inserted
        && count(true, false) <= deleted
        // A row that goes to another partition is counted as deleted there and inserted here.
        && count(true, true) <= updated + inserted.min(deleted);
    if ours { Ok(()) } else { Err(meanwhile(facts)) }
}

/// Cascades pass by the policies: what they change of rows that this login does not see could neither be shown nor
/// put back.
fn unseen(facts: &TableFacts) -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        format!(
            "it changes rows of {} that row-level security hides from this login",
            facts.name
        ),
    )
    .note("a trigger or a cascade did it")
    .note("nothing was changed")
    .help("run it as a login that sees all rows: the table's owner, or one with BYPASSRLS")
}

fn meanwhile(facts: &TableFacts) -> Failure {
    Failure::new(
        FailureKind::Serialization,
        format!(
            "someone else changed rows of {} in the same moment: what they were cannot be told exactly",
            facts.name
        ),
    )
    .note("nothing was changed")
    .help("run it again")
}

pub(super) fn too_many(facts: &TableFacts) -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        format!(
            "triggers, cascades or tables that inherit change more than {} of {}: that is more than is kept for putting them back",
            words::count(MOST as u64, "row"),
            facts.name
        ),
    )
    .note("nothing was changed")
    .help("change fewer rows at once with `batch`, or say under `undo` how to put them back")
}
