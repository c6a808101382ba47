//! A run's locks: an advisory lock while its connection lives, and a lease beyond that, so that a run that
//! was cut short is not overrun by another one.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::Session;
use super::journal::Writer;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::sql::ident::quote_literal;

/// How long a session of the same run, whose client is gone, may take to end.
const DYING: Duration = Duration::from_secs(10);

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a lease holds after the last transaction that renewed it.
const TERM: &str = "1 hour";

/// The sessions that hold a lock; `{runs}` are the names of sessions of the same run.
const TRY: &str = "\
    SELECT pg_try_advisory_lock(h)::text, \
           string_agg(pg_catalog.format('%s (session %s of %s since %s)', coalesce(nullif(a.application_name, ''), 'unnamed'), \
                             a.pid, a.usename, date_trunc('second', a.backend_start)), ', '), \
           bool_and(a.application_name IN ({runs}))::text \
    FROM pg_catalog.hashtextextended({key}, 0::bigint) AS h JOIN pg_database d ON d.datname = current_database() \
    LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = d.oid \
      AND l.classid::bigint = (h >> 32) & 4294967295 AND l.objid::bigint = h & 4294967295 \
      AND l.pid <> pg_backend_pid() \
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid GROUP BY h";

const LEASE: &str = "\
    SELECT run, runbook, actor, date_trunc('second', taken_at)::text, date_trunc('second', expires_at)::text, \
           (expires_at <= now())::text \
    FROM runbook.lease WHERE key = $1";

/// What of a run's locks outlives its sessions.
#[derive(Default)]
pub(super) struct Leases {
    /// Other runs whose leases count as the run's own.
    inherited: Vec<String>,
    /// Whether there are leases to be given up at the end.
    pub(super) held: bool,
}

/// A lease that another run took, or this one before it was cut short.
struct Lease {
    run: String,
    runbook: String,
    actor: String,
    taken: String,
    expires: String,
    expired: bool,
}

impl Session {
    /// Has the leases of another run count as the run's own: of the one that it puts back.
    pub fn inherit(&mut self, run: &str) {
        self.leases.inherited.push(run.to_owned());
    }

    /// Takes an advisory lock until the session ends, where no other run has a lease on it.
    ///
    /// # Errors
    /// Who has it.
    pub async fn lock(&mut self, key: &str) -> Result<(), Failure> {
        let until = Instant::now() + DYING;
        let lease = loop {
            let (tried, lease) = tokio::join!(biased; self.try_lock(key), self.lease(key));
            match tried? {
                None => break lease,
                Some((_, true)) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Some((holder, _)) => {
                    return Err(Failure::new(
                        FailureKind::LockTimeout,
                        format!("another run holds the lock `{key}`"),
                    )
                    .note(format!("it is held by {holder}"))
                    .help("wait until that run is done"));
                }
            }
        };
        let checked = lease.and_then(|lease| self.heed(key, lease));
        if checked.is_err() {
            self.unlock(key).await;
            return checked;
        }
        self.locks.push(key.to_owned());
        Ok(())
    }

    /// Tries to take the advisory lock; returns who has it, and whether that is a session of the same run.
    async fn try_lock(&self, key: &str) -> Result<Option<(String, bool)>, Failure> {
        let mut runs: Vec<String> = self
            .runs()
            .iter()
            .map(|run| quote_literal(&format!("runbook/{run}")))
            .collect();
        if runs.is_empty() {
            runs.push("NULL".to_owned());
        }
        let text = TRY
            .replace("{runs}", &runs.join(", "))
            .replace("{key}", &lock_name(key));
        let rows = self
            .client
            .query_typed(&text, &[])
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        let field = |index: usize| {
            rows.first()
                .and_then(|row| row.get::<_, Option<String>>(index))
        };
        if field(0).as_deref() == Some("true") {
            return Ok(None);
        }
        let holder = field(1).unwrap_or_else(|| "another session".to_owned());
        Ok(Some((holder, field(2).as_deref() == Some("true"))))
    }

    async fn unlock(&self, key: &str) {
        let text = format!(
            "SELECT pg_advisory_unlock(pg_catalog.hashtextextended({}, 0::bigint))",
            lock_name(key)
        );
        // Should it fail, the lock ends with the connection.
        let _ = self.client.batch_execute(&text).await;
    }

    /// Returns the run itself, and those whose leases count as its own.
    fn runs(&self) -> Vec<&str> {
        let own = self.writer.iter().map(|writer| writer.run.as_str());
        own.chain(self.leases.inherited.iter().map(String::as_str))
            .collect()
    }

    async fn lease(&self, key: &str) -> Result<Option<Lease>, Failure> {
        if !self.is_journal_there() {
            return Ok(None);
        }
        let rows = match self.client.query_typed(LEASE, &[(&key, Type::TEXT)]).await {
            Ok(rows) => rows,
            Err(error) => {
                let failure = failure::of(&error, LEASE, 0);
                // Who may not see leases may not record changes either: such a run only reads.
                return match failure.sqlstate.as_deref() {
                    Some("42501") => Ok(None),
                    _ => Err(failure),
                };
            }
        };
        Ok(rows.first().map(|row| {
            let text = |index: usize| row.get::<_, String>(index);
            Lease {
                run: text(0),
                runbook: text(1),
                actor: text(2),
                taken: text(3),
                expires: text(4),
                expired: text(5) == "true",
            }
        }))
    }

    /// Refuses a lock on which another run has a lease that still holds.
    fn heed(&mut self, key: &str, lease: Option<Lease>) -> Result<(), Failure> {
        let Some(lease) = lease else {
            return Ok(());
        };
        if self.runs().contains(&lease.run.as_str()) {
            self.leases.held = true;
            return Ok(());
        }
        let Lease {
            run,
            runbook,
            actor,
            taken,
            expires,
            ..
        } = lease;
        if lease.expired {
            self.said.push(format!(
                "run {run} of `{runbook}` by {actor} left the lock `{key}` behind at {taken}; its lease expired at {expires}"
            ));
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::LockTimeout,
            format!("run {run} of `{runbook}` was cut short, and its lease on the lock `{key}` still holds"),
        )
        .note(format!("taken by {actor} at {taken}; it expires at {expires}"))
        .help(format!("`runbook resume {run}` goes on with that run"))
        .help(format!("`runbook undo {run}` puts back what it changed")))
    }

    /// Returns the statement by which a recorded transaction takes or renews the leases on the run's locks.
    pub(super) fn renewal(&self, writer: &Writer) -> Option<String> {
        let mut keys = self.locks.clone();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return None;
        }
        let rows: Vec<String> = keys
            .iter()
            .map(|key| {
                format!(
                    "({}, {}, {}, {}, now() + interval '{TERM}')",
                    quote_literal(key),
                    quote_literal(&writer.run),
                    quote_literal(&writer.runbook),
                    quote_literal(&writer.actor)
                )
            })
            .collect();
        let runs: Vec<String> = self.runs().iter().map(|run| quote_literal(run)).collect();
        Some(format!(
            "WITH runbook_held AS (INSERT INTO runbook.lease AS l (key, run, runbook, actor, expires_at) VALUES {} \
             ON CONFLICT (key) DO UPDATE SET run = excluded.run, runbook = excluded.runbook, actor = excluded.actor, \
             taken_at = CASE WHEN l.run = excluded.run THEN l.taken_at ELSE now() END, expires_at = excluded.expires_at \
             WHERE l.run IN ({}) OR l.expires_at <= now() RETURNING 1) \
             SELECT (count(*) = {})::text AS runbook_lease FROM runbook_held",
            rows.join(", "),
            runs.join(", "),
            keys.len()
        ))
    }

    /// Takes the leases over that an earlier process of the same run may have left.
    pub fn inherit_leases(&mut self) {
        self.leases.held = self.is_journal_there();
    }

    /// Gives up the leases of the run.
    ///
    /// # Errors
    /// The server's word.
    pub async fn release(&mut self) -> Result<(), Failure> {
        if !self.leases.held {
            return Ok(());
        }
        self.revive().await?;
        let runs: Vec<String> = self.runs().iter().map(|run| quote_literal(run)).collect();
        let text = format!(
            "DELETE FROM runbook.lease WHERE run IN ({})",
            runs.join(", ")
        );
        self.client
            .batch_execute(&text)
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        self.leases.held = false;
        Ok(())
    }
}

/// Returns what an advisory lock is known by, as a literal.
fn lock_name(key: &str) -> String {
    quote_literal(&format!("runbook/{key}"))
}

/// Says that another run took the lease while this one was away.
pub(super) fn lost() -> Failure {
    Failure::new(
        FailureKind::LockTimeout,
        "another run has taken the lease on this run's lock meanwhile",
    )
    .note("nothing was changed")
    .help("wait until that run is done")
}
