//! The locks that the open transaction holds on tables, and who would wait for them.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use crate::engine::failure::Failure;
use crate::engine::lock::{LockMode, TableLock};
use crate::pg::failure;

/// The locks, our own and those that others hold or want, on the tables that the transaction does more with than read.
/// A table that it made itself is nobody else's; the type of a table's rows is as old as the table.
const LOCKS: &str = "\
    WITH mine AS ( \
        SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l \
        JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND l.mode <> 'AccessShareLock' \
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
            AND c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't' \
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'runbook') \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = c.reltype \
                AND age(t.xmin) <= age(pg_catalog.pg_current_xact_id_if_assigned()::xid)) \
    ) \
    SELECT m.relation::regclass::text, \
        coalesce(pg_catalog.pg_partition_root(m.relation::regclass)::oid, m.relation)::regclass::text, \
        l.pid::text, l.mode, (l.pid = pg_catalog.pg_backend_pid())::text \
    FROM mine m JOIN pg_catalog.pg_locks l ON l.relation = m.relation AND l.locktype = 'relation' \
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
    WHERE l.pid IS NOT NULL";

/// A lock of a session.
struct Lock {
    table: String,
    /// The table that it is a part of, or itself.
    root: String,
    pid: i32,
    mode: LockMode,
    own: bool,
}

/// What is locked of a table, and who uses it.
#[derive(Clone, Default)]
struct Use {
    root: String,
    own: BTreeSet<LockMode>,
    others: BTreeSet<(i32, LockMode)>,
}

impl Use {
    fn strongest(&self) -> Option<LockMode> {
        self.own.last().copied()
    }
}

impl Session {
    /// Returns the locks that the open transaction holds on tables, the strongest first, and who works with these
    /// tables.
    ///
    /// # Errors
    /// The server's word.
    pub async fn table_locks(&mut self) -> Result<Vec<TableLock>, Failure> {
        if self.depth == 0 || self.is_unsent() {
            return Ok(Vec::new());
        }
        let asked = async {
            let rows = self.client.query_typed(LOCKS, &[]).await;
            rows.map_err(|error| failure::of(&error, LOCKS, 0))
        };
        let rows = self.answered(asked).await?;
        let lock = |row: &tokio_postgres::Row| {
            let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
            Some(Lock {
                table: text(0),
                root: text(1),
                pid: text(2).parse().ok()?,
                mode: LockMode::of(&text(3))?,
                own: text(4) == "true",
            })
        };
        Ok(tables(rows.iter().filter_map(lock)))
    }
}

/// Returns what is locked, the strongest first. Partitions are told by their table, where that is locked as strongly.
fn tables(locks: impl Iterator<Item = Lock>) -> Vec<TableLock> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for lock in locks {
        let used = uses.entry(lock.table).or_default();
        used.root = lock.root;
        if lock.own {
            used.own.insert(lock.mode);
        } else {
            used.others.insert((lock.pid, lock.mode));
        }
    }
    let parts: Vec<String> = uses
        .iter()
        .filter(|(table, used)| {
            let root = uses.get(&used.root).filter(|_| used.root != **table);
            root.is_some_and(|root| root.strongest() >= used.strongest())
        })
        .map(|(table, _)| table.clone())
        .collect();
    for part in parts {
        if let Some(used) = uses.remove(&part)
            && let Some(root) = uses.get_mut(&used.root)
        {
            root.others.extend(used.others);
        }
    }
    let mut found: Vec<TableLock> = uses.into_iter().filter_map(told).collect();
    found.sort_by(|a, b| {
        let order = b.mode.cmp(&a.mode).then_with(|| b.users.cmp(&a.users));
        order.then_with(|| a.table.cmp(&b.table))
    });
    found
}

fn told((table, used): (String, Use)) -> Option<TableLock> {
    let pids = |wanted: &dyn Fn(LockMode) -> bool| {
        let others = used.others.iter().filter(|(_, mode)| wanted(*mode));
        let pids: BTreeSet<i32> = others.map(|(pid, _)| *pid).collect();
        u32::try_from(pids.len()).unwrap_or(u32::MAX)
    };
    Some(TableLock {
        mode: used.strongest()?,
        waiting: pids(&|mode| used.own.iter().any(|own| own.conflicts(mode))),
        users: pids(&|_| true),
        table,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(table: &str, root: &str, pid: i32, mode: LockMode) -> Lock {
        Lock {
            table: table.to_owned(),
            root: root.to_owned(),
            pid,
            mode,
            own: pid == 0,
        }
    }

    #[test]
    fn the_strongest_come_first_with_who_would_wait() {
        let found = tables(
            [
                lock("logs", "logs", 0, LockMode::RowShare),
                lock("logs", "logs", 0, LockMode::RowExclusive),
                lock("logs", "logs", 7, LockMode::RowExclusive),
                lock("logs", "logs", 7, LockMode::AccessShare),
                lock("logs", "logs", 8, LockMode::Share),
                lock("farms", "farms", 0, LockMode::AccessExclusive),
                lock("farms", "farms", 9, LockMode::AccessShare),
            ]
            .into_iter(),
        );
        let shown: Vec<_> = found
            .iter()
            .map(|lock| (lock.table.as_str(), lock.mode, lock.waiting, lock.users))
            .collect();
        assert_eq!(
            shown,
            [
                ("farms", LockMode::AccessExclusive, 1, 1),
                ("logs", LockMode::RowExclusive, 1, 2)
            ]
        );
    }

    #[test]
    fn partitions_are_told_by_their_table_unless_they_are_locked_more_strongly() {
        let found = tables(
            [
                lock("sales", "sales", 0, LockMode::RowExclusive),
                lock("sales_1", "sales", 0, LockMode::RowExclusive),
                lock("sales_1", "sales", 7, LockMode::RowExclusive),
                lock("sales_2", "sales", 0, LockMode::AccessExclusive),
            ]
            .into_iter(),
        );
        let shown: Vec<_> = found
            .iter()
            .map(|lock| (lock.table.as_str(), lock.users))
            .collect();
        assert_eq!(shown, [("sales_2", 0), ("sales", 1)]);
    }
}
