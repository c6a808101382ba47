//! Leases: what a run that was cut short has begun is not overrun by another one.

use insta::assert_snapshot;

use crate::session::{apply, beside, block_on, connect, entry, words};
use crate::test::Test;

const COUNTERS: &str = "CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); \
    INSERT INTO counters SELECT n, 0 FROM generate_series(1, 3) n";

const ONE: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

const LEASES: &str =
    "SELECT key, run, runbook, actor, expires_at > now() FROM runbook.lease ORDER BY key";

/// A test with a run that was cut short after its first fix.
fn cut_short() -> Test {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.lock("customer 1").await.unwrap();
        session.lock("customer 2").await.unwrap();
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
    });
    test.until("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'runbook/aaaaaa' AND datname = current_database())");
    test
}

#[test]
fn a_lease_that_holds_refuses_other_runs() {
    let test = cut_short();
    let failure = block_on(async {
        let mut other = connect(&test.db.url(), "bbbbbb").await;
        let failure = other.lock("customer 1").await.unwrap_err();
        // What it could not have it does not hold.
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(beside(&test, locks), "0");
        other.lock("customer 3").await.unwrap();
        other.release().await.unwrap();
        failure
    });
    assert_snapshot!(words(&failure), @"
    LockTimeout: run aaaaaa of `t` was cut short, and its lease on the lock `customer 1` still holds
      note: taken by ann (ann@here) at MOMENT; it expires at MOMENT
      help: `runbook resume aaaaaa` goes on with that run
      help: `runbook undo aaaaaa` puts back what it changed
    ");
    assert_snapshot!(test.rows(LEASES), @"
    customer 1 | aaaaaa | t | ann (ann@here) | t
    customer 2 | aaaaaa | t | ann (ann@here) | t
    ");
}

#[test]
fn the_run_itself_and_who_puts_it_back_go_on_and_give_it_up() {
    for undo in [false, true] {
        let test = cut_short();
        block_on(async {
            let run = if undo { "bbbbbb" } else { "aaaaaa" };
            let mut session = connect(&test.db.url(), run).await;
            if undo {
                session.inherit("aaaaaa");
            }
            session.lock("customer 1").await.unwrap();
            session.lock("customer 2").await.unwrap();
            if undo {
                apply(&mut session, &entry("aaaaaa", 1).undoing(), ONE)
                    .await
                    .unwrap();
                assert_eq!(
                    beside(&test, "SELECT DISTINCT run FROM runbook.lease"),
                    "bbbbbb"
                );
            }
            session.release().await.unwrap();
        });
        assert_eq!(test.rows(LEASES), "");
    }
}

#[test]
fn an_expired_lease_is_taken_over_and_whose_it_was_is_said() {
    let test = cut_short();
    test.connect()
        .run("UPDATE runbook.lease SET expires_at = now() - interval '1 minute'");
    let notices = block_on(async {
        let mut other = connect(&test.db.url(), "bbbbbb").await;
        other.lock("customer 1").await.unwrap();
        let notices = other.take_notices();
        apply(&mut other, &entry("bbbbbb", 1), ONE).await.unwrap();
        notices
    });
    assert_snapshot!(crate::session::moments(&notices.join("\n")), @"run aaaaaa of `t` by ann (ann@here) left the lock `customer 1` behind at MOMENT; its lease expired at MOMENT");
    assert_snapshot!(test.rows(LEASES), @"
    customer 1 | bbbbbb | t | ann (ann@here) | t
    customer 2 | aaaaaa | t | ann (ann@here) | f
    ");
}

#[test]
fn a_lease_is_taken_with_the_first_fix_and_renewed_with_each() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.lock("customer 1").await.unwrap();
        assert_eq!(beside(&test, "SELECT to_regnamespace('runbook')"), "null");
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        beside(
            &test,
            "UPDATE runbook.lease SET expires_at = now() + interval '1 minute', taken_at = '2020-01-01'",
        );
        apply(&mut session, &entry("aaaaaa", 2), ONE).await.unwrap();
        let renewed = "SELECT expires_at > now() + interval '50 minutes', taken_at < '2021-01-01' FROM runbook.lease";
        assert_eq!(beside(&test, renewed), "t | t");
        // A run that was refused gave nothing up of it.
        let mut other = connect(&test.db.url(), "bbbbbb").await;
        let held = other.lock("customer 1").await.unwrap_err();
        assert_eq!(held.message, "another run holds the lock `customer 1`");
        other.release().await.unwrap();
        session.release().await.unwrap();
    });
    assert_eq!(test.rows(LEASES), "");
}

#[test]
fn a_session_of_the_same_run_that_is_about_to_end_is_waited_for() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut dying = connect(&test.db.url(), "aaaaaa").await;
        dying.lock("customer 1").await.unwrap();
        let mut resumed = connect(&test.db.url(), "aaaaaa").await;
        let ended = async {
            tokio::task::yield_now().await;
            drop(dying);
        };
        tokio::join!(async { resumed.lock("customer 1").await.unwrap() }, ended);
    });
}
