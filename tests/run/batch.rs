//! `batch`: many rows in parts, each a transaction of its own, and all of them put back where one goes wrong.

use insta::assert_snapshot;

use crate::terminal::Terminal;
use crate::test::Test;
use crate::undo::undo;

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL); \
    INSERT INTO items SELECT n, 0 FROM generate_series(1, 10) n";

const VALUES: &str = "SELECT string_agg(v::text, ' ' ORDER BY id) FROM items";

const PARTS: &str = "SELECT count(*), count(DISTINCT xid) FROM runbook.entry WHERE NOT undo";

fn batch(fix: &str) -> Test {
    Test::sql(ITEMS).fix(fix)
}

#[test]
fn parts_are_committed_one_by_one_and_put_back_together() {
    let test = batch("sql: UPDATE items SET v = v + id WHERE id <= 7\nrows: 7\nbatch: { size: 3 }");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 7 rows of items
            items  1  v  0 → 1
                   2  v  0 → 2
                   3  v  0 → 3
                   4  v  0 → 4
                   5  v  0 → 5
                   6  v  0 → 6
                   7  v  0 → 7
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      7 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(VALUES), "1 2 3 4 5 6 7 0 0 0");
    assert_eq!(test.rows(PARTS), "3 | 3");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 7 rows of items
            items  7  v  7 → 0
                   4  v  4 → 0
                   5  v  5 → 0
                   6  v  6 → 0
                   1  v  1 → 0
                   2  v  2 → 0
                   3  v  3 → 0
          Put back 7 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 7 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), before);
    // All or nothing: a conflict in one part leaves every part.
    test.run("run t --yes").code(0);
    test.connect().run("UPDATE items SET v = 99 WHERE id = 2");
    let before = test.contents();
    let id = crate::undo::newest(&test);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   f: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! items id = 2 was changed since
            column  then  now  would become
            v       2     99   0

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn it_pauses_between_two_parts() {
    let test = batch(
        "sql: UPDATE items SET v = 1 WHERE id > 0\nrows: 10\nbatch: { size: 5, pause: 700ms }",
    );
    let began = std::time::Instant::now();
    test.run("run t --yes").code(0);
    let took = began.elapsed();
    assert!(took >= std::time::Duration::from_millis(700), "{took:?}");
    let apart = "SELECT max(at) - min(at) >= interval '700ms' FROM runbook.entry";
    assert_eq!(test.rows(apart), "t");
    test.connect().run("UPDATE items SET v = 0");
    assert_snapshot!(test.run("run t --dry-run"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ? go
          f changes 10 rows of items
            items  1, 2, 3, 4, 5, 6, 7, 8, 9, 10  v  0 → 1
          Go?
          ✓ yes · the rehearsal
      ✓ f                      10 rows changed, to be rolled back  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    It would change 10 rows of items:
      items  10 updated
    Everything is rolled back, as the server confirms.
    ");
}

#[test]
fn a_guard_that_says_no_is_found_before_anything_changes() {
    let test = batch("sql: UPDATE items SET v = 1 WHERE id > 0\nrows: 9\nbatch: { size: 4 }");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: `f`: it would change 10 rows, but its row guard says 9
            = note: the transaction is rolled back: nothing was changed
            = note: found by the rehearsal: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`

    Failed after TIME.
    `go`: `f`: it would change 10 rows, but its row guard says 9
    Nothing was changed.
    ");
    let test = test.unrehearsed(
        "- fix: f\n  sql: UPDATE items SET v = 1 WHERE id > 0\n  rows: 9\n  batch: { size: 4 }",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: it would change 10 rows, but its row guard says 9
            = note: the transaction is rolled back: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`

    Failed after TIME.
    `f`: it would change 10 rows, but its row guard says 9
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

/// Says yes, and has someone else do something between the first part and the second.
fn between_parts(test: &Test, sql: &str) -> (Option<i32>, String) {
    let terminal = Terminal::new(test, "run t").shows("Go on? [y/N]");
    let other = test.connect();
    // The second part waits for a row.
    other.run("BEGIN; SELECT 1 FROM items WHERE id = 6 FOR UPDATE");
    let terminal = terminal.types("yes\n");
    test.until(WAITS);
    test.connect().run(sql);
    other.run("ROLLBACK");
    terminal.end()
}

const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'";

#[test]
fn a_guard_that_says_no_at_the_end_puts_every_part_back() {
    let test = Test::sql(ITEMS).unrehearsed(
        "- fix: f\n  sql: UPDATE items SET v = 1 WHERE v = 0\n  rows: 10\n  batch: { size: 4 }",
    );
    // Two rows are gone that the guard counts.
    let (code, text) = between_parts(&test, "DELETE FROM items WHERE id > 8");
    assert_eq!(code, Some(11), "{text}");
    assert_snapshot!(text, @"
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          Go on? [y/N] yes
          ✓ yes · postgres (USER@HOST)
      ✗ f                      failed  TIME
          error: it would change 8 rows, but its row guard says 10
            = note: this part is rolled back; the parts before it were committed
            = help: look at the rows with a query; if the number is right, change `rows`
      ↶ undo                   f: 8 rows put back  TIME
          `f`: it would change 8 rows, but its row guard says 10
          items  5, 6, 7, 8, 1, 2, … 2 more  v  1 → 0

    Rolled back after TIME.
    `f`: it would change 8 rows, but its row guard says 10
    What it had changed was put back: f.
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 0");
}

#[test]
fn rows_that_others_changed_in_between_are_no_part_of_what_was_approved() {
    let test = batch("sql: UPDATE items SET v = v + 1 WHERE v < 5\nrows: 1..\nbatch: { size: 4 }");
    let (code, text) = between_parts(&test, "UPDATE items SET v = 3 WHERE id = 8");
    assert_eq!(code, Some(11), "{text}");
    assert_snapshot!(text, @"
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 10 rows of items
            items  1, 2, 3, 4, 5, 6, 7, 8, 9, 10  v  0 → 1
          Go?
          Go on? [y/N] yes
          ✓ yes · postgres (USER@HOST)
      ✗ f                      failed  TIME
          error: the changes are not those that were shown and approved
            = note: now it would change 4 rows of items
            = note: someone changed the data since, or the statement gives other values each time; nothing was changed
            = help: run it again, and look at what it shows now
      ↶ undo                   f: 4 rows put back  TIME
          `f`: the changes are not those that were shown and approved
          items  1, 2, 3, 4  v  1 → 0

    Rolled back after TIME.
    `f`: the changes are not those that were shown and approved
    What it had changed was put back: f.
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 3 0 0");
}

#[test]
fn a_batch_that_was_cut_short_is_put_back() {
    let test = Test::sql(ITEMS).unrehearsed(
        "- fix: f\n  sql: UPDATE items SET v = 1 WHERE v = 0\n  rows: 10\n  batch: { size: 4 }",
    );
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM items WHERE id = 6 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    assert_eq!(test.rows(VALUES), "1 1 1 1 0 0 0 0 0 0");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 4 rows of items
            items  1, 2, 3, 4  v  1 → 0
          Put back 4 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 4 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 0 0 0");
}

#[test]
fn the_statements_that_put_a_batch_back_run_once() {
    let test = batch(
        "sql: UPDATE items SET v = v + 1 WHERE id > 0\nrows: 10\nbatch: { size: 4 }\nundo: UPDATE items SET v = v - 1 WHERE id > 0",
    );
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(VALUES), "1 1 1 1 1 1 1 1 1 1");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 10 rows of items
            items  1, 2, 3, 4, 5, 6, 7, 8, 9, 10  v  1 → 0
          Put back 10 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 10 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 0 0 0");
    assert_eq!(
        test.rows("SELECT count(*) FROM runbook.entry WHERE undo"),
        "3"
    );
}

#[test]
fn rows_are_deleted_in_parts() {
    let test =
        batch("sql: DELETE FROM items WHERE id <= 5 RETURNING id\nrows: 5\nbatch: { size: 2 }");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 5 rows of items
            items  - 1  v 0
                   - 2  v 0
                   - 3  v 0
                   - 4  v 0
                   - 5  v 0
          Operation      DELETE items
          Risk           medium: DELETE with a predicate
          Data at risk   5 rows of items deleted
          Locks          ROW EXCLUSIVE on items: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      5 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows("SELECT count(*), min(id) FROM items"), "5 | 6");
    assert_eq!(test.rows(PARTS), "3 | 3");
    undo(&test, "--yes").code(0);
    assert_eq!(test.contents(), before);
}

#[test]
fn keys_of_several_columns_go_in_their_order() {
    let test = Test::sql(
        "CREATE TABLE items (\"Big\" text, n int, v int NOT NULL, PRIMARY KEY (\"Big\", n)); \
         INSERT INTO items SELECT chr(64 + n % 3), n, 0 FROM generate_series(1, 9) n",
    )
    .fix("sql: UPDATE items SET v = n WHERE n > 1 RETURNING \"Big\", n, v\nrows: 8\nbatch: { size: 3 }");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 8 rows of items
            items  (@, 3)  v  0 → 3
                   (@, 6)  v  0 → 6
                   (@, 9)  v  0 → 9
                   (A, 4)  v  0 → 4
                   (A, 7)  v  0 → 7
                   (B, 2)  v  0 → 2
                   (B, 5)  v  0 → 5
                   (B, 8)  v  0 → 8
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      8 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT string_agg(v::text, ' ' ORDER BY n) FROM items"),
        "0 2 3 4 5 6 7 8 9"
    );
    undo(&test, "--yes").code(0);
    assert_eq!(test.contents(), before);
}

#[test]
fn what_has_no_key_is_refused() {
    let test = Test::sql("CREATE TABLE items (id int, v int); INSERT INTO items VALUES (1, 1)")
        .fix("sql: UPDATE items SET v = 2 WHERE id = 1\nrows: 1\nbatch: { size: 3 }\nundo: none");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: items cannot be worked through in parts: its rows have no key to go by
            = note: found by the rehearsal: nothing was changed
            = help: take `batch` away, or give the table a primary key

    Failed after TIME.
    `go`: items cannot be worked through in parts: its rows have no key to go by
    Nothing was changed.
    ");
    assert_eq!(test.rows("SELECT * FROM items"), "1 | 1");
}

/// Changes and puts back 100,000 rows; returns how many transactions that took.
#[track_caller]
fn hundred_thousand(batch: &str) -> String {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, v int, b text); \
         INSERT INTO items SELECT n, n, 'row ' || n FROM generate_series(1, 100000) n; ANALYZE items",
    )
    .fix(&format!(
        "sql: UPDATE items SET v = v + 1 WHERE id > 0\nrows: 100000\n{batch}"
    ));
    let before = test.contents();
    let ran = test.run("run t --yes -q");
    assert_eq!(ran.to_string(), "exit 0\n");
    assert_eq!(test.rows("SELECT sum(v - id) FROM items"), "100000");
    let parts = test.rows(PARTS);
    let ran = undo(&test, "--yes").code(0);
    ran.says("… and 99950 more rows, 100000 updated")
        .says("↶ undo                   f: 100000 rows put back");
    assert_eq!(test.contents(), before);
    parts
}

#[test]
fn case_30_a_hundred_thousand_rows_in_parts_are_there_and_back() {
    assert_eq!(hundred_thousand("batch: { size: 20000 }"), "5 | 5");
}

#[test]
fn case_30_a_hundred_thousand_rows_at_once_are_there_and_back() {
    assert_eq!(hundred_thousand(""), "1 | 1");
}
