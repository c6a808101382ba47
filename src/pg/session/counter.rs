//! The server's own counters of changed rows: they see what triggers and cascades do.

use tokio_postgres::Statement;

use super::Session;
use super::guard::Counters;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;

/// What the server counted in this transaction, by table, with the transaction's id and time. Only tables
/// are looked at on which the transaction holds a lock for writing. Partitions count for their root. A table
/// that was emptied by TRUNCATE or rewritten is not counted, but locked exclusively.
const COUNTERS: &str = "\
    SELECT t.root::regclass::text, \
           sum(pg_stat_get_xact_tuples_inserted(t.relation))::text, \
           sum(pg_stat_get_xact_tuples_updated(t.relation))::text, \
           sum(pg_stat_get_xact_tuples_deleted(t.relation))::text, \
           bool_or(t.exclusive)::text \
    FROM (SELECT l.relation, coalesce(pg_catalog.pg_partition_root(l.relation::regclass)::oid, l.relation) AS root, \
                 bool_or(l.mode = 'AccessExclusiveLock') AS exclusive \
          FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
            AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relnamespace IS DISTINCT FROM to_regnamespace('runbook') \
          WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' \
            AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
          GROUP BY l.relation) t \
    GROUP BY t.root \
    UNION ALL SELECT NULL, pg_current_xact_id_if_assigned()::text, now()::text, localtimestamp::text, current_setting('track_counts')";

/// What the counters stand at before a statement. The server keeps what it has not reported yet of earlier
/// transactions in them, so every table is looked at that has any.
const BASELINE: &str = "\
    SELECT t.root::regclass::text, sum(t.inserted)::text, sum(t.updated)::text, sum(t.deleted)::text, \
           bool_or(t.exclusive)::text \
    FROM (SELECT coalesce(pg_catalog.pg_partition_root(c.oid::regclass)::oid, c.oid) AS root, \
                 pg_stat_get_xact_tuples_inserted(c.oid) AS inserted, \
                 pg_stat_get_xact_tuples_updated(c.oid) AS updated, \
                 pg_stat_get_xact_tuples_deleted(c.oid) AS deleted, \
                 l.relation IS NOT NULL AS exclusive \
          FROM pg_class c LEFT JOIN \
            (SELECT DISTINCT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' \
               AND mode = 'AccessExclusiveLock') l ON l.relation = c.oid \
          WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.relnamespace <> 'pg_catalog'::regnamespace \
            AND c.relnamespace IS DISTINCT FROM to_regnamespace('runbook')) t \
    WHERE t.inserted + t.updated + t.deleted > 0 OR t.exclusive GROUP BY t.root \
    UNION ALL SELECT NULL, pg_current_xact_id_if_assigned()::text, now()::text, localtimestamp::text, current_setting('track_counts')";

/// The prepared statements that read the counters.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) baseline: Statement,
    pub(super) counters: Statement,
}

impl Session {
    /// Prepares the statements that read the counters, once in a session: to plan them each time would take
    /// longer than to run them.
    pub(super) async fn watch_counters(&mut self) -> Result<Watch, Failure> {
        if let Some(watch) = &self.watch {
            return Ok(watch.clone());
        }
        let (baseline, counters) =
            tokio::join!(biased; self.client.prepare(BASELINE), self.client.prepare(COUNTERS));
        let wrong = |error| failure::of(&error, COUNTERS, 0);
        let watch = Watch {
            baseline: baseline.map_err(wrong)?,
            counters: counters.map_err(wrong)?,
        };
        self.watch = Some(watch.clone());
        Ok(watch)
    }

    pub(super) async fn counters(&self, statement: &Statement) -> Result<Counters, Failure> {
        let rows = self
            .client
            .query(statement, &[])
            .await
            .map_err(|error| failure::of(&error, COUNTERS, 0))?;
        let mut counters = Counters::default();
        for row in &rows {
            let field = |index: usize| row.get::<_, Option<String>>(index);
            let number = |index: usize| {
                field(index)
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default()
            };
            match field(0) {
                Some(table) => {
                    if field(4).as_deref() == Some("true") {
                        counters.exclusive.push(table.clone());
                    }
                    counters
                        .tables
                        .push((table, [number(1), number(2), number(3)]));
                }
                // A server that does not count would say that nothing else changed.
                None if field(4).as_deref() == Some("off") => return Err(uncounted()),
                None => {
                    counters.xid = field(1);
                    counters.now = [field(2), field(3)].into_iter().flatten().collect();
                }
            }
        }
        Ok(counters)
    }
}

fn uncounted() -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        "the server does not count changed rows: `track_counts` is off",
    )
    .note("what triggers and cascades change would not be seen; nothing was changed")
    .help("have it switched on again, for the server, the database or the login")
}
