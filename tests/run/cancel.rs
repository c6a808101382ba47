//! Locks, time-outs and Ctrl-C.

use std::process::Command;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20)";

/// A statement of the program is under way that has this in it.
fn works(text: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND application_name LIKE 'runbook/%' AND position('{text}' IN query) > 0)"
    )
}

/// The program has no session any more.
const GONE: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name LIKE 'runbook/%')";

const RAISE: &str = "
    - fix: f
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
      rows: 1
";

fn with_session(test: Test, settings: &str, steps: &str) -> Test {
    test.runbook(
        "t",
        &format!("risk: high\nsession:\n  {settings}\nsteps:\n  - confirm: go\n    ask: Go?\n{steps}  - check: after\n    that: true\n"),
    )
}

#[test]
fn case_09_a_lock_that_is_not_to_be_had_names_who_holds_it() {
    let test = with_session(
        Test::sql(ACCOUNTS),
        "lock_timeout: 1500ms",
        &RAISE.replace("\n    ", "\n  "),
    );
    let before = test.contents();
    let other = test.connect();
    other.run(
        "SET application_name = 'billing job'; BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ! f                      waiting for a lock held by pid PID (user postgres): SET application_name = 'billing job'; BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1
      ✗ f                      failed  TIME
          error: canceling statement due to lock timeout (SQLSTATE 55P03)
            = note: the lock is held by session PID of postgres (billing job), in a transaction of TIME: SET application_name = 'billing job'; BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1
            = help: wait until the other session is done, or give the step `retry: { times: 3, on: [lock_timeout] }`

    Failed after TIME.
    `f`: canceling statement due to lock timeout
    Nothing was changed.
    ");
    other.run("ROLLBACK");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_10_ctrl_c_cancels_the_query_on_the_server() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: long
          sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
        ",
    );
    let run = test.start("run t");
    test.until(&works("pg_sleep(60)"));
    let began = Instant::now();
    run.interrupt();
    assert_snapshot!(run.end(), @"
    exit 130
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ long                   failed  TIME
          error: cancelled by Ctrl-C

    Cancelled after TIME.
    `long`: cancelled by Ctrl-C
    Nothing was changed.
    --- stderr

    cancelling; once more ends it at once
    ");
    assert!(began.elapsed() < Duration::from_secs(5));
    test.until(GONE);
}

#[test]
fn case_10_ctrl_c_cancels_a_fix_that_waits_for_a_lock() {
    let test = Test::sql(ACCOUNTS).unrehearsed(RAISE);
    let before = test.contents();
    let other = test.connect();
    other.run("BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1");
    let run = test.start("run t --yes");
    test.until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')");
    run.interrupt();
    let ran = run.end().code(130).says("Nothing was changed.");
    other.run("ROLLBACK");
    test.until(GONE);
    assert_eq!(test.contents(), before, "{ran}");
}

#[test]
fn case_10_ctrl_c_within_an_atomic_leaves_nothing_of_it() {
    let test = Test::sql(ACCOUNTS).unrehearsed(
        "
        - atomic: both
          steps:
            - fix: one
              sql: UPDATE accounts SET balance = 0 WHERE id = 2
              rows: 1
            - query: long
              sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
        ",
    );
    let before = test.contents();
    let run = test.start("run t --yes");
    test.until(&works("pg_sleep(60)"));
    run.interrupt();
    assert_snapshot!(run.end(), @"
    exit 130
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ both                   rolled back, nothing of it remains
          ✓ one  1 row
      ✗ long                   failed  TIME
          error: cancelled by Ctrl-C

    Cancelled after TIME.
    `long`: cancelled by Ctrl-C
    Nothing was changed.
    --- stderr

    cancelling; once more ends it at once
    ");
    test.until(GONE);
    assert_eq!(test.contents(), before);
}

#[test]
fn case_10_the_second_ctrl_c_ends_it_at_once() {
    let test = Test::sql(&format!(
        "{ACCOUNTS}; CREATE FUNCTION stubborn() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN \
         FOR m IN 1..3 LOOP BEGIN FOR n IN 1..50 LOOP BEGIN PERFORM pg_sleep(0.1); \
         EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; \
         EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; RETURN NEW; END$$; \
         CREATE TRIGGER stubborn BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION stubborn()"
    ))
    .unrehearsed(RAISE);
    let before = test.contents();
    let run = test.start("run t --yes");
    test.until(&works("UPDATE accounts"));
    run.interrupt();
    // Nothing outside shows that the first one has arrived; a third would do no harm.
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    run.interrupt();
    let ran = run.end().code(130);
    assert!(began.elapsed() < Duration::from_secs(6), "{ran}");
    assert_eq!(
        ran.stderr,
        "\ncancelling; once more ends it at once\n\nended at once: what was not committed is rolled back\n  \
         = help: go on with it: runbook resume RUN; or put back what it changed: runbook undo RUN\n"
    );
    test.until(GONE);
    assert_eq!(test.contents(), before);
    test.connect().run("DROP TRIGGER stubborn ON accounts");
    test.run(&format!("resume {} --yes", test.id())).code(0);
    assert_ne!(test.contents(), before);
}

#[test]
fn case_10_ctrl_c_after_a_committed_fix_says_what_remains() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - confirm: go
          ask: Go?
        - fix: f
          sql: UPDATE accounts SET balance = 0 WHERE id = 2
          rows: 1
        - check: after
          sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
          that: n == 1
        ",
    );
    let run = test.start("run t --yes");
    test.until(&works("pg_sleep(60)"));
    run.interrupt();
    assert_snapshot!(run.end(), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
          accounts  2  balance  20 → 0
      ✗ after                  failed  TIME
          error: cancelled by Ctrl-C
      ↶ undo                   f: 1 row put back  TIME
          `after`: cancelled by Ctrl-C
          accounts  2  balance  0 → 20

    Rolled back after TIME.
    `after`: cancelled by Ctrl-C
    What it had changed was put back: f.
    --- stderr

    cancelling; once more ends it at once
    ");
}

#[test]
fn a_step_that_takes_too_long_is_cancelled_on_the_server() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: long
          timeout: 300ms
          sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
        ",
    );
    let began = Instant::now();
    assert_snapshot!(test.run("run t"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ long                   failed  TIME
          error: the step took longer than its `timeout`
            = help: give the step a longer `timeout`, or make the statement faster

    Failed after TIME.
    `long`: the step took longer than its `timeout`
    Nothing was changed.
    ");
    assert!(began.elapsed() < Duration::from_secs(5));
    test.until(GONE);
}

#[test]
fn the_servers_own_time_out_is_told_as_one() {
    let test = with_session(
        Test::sql(ACCOUNTS),
        "statement_timeout: 200ms",
        "  - query: long\n    sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause\n",
    );
    test.run("run t --yes")
        .code(10)
        .says("canceling statement due to statement timeout");
}

#[test]
fn a_killed_program_leaves_nothing_behind() {
    let test = Test::sql(ACCOUNTS).unrehearsed(
        "
        - atomic: both
          steps:
            - fix: one
              sql: UPDATE accounts SET balance = 0 WHERE id = 2
              rows: 1
            - query: long
              sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
        ",
    );
    let before = test.contents();
    let run = test.start("run t --yes");
    test.until(&works("pg_sleep(60)"));
    Command::new("kill")
        .args(["-9", &run.pid().to_string()])
        .status()
        .unwrap();
    assert_eq!(run.end().code, None);
    test.until(GONE);
    assert_eq!(test.contents(), before);
}

#[test]
fn another_run_with_the_same_lock_says_who_has_it() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        lock: account/{{ id }}
        params:
          id: { type: int }
        steps:
          - query: long
            sql: SELECT {{ id }} AS n FROM (SELECT pg_sleep(CASE WHEN {{ id }} = 1 THEN 60 ELSE 0 END)) AS pause
        ",
    );
    let first = test.start("run t --id 1");
    test.until(&works("pg_sleep"));
    assert_snapshot!(test.run("run t --id 1"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk
      id  1


    Failed after TIME.
    another run holds the lock `account/1`; it is held by runbook/RUN (session PID of postgres since MOMENT); wait until that run is done
    Nothing was changed.
    ");
    test.run("run t --id 2").code(0);
    first.interrupt();
    first.end().code(130);
}

#[test]
fn ctrl_c_goes_to_the_branch_that_is_for_it() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        on_cancel: tidy
        steps:
          - query: slow
            sql: SELECT pg_sleep(60)::text AS slept
        branches:
          tidy:
            - query: seen
              sql: SELECT count(*) AS accounts FROM accounts
              next: { stop: \"Tidied up.\" }
        ",
    );
    let running = test.start("run t");
    test.until(&works("pg_sleep"));
    running.interrupt();
    let text = running.end().code(0).to_string();
    assert!(text.contains("✓ seen"), "{text}");
    assert!(text.contains("Tidied up."), "{text}");
    test.until(GONE);
}
