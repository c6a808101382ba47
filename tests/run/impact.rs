//! What a person is told before a yes to what is of high risk.

use insta::assert_snapshot;

use crate::test::Test;

const SETUP: &str = "CREATE TABLE farms (id int PRIMARY KEY, name text);
    CREATE TABLE batches (id int PRIMARY KEY, farm_id int REFERENCES farms ON DELETE CASCADE);
    CREATE TABLE logs (id int);
    INSERT INTO farms VALUES (1, 'north'), (2, 'south');
    INSERT INTO batches SELECT n, 1 + n % 2 FROM generate_series(1, 30) AS n; ANALYZE";

#[test]
fn row_images_bring_back_what_is_deleted() {
    let test = Test::sql(SETUP).confirmed(
        "
        - atomic: all
          steps:
            - fix: rename
              sql: UPDATE farms SET name = upper(name) WHERE id = 2
              rows: 1
            - fix: batches
              sql: DELETE FROM batches
              rows: 30
        ",
    );
    assert_snapshot!(test.run("run t --answer go=no"), @"
    exit 12
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

      ? go
          all changes 31 rows of 2 tables
            farms       2  name  south → SOUTH
            batches   - 1  farm_id 2
                      - 2  farm_id 1
                      - 3  farm_id 2
                      - 4  farm_id 1
                      - 5  farm_id 2
                      - 6  farm_id 1
                      - 7  farm_id 2
                      - 8  farm_id 1
                      - 9  farm_id 2
                     - 10  farm_id 1
                     - 11  farm_id 2
                     - 12  farm_id 1
                     - 13  farm_id 2
                     - 14  farm_id 1
                     - 15  farm_id 2
                     - 16  farm_id 1
                     - 17  farm_id 2
                     - 18  farm_id 1
                     - 19  farm_id 2
                     - 20  farm_id 1
                     - 21  farm_id 2
                     - 22  farm_id 1
                     - 23  farm_id 2
                     - 24  farm_id 1
                     - 25  farm_id 2
                     - 26  farm_id 1
                     - 27  farm_id 2
                     - 28  farm_id 1
                     - 29  farm_id 2
                     - 30  farm_id 1
          Operation      UPDATE farms; DELETE batches
          Risk           high: DELETE without WHERE touches every row
          Data at risk   30 rows of batches deleted (of about 30); 1 row of farms updated (of about 2)
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most: runbook undo RUN
          Go?
          ✗ no · postgres (USER@HOST) by --answer

    Declined after TIME.
    `go` was answered with no
    Nothing was changed.
    ");
    assert_eq!(test.rows("SELECT count(*) FROM batches"), "30");
}

#[test]
fn a_backup_brings_back_what_nothing_else_does() {
    let test = Test::sql(SETUP).steps(
        "
        - backup: before
          tables: [batches]
        - confirm: go
          of: empty
          ask: Go?
        - fix: empty
          sql: TRUNCATE batches
          undo: none
        - check: after
          sql: SELECT count(*) AS n FROM batches
          that: n == 0
        ",
    );
    assert_snapshot!(test.run("run t --dry-run --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – before makes a backup

      – before                 would run; a dry run cannot rehearse it
      ? go
          empty changes what cannot be shown in rows
            ! TRUNCATE: its rows cannot be shown one by one
          Operation      TRUNCATE batches
          Risk           high: TRUNCATE deletes every row
          Data at risk   all of batches, about 30 rows
          Backup         before (not made in a dry run)
          Recovery time  about a minute at most: runbook backup restore before
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ empty                  no row changed, to be rolled back  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    It would change nothing.
    Everything is rolled back, as the server confirms.
    ");
    assert_snapshot!(test.run("run t --yes").code(0), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

      ✓ before                 30 rows of public.batches → ~/.local/state/runbook/backups/RUN-before (81 B, verified)  TIME
      ? go
          empty changes what cannot be shown in rows
            ! TRUNCATE: its rows cannot be shown one by one
          Operation      TRUNCATE batches
          Risk           high: TRUNCATE deletes every row
          Data at risk   all of batches, about 30 rows
          Backup         RUN-before (81 B, verified)
          Recovery time  about a minute at most: runbook backup restore RUN-before
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ empty                  no row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
    let record = test.root().join(".local/state/runbook/runs");
    assert!(record.exists());
}

#[test]
fn that_nothing_brings_it_back_is_said_loudly() {
    let test = Test::sql(SETUP).confirmed(
        "
        - fix: gone
          sql: DROP TABLE logs
          undo: none
        ",
    );
    let ran = test.run("run t --answer go=no");
    assert_snapshot!(ran, @"
    exit 12
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

      ? go
          gone changes what cannot be shown in rows
            ! DROP TABLE: its rows cannot be shown one by one
          Operation      DROP TABLE logs
          Risk           high: DROP TABLE destroys what it names
          Data at risk   all of logs
          Backup         NONE: nothing puts back what is done
          Recovery time  it cannot be recovered
          Go?
          ✗ no · postgres (USER@HOST) by --answer

    Declined after TIME.
    `go` was answered with no
    Nothing was changed.
    ");
    let page = test.run_with(["report", &test.id(), "--format", "markdown"]);
    page.says("Recovery time: it cannot be recovered")
        .says("Backup: NONE: nothing puts back what is done");
}

#[test]
fn what_is_of_less_risk_asks_only() {
    let test = Test::sql(SETUP).fix("sql: UPDATE farms SET name = 'x' WHERE id = 1\nrows: 1");
    test.run("run t --yes").code(0).keeps("Recovery time");
}

#[test]
fn rows_that_go_are_told_whatever_the_risk() {
    let test = Test::sql(
        "CREATE TABLE farms (id int PRIMARY KEY); CREATE TABLE batches (id int PRIMARY KEY, farm int REFERENCES farms ON DELETE CASCADE);
         INSERT INTO farms VALUES (1), (2); INSERT INTO batches VALUES (1, 1), (2, 1), (3, 2)",
    )
    .steps(
        "
        - confirm: go
          of: remove
          ask: Go?
        - fix: remove
          sql: DELETE FROM farms WHERE id = 1
          rows: 1
          tables: [farms, batches]
        - confirm: other
          of: change
          ask: And this?
        - fix: change
          sql: UPDATE batches SET farm = NULL WHERE id = 3
          rows: 1
        - check: after
          that: true
        ",
    );
    assert_snapshot!(test.run("run t --yes").code(0), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          remove changes 3 rows of 2 tables
            farms    - 1
            batches  - 1  farm 1
                     - 2  farm 1
                     2 deleted (by a trigger or cascade)
          Operation      DELETE farms
          Risk           medium: DELETE with a predicate
          Data at risk   2 rows of batches deleted; 1 row of farms deleted
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ remove                 1 row changed, committed  TIME
      ? other
          change changes 1 row of batches
            batches  3  farm  2 → null
          And this?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ change                 1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
}

#[test]
fn what_to_do_is_said_of_a_check_that_fails_in_a_rehearsal() {
    let test = Test::sql("CREATE TABLE things (id int PRIMARY KEY)").steps(
        "
        - confirm: go
          of: both
          ask: Go?
        - atomic: both
          steps:
            - fix: add
              sql: INSERT INTO things VALUES (1)
              rows: 1
            - check: enough
              sql: SELECT count(*) AS n FROM things
              all:
                there are two:
                  that: n == 2
                  otherwise: Add another one first.
                there is one: n == 1
              otherwise: Ask who keeps the things.
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ go                     failed  TIME
          error: `both` would roll back: `enough` says no
            = note: not so: there are two
            = note: found by the rehearsal: nothing was changed
            = help: Add another one first.
            = help: Ask who keeps the things.

    Failed after TIME.
    `go`: `both` would roll back: `enough` says no
    Nothing was changed.
    ");
}
