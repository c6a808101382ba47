//! Steps that run once for each item of a list.

use insta::assert_snapshot;

use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int CHECK (balance >= 0)); \
    INSERT INTO accounts VALUES (1, 10), (2, 5), (3, 30)";

const FIX: &str = "
    - query: all
      sql: SELECT id, balance FROM accounts ORDER BY id
    - confirm: go
      {OF}
      ask: Go?
    - fix: take
      for_each: all.rows
      as: account
      {MORE}
      sql: UPDATE accounts SET balance = balance - 7 WHERE id = {{ account.id }} AND balance = {{ account.balance }}
      rows: 1
    - check: after
      that: take.count >= 1
";

#[test]
fn a_fix_for_each_row_stops_at_the_first_failure() {
    let test = Test::sql(ACCOUNTS).steps(&FIX.replace("{OF}\n", "\n").replace("{MORE}\n", "\n"));
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id  balance
           1       10
           2        5
           3       30
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ take                   2 of 3 items  TIME
          ✓ 1  1 row
          ✗ 2
            error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
              = note: Failing row contains (2, -2).
          accounts  1  balance  10 → 3
      ↶ undo                   take: 1 row put back  TIME
          `take`: new row for relation "accounts" violates check constraint "accounts_balance_check"
          accounts  1  balance  3 → 10

    Rolled back after TIME.
    `take`: new row for relation "accounts" violates check constraint "accounts_balance_check"
    What it had changed was put back: take.
    "#);
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n5\n30"
    );
}

#[test]
fn failures_within_the_allowance_go_on() {
    let test = Test::sql(ACCOUNTS).steps(
        &FIX.replace("{OF}\n", "\n")
            .replace("{MORE}", "max_failures: 1"),
    );
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id  balance
           1       10
           2        5
           3       30
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ! take                   3 items, 2 rows, 1 failed  TIME
          ✓ 1  1 row   ✓ 3  1 row
          ✗ 2
            error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
              = note: Failing row contains (2, -2).
          accounts  1  balance  10 → 3
                    3  balance  30 → 23
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "3\n5\n23"
    );
}

#[test]
fn a_loop_is_rehearsed_as_a_whole() {
    let test =
        Test::sql(ACCOUNTS).steps(&FIX.replace("{OF}", "of: take").replace("{MORE}\n", "\n"));
    let before = test.contents();
    test.run("run t --yes")
        .code(10)
        .says("violates check constraint");
    test.run("run t --dry-run").code(10);
    assert_eq!(test.contents(), before);
    test.connect()
        .run("UPDATE accounts SET balance = 50 WHERE id = 2");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id  balance
           1       10
           2       50
           3       30
      ? go
          take changes 3 rows of accounts
            accounts  1  balance  10 → 3
                      2  balance  50 → 43
                      3  balance  30 → 23
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ take                   3 items, 3 rows  TIME
          ✓ 1  1 row   ✓ 2  1 row   ✓ 3  1 row
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "3\n43\n23"
    );
}

const ATOMIC: &str = "
    - query: all
      sql: SELECT id FROM accounts ORDER BY id
    - confirm: go
      ask: Go?
    - atomic: move
      for_each: all.rows
      as: account
      {MORE}
      steps:
        - fix: take
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = {{ account.id }}
          rows: 1
        - fix: give
          sql: UPDATE accounts SET balance = balance - 7 WHERE id = {{ account.id }}
          rows: 1
    - check: after
      that: true
";

#[test]
fn an_atomic_for_each_row_is_a_transaction_each() {
    let test = Test::sql(ACCOUNTS).steps(&ATOMIC.replace("{MORE}\n", "\n"));
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id
           1
           2
           3
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ give                   failed  TIME
          error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
            = note: Failing row contains (2, -1).
      ✗ move                   2 of 3 items  TIME
          ✓ 1  2 rows
          ✗ 2  rolled back
            ✓ take  1 row
          accounts  1  balance  10 → 11
                    1  balance  11 → 4
      ↶ undo                   move: 1 row put back  TIME
          `give`: new row for relation "accounts" violates check constraint "accounts_balance_check"
          accounts  1  balance  4 → 10

    Rolled back after TIME.
    `give`: new row for relation "accounts" violates check constraint "accounts_balance_check"
    What it had changed was put back: move.
    "#);
    // The second one failed and is taken back as a whole; the third was not begun.
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n5\n30"
    );
}

#[test]
fn an_atomic_for_each_row_within_its_allowance_goes_on() {
    let test = Test::sql(ACCOUNTS).steps(&ATOMIC.replace("{MORE}", "max_failures: 1"));
    let ran = test.run("run t --yes");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "4\n5\n24",
        "{ran}"
    );
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id
           1
           2
           3
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ give                   failed  TIME
          error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
            = note: Failing row contains (2, -1).
      ! move                   3 items, 4 rows, 1 failed  TIME
          ✓ 1  2 rows   ✓ 3  2 rows
          ✗ 2  rolled back
            ✓ take  1 row
          accounts  1  balance  10 → 11
                    1  balance  11 → 4
                    3  balance  30 → 31
                    3  balance  31 → 24
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
}

#[test]
fn an_atomic_whose_check_says_no_is_passed_over_too() {
    let more = ATOMIC.replace("{MORE}", "max_failures: 2").replace(
        "        - fix: give",
        "        - check: rich
          sql: SELECT balance FROM accounts WHERE id = {{ account.id }}
          that: balance > 15
        - fix: give",
    );
    let test = Test::sql(ACCOUNTS).steps(&more);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id
           1
           2
           3
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ! move                   3 items, 2 rows, 2 failed  TIME
          ✓ 3  2 rows
          ✗ 1  rolled back
            ✓ take  1 row
            ✗ rich  failed
              ✗ balance > 15
          ✗ 2  rolled back
            ✓ take  1 row
            ✗ rich  failed
              ✗ balance > 15
          accounts  3  balance  30 → 31
                    3  balance  31 → 24
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n5\n24"
    );
    let test = test.steps(&more.replace("max_failures: 2", "max_failures: 1"));
    test.run("run t --yes").code(10);
}

#[test]
fn a_loop_over_nothing_does_nothing() {
    let steps = "
        - query: all
          sql: SELECT id FROM accounts WHERE false
        - confirm: go
          of: {NAME}
          ask: Go?
        {STEP}
        - check: after
          that: true
    ";
    let fix = "- fix: f\n          for_each: all.rows\n          as: a\n          sql: DELETE FROM accounts WHERE id = {{ a.id }}\n          rows: 1";
    let test = Test::sql(ACCOUNTS).steps(&steps.replace("{NAME}", "f").replace("{STEP}", fix));
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    0 rows  TIME
      ? go
          f changes nothing
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      0 items  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn a_loop_over_a_parameter_and_a_query() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        params:
          ids: { type: list of int }
        steps:
          - query: one
            for_each: ids
            as: id
            sql: SELECT balance FROM accounts WHERE id = {{ id }}
          - check: sum
            that: one.count == 2 and one.results | length == 3
        ",
    );
    assert_snapshot!(test.run("run t --ids 1 --ids 9 --ids 3"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk
      ids  1, 9, 3

      ✓ one                    3 items, 2 rows  TIME
          ✓ 1  1 row   ✓ 9  0 rows   ✓ 3  1 row
      ✓ sum                    passed  TIME

    Done in TIME.
    ");
}

#[test]
fn a_loop_over_more_rows_than_are_kept_is_refused() {
    let test = Test::sql("SELECT 1").steps(
        "
        - query: all
          sql: SELECT n FROM generate_series(1, 1500) AS n
        - query: one
          for_each: all.rows
          as: r
          sql: SELECT {{ r.n }} AS n
        ",
    );
    test.run("run t")
        .code(10)
        .says("has 1500 rows, of which 1000 were kept");
}
