//! Fixes outside of transactions: what PostgreSQL allows only there, and what acts at once whatever becomes of it.

use crate::test::Test;

const OTHER: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other'";

fn terminates(test: Test) -> Test {
    test.steps(
        "
         - confirm: go
           ask: End it?
         - fix: end
           sql: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other'
           transaction: none
           undo: none
         - check: gone
           sql: SELECT count(*) AS others FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other'
           that: others == 0
           retry: { times: 1 }",
    )
}

#[test]
fn a_rehearsal_ends_no_session() {
    let test = terminates(Test::sql("CREATE TABLE t (a int)"));
    let other = test.connect();
    other.run("SET application_name = 'other'");
    test.run("run t --dry-run").says("would run");
    assert_eq!(test.rows(OTHER), "1");
    test.run("run t --answer go=no").code(12);
    assert_eq!(test.rows(OTHER), "1");
    test.run("run t --yes");
    test.until(&format!("SELECT ({OTHER}) = 0"));
}

#[test]
fn what_acts_at_once_says_so() {
    let test = Test::sql("CREATE TABLE t (a int)").unrehearsed(
        "
         - fix: f
           sql: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = 1
           undo: none",
    );
    test.run("run t --yes")
        .code(3)
        .says("`pg_terminate_backend` acts at once: no rollback takes it back, and no rehearsal")
        .says("add `transaction: none` to the fix");
}

#[test]
fn an_undo_that_cannot_be_one_is_refused() {
    let test = Test::sql("CREATE TABLE t (a int)").unrehearsed(
        "
         - fix: f
           sql: CREATE INDEX CONCURRENTLY i ON t (a)
           transaction: none
           undo: DROP INDEX CONCURRENTLY i",
    );
    test.run("run t --yes")
        .code(3)
        .says("an `undo` runs in a transaction, which DROP INDEX CONCURRENTLY cannot");
}

#[test]
fn the_settings_of_the_run_hold_there_too() {
    let test = Test::sql("CREATE TABLE t (a int)").runbook(
        "t",
        "
         risk: medium
         session: { lock_timeout: 200ms }
         steps:
           - confirm: go
             ask: Go?
           - fix: build
             sql: CREATE INDEX CONCURRENTLY i ON t (a)
             transaction: none
             undo: none
           - check: built
             that: true",
    );
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE");
    test.run("run t --yes").code(10).says("lock timeout");
}

#[test]
fn an_index_waits_for_older_transactions_as_long_as_it_takes() {
    let test = Test::sql("CREATE TABLE t (a int); CREATE TABLE held (a int)").unrehearsed(
        "
         - fix: f
           sql: CREATE INDEX CONCURRENTLY i ON t (a)
           transaction: none
           undo: none",
    );
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE");
    let running = test.start("run t --yes");
    test.until(
        "SELECT current_setting('lock_timeout') = '0' OR count(*) > 0 FROM pg_stat_activity \
         WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'",
    );
    other.run("COMMIT");
    running.end().code(0);
    assert_eq!(
        test.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"),
        "t"
    );
}

#[test]
fn extensions_that_look_into_the_storage_only_read() {
    let test = Test::sql(
        "CREATE EXTENSION amcheck; CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)",
    )
    .steps(
        "
         - query: q
           sql: SELECT bt_index_check('t_pkey'::regclass)::text AS sound
           rows: 1",
    );
    test.run("run t").code(0);
}

#[test]
fn no_rehearsal_does_what_no_rollback_takes_back() {
    let calls = [
        "heap_force_kill('t'::regclass, ARRAY['(0,1)']::tid[])",
        "heap_force_freeze('t'::regclass, ARRAY['(0,1)']::tid[])",
        "setval('s', 1)",
        "pg_logical_emit_message(false, 'a', 'b')",
        "pg_truncate_visibility_map('t')",
        "brin_desummarize_range('i', 0)",
        "gin_clean_pending_list('i')",
    ];
    for call in calls {
        let test = Test::sql(
            "CREATE EXTENSION pg_surgery; CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); \
             CREATE SEQUENCE s START 100; SELECT nextval('s')",
        )
        .unrehearsed(&format!("- fix: f\n  sql: SELECT {call}\n  undo: none"));
        test.run("run t --dry-run")
            .code(3)
            .says("acts at once: no rollback takes it back, and no rehearsal");
        assert_eq!(
            test.rows("SELECT (SELECT count(*) FROM t), (SELECT last_value FROM s)"),
            "2 | 100"
        );
    }
}

#[test]
fn a_sequence_is_set_after_the_answer_alone() {
    let test = Test::sql("CREATE SEQUENCE s START 100; SELECT nextval('s')").steps(
        "
         - confirm: go
           ask: Set it?
         - fix: set
           sql: SELECT setval('s', 7)
           transaction: none
           undo: none
         - check: is_set
           sql: SELECT last_value FROM s
           that: last_value == 7",
    );
    let last = "SELECT last_value FROM s";
    test.run("run t --answer go=no").code(12);
    assert_eq!(test.rows(last), "100");
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(last), "7");
}
