//! The sessions that wait for a transaction, and those that wait for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::policy::target::Watchdog as Limits;

/// How many of them are named.
const NAMED: usize = 8;

/// Who waits for a session, those who wait for these included. `pg_locks` tells everybody who waits;
/// `pg_stat_activity` hides from most what others do. Autovacuum gives way by itself.
const WAITERS: &str = "\
    WITH RECURSIVE waiting AS MATERIALIZED ( \
        SELECT l.pid, pg_catalog.pg_blocking_pids(l.pid) AS by, {since} AS since \
        FROM pg_catalog.pg_locks l WHERE NOT l.granted AND l.pid IS NOT NULL GROUP BY l.pid \
    ), found AS ( \
        SELECT w.pid FROM waiting w WHERE $1::text::int = ANY (w.by) \
        UNION \
        SELECT w.pid FROM waiting w JOIN found f ON f.pid = ANY (w.by) \
    ) \
    SELECT w.pid::text, coalesce(a.usename, '')::text, coalesce(a.application_name, '')::text, \
        left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120), \
        (extract(epoch FROM clock_timestamp() - w.since) * 1000)::bigint::text \
    FROM found JOIN waiting w USING (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid \
    WHERE w.pid <> $1::text::int AND coalesce(a.backend_type, '') <> 'autovacuum worker'";

/// A session that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiter {
    pid: i32,
    user: String,
    application: String,
    query: String,
    waited: Duration,
}

/// Those who wait, as of the last look.
pub(super) struct Waiters {
    /// For whom.
    pid: i32,
    text: String,
    /// When each was first seen to wait: some servers do not say since when.
    seen: HashMap<i32, Instant>,
    /// Who has waited longest first.
    found: Vec<Waiter>,
}

impl Waiters {
    /// Begins to look at who waits for a session.
    pub(super) fn new(pid: i32, knows_since: bool) -> Self {
        let since = if knows_since {
            "min(l.waitstart)"
        } else {
            "NULL::timestamptz"
        };
        Self {
            pid,
            text: WAITERS.replace("{since}", since),
            seen: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Looks who waits now.
    pub(super) async fn look(&mut self, client: &Client) -> Result<(), Failure> {
        let pid = self.pid.to_string();
        let rows = client.query_typed(&self.text, &[(&pid, Type::TEXT)]).await;
        let rows = rows.map_err(|error| failure::of(&error, &self.text, 0))?;
        self.take(rows.iter().map(read).collect());
        Ok(())
    }

    /// Takes who waits, and for how long where the server says it.
    fn take(&mut self, rows: Vec<(Waiter, Option<Duration>)>) {
        let now = Instant::now();
        self.seen
            .retain(|pid, _| rows.iter().any(|(waiter, _)| waiter.pid == *pid));
        let mut found = Vec::new();
        for (mut waiter, waited) in rows {
            let first = *self.seen.entry(waiter.pid).or_insert(now);
            waiter.waited = waited.unwrap_or_else(|| now.saturating_duration_since(first));
            found.push(waiter);
        }
        found.sort_by_key(|waiter| (std::cmp::Reverse(waiter.waited), waiter.pid));
        self.found = found;
    }

    /// Returns why they have waited enough, where they are above the limits.
    pub(super) fn over(&self, limits: &Limits) -> Option<Failure> {
        let longest = self.found.first()?;
        let many = limits
            .sessions
            .is_some_and(|most| words::long(self.found.len()) > u64::from(most));
        let long = limits.wait.is_some_and(|most| longest.waited > most);
        if !many && !long {
            return None;
        }
        let count = words::count(words::long(self.found.len()), "session");
        let time = time(longest.waited);
        let message = match self.found.len() {
            1 => format!("cancelled: {count} waited for it, for {time}"),
            _ => format!("cancelled: {count} waited for it, the longest for {time}"),
        };
        let mut failure = Failure::new(FailureKind::Blocking, message);
        for waiter in self.found.iter().take(NAMED) {
            failure = failure.note(waiter.to_string());
        }
        if let Some(more) = self.found.len().checked_sub(NAMED).filter(|more| *more > 0) {
            failure = failure.note(format!("and {more} more"));
        }
        Some(failure.help(format!(
            "change fewer rows at once (`batch`), or do it when fewer people work; this target allows {}",
            allowed(limits)
        )))
    }
}

impl std::fmt::Display for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let application = if self.application.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.application)
        };
        write!(
            f,
            "session {} of {}{application} waited for {}: {}",
            self.pid,
            self.user,
            time(self.waited),
            self.query
        )
    }
}

fn read(row: &Row) -> (Waiter, Option<Duration>) {
    let text = |index: usize| row.get::<_, Option<String>>(index).unwrap_or_default();
    let waiter = Waiter {
        pid: text(0).parse().unwrap_or_default(),
        user: text(1),
        application: text(2),
        query: text(3),
        waited: Duration::ZERO,
    };
    // The clock may be set back.
    let waited = text(4).parse().map(Duration::from_millis).ok();
    (waiter, waited)
}

/// Returns what limits allow.
fn allowed(limits: &Limits) -> String {
    let sessions = limits
        .sessions
        .map(|most| format!("{} to wait", words::count(most, "session")));
    let wait = limits.wait.map(|most| format!("a wait of {}", time(most)));
    let both: Vec<String> = sessions.into_iter().chain(wait).collect();
    both.join(" and ")
}

/// Returns "0.4 s", "12 s", "3 min 5 s".
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(pid: i32) -> Waiter {
        Waiter {
            pid,
            user: "bob".to_owned(),
            application: "psql".to_owned(),
            query: "UPDATE farms".to_owned(),
            waited: Duration::ZERO,
        }
    }

    fn of(pids: std::ops::Range<i32>) -> Waiters {
        let mut waiters = Waiters::new(1, true);
        waiters.take(
            pids.map(|pid| {
                let waited = u64::try_from(pid).unwrap();
                (waiter(pid), Some(Duration::from_secs(waited)))
            })
            .collect(),
        );
        waiters
    }

    const fn limits(sessions: Option<u32>, wait: Option<u64>) -> Limits {
        Limits {
            sessions,
            wait: match wait {
                Some(seconds) => Some(Duration::from_secs(seconds)),
                None => None,
            },
        }
    }

    #[test]
    fn limits_are_what_may_not_be_exceeded() {
        assert!(of(5..8).over(&limits(Some(3), Some(7))).is_none());
        assert!(of(5..8).over(&limits(None, None)).is_none());
        assert!(of(5..8).over(&limits(Some(2), None)).is_some());
        assert!(of(5..8).over(&limits(None, Some(6))).is_some());
        assert!(of(0..0).over(&limits(Some(0), Some(0))).is_none());
    }

    #[test]
    fn eight_are_named_who_have_waited_longest_first() {
        let failure = of(100..113).over(&limits(Some(12), Some(30))).unwrap();
        assert_eq!(
            failure.message,
            "cancelled: 13 sessions waited for it, the longest for 112 s"
        );
        assert_eq!(failure.notes.len(), 9);
        assert_eq!(
            failure.notes[0],
            "session 112 of bob (psql) waited for 112 s: UPDATE farms"
        );
        assert_eq!(failure.notes[8], "and 5 more");
        assert!(
            failure.help[0].ends_with("this target allows 12 sessions to wait and a wait of 30 s")
        );
        let one = of(200..201).over(&limits(None, Some(1))).unwrap();
        assert_eq!(
            one.message,
            "cancelled: 1 session waited for it, for 3 min 20 s"
        );
        assert!(one.help[0].ends_with("allows a wait of 1.0 s"));
    }

    #[test]
    fn where_the_server_does_not_say_it_a_wait_begins_when_it_is_seen() {
        let mut waiters = Waiters::new(1, false);
        waiters.take(vec![(waiter(7), None)]);
        let first = waiters.seen[&7];
        waiters.take(vec![(waiter(7), None), (waiter(8), None)]);
        assert_eq!(waiters.seen[&7], first);
        assert_eq!(waiters.found[0].pid, 7);
        waiters.take(vec![(waiter(8), None)]);
        assert!(!waiters.seen.contains_key(&7));
    }
}
