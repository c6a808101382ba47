//! The server's own counters of changed rows: they see what triggers and cascades do.

use tokio_postgres::Statement;

use super::Session;
use super::image::{Counters, indirect};
use crate::engine::change::Changes;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::failure;

/// What the server counted in this transaction, by table, with the transaction's id and time. Only tables
/// are looked at on which the transaction holds a lock for writing. Partitions count for their root.
const COUNTERS: &str = "\
    SELECT t.root::regclass::text, \
           sum(pg_stat_get_xact_tuples_inserted(t.relation))::text, \
           sum(pg_stat_get_xact_tuples_updated(t.relation))::text, \
           sum(pg_stat_get_xact_tuples_deleted(t.relation))::text \
    FROM (SELECT DISTINCT l.relation, coalesce(pg_partition_root(l.relation)::oid, l.relation) AS root \
          FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r' AND c.relnamespace <> 'pg_catalog'::regnamespace \
          WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' \
            AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) t \
    GROUP BY t.root \
    UNION ALL SELECT NULL, pg_current_xact_id_if_assigned()::text, now()::text, localtimestamp::text";

/// What the counters stand at before a statement. The server keeps what it has not reported yet of earlier
/// transactions in them, so every table is looked at that has any.
const BASELINE: &str = "\
    SELECT t.root::regclass::text, sum(t.inserted)::text, sum(t.updated)::text, sum(t.deleted)::text \
    FROM (SELECT coalesce(pg_partition_root(c.oid)::oid, c.oid) AS root, \
                 pg_stat_get_xact_tuples_inserted(c.oid) AS inserted, \
                 pg_stat_get_xact_tuples_updated(c.oid) AS updated, \
                 pg_stat_get_xact_tuples_deleted(c.oid) AS deleted \
          FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace <> 'pg_catalog'::regnamespace) t \
    WHERE t.inserted + t.updated + t.deleted > 0 GROUP BY t.root";

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
                Some(table) => counters
                    .tables
                    .push((table, [number(1), number(2), number(3)])),
                None => {
                    counters.xid = field(1);
                    counters.now = [field(2), field(3)].into_iter().flatten().collect();
                }
            }
        }
        Ok(counters)
    }

    /// Lets deferred constraints and triggers do now what they would do at COMMIT, and says what they
    /// changed: a person must see it before the yes, and it must be what was approved.
    ///
    /// # Errors
    /// The server's word, for a deferred constraint that is violated.
    pub async fn settle(&mut self, limits: &Limits) -> Result<Changes, Failure> {
        if self.settled || self.depth == 0 || self.is_unsent() {
            return Ok(Changes::default());
        }
        let watch = self.watch_counters().await?;
        let work = async {
            let (counted, done, after) = tokio::join!(biased;
                self.counters(&watch.baseline),
                self.begin("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"),
                self.counters(&watch.counters)
            );
            done?;
            Ok((counted?, after?))
        };
        let (counted, after) = self.guarded(limits, work).await?;
        self.settled = true;
        let tables = indirect(None, &counted, &after, false);
        if tables.is_empty() {
            return Ok(Changes::default());
        }
        Ok(Changes::new(tables))
    }
}
