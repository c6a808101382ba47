//! Steps that run again after errors that may pass.

use insta::assert_snapshot;

use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20); \
    CREATE SEQUENCE tries; \
    CREATE FUNCTION unlucky() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN \
    IF nextval('tries') <= TG_ARGV[0]::int THEN RAISE EXCEPTION 'no luck yet' USING ERRCODE = TG_ARGV[1]; END IF; RETURN NEW; END$$;";

fn unlucky(times: u32, code: &str) -> Test {
    Test::sql(&format!(
        "{ACCOUNTS} CREATE TRIGGER unlucky BEFORE UPDATE ON accounts FOR EACH ROW \
         WHEN (NEW.id = 2) EXECUTE FUNCTION unlucky({times}, '{code}')"
    ))
}

const FIX: &str = "
    - fix: f
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
      rows: 1
      retry: { times: 2, wait: 10ms, on: [serialization] }
";

#[test]
fn case_08_a_serialization_failure_runs_the_fix_again() {
    let test = unlucky(2, "40001").unrehearsed(FIX);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ f                      retry 1 of 2 in TIME: no luck yet
      ⟲ f                      retry 2 of 2 in TIME: no luck yet
      ✓ f                      1 row changed, committed  TIME
          accounts  2  balance  20 → 21
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows("SELECT balance FROM accounts WHERE id = 2"), "21");
}

#[test]
fn case_08_retries_are_bounded_and_for_what_they_say() {
    let test = unlucky(3, "40001").unrehearsed(FIX);
    let before = test.contents();
    test.run("run t --yes").code(10).says("no luck yet");
    assert_eq!(test.rows("SELECT last_value FROM tries"), "3");
    assert_eq!(test.contents(), before);
    let test = unlucky(1, "P0001").unrehearsed(FIX);
    test.run("run t --yes").code(10);
    assert_eq!(test.rows("SELECT last_value FROM tries"), "1");
}

const ATOMIC: &str = "
    - atomic: both
      retry: { times: 3, wait: 10ms }
      steps:
        - fix: one
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
          rows: 1
        - check: sum
          sql: SELECT sum(balance) AS sum FROM accounts
          that: sum == 32
";

#[test]
fn case_08_an_atomic_runs_again_from_its_first_step() {
    let test = unlucky(2, "40P01").unrehearsed(ATOMIC);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ both                   retry 1 of 3 in TIME: no luck yet
      ⟲ both                   retry 2 of 3 in TIME: no luck yet
      ✓ both                   2 rows changed, committed  TIME
          ✓ one  1 row   ✓ two  1 row   ✓ sum
          accounts  1  balance  10 → 11
                    2  balance  20 → 21
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "11\n21"
    );
}

#[test]
fn case_08_an_atomic_that_never_succeeds_leaves_nothing() {
    let test = unlucky(9, "40P01").unrehearsed(ATOMIC);
    let before = test.contents();
    test.run("run t --yes")
        .code(10)
        .says("no luck yet")
        .says("Nothing was changed.");
    assert_eq!(test.rows("SELECT last_value FROM tries"), "4");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_08_a_serialization_failure_at_commit_runs_the_atomic_again() {
    let test = Test::sql(&format!(
        "{ACCOUNTS} CREATE CONSTRAINT TRIGGER unlucky AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION unlucky(1, '40001')"
    ))
    .unrehearsed(ATOMIC);
    test.run("run t --yes").code(0);
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "11\n21"
    );
}

#[test]
fn a_retry_of_a_step_within_an_atomic_is_one_of_the_whole() {
    let test = unlucky(1, "40001").unrehearsed(
        "
        - atomic: both
          steps:
            - fix: one
              sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
              rows: 1
            - fix: two
              sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
              rows: 1
              retry: { times: 3, wait: 10ms }
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 3
    --- stderr
    error: a step of an `atomic` is not retried alone
      --> runbooks/t.yaml:12:14
       |
    12 |       - fix: two
       |              ^^^
       |
       = help: put the `retry` on the `atomic`
    ");
}

#[test]
fn a_lock_that_comes_free_is_had_by_a_retry() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        risk: high
        session:
          lock_timeout: 100ms
        steps:
          - confirm: go
            ask: Go?
          - fix: f
            sql: UPDATE accounts SET balance = 0 WHERE id = 1
            rows: 1
            retry: { times: 100, wait: 50ms, on: [lock_timeout] }
          - check: after
            that: true
        ",
    );
    let other = test.connect();
    other.run("BEGIN; UPDATE accounts SET balance = 5 WHERE id = 1");
    let run = test.start("run t --yes");
    test.until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')");
    other.run("COMMIT");
    run.end().code(0);
    assert_eq!(test.rows("SELECT balance FROM accounts WHERE id = 1"), "0");
}

#[test]
fn a_lost_connection_is_made_again_by_a_retry() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: long
          sql: SELECT count(*) AS n FROM accounts, (SELECT pg_sleep(CASE WHEN (SELECT balance FROM accounts WHERE id = 1) = 10 THEN 60 ELSE 0 END)) AS pause
          retry: { times: 3, wait: 10ms, on: [connection] }
        ",
    );
    let run = test.start("run t");
    let kill = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'runbook/%' AND query LIKE '%pg_sleep%' AND state = 'active'";
    test.until(&format!("SELECT EXISTS (SELECT {kill})"));
    test.connect().run(&format!(
        "UPDATE accounts SET balance = 11 WHERE id = 1; SELECT pg_terminate_backend(pid) {kill}"
    ));
    assert_snapshot!(run.end(), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ⟲ long                   retry 1 of 3 in TIME: terminating connection due to administrator command
      ✓ long                   1 row  TIME
          n
          2

    Done in TIME.
    ");
}
