//! The server: its version, what stands between, and settings on which the safety of changes rests.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::ask::{Answer, in_transaction, row};
use super::finding::Finding;
use crate::base::words;
use crate::pg::session::Session;

/// The versions that the program knows.
const KNOWN: std::ops::RangeInclusive<i64> = 13..=18;

/// The version that the tests run on.
const TESTED: i64 = 15;

/// With fewer connections left a run may find none when it needs a second one.
const FEW: i64 = 3;

/// By how much clocks may differ before anybody minds, and before nothing may run.
const NOTABLE: SignedDuration = SignedDuration::from_secs(2);
const GRAVE: SignedDuration = SignedDuration::from_mins(1);

/// A session of ours cannot be older than its connection, but for what clocks round.
const ROUNDING: f64 = 1.0;

/// What the settings are that a session begins with; this one may have set its own.
const FACTS: &str = "\
    WITH set AS (SELECT name, reset_val FROM pg_settings) \
    SELECT current_setting('server_version_num'), current_setting('server_version'), \
           (SELECT reset_val FROM set WHERE name = 'synchronous_commit'), \
           (SELECT reset_val FROM set WHERE name = 'fsync'), \
           (SELECT reset_val FROM set WHERE name = 'full_page_writes'), \
           (SELECT reset_val FROM set WHERE name = 'track_activities'), \
           (SELECT reset_val FROM set WHERE name = 'track_counts'), \
           (SELECT sum(reset_val::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)::text FROM set \
            WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')), \
           (SELECT sum(numbackends)::text FROM pg_stat_database)";

/// Who serves the session.
const PROCESS: &str = "\
    SELECT pg_backend_pid()::text, extract(epoch FROM clock_timestamp() - backend_start)::float8::text \
    FROM (SELECT 1) AS one LEFT JOIN pg_stat_activity ON pid = pg_backend_pid()";

/// Looks at the server. `begun` is when the connection was begun.
pub(super) async fn look(session: &Session, begun: Instant) -> Vec<Finding> {
    let mut found = match row(session, FACTS).await {
        Ok(answer) => {
            let mut found = vec![version(&answer), replica(session)];
            found.extend([durable(&answer), watched(&answer), room(&answer)]);
            found
        }
        Err(why) => vec![Finding::unseen("settings", why), replica(session)],
    };
    found.push(direct(session, begun).await);
    found.push(clock(session).await);
    found
}

fn version(answer: &Answer) -> Finding {
    let (major, version) = (answer.number(0) / 10_000, answer.text(1));
    let version = version.split(' ').next().unwrap_or_default();
    let (first, last) = (KNOWN.start(), KNOWN.end());
    if major < *first {
        Finding::missing("version", format!("PostgreSQL {version} is older than the versions that this program knows: {first} to {last}"))
            .help("upgrade the server: its makers no longer mend that version either")
    } else if major > *last {
        Finding::warning("version", format!("PostgreSQL {version} is newer than the versions that this program knows: {first} to {last}"))
            .help("rehearse each run first (`--dry-run`), and look for a newer runbook")
    } else if major == TESTED {
        Finding::well(
            "version",
            format!("PostgreSQL {version}, which the tests run on"),
        )
    } else {
        Finding::well(
            "version",
            format!(
                "PostgreSQL {version}, of the supported {first} to {last}; the tests run on {TESTED}"
            ),
        )
    }
}

fn replica(session: &Session) -> Finding {
    match session.refuse_replica() {
        Ok(()) => Finding::well("writes", "it is no replica"),
        Err(failure) => Finding::missing("writes", failure.message).helps(failure.help),
    }
}

fn durable(answer: &Answer) -> Finding {
    let off = |column, name: &str| (answer.text(column) == "off").then(|| name.to_owned());
    let broken: Vec<String> = off(3, "fsync")
        .into_iter()
        .chain(off(4, "full_page_writes"))
        .collect();
    if !broken.is_empty() {
        let says = format!(
            "{} off: a crash of the machine may damage the database",
            are(&broken)
        );
        let mend = broken
            .iter()
            .map(|name| format!("`ALTER SYSTEM SET {name} = on;`"));
        return Finding::missing("durability", says)
            .helps(mend)
            .help("`SELECT pg_reload_conf();`");
    }
    if answer.text(2) == "off" {
        return Finding::warning(
            "durability",
            "synchronous_commit is off: a crash takes what others just committed; runs set it for themselves",
        )
        .help("`ALTER SYSTEM SET synchronous_commit = on;`")
        .help("`SELECT pg_reload_conf();`");
    }
    Finding::well("durability", "what is committed is on disk")
}

fn watched(answer: &Answer) -> Finding {
    let off = |column, name: &str| (answer.text(column) == "off").then(|| name.to_owned());
    let off: Vec<String> = off(5, "track_activities")
        .into_iter()
        .chain(off(6, "track_counts"))
        .collect();
    if off.is_empty() {
        return Finding::well("statistics", "sessions and changed rows are counted");
    }
    // The guard of a fix reads the counters.
    let says = format!(
        "{} off: nobody sees who waits for whom, or which tables a statement changes besides",
        are(&off)
    );
    Finding::missing("statistics", says)
        .helps(
            off.iter()
                .map(|name| format!("`ALTER SYSTEM SET {name} = on;`")),
        )
        .help("`SELECT pg_reload_conf();`")
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", words::list(names))
}

fn room(answer: &Answer) -> Finding {
    let (all, taken) = (answer.number(7), answer.number(8));
    let left = (all - taken).max(0);
    if left >= FEW {
        return Finding::well("connections", format!("{left} of {all} are free"));
    }
    Finding::warning(
        "connections",
        format!("{left} of {all} are free: the watchdog and backups need some of their own"),
    )
    .help("see who holds them: `runbook run pg-connections`")
    .help("end what was forgotten: `runbook run pg-terminate-session`")
}

/// Whether the session has the server's process for itself, as a run's locks and settings need.
async fn direct(session: &Session, begun: Instant) -> Finding {
    let mut age = 0.0;
    for _ in 0..3 {
        match in_transaction(session, PROCESS).await {
            Ok(answer) if answer.text(0) != session.pid().to_string() => {
                return Finding::missing(
                    "pooler",
                    "transactions come to different server processes: a pooler of transactions stands between",
                )
                .help("give the server's own address, or that of a pool of sessions: runs refuse this one");
            }
            Ok(answer) => age = answer.text(1).parse().unwrap_or_default(),
            Err(why) => return Finding::unseen("pooler", why),
        }
    }
    if age > begun.elapsed().as_secs_f64() + ROUNDING {
        return Finding::warning(
            "pooler",
            "the server's process is older than this connection: a pooler stands between",
        )
        .help("a pool of sessions serves; with one of transactions, runs that change something are refused: give the server's own address");
    }
    Finding::well("pooler", "none stands between")
}

async fn clock(session: &Session) -> Finding {
    let before = Timestamp::now();
    let asked = Instant::now();
    match session.now().await {
        Ok(server) => drift(server, before, asked.elapsed()),
        Err(failure) => Finding::unseen("clock", failure.message),
    }
}

/// Compares the server's time with this machine's, which was `before` when it was asked. `took` is how long the
/// answer took: the server may have looked at its clock at any moment of it.
fn drift(server: Timestamp, before: Timestamp, took: Duration) -> Finding {
    let after = before + SignedDuration::try_from(took).unwrap_or_default();
    let off = if server < before {
        before.duration_since(server)
    } else if server > after {
        server.duration_since(after)
    } else {
        SignedDuration::ZERO
    };
    if off <= NOTABLE {
        return Finding::well("clock", "the server's is this machine's");
    }
    let side = if server < before {
        "behind"
    } else {
        "ahead of"
    };
    let says = format!("the server's is {} s {side} this machine's", off.as_secs());
    let finding = if off > GRAVE {
        Finding::missing(
            "clock",
            format!("{says}: windows and approvals end at another time than you see"),
        )
    } else {
        Finding::warning("clock", says)
    };
    finding.help("set both by NTP: `timedatectl set-ntp true`, then `timedatectl status`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::doctor::finding::State;

    #[test]
    fn clocks_may_differ_by_as_much_as_the_answer_took() {
        let now = Timestamp::from_second(1_000_000).unwrap_or_default();
        let at = |seconds: i64| now + SignedDuration::from_secs(seconds);
        let cases = [
            (0, 0, State::Well),
            (-2, 0, State::Well),
            (5, 5, State::Well),
            (-3, 0, State::Warning),
            (65, 5, State::Warning),
            (-61, 0, State::Missing),
            (66, 5, State::Missing),
        ];
        for (server, took, state) in cases {
            let found = drift(at(server), now, Duration::from_secs(took));
            assert_eq!(found.state, state, "{server} {took}: {}", found.says);
        }
        let found = drift(at(-90), now, Duration::ZERO);
        assert!(
            found.says.starts_with("the server's is 90 s behind"),
            "{}",
            found.says
        );
    }

    #[test]
    fn versions_are_judged_by_what_is_known_and_tested() {
        let judged = |number: &str| {
            let answer = Answer::of([number, "N.N (Debian)"]);
            version(&answer).state
        };
        assert_eq!(judged("120022"), State::Missing);
        assert_eq!(judged("130001"), State::Well);
        assert_eq!(judged("150018"), State::Well);
        assert_eq!(judged("190000"), State::Warning);
    }

    #[test]
    fn settings_that_lose_rows_are_told_with_what_mends_them() {
        let answer = Answer::of(["", "", "off", "off", "on", "off", "on"]);
        assert_eq!(durable(&answer).state, State::Missing);
        assert_eq!(durable(&answer).help[0], "`ALTER SYSTEM SET fsync = on;`");
        assert!(watched(&answer).says.starts_with("track_activities is off"));
        let answer = Answer::of(["", "", "off", "on", "on", "on", "on"]);
        assert_eq!(durable(&answer).state, State::Warning);
        assert_eq!(watched(&answer).state, State::Well);
    }
}
