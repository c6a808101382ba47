//! `batch`: many rows in parts, each a transaction of its own, and all of them put back where one goes wrong.

use insta::assert_snapshot;

use crate::test::{Ran, Test};
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
    let test = batch("sql: UPDATE items SET v = 1 WHERE id > 0\nrows: 10\nbatch: { size: 5, pause: 700ms }");
    let began = std::time::Instant::now();
    test.run("run t --yes").code(0);
    let took = began.elapsed();
    assert!(took >= std::time::Duration::from_millis(700), "{took:?}");
    let apart = "SELECT max(at) - min(at) >= interval '700ms' FROM runbook.entry";
    assert_eq!(test.rows(apart), "t");
    // A dry run has nothing to be gentle with.
    assert_snapshot!(test.run("run t --dry-run"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ? go
          f changes 10 rows of items
            items  10 rows stay the same
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
    let test = test.unrehearsed("- fix: f\n  sql: UPDATE items SET v = 1 WHERE id > 0\n  rows: 9\n  batch: { size: 4 }");
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
    assert_eq!(test.rows("SELECT to_regclass('runbook.entry') IS NULL OR (SELECT count(*) FROM pg_class WHERE relname = 'entry') = 1"), "t");
}

/// Runs while someone else does something between the first part and the second.
fn between_parts(test: &Test, sql: &str) -> Ran {
    let other = test.connect();
    // The second part waits for a row.
    other.run("BEGIN; SELECT 1 FROM items WHERE id = 6 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'");
    test.connect().run(sql);
    other.run("ROLLBACK");
    run.end()
}

#[test]
fn a_guard_that_says_no_at_the_end_puts_every_part_back() {
    let test = Test::sql(ITEMS).unrehearsed(
        "- fix: f\n  sql: UPDATE items SET v = 1 WHERE v = 0\n  rows: 10\n  batch: { size: 4 }",
    );
    // Two rows are gone that the guard counts.
    let ran = between_parts(&test, "DELETE FROM items WHERE id > 8");
    assert_snapshot!(ran, @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: it would change 8 rows, but its row guard says 10
            = note: the transaction is rolled back: nothing was changed
            = help: look at the rows with a query; if the number is right, change `rows`
      ↶ undo                   f: nothing to put back  TIME
          `f`: it would change 8 rows, but its row guard says 10

    Stopped with changes left in place after TIME.
    `f`: it would change 8 rows, but its row guard says 10
    Committed, and still there: f.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 0");
}

#[test]
fn rows_that_come_in_between_are_no_part_of_what_was_approved() {
    let test = batch("sql: UPDATE items SET v = v + 1 WHERE v < 5\nrows: 1..\nbatch: { size: 4 }");
    let ran = between_parts(&test, "UPDATE items SET v = 3 WHERE id = 9");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 10 rows of items
            items  1, 2, 3, 4, 5, 6, 7, 8, 10  v  0 → 1
                                          9  v  3 → 4
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      10 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(VALUES), "0 0 0 0 0 0 0 0 3 0");
}

#[test]
fn rows_are_deleted_in_parts() {
    let test = batch("sql: DELETE FROM items WHERE id <= 5 RETURNING id\nrows: 5\nbatch: { size: 2 }");
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

#[test]
fn case_30_a_hundred_thousand_rows_in_parts_are_there_and_back() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, v int, b text); \
         INSERT INTO items SELECT n, n, 'row ' || n FROM generate_series(1, 100000) n; ANALYZE items",
    )
    .fix("sql: UPDATE items SET v = v + 1 WHERE id > 0\nrows: 100000\nbatch: { size: 20000 }");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 100000 rows of items
            items   1  v  1 → 2
                    2  v  2 → 3
                    3  v  3 → 4
                    4  v  4 → 5
                    5  v  5 → 6
                    6  v  6 → 7
                    7  v  7 → 8
                    8  v  8 → 9
                    9  v  9 → 10
                   10  v  10 → 11
                   11  v  11 → 12
                   12  v  12 → 13
                   13  v  13 → 14
                   14  v  14 → 15
                   15  v  15 → 16
                   16  v  16 → 17
                   17  v  17 → 18
                   18  v  18 → 19
                   19  v  19 → 20
                   20  v  20 → 21
                   21  v  21 → 22
                   22  v  22 → 23
                   23  v  23 → 24
                   24  v  24 → 25
                   25  v  25 → 26
                   26  v  26 → 27
                   27  v  27 → 28
                   28  v  28 → 29
                   29  v  29 → 30
                   30  v  30 → 31
                   31  v  31 → 32
                   32  v  32 → 33
                   33  v  33 → 34
                   34  v  34 → 35
                   35  v  35 → 36
                   36  v  36 → 37
                   37  v  37 → 38
                   38  v  38 → 39
                   39  v  39 → 40
                   40  v  40 → 41
                   41  v  41 → 42
                   42  v  42 → 43
                   43  v  43 → 44
                   44  v  44 → 45
                   45  v  45 → 46
                   46  v  46 → 47
                   47  v  47 → 48
                   48  v  48 → 49
                   49  v  49 → 50
                   50  v  50 → 51
                   … and 99950 more rows, 100000 updated
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      100000 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows("SELECT sum(v - id) FROM items"), "100000");
    assert_eq!(test.rows(PARTS), "5 | 5");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 100000 rows of items
            items  80001  v  80002 → 80001
                   80002  v  80003 → 80002
                   80003  v  80004 → 80003
                   80004  v  80005 → 80004
                   80005  v  80006 → 80005
                   80006  v  80007 → 80006
                   80007  v  80008 → 80007
                   80008  v  80009 → 80008
                   80009  v  80010 → 80009
                   80010  v  80011 → 80010
                   80011  v  80012 → 80011
                   80012  v  80013 → 80012
                   80013  v  80014 → 80013
                   80014  v  80015 → 80014
                   80015  v  80016 → 80015
                   80016  v  80017 → 80016
                   80017  v  80018 → 80017
                   80018  v  80019 → 80018
                   80019  v  80020 → 80019
                   80020  v  80021 → 80020
                   80021  v  80022 → 80021
                   80022  v  80023 → 80022
                   80023  v  80024 → 80023
                   80024  v  80025 → 80024
                   80025  v  80026 → 80025
                   80026  v  80027 → 80026
                   80027  v  80028 → 80027
                   80028  v  80029 → 80028
                   80029  v  80030 → 80029
                   80030  v  80031 → 80030
                   80031  v  80032 → 80031
                   80032  v  80033 → 80032
                   80033  v  80034 → 80033
                   80034  v  80035 → 80034
                   80035  v  80036 → 80035
                   80036  v  80037 → 80036
                   80037  v  80038 → 80037
                   80038  v  80039 → 80038
                   80039  v  80040 → 80039
                   80040  v  80041 → 80040
                   80041  v  80042 → 80041
                   80042  v  80043 → 80042
                   80043  v  80044 → 80043
                   80044  v  80045 → 80044
                   80045  v  80046 → 80045
                   80046  v  80047 → 80046
                   80047  v  80048 → 80047
                   80048  v  80049 → 80048
                   80049  v  80050 → 80049
                   80050  v  80051 → 80050
                   … and 99950 more rows, 100000 updated
          Put back 100000 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 100000 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_30_a_hundred_thousand_rows_at_once_are_there_and_back() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, v int, b text); \
         INSERT INTO items SELECT n, n, 'row ' || n FROM generate_series(1, 100000) n; ANALYZE items",
    )
    .fix("sql: UPDATE items SET v = v + 1 WHERE id > 0\nrows: 100000");
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 100000 rows of items
            items   1  v  1 → 2
                    2  v  2 → 3
                    3  v  3 → 4
                    4  v  4 → 5
                    5  v  5 → 6
                    6  v  6 → 7
                    7  v  7 → 8
                    8  v  8 → 9
                    9  v  9 → 10
                   10  v  10 → 11
                   11  v  11 → 12
                   12  v  12 → 13
                   13  v  13 → 14
                   14  v  14 → 15
                   15  v  15 → 16
                   16  v  16 → 17
                   17  v  17 → 18
                   18  v  18 → 19
                   19  v  19 → 20
                   20  v  20 → 21
                   21  v  21 → 22
                   22  v  22 → 23
                   23  v  23 → 24
                   24  v  24 → 25
                   25  v  25 → 26
                   26  v  26 → 27
                   27  v  27 → 28
                   28  v  28 → 29
                   29  v  29 → 30
                   30  v  30 → 31
                   31  v  31 → 32
                   32  v  32 → 33
                   33  v  33 → 34
                   34  v  34 → 35
                   35  v  35 → 36
                   36  v  36 → 37
                   37  v  37 → 38
                   38  v  38 → 39
                   39  v  39 → 40
                   40  v  40 → 41
                   41  v  41 → 42
                   42  v  42 → 43
                   43  v  43 → 44
                   44  v  44 → 45
                   45  v  45 → 46
                   46  v  46 → 47
                   47  v  47 → 48
                   48  v  48 → 49
                   49  v  49 → 50
                   50  v  50 → 51
                   … and 99950 more rows, 100000 updated
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      100000 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows("SELECT sum(v - id) FROM items"), "100000");
    assert_eq!(test.rows(PARTS), "1 | 1");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 100000 rows of items
            items     1  v  2 → 1
                     10  v  11 → 10
                    100  v  101 → 100
                    101  v  102 → 101
                    102  v  103 → 102
                    103  v  104 → 103
                    104  v  105 → 104
                    105  v  106 → 105
                    106  v  107 → 106
                    107  v  108 → 107
                    108  v  109 → 108
                   1000  v  1001 → 1000
                   1001  v  1002 → 1001
                   1002  v  1003 → 1002
                   1003  v  1004 → 1003
                   1004  v  1005 → 1004
                   1005  v  1006 → 1005
                   1006  v  1007 → 1006
                   1007  v  1008 → 1007
                   1008  v  1009 → 1008
                   1009  v  1010 → 1009
                   1010  v  1011 → 1010
                   1011  v  1012 → 1011
                   1012  v  1013 → 1012
                   1013  v  1014 → 1013
                   1014  v  1015 → 1014
                   1015  v  1016 → 1015
                   1016  v  1017 → 1016
                   1017  v  1018 → 1017
                   1018  v  1019 → 1018
                   1019  v  1020 → 1019
                   1020  v  1021 → 1020
                   1021  v  1022 → 1021
                   1022  v  1023 → 1022
                   1023  v  1024 → 1023
                   1024  v  1025 → 1024
                   1025  v  1026 → 1025
                   1026  v  1027 → 1026
                   1027  v  1028 → 1027
                   1028  v  1029 → 1028
                   1029  v  1030 → 1029
                   1030  v  1031 → 1030
                   1031  v  1032 → 1031
                   1032  v  1033 → 1032
                   1033  v  1034 → 1033
                   1034  v  1035 → 1034
                   1035  v  1036 → 1035
                   1036  v  1037 → 1036
                   1037  v  1038 → 1037
                   1038  v  1039 → 1038
                   … and 99950 more rows, 100000 updated
          Put back 100000 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 100000 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), before);
}
