//! Watches a statement: its time-out, Ctrl-C, who holds the lock that it waits for, and that others have waited
//! enough for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::engine::event::Blocker;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::settings::ConnectSettings;

/// A statement that takes longer than this may be waiting for a lock: a second session looks.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a cancelled statement may take to say so.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait for that before it is asked for again.
const AGAIN: Duration = Duration::from_millis(200);

const BLOCKERS: &str = "\
    SELECT a.pid::text, coalesce(a.usename, '')::text, coalesce(a.application_name, '')::text, \
           left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120), \
           coalesce(extract(epoch FROM now() - a.xact_start)::bigint, 0)::text \
    FROM unnest(pg_blocking_pids($1::text::int)) AS b(pid) JOIN pg_stat_activity a ON a.pid = b.pid";

impl Session {
    /// Waits for a statement within its limits. What is cut short is cancelled on the server.
    pub(in crate::pg) async fn guarded<T>(
        &self,
        limits: &Limits,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.refuse_given_up()?;
        let mut work = std::pin::pin!(work);
        let watcher = tokio::time::sleep(PATIENCE);
        let mut watcher = std::pin::pin!(watcher);
        let mut watched = false;
        let cut = loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map_err(|failure| self.explain(failure)),
                () = limits.cancel.wait() => break Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"),
                () = at(limits.deadline) => break too_long(),
                failure = self.given_up() => break failure,
                () = &mut watcher, if !watched => {
                    watched = true;
                    tokio::spawn(watch(self.settings.clone(), self.pid, Arc::clone(&self.blockers)));
                }
            }
        };
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            // Both the request and the answer may fail or hang; the server then notices the lost client.
            let _ = tokio::time::timeout(GRACE, self.canceller.cancel()).await;
            // A request that comes between two statements is lost: it cancels what runs at that moment. The next one
            // is not sent before this one was served, so that none can reach what is sent after all this.
            match tokio::time::timeout(AGAIN, &mut work).await {
                // It was faster than the request to cancel it.
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(_)) => return Err(cut),
                Err(_) => {}
            }
        }
        Err(cut)
    }

    /// Adds who held the lock to a failure to get it.
    fn explain(&self, failure: Failure) -> Failure {
        if failure.kind != FailureKind::LockTimeout {
            return failure;
        }
        let Ok(blockers) = self.blockers.lock() else {
            return failure;
        };
        blockers
            .iter()
            .fold(failure, |failure, blocker| failure.note(words(blocker)))
    }
}

/// Says who holds a lock.
fn words(blocker: &Blocker) -> String {
    format!(
        "the lock is held by session {} of {} ({}), in a transaction of {} s: {}",
        blocker.pid, blocker.user, blocker.application, blocker.seconds, blocker.query
    )
}

fn too_long() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "the step took longer than its `timeout`",
    )
    .help("give the step a longer `timeout`, or make the statement faster")
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Looks once who blocks a session. Nothing depends on it, so its own failures are nobody's concern.
async fn watch(settings: ConnectSettings, pid: i32, found: Arc<Mutex<Vec<Blocker>>>) {
    let settings = settings.with_application_name("runbook/watch");
    let Ok(connected) = settings.connect().await else {
        return;
    };
    let pid = pid.to_string();
    let params: [(
        &(dyn tokio_postgres::types::ToSql + Sync),
        tokio_postgres::types::Type,
    ); 1] = [(&pid, tokio_postgres::types::Type::TEXT)];
    let Ok(rows) = connected.client.query_typed(BLOCKERS, &params).await else {
        return;
    };
    let blockers = rows.iter().map(|row| {
        let text = |index: usize| row.get::<_, String>(index);
        Blocker {
            pid: text(0).parse().unwrap_or_default(),
            user: text(1),
            application: text(2),
            query: text(3),
            seconds: text(4).parse().unwrap_or_default(),
        }
    });
    if let Ok(mut found) = found.lock() {
        *found = blockers.collect();
    }
}
