//! Who keeps others waiting gives up: above the limits of the target a fix is cancelled and rolled back.

use std::process::Command;
use std::thread::{self, JoinHandle};

use insta::assert_snapshot;

use crate::server::Connection;
use crate::test::{Ran, Running, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); \
    INSERT INTO accounts VALUES (1, 10), (2, 20), (3, 30)";

/// The program has no session any more, whoever watched included.
const GONE: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name LIKE 'runbook/%')";

/// Somebody watches.
const WATCHED: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'runbook/watchdog')";

/// A statement that lasts until it is cancelled: without the watchdog the step's time-out ends it.
const LONG: &str = "query: long
              timeout: 1min
              sql: SELECT 1 AS n FROM (SELECT pg_sleep(600)) AS pause";

/// A test on a target with these limits.
fn on(setup: &str, limits: &str) -> Test {
    let test = Test::sql(setup);
    let url = test.db.url();
    let text =
        format!("default: here\ntargets:\n  here:\n    url: \"{url}\"\n    watchdog: {limits}\n");
    test.file("runbook.yaml", text)
}

fn command(test: &Test, args: &str) -> Command {
    test.bare(args.split_whitespace())
}

fn start<'a>(test: &'a Test, args: &str) -> Running<'a> {
    test.begin(command(test, args))
}

fn run(test: &Test, args: &str) -> Ran {
    start(test, args).end()
}

/// A session that waits: does this within a transaction that it takes back, and ends.
fn waiter(test: &Test, name: &str, sql: &str) -> JoinHandle<()> {
    let (database, sql) = (
        test.db.name().to_owned(),
        format!("SET application_name = '{name}'; BEGIN; {sql}"),
    );
    thread::spawn(move || {
        let session = Connection::to(&database);
        session.run(&sql);
        session.run("ROLLBACK");
    })
}

/// A statement is under way that has this in it.
fn works(text: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND pid <> pg_backend_pid() AND position('{text}' IN query) > 0)"
    )
}

/// So many sessions wait for a lock.
fn waiting(count: usize) -> String {
    format!(
        "SELECT count(*) = {count} FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE NOT l.granted AND a.datname = current_database()"
    )
}

fn atomic(test: Test, fix: &str) -> Test {
    test.unrehearsed(&format!(
        "
        - atomic: all
          steps:
            - fix: change
              sql: {fix}
              rows: 1
            - {LONG}
        "
    ))
}

#[test]
fn a_fix_that_another_session_waits_for_gives_up() {
    let test = on(ACCOUNTS, "{ sessions: 0 }");
    let test = atomic(test, "UPDATE accounts SET balance = 0 WHERE id = 1");
    let before = test.contents();
    let running = start(&test, "run t --answer go=yes");
    test.until(&works("pg_sleep(600)"));
    let shop = waiter(
        &test,
        "shop",
        "UPDATE accounts SET balance = 1 WHERE id = 1",
    );
    assert_snapshot!(running.end(), @"
    exit 10
    --- stdout
    Test  run RUN · here/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
      ✗ all                    rolled back, nothing of it remains
          ✓ change  1 row
      ✗ long                   failed  TIME
          error: cancelled: 1 session waited for it, for TIME
            = note: session PID of postgres (shop) waited for TIME: SET application_name = 'shop'; BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1
            = help: change fewer rows at once (`batch`), or do it when fewer people work; this target allows 0 sessions to wait

    Failed after TIME.
    `long`: cancelled: 1 session waited for it, for TIME
    Nothing was changed.
    ");
    shop.join().unwrap();
    test.until(GONE);
    assert_eq!(test.contents(), before);
}

#[test]
fn sessions_that_wait_for_those_who_wait_count() {
    let test = on(ACCOUNTS, "{ sessions: 1 }");
    let test = atomic(test, "UPDATE accounts SET balance = 0 WHERE id = 1");
    let before = test.contents();
    let running = start(&test, "run t --answer go=yes");
    test.until(&works("pg_sleep(600)"));
    let first = waiter(
        &test,
        "first",
        "UPDATE accounts SET balance = 2 WHERE id = 2; UPDATE accounts SET balance = 1 WHERE id = 1",
    );
    test.until(&waiting(1));
    let second = waiter(
        &test,
        "second",
        "UPDATE accounts SET balance = 3 WHERE id = 2",
    );
    running
        .end()
        .code(10)
        .says("cancelled: 2 sessions waited for it, the longest for ")
        .says("session PID of postgres (first) waited for ")
        .says("session PID of postgres (second) waited for ");
    first.join().unwrap();
    second.join().unwrap();
    test.until(GONE);
    assert_eq!(test.contents(), before);
}

#[test]
fn many_short_statements_of_one_transaction_are_watched_as_one() {
    let pauses: Vec<String> = (1..=200)
        .map(|n| {
            format!("    - query: pause_{n}\n      sql: SELECT pg_sleep(0.3)::text AS slept\n")
        })
        .collect();
    let test = on(ACCOUNTS, "{ wait: 200ms }").unrehearsed(&format!(
        "
- fix: before
  sql: UPDATE accounts SET balance = 0 WHERE id = 3
  rows: 1
- atomic: all
  steps:
    - fix: change
      sql: UPDATE accounts SET balance = 0 WHERE id = 1
      rows: 1
{}",
        pauses.concat()
    ));
    let before = test.contents();
    let running = start(&test, "run t --answer go=yes");
    test.until(&works("pg_sleep(0.3)"));
    let shop = waiter(
        &test,
        "shop",
        "SELECT FROM accounts WHERE id = 1 FOR UPDATE",
    );
    running
        .end()
        .code(11)
        .says("rolled back, nothing of it remains")
        .says("cancelled: 1 session waited for it, for ")
        .says("What it had changed was put back: before.");
    shop.join().unwrap();
    test.until(GONE);
    assert_eq!(test.contents(), before);
}

#[test]
fn who_queues_behind_an_alter_table_that_waits_itself_waits_for_it() {
    let test = on(ACCOUNTS, "{ sessions: 0 }").runbook(
        "t",
        "
        risk: high
        session:
          lock_timeout: 1min
        steps:
          - confirm: go
            ask: Go?
          - fix: alter
            timeout: 1min
            sql: ALTER TABLE accounts ADD COLUMN note text
            undo: none
          - check: after
            that: true
        ",
    );
    let reader = test.connect();
    reader.run("BEGIN; SELECT FROM accounts");
    let running = start(&test, "run t --answer go=yes");
    test.until(&waiting(1));
    let shop = waiter(&test, "shop", "SELECT FROM accounts");
    running
        .end()
        .code(10)
        .says("cancelled: 1 session waited for it, for ")
        .says("session PID of postgres (shop) waited for ")
        .says("Nothing was changed.");
    // It waited for the fix alone, not for who reads.
    shop.join().unwrap();
    reader.run("COMMIT");
    test.until(GONE);
    assert_eq!(
        test.rows("SELECT count(*) FROM pg_attribute WHERE attrelid = 'accounts'::regclass AND attname = 'note'"),
        "0"
    );
}

#[test]
fn a_rehearsal_gives_up_too() {
    let test = on(ACCOUNTS, "{ sessions: 0 }").confirmed(&format!(
        "
        - atomic: all
          steps:
            - fix: change
              sql: UPDATE accounts SET balance = 0 WHERE id = 1
              rows: 1
            - {LONG}
        "
    ));
    let before = test.contents();
    for args in ["run t --answer go=yes", "run t --dry-run --answer go=yes"] {
        let running = start(&test, args);
        test.until(&works("pg_sleep(600)"));
        let shop = waiter(
            &test,
            "shop",
            "UPDATE accounts SET balance = 1 WHERE id = 1",
        );
        running
            .end()
            .code(10)
            .says("cancelled: 1 session waited for it, for ")
            .says("found by the rehearsal: nothing was changed");
        shop.join().unwrap();
        test.until(GONE);
        assert_eq!(test.contents(), before, "{args}");
    }
}

#[test]
fn what_runs_outside_of_transactions_gives_up_too() {
    let test = on(ACCOUNTS, "{ sessions: 0 }").unrehearsed(
        "
        - fix: index
          transaction: none
          timeout: 1min
          sql: CREATE INDEX CONCURRENTLY accounts_balance ON accounts (balance)
          undo: none
        ",
    );
    let writer = test.connect();
    writer.run("BEGIN; UPDATE accounts SET balance = 5 WHERE id = 3");
    let running = start(&test, "run t --answer go=yes");
    test.until(&waiting(1));
    let shop = waiter(
        &test,
        "shop",
        "LOCK TABLE accounts IN SHARE UPDATE EXCLUSIVE MODE",
    );
    running
        .end()
        .code(10)
        .says("cancelled: 1 session waited for it, for ")
        .says("LOCK TABLE accounts");
    shop.join().unwrap();
    writer.run("ROLLBACK");
    test.until(GONE);
}

#[test]
fn a_slow_fix_that_keeps_nobody_waiting_is_left_alone() {
    let test = on(ACCOUNTS, "{ sessions: 0, wait: 1ms }").runbook(
        "t",
        "
        risk: high
        session:
          lock_timeout: 1min
        steps:
          - confirm: go
            ask: Go?
          - fix: change
            sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
            rows: 1
          - check: after
            that: true
        ",
    );
    let other = test.connect();
    other.run("BEGIN; UPDATE accounts SET balance = 50 WHERE id = 1");
    let running = start(&test, "run t --answer go=yes");
    // It waits for another one, and somebody who waits elsewhere is not its concern.
    test.until(WATCHED);
    let elsewhere = waiter(&test, "elsewhere", "SELECT pg_sleep(0.5)");
    elsewhere.join().unwrap();
    other.run("COMMIT");
    running.end().code(0).keeps("goes on without");
    test.until(GONE);
    assert_eq!(test.rows("SELECT balance FROM accounts WHERE id = 1"), "51");
}

#[test]
fn without_a_connection_for_the_watch_the_run_goes_on_and_says_so() {
    let test = on(
        &format!("{ACCOUNTS}; GRANT ALL ON accounts TO PUBLIC"),
        "{ sessions: 0 }",
    );
    let role = format!("alone_{}", test.db.name());
    let admin = test.connect();
    admin.run(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 1"));
    let url = test.db.url().replace("postgres@", &format!("{role}@"));
    assert_ne!(url, test.db.url());
    let test = test
        .file(
            "runbook.yaml",
            format!("default: here\ntargets:\n  here:\n    url: \"{url}\"\n    watchdog: {{ sessions: 0 }}\n"),
        )
        .unrehearsed(
            "
            - atomic: all
              steps:
                - fix: change
                  sql: UPDATE accounts SET balance = 0 WHERE id = 1
                  rows: 1
                - query: slow
                  sql: SELECT 1 AS n FROM (SELECT pg_sleep(3)) AS pause
            ",
        );
    test.run(&format!("init --grant {role}")).code(0);
    assert_snapshot!(run(&test, "run t --answer go=yes").stdout.replace(&role, "ROLE"), @r#"
    Test  run RUN · here/DB · medium risk

      ? go
          Go?
          ✓ yes · alone_DB (USER@HOST) by --answer
          notice: goes on without a watch over whom it keeps waiting: PostgreSQL at alone_DB@SERVER:5432/DB refuses the connection: too many connections for role "alone_DB" (53300)
      ✓ all                    1 row changed, committed  TIME
          ✓ change  1 row   ✓ slow  1 row
          accounts  1  balance  10 → 0
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
    assert_eq!(test.rows("SELECT balance FROM accounts WHERE id = 1"), "0");
    admin.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
