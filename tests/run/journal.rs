//! The journal in the database: what is written of a transaction, once, and by whom it may be.

use insta::assert_snapshot;
use runbook::engine::port::Close;

use crate::session::{
    apply, begin, beside, block_on, bound, connect, entry, limits, terms, until, words,
};
use crate::test::Test;

const COUNTERS: &str = "CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); \
    INSERT INTO counters SELECT n, 0 FROM generate_series(1, 3) n";

const ONE: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

const VALUES: &str = "SELECT string_agg(value::text, ' ' ORDER BY id) FROM counters";

#[test]
fn an_entry_is_committed_with_its_transaction() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.set_head("f00d");
        apply(&mut session, &entry("aaaaaa", 3), ONE).await.unwrap();
        // What is taken back leaves nothing, and can be done again.
        begin(&mut session, &entry("aaaaaa", 4), ONE).await.unwrap();
        session.close(Close::Rollback, &limits()).await.unwrap();
        session.open();
        session
            .record(&entry("aaaaaa", 5), &limits())
            .await
            .unwrap();
        session.close(Close::Commit, &limits()).await.unwrap();
    });
    assert_snapshot!(test.rows(
        "SELECT run, step, item, part, undo, name, by_run, runbook, hash, actor, login, at > now() - interval '1 hour', \
                pg_xact_status(xid), rows, head, wal <= pg_current_wal_insert_lsn() FROM runbook.entry ORDER BY id"
    ), @"
    aaaaaa | 3 | -1 | 0 | f | step_3 | aaaaaa | t | abc | ann (ann@here) | postgres | t | committed | 1 | f00d | t
    aaaaaa | 5 | -1 | 0 | f | step_5 | aaaaaa | t | abc | ann (ann@here) | postgres | t | committed | 0 | f00d | t
    ");
    assert_eq!(test.rows(VALUES), "1 0 0");
}

#[test]
fn a_unit_is_done_once() {
    let test = Test::sql(COUNTERS);
    let failure = block_on(async {
        let mut first = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut first, &entry("aaaaaa", 3), ONE).await.unwrap();
        let mut second = connect(&test.db.url(), "bbbbbb").await;
        let failure = apply(&mut second, &entry("aaaaaa", 3), ONE)
            .await
            .unwrap_err();
        // Another item, another part, another direction are other units.
        let mut other = entry("aaaaaa", 3);
        other.unit.item = Some(0);
        apply(&mut second, &other, ONE).await.unwrap();
        other.unit.part = 1;
        apply(&mut second, &other, ONE).await.unwrap();
        apply(&mut second, &entry("aaaaaa", 3).undoing(), ONE)
            .await
            .unwrap();
        failure
    });
    assert_snapshot!(words(&failure), @"
    Recorded: step `step_3` of run aaaaaa is already done
      note: by run aaaaaa of ann (ann@here) at MOMENT
      note: nothing was changed now
    ");
    assert_eq!(test.rows(VALUES), "4 0 0");
}

#[test]
fn a_run_that_only_reads_creates_nothing() {
    let test = Test::sql(COUNTERS);
    let objects = "SELECT count(*) FROM pg_class";
    let before = test.rows(objects);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.lock("key").await.unwrap();
        session.open();
        session
            .read(&bound("SELECT * FROM counters"), 10, &limits())
            .await
            .unwrap();
        session
            .change(&bound(ONE), &terms(), &limits())
            .await
            .unwrap();
        session.close(Close::Rollback, &limits()).await.unwrap();
        session.release().await.unwrap();
    });
    assert_eq!(test.rows(objects), before);
    assert_eq!(test.rows("SELECT to_regnamespace('runbook')"), "null");
}

#[test]
fn two_first_fixes_at_once_make_one_journal() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let url = test.db.url();
        let mut sessions = Vec::new();
        for run in ["aaaaaa", "bbbbbb", "cccccc", "dddddd"] {
            sessions.push((run, connect(&url, run).await));
        }
        // All of them know that there is no journal, and all make it.
        let work = sessions.iter_mut().map(async |(run, session)| {
            apply(session, &entry(run, 1), ONE).await.unwrap();
        });
        futures_util::future::join_all(work).await;
    });
    assert_eq!(
        test.rows("SELECT count(*), count(DISTINCT run) FROM runbook.entry"),
        "4 | 4"
    );
    assert_eq!(test.rows(VALUES), "4 0 0");
}

#[test]
fn an_entry_of_a_transaction_that_is_under_way_is_waited_for() {
    let test = Test::sql(COUNTERS);
    let failure = block_on(async {
        let mut first = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut first, &entry("aaaaaa", 0), ONE).await.unwrap();
        begin(&mut first, &entry("aaaaaa", 1), ONE).await.unwrap();
        let mut second = connect(&test.db.url(), "bbbbbb").await;
        let unit = entry("aaaaaa", 1);
        let committed = async {
            until(async || {
                let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'runbook/bbbbbb' \
                     AND datname = current_database() AND wait_event_type = 'Lock')";
                beside(&test, waiting) == "t"
            })
            .await;
            first.close(Close::Commit, &limits()).await.unwrap();
        };
        let (failure, ()) = tokio::join!(apply(&mut second, &unit, ONE), committed);
        failure.unwrap_err()
    });
    assert_snapshot!(words(&failure), @"
    Recorded: step `step_1` of run aaaaaa is already done
      note: by run aaaaaa of ann (ann@here) at MOMENT
      note: nothing was changed now
    ");
    assert_eq!(test.rows(VALUES), "2 0 0");
}

#[test]
fn several_entries_of_one_transaction_are_written_and_read_back() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut session = connect(&test.db.url(), "bbbbbb").await;
        begin(&mut session, &entry("aaaaaa", 2).undoing(), ONE)
            .await
            .unwrap();
        session
            .record(&entry("aaaaaa", 1).undoing(), &limits())
            .await
            .unwrap();
        session.close(Close::Commit, &limits()).await.unwrap();
        // What a savepoint takes back is not committed, and is not missed either.
        begin(&mut session, &entry("aaaaaa", 4).undoing(), ONE)
            .await
            .unwrap();
        session.open();
        session
            .record(&entry("aaaaaa", 3).undoing(), &limits())
            .await
            .unwrap();
        session
            .change(&bound(ONE), &terms(), &limits())
            .await
            .unwrap();
        session.close(Close::Rollback, &limits()).await.unwrap();
        session.close(Close::Commit, &limits()).await.unwrap();
    });
    assert_snapshot!(test.rows("SELECT run, step, undo, by_run, rows FROM runbook.entry ORDER BY id"), @"
    aaaaaa | 2 | t | bbbbbb | null
    aaaaaa | 1 | t | bbbbbb | null
    aaaaaa | 4 | t | bbbbbb | 1
    ");
    assert_eq!(test.rows(VALUES), "2 0 0");
}
