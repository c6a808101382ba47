//! `rollback` steps, `on_failure` and `on_cancel`: what a run itself puts back.

use insta::{allow_duplicates, assert_snapshot};

use crate::test::{Ran, Test};
use crate::undo::{USERS, newest, told, undo};

const PLANS: &str = "SELECT string_agg(id || ' ' || plan, ', ' ORDER BY id) FROM users";

const FREE: &str = "1 free, 2 free, 3 free, 4 free, 5 free";

/// Two fixes, a check that fails, and a branch.
fn failing(branch: &str) -> Test {
    Test::sql(USERS).runbook(
        "t",
        &format!(
            "
            risk: high
            steps:
              - confirm: go
                ask: Go?
              - fix: one
                sql: UPDATE users SET plan = 'paid' WHERE id <= 2
                rows: 2
              - fix: two
                sql: DELETE FROM users WHERE id = 5
                rows: 1
              - check: all_there
                sql: SELECT count(*) AS n FROM users
                that: n == 5
                else: repair
            branches:
              repair:
{branch}"
        ),
    )
}

const BLANKS: &str = "                ";

#[test]
fn a_rollback_puts_back_all_that_ran() {
    let test = failing(&format!("{BLANKS}- rollback: everything\n"));
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✓ two                    1 row changed, committed  TIME
          users  - 5  name user 5   plan free
      → all_there              no  TIME
          → not so: n == 5
      ↶ everything             3 rows put back  TIME
          users   + 5  name user 5   plan free
                 1, 2  plan  paid → free

    Rolled back after TIME.
    `all_there` says no: n == 5
    What it had changed was put back: two and one.
    ");
    assert_eq!(test.contents(), before);
    // There is nothing left for `undo`.
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    assert_snapshot!(test.run("run t --dry-run"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – everything puts back what is committed

      ? go
          Go?
          ✓ yes · the rehearsal
      ✓ one                    2 rows changed, to be rolled back  TIME
          users  1, 2  plan  free → paid
      ✓ two                    1 row changed, to be rolled back  TIME
          users  - 5  name user 5   plan free
      → all_there              no  TIME
          → not so: n == 5
      – everything             would run; a dry run cannot rehearse it

    Failed after TIME.
    `all_there` says no: n == 5
    It would change 3 rows of users:
      users  2 updated, 1 deleted
    Everything is rolled back, as the server confirms.
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn a_rollback_of_some_leaves_the_others() {
    let test = failing(&format!(
        "{BLANKS}- rollback: the_users\n{BLANKS}  of: two\n{BLANKS}- check: told\n{BLANKS}  that: the_users.restored == 1\n"
    ));
    assert_snapshot!(test.run("run t --yes"), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✓ two                    1 row changed, committed  TIME
          users  - 5  name user 5   plan free
      → all_there              no  TIME
          → not so: n == 5
      ↶ the_users              1 row put back  TIME
          users  + 5  name user 5   plan free
      ✓ told                   passed  TIME

    Stopped with changes left in place after TIME.
    `all_there` says no: n == 5
    Committed, and still there: one. Put back: two.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 free, 4 free, 5 free");
    // `undo` puts back the rest.
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 2 rows of users
            users  1, 2  plan  paid → free
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   one: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

/// A rollback before which a program waits, so that someone else can change a row.
fn in_conflict(rollback: &str) -> Test {
    Test::sql(USERS).runbook(
        "t",
        &format!(
            "
            risk: high
            steps:
              - confirm: go
                ask: Go?
              - fix: one
                sql: UPDATE users SET plan = 'paid' WHERE id <= 3
                rows: 3
              - check: wait
                sql: SELECT plan FROM users WHERE id = 5
                that: plan == 'free' and false
                else: back
            branches:
              back:
                - query: moment
                  command: [sh, -c, 'touch waits; until [ -e go ]; do sleep 0.02; done']
                - rollback: everything
{rollback}"
        ),
    )
}

#[test]
fn a_row_that_someone_changed_stops_a_rollback() {
    let test = in_conflict("");
    assert_snapshot!(between(&test), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    3 rows changed, committed  TIME
          users  1, 2, 3  plan  free → paid
      → wait                   no  TIME
          → not so: plan == 'free' and false
      ✓ moment                 exit code 0  TIME
      ✗ everything             nothing put back, 1 row has changed since  TIME
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    `everything` put nothing back: someone changed 1 row since
    Committed, and still there: one.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 gold, 3 paid, 4 free, 5 free");
    assert_snapshot!(undo(&test, "--yes --skip-conflicts"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 2 rows of users
            users  1, 3  plan  paid → free
          Put back 2 rows, and leave 1 row that someone changed since?
          ✓ yes · postgres (USER@HOST) by --yes
      ! undo                   one: 2 rows put back, 1 row left as it is  TIME
          what run RUN changed is put back
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    1 row left as it is
    Committed, and still there: one.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.rows(PLANS), "1 free, 2 gold, 3 free, 4 free, 5 free");
}

#[test]
fn a_row_that_someone_changed_can_be_left_by_a_rollback() {
    let test = in_conflict(&format!("{BLANKS}  on_conflict: skip\n"));
    assert_snapshot!(between(&test), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    3 rows changed, committed  TIME
          users  1, 2, 3  plan  free → paid
      → wait                   no  TIME
          → not so: plan == 'free' and false
      ✓ moment                 exit code 0  TIME
      ! everything             2 rows put back, 1 row left as it is  TIME
          users  1, 3  plan  paid → free
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    `wait` says no: plan == 'free' and false
    Committed, and still there: one.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(PLANS), "1 free, 2 gold, 3 free, 4 free, 5 free");
}

/// Runs the runbook, and changes a row between its fix and its rollback.
fn between(test: &Test) -> Ran {
    let run = test.start("run t --yes");
    let work = test.root().join("work");
    Test::wait(|| work.join("waits").exists());
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    std::fs::write(work.join("go"), "").unwrap();
    run.end()
}

const FAILS: &str = "
    {ON}
    risk: high
    steps:
      - confirm: go
        ask: Go?
      - fix: one
        sql: UPDATE users SET plan = 'paid' WHERE id <= 2
        rows: 2
      - fix: two
        sql: UPDATE users SET plan = 'gold' WHERE id > 3
        rows: 1
      - check: after
        that: true
    {BRANCHES}
";

fn fails(on: &str, branches: &str) -> Test {
    Test::sql(USERS).runbook(
        "t",
        &FAILS.replace("{ON}", on).replace("{BRANCHES}", branches),
    )
}

#[test]
fn a_failure_puts_everything_back_unless_it_is_said() {
    allow_duplicates! {
        for on in ["", "on_failure: rollback"] {
            let test = fails(on, "");
            assert_snapshot!(test.run("run t --yes"), @"
            exit 11
            --- stdout
            Test  run RUN · postgres@SERVER:5432/DB · medium risk

              ? go
                  Go?
                  ✓ yes · postgres (USER@HOST) by --yes
              ✓ one                    2 rows changed, committed  TIME
                  users  1, 2  plan  free → paid
              ✗ two                    failed  TIME
                  error: it would change 2 rows, but its row guard says 1
                    = note: the transaction is rolled back: nothing was changed
                    = help: look at the rows with a query; if the number is right, change `rows`
              ↶ undo                   one: 2 rows put back  TIME
                  `two`: it would change 2 rows, but its row guard says 1
                  users  1, 2  plan  paid → free

            Rolled back after TIME.
            `two`: it would change 2 rows, but its row guard says 1
            What it had changed was put back: one.
            ");
            assert_eq!(test.rows(PLANS), FREE);
            undo(&test, "--yes").code(0).says("Nothing to do");
        }
    }
}

#[test]
fn a_failure_can_leave_what_was_done() {
    let test = fails("on_failure: stop", "");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✗ two                    failed  TIME
          error: it would change 2 rows, but its row guard says 1
            = note: the transaction is rolled back: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`

    Stopped with changes left in place after TIME.
    `two`: it would change 2 rows, but its row guard says 1
    Committed, and still there: one.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 free, 4 free, 5 free");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 2 rows of users
            users  1, 2  plan  paid → free
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   one: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_failure_can_go_to_a_branch() {
    let branches = "branches:
      tidy:
        - rollback: back
          of: one
        - query: seen
          sql: SELECT plan, count(*) FROM users GROUP BY plan";
    let test = fails("on_failure: tidy", branches);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✗ two                    failed  TIME
          error: it would change 2 rows, but its row guard says 1
            = note: the transaction is rolled back: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`
      ↶ back                   2 rows put back  TIME
          users  1, 2  plan  paid → free
      ✓ seen                   1 row  TIME
          plan  count
          free      5

    Rolled back after TIME.
    `two`: it would change 2 rows, but its row guard says 1
    What it had changed was put back: one.
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

/// Cancels a run after its fix.
fn cancelled(on: &str, branches: &str) -> (Test, Ran) {
    let book = "
        {ON}
        risk: high
        steps:
          - confirm: go
            ask: Go?
          - fix: one
            sql: UPDATE users SET plan = 'paid' WHERE id <= 2
            rows: 2
          - check: after
            sql: SELECT pg_sleep(60)::text AS slept
            that: slept == ''
        {BRANCHES}
    ";
    let test = Test::sql(USERS).runbook(
        "t",
        &book.replace("{ON}", on).replace("{BRANCHES}", branches),
    );
    let run = test.start("run t --yes");
    test.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'");
    run.interrupt();
    let ran = run.end();
    (test, ran)
}

#[test]
fn ctrl_c_after_a_fix_puts_it_back() {
    allow_duplicates! {
        for on in ["", "on_cancel: rollback"] {
            let (test, ran) = cancelled(on, "");
            assert_snapshot!(ran, @"
            exit 11
            --- stdout
            Test  run RUN · postgres@SERVER:5432/DB · medium risk

              ? go
                  Go?
                  ✓ yes · postgres (USER@HOST) by --yes
              ✓ one                    2 rows changed, committed  TIME
                  users  1, 2  plan  free → paid
              ✗ after                  failed  TIME
                  error: cancelled by Ctrl-C
              ↶ undo                   one: 2 rows put back  TIME
                  `after`: cancelled by Ctrl-C
                  users  1, 2  plan  paid → free

            Rolled back after TIME.
            `after`: cancelled by Ctrl-C
            What it had changed was put back: one.
            --- stderr

            cancelling; once more ends it at once
            ");
            assert_eq!(test.rows(PLANS), FREE);
        }
    }
}

#[test]
fn ctrl_c_after_a_fix_can_leave_it() {
    let (test, ran) = cancelled("on_cancel: stop", "");
    assert_snapshot!(ran, @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✗ after                  failed  TIME
          error: cancelled by Ctrl-C

    Stopped with changes left in place after TIME.
    `after`: cancelled by Ctrl-C
    Committed, and still there: one.
      = help: look at what is in place before you run it again
    Undo with: runbook undo RUN
    --- stderr

    cancelling; once more ends it at once
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 free, 4 free, 5 free");
    let id = newest(&test);
    test.run(&format!("undo {id} --yes")).code(0);
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn ctrl_c_after_a_fix_can_go_to_a_branch() {
    let branches = "branches:
          back:
            - rollback: everything";
    let (test, ran) = cancelled("on_cancel: back", branches);
    assert_snapshot!(ran, @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    2 rows changed, committed  TIME
          users  1, 2  plan  free → paid
      ✗ after                  failed  TIME
          error: cancelled by Ctrl-C
      ↶ everything             2 rows put back  TIME
          users  1, 2  plan  paid → free

    Rolled back after TIME.
    `after`: cancelled by Ctrl-C
    What it had changed was put back: one.
    --- stderr

    cancelling; once more ends it at once
    ");
    assert_eq!(test.rows(PLANS), FREE);
}
