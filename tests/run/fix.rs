//! Fixes: guards, constraints, what else changes, and what a commit is.

use insta::assert_snapshot;
use runbook::engine::cancel::Cancel;
use runbook::engine::journal::{Terms, Undo};
use runbook::engine::port::{Bound, Close, Limits};
use runbook::pg::environment::Environment;
use runbook::pg::session::Session;
use runbook::pg::settings::ConnectSettings;
use runbook::runbook::model::StepId;
use runbook::sql::statement::Statement;

use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int CHECK (balance >= 0)); \
    INSERT INTO accounts SELECT n, 'owner ' || n, n * 10 FROM generate_series(1, 20) n";

#[test]
fn case_16_a_guard_of_one_row_stops_a_fix_of_seventeen() {
    let test = Test::sql(ACCOUNTS)
        .steps("  - confirm: go\n    ask: Go?\n  - fix: f\n    sql: UPDATE accounts SET balance = 0 WHERE id <= 17\n    rows: 1\n  - check: after\n    that: true\n");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: it would change 17 rows, but its row guard says 1
            = note: the transaction is rolled back: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`

    Failed after TIME.
    `f`: it would change 17 rows, but its row guard says 1
    Nothing was changed.
    ");
    test.run("run t --dry-run").code(10);
    assert_eq!(test.contents(), before);
}

#[test]
fn a_guard_that_says_no_in_the_rehearsal_is_found_before_anybody_is_asked() {
    let test =
        Test::sql(ACCOUNTS).fix("sql: UPDATE accounts SET balance = 0 WHERE id <= 17\nrows: 1");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: `f`: it would change 17 rows, but its row guard says 1
            = note: the transaction is rolled back: nothing was changed
            = note: found by the rehearsal: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`

    Failed after TIME.
    `go`: `f`: it would change 17 rows, but its row guard says 1
    Nothing was changed.
    ");
}

#[test]
fn guards_of_every_form_admit_what_they_say() {
    let test = Test::sql(ACCOUNTS);
    let cases = [
        ("1", 1, true),
        ("1", 0, false),
        ("0", 0, true),
        ("0..5", 5, true),
        ("0..5", 6, false),
        ("1..", 20, true),
        ("1..", 0, false),
        ("..3", 3, true),
        ("..3", 4, false),
        ("\"={{ two.count }}\"", 2, true),
        ("\"={{ two.count }}\"", 3, false),
    ];
    for (guard, rows, admitted) in cases {
        let steps = format!(
            "  - query: two\n    sql: SELECT 1 FROM accounts WHERE id <= 2\n  - confirm: go\n    ask: Go?\n  - fix: f\n    sql: UPDATE accounts SET balance = balance + 1 WHERE id <= {rows}\n    rows: {guard}\n  - check: after\n    that: f.count == {rows}\n"
        );
        let book = format!("risk: high\nsteps:\n{steps}");
        std::fs::write(
            test.root().join("work/runbooks/t.yaml"),
            format!("runbook: t\ntitle: Test\n{book}"),
        )
        .unwrap();
        let before = test.contents();
        let ran = test.run("run t --yes").code(if admitted { 0 } else { 10 });
        assert_eq!(
            test.contents() == before,
            !admitted || rows == 0,
            "{guard} {rows}:\n{ran}"
        );
    }
}

#[test]
fn a_query_guard_without_else_is_an_error() {
    let test = Test::sql(ACCOUNTS)
        .steps("  - query: q\n    sql: SELECT id FROM accounts WHERE id > 18\n    rows: 1\n");
    assert_snapshot!(test.run("run t"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ q                      2 rows, where `rows: 1` is wanted  TIME
          id
          19
          20

    Failed after TIME.
    `q` returned 2 rows, its row guard says 1
    Nothing was changed.
    ");
}

const PAIRS: &str = "CREATE TABLE parents (id int PRIMARY KEY); \
    CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED); \
    INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1)";

#[test]
fn case_27_a_deferred_constraint_is_found_before_commit() {
    let test = Test::sql(PAIRS).steps("  - confirm: go\n    ask: Go?\n  - fix: f\n    sql: UPDATE children SET parent = 7 WHERE id = 1\n    rows: 1\n  - check: after\n    that: true\n");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: insert or update on table "children" violates foreign key constraint "children_parent_fkey" (SQLSTATE 23503)
            = note: Key (parent)=(7) is not present in table "parents".

    Failed after TIME.
    `f`: insert or update on table "children" violates foreign key constraint "children_parent_fkey"
    Nothing was changed.
    "#);
    assert_snapshot!(test.run("run t --dry-run"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ? go
          Go?
          ✓ yes · the rehearsal
      ✗ f                      failed  TIME
          error: insert or update on table "children" violates foreign key constraint "children_parent_fkey" (SQLSTATE 23503)
            = note: Key (parent)=(7) is not present in table "parents".

    Failed after TIME.
    `f`: insert or update on table "children" violates foreign key constraint "children_parent_fkey"
    Everything is rolled back, as the server confirms.
    Nothing was changed.
    "#);
    assert_eq!(test.contents(), before);
}

#[test]
fn case_27_a_deferred_constraint_is_found_before_the_commit_of_an_atomic() {
    let atomic = "  - confirm: go\n    ask: Go?\n  - atomic: both\n    steps:\n      - fix: one\n        sql: UPDATE children SET parent = 7 WHERE id = 1\n        rows: 1\n      - fix: two\n        sql: INSERT INTO parents VALUES ({NEW})\n  - check: after\n    that: true\n";
    let test = Test::sql(PAIRS).steps(&atomic.replace("{NEW}", "8"));
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ both                   rolled back, nothing of it remains
          ✓ one  1 row   ✓ two  1 row
      ✗ both                   failed  TIME
          error: insert or update on table "children" violates foreign key constraint "children_parent_fkey" (SQLSTATE 23503)
            = note: Key (parent)=(7) is not present in table "parents".

    Failed after TIME.
    `both`: insert or update on table "children" violates foreign key constraint "children_parent_fkey"
    Nothing was changed.
    "#);
    test.run("run t --dry-run")
        .code(10)
        .says("violates foreign key constraint");
    assert_eq!(test.contents(), before);
    // What is broken for a while and mended within the transaction is in order.
    let test = test.steps(&atomic.replace("{NEW}", "7"));
    test.run("run t --dry-run").code(0);
    assert_eq!(test.contents(), before);
    test.run("run t --yes").code(0);
    assert_eq!(test.rows("SELECT parent FROM children"), "7");
}

/// The API that the program itself works with.
fn in_session<T>(test: &Test, work: impl AsyncFnOnce(&mut Session, &Limits) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let settings = ConnectSettings::resolve(Some(&test.db.url()), &Environment::empty()).unwrap();
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    runtime.block_on(async {
        let mut session = Session::connect(&settings, None).await.unwrap();
        work(&mut session, &limits).await
    })
}

fn bound(sql: &str) -> Bound {
    Bound {
        statement: Statement::parse(sql).unwrap(),
        binds: Vec::new(),
    }
}

#[test]
fn case_07_commit_of_an_aborted_transaction_is_no_success() {
    let test = Test::sql(ACCOUNTS);
    let before = test.contents();
    let failure = in_session(&test, async |session, limits| {
        session.open();
        let update = bound("UPDATE accounts SET balance = 5 WHERE id = 1");
        let terms = Terms {
            step: StepId(0),
            undo: Undo::Images,
            tables: None,
            ignore: Vec::new(),
            row_security: false,
        };
        session.change(&update, &terms, limits).await.unwrap();
        // A mistake that nobody looked at: the server answers COMMIT with ROLLBACK, and no error.
        session
            .change(
                &bound("UPDATE accounts SET balance = 1 / 0 WHERE id = 1"),
                &terms,
                limits,
            )
            .await
            .unwrap_err();
        session.close(Close::Commit, limits).await.unwrap_err()
    });
    assert!(failure.message.contains("aborted"), "{failure:?}");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_07_a_trigger_that_fails_at_commit_is_no_success() {
    let test = Test::sql(&format!(
        "{ACCOUNTS}; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'the books are closed'; END$$; \
         CREATE CONSTRAINT TRIGGER closed AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION refuse()"
    ))
    .steps("  - confirm: go\n    ask: Go?\n  - fix: f\n    sql: UPDATE accounts SET balance = 1 WHERE id = 1\n    rows: 1\n  - check: after\n    that: true\n");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: the books are closed (SQLSTATE P0001)
            = note: PL/pgSQL function refuse() line 1 at RAISE

    Failed after TIME.
    `f`: the books are closed
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn a_transaction_of_reads_alone_commits() {
    let test = Test::sql(ACCOUNTS);
    in_session(&test, async |session, limits| {
        session.open();
        let count = bound("SELECT count(*) FROM accounts");
        let rows = session.read(&count, 10, limits).await.unwrap();
        assert_eq!(rows.rows, [[Some("20".to_owned())]]);
        session.close(Close::Commit, limits).await.unwrap();
        // Nothing was sent at all.
        session.open();
        session.close(Close::Commit, limits).await.unwrap();
    });
}

#[test]
fn case_29_no_rows_and_null_have_a_defined_outcome() {
    let test = Test::sql("CREATE TABLE notes (id int PRIMARY KEY, body text, tag text); INSERT INTO notes VALUES (1, NULL, NULL), (2, 'x', NULL)")
        .steps(
            "  - query: empty\n    sql: SELECT * FROM notes WHERE false\n  - query: nulls\n    sql: SELECT id, body, tag FROM notes WHERE id = 1\n    rows: 1\n  - check: is_null\n    that: nulls.body is none and empty.count == 0\n  - confirm: go\n    of: [f, nothing]\n    ask: Set the body to {{ nulls.body }}?\n  - fix: f\n    sql: UPDATE notes SET body = {{ nulls.body }}, tag = coalesce({{ nulls.tag }}::text, 'none') WHERE body IS NOT DISTINCT FROM {{ nulls.body }} OR id = 2\n    rows: 2\n  - fix: nothing\n    sql: UPDATE notes SET body = 'y' WHERE false AND id = 0\n    rows: 0..\n  - check: after\n    sql: SELECT max(id) AS m FROM notes WHERE false\n    that: m is none\n",
        );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ empty                  0 rows  TIME
      ✓ nulls                  1 row  TIME
          id  body  tag
           1  null  null
      ✓ is_null                passed  TIME
      ? go
          f and nothing change 2 rows of notes
            notes  1, 2  tag   null → none
                      2  body  x → null
          Set the body to null?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      2 rows changed, committed  TIME
      ✓ nothing                no row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT * FROM notes ORDER BY id"),
        "1 | null | none\n2 | null | none"
    );
}

#[test]
fn statements_of_a_list_run_in_order_in_one_transaction() {
    let fix = "sql:\n  - INSERT INTO accounts VALUES (100, 'new', 1)\n  - UPDATE accounts SET balance = balance + 1 WHERE id = 100\n  - UPDATE accounts SET balance = balance / {BY} WHERE id = 100\nrows: 3";
    let test = Test::sql(ACCOUNTS).fix(&fix.replace("{BY}", "0"));
    let before = test.contents();
    test.run("run t --yes").code(10).says("division by zero");
    assert_eq!(test.contents(), before);
    let test = test.fix(&fix.replace("{BY}", "2"));
    test.run("run t --yes").code(0);
    assert_eq!(
        test.rows("SELECT balance FROM accounts WHERE id = 100"),
        "1"
    );
}

#[test]
fn returned_rows_are_a_result() {
    let test = Test::sql(ACCOUNTS).steps(
        "  - confirm: go\n    of: f\n    ask: Go?\n  - fix: f\n    sql: UPDATE accounts SET balance = balance + 1 WHERE id IN (3, 1) RETURNING id, owner AS \"Owner\", balance * 2 AS twice\n    rows: 2\n  - check: after\n    that: f.rows | length == 2 and f.count == 2 and (f.rows | map(attribute='twice') | sum) == 84\n  - query: shown\n    sql: SELECT {{ f.rows[0].Owner }}::text AS owner\n",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of accounts
            accounts  1  balance  10 → 11
                      3  balance  30 → 31
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      2 rows changed, committed  TIME
          id  Owner    twice
           1  owner 1     22
           3  owner 3     62
      ✓ after                  passed  TIME
      ✓ shown                  1 row  TIME
          owner
          owner 1

    Done in TIME. Undo with: runbook undo RUN
    ");
}
