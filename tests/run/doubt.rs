//! A COMMIT of which nobody heard the answer: the journal is asked, and nothing is done twice.

use insta::assert_snapshot;
use runbook::engine::failure::FailureKind;
use runbook::engine::port::Close;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, ScratchOptions};
use runbook::pg::session::journal::Keeping;

use crate::proxy::{Fault, Proxy};
use crate::server::Database;
use crate::session::{
    apply, begin, beside, block_on, bound, connect, connect_keeping, entry, limits, terms, until,
    words,
};
use crate::test::Test;

const COUNTERS: &str = "CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); \
    INSERT INTO counters SELECT n, 0 FROM generate_series(1, 3) n";

const ONE: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

const STATE: &str =
    "SELECT (SELECT value FROM counters WHERE id = 1), (SELECT count(*) FROM runbook.entry)";

fn proxy(test: &Test) -> Proxy {
    Proxy::new(test.root(), &Database::folder())
}

#[test]
fn case_02_whoever_asks_after_a_commit_whose_client_died_learns_that_it_was_done() {
    let test = Test::sql(COUNTERS);
    let proxy = proxy(&test);
    block_on(async {
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        proxy.arm(Fault::Hold);
        let limits = limits();
        tokio::select! {
            _ = session.close(Close::Commit, &limits) => panic!("nobody answered"),
            () = until(async || proxy.hits() > 0) => {}
        }
        drop(session);
        let mut later = connect(&test.db.url(), "aaaaaa").await;
        assert!(
            later
                .recorded(&entry("aaaaaa", 1), None, &limits)
                .await
                .unwrap()
        );
        assert!(
            !later
                .recorded(&entry("aaaaaa", 2), None, &limits)
                .await
                .unwrap()
        );
        // To ask leaves nothing behind.
        assert!(
            !later
                .recorded(&entry("aaaaaa", 2), None, &limits)
                .await
                .unwrap()
        );
    });
    assert_eq!(test.rows(STATE), "1 | 1");
}

#[test]
fn case_03_a_commit_whose_answer_is_lost_is_found_in_the_journal() {
    let test = Test::sql(COUNTERS);
    let proxy = proxy(&test);
    block_on(async {
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        session.lock("counter 1").await.unwrap();
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        proxy.arm(Fault::LoseAnswer);
        session.close(Close::Commit, &limits()).await.unwrap();
        assert_eq!(proxy.hits(), 1);
        assert_eq!(beside(&test, STATE), "1 | 1");
        // The run goes on, with its lock.
        apply(&mut session, &entry("aaaaaa", 2), ONE).await.unwrap();
        let mut other = connect(&test.db.url(), "bbbbbb").await;
        other.lock("counter 1").await.unwrap_err();
    });
    assert_eq!(test.rows(STATE), "2 | 2");
}

#[test]
fn case_03_a_commit_that_is_lost_itself_never_was() {
    let test = Test::sql(COUNTERS);
    let proxy = proxy(&test);
    for fault in [Fault::LoseRequest, Fault::Strand] {
        block_on(async {
            let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
            session.lock("counter 1").await.unwrap();
            begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
            proxy.arm(fault);
            let failure = session.close(Close::Commit, &limits()).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Connection, "{failure:?}");
        });
        assert_eq!(test.rows(STATE), "0 | 0", "{fault:?}");
    }
    block_on(async {
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
    });
    assert_eq!(proxy.hits(), 2);
    assert_eq!(test.rows(STATE), "1 | 1");
}

#[test]
fn case_03_a_commit_is_resolved_by_its_id_where_there_is_no_journal() {
    let test = Test::sql(COUNTERS);
    let proxy = proxy(&test);
    let keeping = || Keeping::Local(test.root().join("state"));
    let value = "SELECT value FROM counters WHERE id = 1";
    for (fault, after) in [
        (Fault::LoseAnswer, "1"),
        (Fault::LoseRequest, "1"),
        (Fault::Strand, "1"),
    ] {
        block_on(async {
            let mut session =
                connect_keeping(&proxy.url(&test.db.url()), "aaaaaa", keeping()).await;
            begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
            let transaction = session.transaction();
            assert!(transaction.is_some());
            proxy.arm(fault);
            let closed = session.close(Close::Commit, &limits()).await;
            assert_eq!(closed.is_ok(), fault == Fault::LoseAnswer, "{closed:?}");
            let mut later = connect_keeping(&test.db.url(), "aaaaaa", keeping()).await;
            let recorded = later
                .recorded(&entry("aaaaaa", 1), transaction.as_deref(), &limits())
                .await
                .unwrap();
            assert_eq!(recorded, fault == Fault::LoseAnswer);
        });
        assert_eq!(test.rows(value), after, "{fault:?}");
    }
    assert_eq!(test.rows("SELECT to_regnamespace('runbook')"), "null");
}

#[test]
fn case_03_in_progress_is_never_read_as_rolled_back() {
    block_on(async {
        let options = ScratchOptions {
            settings: vec![("synchronous_standby_names".to_owned(), "nobody".to_owned())],
            ..ScratchOptions::default()
        };
        let server = scratch::start(&Environment::from_process(), options)
            .await
            .unwrap();
        let beside = server.settings("postgres").connect().await.unwrap().client;
        beside.batch_execute(COUNTERS).await.unwrap();
        let asks = async |sql: &str| beside.query_one(sql, &[]).await.unwrap().get::<_, bool>(0);
        let url = server.url("postgres");
        let mut session = connect(&url, "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 0), ONE).await.unwrap();
        // From now on COMMIT waits for a standby that never comes.
        session.set_local(vec![("synchronous_commit".to_owned(), "on".to_owned())]);
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        let mut later = connect(&url, "aaaaaa").await;
        let (limits, unit) = (limits(), entry("aaaaaa", 1));
        let ended = async {
            until(async || {
                asks("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')")
                    .await
            })
            .await;
            let killed = async {
                until(async || asks("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')").await).await;
                asks("SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").await
            };
            tokio::join!(later.recorded(&unit, None, &limits), killed).0
        };
        let (closed, recorded) = tokio::join!(session.close(Close::Commit, &limits), ended);
        assert!(recorded.unwrap());
        closed.unwrap();
        assert!(asks("SELECT value = 2 FROM counters WHERE id = 1").await);
        server.stop().unwrap();
    });
}

#[test]
fn case_05_a_terminated_session_is_rolled_back_and_says_why() {
    let test = Test::sql(COUNTERS);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.lock("counter 1").await.unwrap();
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'runbook/aaaaaa' AND datname = current_database()";
        beside(&test, kill);
        let failure = session
            .change(&bound(ONE), &terms(), &limits())
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connection);
        let _ = session.close(Close::Rollback, &limits()).await;
        session.revive().await.unwrap();
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
    });
    assert_eq!(test.rows(STATE), "1 | 1");
}

#[test]
fn case_07_a_recorded_transaction_that_was_aborted_is_no_success() {
    let test = Test::sql(COUNTERS);
    let failure = block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        let wrong = bound("UPDATE counters SET value = 1 / 0 WHERE id = 1");
        session
            .change(&wrong, &terms(), &limits())
            .await
            .unwrap_err();
        let failure = session.close(Close::Commit, &limits()).await.unwrap_err();
        // The session is of use afterwards.
        apply(&mut session, &entry("aaaaaa", 2), ONE).await.unwrap();
        assert_eq!(session.take_notices(), Vec::<String>::new());
        failure
    });
    assert_snapshot!(words(&failure), @"
    Statement: the server did not commit the transaction: it is aborted
      note: a statement in it failed before; nothing was changed
    ");
    assert_eq!(test.rows(STATE), "1 | 1");
}

#[test]
fn nobody_is_asked_who_cannot_know() {
    let test = Test::sql(COUNTERS);
    let proxy = proxy(&test);
    let failure = block_on(async {
        let options = ScratchOptions {
            fresh: true,
            ..ScratchOptions::default()
        };
        let other = scratch::start(&Environment::from_process(), options)
            .await
            .unwrap();
        other.create_database(test.db.name(), None).await.unwrap();
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        begin(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        proxy.arm(Fault::LoseAnswer);
        proxy.lead_to(&other.path().display().to_string());
        let failure = session.close(Close::Commit, &limits()).await.unwrap_err();
        other.stop().unwrap();
        failure
    });
    let numbers = regex_lite::Regex::new(r"\d{2,}").unwrap();
    assert_snapshot!(numbers.replace_all(&words(&failure), "N"), @"
    InDoubt: COMMIT was under way, and nobody can say yet what became of it
      note: this is another cluster than the one that the run began on
      note: it began on cluster N, this is cluster N
      note: the connection was lost and opened again
      note: the transaction is N
      help: when the server is back, `runbook resume aaaaaa` finds out and goes on
      help: do not run it again before you know
    ");
    assert_eq!(test.rows(STATE), "1 | 1");
}
