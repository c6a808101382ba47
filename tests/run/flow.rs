//! Ways through a runbook, and how it ends.

use insta::assert_snapshot;

use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int CHECK (balance >= 0)); INSERT INTO accounts VALUES (1, 10), (2, 20)";

#[test]
fn an_error_goes_where_on_error_says() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        risk: high
        steps:
          - confirm: go
            ask: Go?
          - fix: f
            sql: UPDATE accounts SET balance = balance - 100 WHERE id = 1
            rows: 1
            on_error: explain
          - check: after
            that: true
        branches:
          explain:
            - query: why
              sql: SELECT balance FROM accounts WHERE id = 1
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
            = note: Failing row contains (1, -90).
      ✓ why                    1 row  TIME
          balance
               10

    Failed after TIME.
    `f`: new row for relation "accounts" violates check constraint "accounts_balance_check"
    Nothing was changed.
    "#);
}

#[test]
fn an_error_in_an_atomic_takes_it_back_and_goes_on() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        "
        risk: high
        steps:
          - confirm: go
            ask: Go?
          - atomic: both
            on_error: { done: Account 1 is too poor; nothing else was to do. }
            steps:
              - fix: one
                sql: UPDATE accounts SET balance = balance + 100 WHERE id = 2
                rows: 1
              - fix: two
                sql: UPDATE accounts SET balance = balance - 100 WHERE id = 1
                rows: 1
          - check: after
            that: true
        ",
    );
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ both                   rolled back, nothing of it remains
          ✓ one  1 row
      ✗ two                    failed  TIME
          error: new row for relation "accounts" violates check constraint "accounts_balance_check" (SQLSTATE 23514)
            = note: Failing row contains (1, -90).

    Done in TIME.
    Account 1 is too poor; nothing else was to do.
    "#);
    assert_eq!(test.contents(), before);
}

#[test]
fn a_branch_ends_as_it_was_entered() {
    let book = |check: &str, branch: &str| {
        format!(
            "
            risk: high
            steps:
              - query: a
                sql: SELECT balance FROM accounts WHERE id = 1
                rows: 1
              {check}
              - query: last
                sql: SELECT 1 AS n
            branches:
              aside:
                - query: b
                  sql: SELECT 2 AS n
                  {branch}
            "
        )
    };
    let cases = [
        (
            "- check: c\n                that: a.balance == 11\n                else: aside",
            "",
            10,
            "Failed after",
        ),
        (
            "- check: c\n                that: a.balance == 10\n                then: aside\n                else: last",
            "",
            0,
            "Done in",
        ),
        (
            "- check: c\n                that: a.balance == 11\n                else: aside",
            "next: last",
            0,
            "Done in",
        ),
        (
            "- check: c\n                that: a.balance == 11\n                else: aside",
            "next: { done: All is well. }",
            0,
            "All is well.",
        ),
        (
            "- check: c\n                that: a.balance == 11\n                else: aside",
            "next: { fail: 'It is {{ b.count }}.' }",
            10,
            "It is 1.",
        ),
        (
            "- check: c\n                that: a.balance == 11\n                else: aside",
            "next: { stop: Enough. }",
            0,
            "Enough.",
        ),
        (
            "- confirm: c\n                ask: Go?\n                else: aside",
            "",
            12,
            "Declined after",
        ),
        (
            "- query: c\n                sql: SELECT 1 AS n WHERE false\n                rows: 1\n                else: aside",
            "",
            10,
            "Failed after",
        ),
    ];
    let test = Test::sql(ACCOUNTS);
    let mut test = Some(test);
    for (check, branch, code, says) in cases {
        let now = test.take().unwrap().runbook("t", &book(check, branch));
        now.run("run t").code(code).says(says);
        test = Some(now);
    }
}

#[test]
fn a_switch_chooses_by_its_value() {
    let test = Test::sql("CREATE TABLE t (state text)").runbook(
        "t",
        "
        params:
          state: { type: text }
        steps:
          - check: which
            switch: state
            cases:
              open: opened
              closed: { stop: It is closed. }
              '7': { fail: Seven. }
            else: { fail: 'What is {{ state }}?' }
          - query: opened
            sql: SELECT 1 AS n
        ",
    );
    for (state, code, says) in [
        ("open", 0, "✓ opened"),
        ("closed", 0, "It is closed."),
        ("7", 10, "Seven."),
        ("Open", 10, "What is Open?"),
    ] {
        test.run_with(["run", "t", "--state", state])
            .code(code)
            .says(says);
    }
}

#[test]
fn a_switch_without_a_case_and_else_is_an_error() {
    let test = Test::sql("SELECT 1").steps(
        "
        - query: q
          sql: SELECT NULL::text AS state
          rows: 1
        - check: which
          switch: q.state
          cases:
            open: last
        - query: last
          sql: SELECT 1 AS n
        ",
    );
    assert_snapshot!(test.run("run t"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ q                      1 row  TIME
          state
          null
      ✗ which                  failed  TIME
          error: the switch is `null`, for which there is no case
            = note: the cases are open
            = help: add a case for it, or an `else`

    Failed after TIME.
    `which`: the switch is `null`, for which there is no case
    Nothing was changed.
    ");
}

#[test]
fn when_skips_and_a_warning_goes_on() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: a
          sql: SELECT balance FROM accounts WHERE id = 1
          rows: 1
        - query: poor
          when: a.balance < 10
          sql: SELECT 1 AS n
        - query: rich
          when: a.balance >= 10
          sql: SELECT 2 AS n
        - check: very_rich
          severity: warning
          that: a.balance > 1000
          otherwise: Pay in more than {{ a.balance }}.
        - check: several
          severity: warning
          all:
            has something: a.balance > 0
            has much:
              that: a.balance > 100
              otherwise: Save {{ 100 - a.balance }}.
        ",
    );
    assert_snapshot!(test.run("run t"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ a                      1 row  TIME
          balance
               10
      – poor                   skipped
      ✓ rich                   1 row  TIME
          n
          2
      ! very_rich              failed, a warning only  TIME
          ! not so: a.balance > 1000
            = help: Pay in more than 10.
      ! several                1 of 2 passed  TIME
          ✓ has something
          ! not so: has much
            = help: Save 90.

    Done in TIME.
    ");
}

#[test]
fn a_failed_check_says_what_to_do() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - check: rich
          sql: SELECT min(balance) AS least FROM accounts
          all:
            nobody is poor: least > 10
            somebody is there: least is not none
          otherwise: Look at account 1.
        ",
    );
    assert_snapshot!(test.run("run t"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ rich                   1 of 2 passed  TIME
          ✓ somebody is there
          ✗ nobody is poor
            = help: Look at account 1.

    Failed after TIME.
    `rich` says no: nobody is poor
    Nothing was changed.
    ");
}

#[test]
fn a_check_of_two_rows_is_an_error() {
    let test = Test::sql(ACCOUNTS)
        .steps("- check: c\n  sql: SELECT balance FROM accounts\n  that: balance == 10\n");
    test.run("run t").code(10).says("this one returned 2");
}

const TWO: &str = "
    risk: high
    on_failure: {ON}
    steps:
      - confirm: go
        of: [one, two]
        ask: Go?
      - fix: one
        sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
        rows: 1
      - fix: two
        sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
        rows: 1
      - check: wrong
        sql: SELECT sum(balance) AS sum FROM accounts
        that: sum == 0
    branches:
      explain:
        - query: what
          sql: SELECT * FROM accounts ORDER BY id
";

#[test]
fn a_failure_after_a_commit_names_what_remains() {
    let book = TWO.replace("{ON}", "stop");
    let test = Test::sql(ACCOUNTS).runbook("t", book.split("    branches").next().unwrap());
    test.run("run t --dry-run").code(10);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          one and two change 2 rows of accounts
            accounts  1  balance  10 → 11
                      2  balance  20 → 21
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    1 row changed, committed  TIME
      ✓ two                    1 row changed, committed  TIME
      ✗ wrong                  failed  TIME
          ✗ sum == 0

    Stopped with changes left in place after TIME.
    `wrong` says no: sum == 0
    Committed, and still there: one and two.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "11\n21"
    );
}

#[test]
fn putting_back_is_refused_before_anything_runs() {
    let book = TWO.replace("{ON}", "rollback");
    let test = Test::sql(ACCOUNTS).runbook("t", book.split("    branches").next().unwrap());
    assert_snapshot!(test.run("run t --yes"), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          one and two change 2 rows of accounts
            accounts  1  balance  10 → 11
                      2  balance  20 → 21
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    1 row changed, committed  TIME
      ✓ two                    1 row changed, committed  TIME
      → wrong                  no  TIME
          → not so: sum == 0
      ↶ undo                   one and two: 2 rows put back  TIME
          `wrong` says no: sum == 0
          accounts  2  balance  21 → 20
                    1  balance  11 → 10

    Rolled back after TIME.
    `wrong` says no: sum == 0
    What it had changed was put back: two and one.
    ");
}

#[test]
fn a_failure_can_go_to_a_branch() {
    let test = Test::sql(ACCOUNTS).runbook("t", &TWO.replace("{ON}", "explain"));
    let ran = test
        .run("run t --yes")
        .code(13)
        .says("✓ what")
        .says("`wrong` says no");
    assert!(ran.stdout.contains("still there: one and two"), "{ran}");
}

#[test]
fn a_used_runbook_runs_as_steps_of_its_own() {
    let test = Test::sql(ACCOUNTS)
        .runbook(
            "raise",
            "
            risk: high
            params:
              account: { type: int }
              by: { type: int, default: 1 }
            steps:
              - query: before
                sql: SELECT balance FROM accounts WHERE id = {{ account }}
                rows: 1
                else: { fail: 'There is no account {{ account }}.' }
              - confirm: go
                of: f
                ask: Raise {{ before.balance }} by {{ by }}?
              - fix: f
                sql: UPDATE accounts SET balance = balance + {{ by }} WHERE id = {{ account }}
                rows: 1
              - check: raised
                sql: SELECT balance FROM accounts WHERE id = {{ account }}
                that: balance == before.balance + by
            ",
        )
        .runbook(
            "t",
            "
            risk: high
            params:
              id: { type: int }
            steps:
              - use: raise
                name: first
                with: { account: '{{ id }}', by: '5' }
              - use: raise
                with: { account: '{{ id + 1 }}' }
              - query: end
                sql: SELECT sum(balance) AS sum FROM accounts
            ",
        );
    assert_snapshot!(test.run("run t --id 1 --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      id  1

      ✓ first.before           1 row  TIME
          balance
               10
      ? first.go
          first.f changes 1 row of accounts
            accounts  1  balance  10 → 15
          Raise 10 by 5?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ first.f                1 row changed, committed  TIME
      ✓ first.raised           passed  TIME
      ✓ raise.before           1 row  TIME
          balance
               20
      ? raise.go
          raise.f changes 1 row of accounts
            accounts  2  balance  20 → 21
          Raise 20 by 1?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ raise.f                1 row changed, committed  TIME
      ✓ raise.raised           passed  TIME
      ✓ end                    1 row  TIME
          sum
           36

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "15\n21"
    );
    test.run("run t --id 2 --yes")
        .code(13)
        .says("There is no account 3.");
}

#[test]
fn settings_of_the_session_hold_for_every_statement() {
    let test = Test::sql("CREATE SCHEMA here; CREATE TABLE here.t (id int PRIMARY KEY, at timestamptz); INSERT INTO here.t VALUES (1, '2026-01-01 00:00+00')").runbook(
        "t",
        "
        risk: high
        params:
          zone: { type: text, default: Europe/Vienna }
        session:
          search_path: here
          timezone: '{{ zone }}'
        steps:
          - query: shown
            sql: SELECT at, current_setting('search_path') AS path FROM t
          - confirm: go
            of: f
            ask: Go?
          - fix: f
            sql: UPDATE t SET at = at + interval '1 day' WHERE id = 1
            rows: 1
          - check: after
            sql: SELECT at::text AS at FROM t
            that: at == '2026-01-02 01:00:00+01'
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      zone  Europe/Vienna

      ✓ shown                  1 row  TIME
          at                      path
          2026-01-01 01:00:00+01  here
      ? go
          f changes 1 row of t
            t  1  at  2026-01-01 01:00:00+01 → 2026-01-02 01:00:00+01
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    test.run("run t --dry-run --zone Nowhere/Here")
        .code(10)
        .says("invalid value for parameter \"TimeZone\"");
}

#[test]
fn nested_elses_read_the_values_of_their_step() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: a
          sql: SELECT id, balance FROM accounts WHERE id = 1
          rows: 1
          else: { fail: None. }
        - query: b
          sql: SELECT balance FROM accounts WHERE id = {{ a.id + 1 }}
          rows: 1
          else: { fail: None either. }
        - check: c
          that: b.balance == a.balance
          else: { fail: '{{ a.balance }} is not {{ b.balance }} ({{ run.id | length }}, {{ target.database | length > 0 }}).' }
        ",
    );
    test.run("run t").code(10).says("10 is not 20 (6, true).");
}
