//! What a person is told before a yes to what is of high risk.

use insta::assert_snapshot;

use crate::policy::Site;
use crate::server::Connection;
use crate::session::{begin, beside, block_on, bound, connect, entry, limits, terms, until};
use crate::terminal::Terminal;
use crate::test::{Ran, Test};

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
          Data at risk   30 rows of batches deleted (100% of about 30); 1 row of farms updated (50% of about 2)
          Locks          ROW EXCLUSIVE on batches and farms: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
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
          Locks          ACCESS EXCLUSIVE on batches: every query of it waits
          Backup         before (not made in a dry run)
          Recovery time  about a minute at most, at a guess: runbook backup restore before
          Go?
          ✓ yes · the rehearsal
      ✓ empty                  no row changed, to be rolled back  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    It would change nothing.
    Everything is rolled back, as the server confirms.
    ");
    assert_snapshot!(test.run("run t --answer go=yes").code(0), @"
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
          Locks          ACCESS EXCLUSIVE on batches: every query of it waits
          Backup         RUN-before (81 B, verified)
          Recovery time  about a minute at most, at a guess: runbook backup restore RUN-before
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
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
          Data at risk   1 row of farms deleted; by cascades and triggers: 2 rows of batches deleted
          Locks          ROW EXCLUSIVE on batches and farms: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
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

/// Returns what is said of what is at stake.
fn at_stake(ran: &Ran) -> String {
    at_stake_in(&ran.stdout)
}

fn at_stake_in(text: &str) -> String {
    let lines = text.lines();
    let lines = lines.skip_while(|line| !line.trim_start().starts_with("Operation"));
    let lines = lines.take_while(|line| !line.trim_start().starts_with("Go?"));
    lines.flat_map(|line| [line.trim(), "\n"]).collect()
}

#[test]
fn who_works_with_the_table_is_told() {
    let test = Test::sql(SETUP).fix("sql: DELETE FROM batches WHERE id <= 3\nrows: 3");
    let other = test.connect();
    other.run("BEGIN; UPDATE batches SET farm_id = 1 WHERE id = 30");
    let third = test.connect();
    third.run("BEGIN; SELECT FROM batches");
    let told = at_stake(&test.run("run t --answer go=no").code(12));
    assert_snapshot!(told, @"
    Operation      DELETE batches
    Risk           medium: DELETE with a predicate
    Data at risk   3 rows of batches deleted (10% of about 30)
    Locks          ROW EXCLUSIVE on batches: nobody waits but who changes the same rows; 2 sessions use it now
    Backup         none made; what changes is kept in the journal
    Recovery time  about a minute at most, at a guess: runbook undo RUN
    ");
}

const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
    WHERE NOT l.granted AND a.datname = current_database())";

#[test]
fn who_would_wait_is_told_of_the_strongest_lock() {
    let test = Test::sql(&format!(
        "{SETUP}; CREATE TABLE sales (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM (0) TO (10);
         CREATE TABLE sales_2 PARTITION OF sales FOR VALUES FROM (10) TO (20)"
    ));
    let url = test.db.url();
    let database = test.db.name().to_owned();
    let reader = test.connect();
    reader.run("BEGIN; SELECT FROM sales_1");
    let (locks, waits) = block_on(async {
        let mut session = connect(&url, "aaaaaa").await;
        assert!(session.table_locks().await.unwrap().is_empty());
        let first = entry("aaaaaa", 0);
        begin(&mut session, &first, "INSERT INTO sales VALUES (1)")
            .await
            .unwrap();
        let free = runbook::engine::journal::Terms {
            undo: runbook::engine::journal::Undo::Never,
            ..terms()
        };
        for sql in [
            "CREATE TABLE fresh (id int)",
            "ALTER TABLE farms ADD COLUMN note text",
        ] {
            session.change(&bound(sql), &free, &limits()).await.unwrap();
        }
        let waits = std::thread::spawn(move || {
            Connection::to(&database).run("SELECT FROM farms");
        });
        until(async || beside(&test, WAITING) == "t").await;
        let locks = session.table_locks().await.unwrap();
        drop(session);
        (locks, waits)
    });
    waits.join().unwrap();
    let told: Vec<String> = locks
        .iter()
        .map(|lock| {
            let (mode, table) = (lock.mode.name(), &lock.table);
            format!("{mode} {table} {} {}\n", lock.waiting, lock.users)
        })
        .collect();
    // Neither the journal nor what it made itself, nor partitions beside their table.
    assert_snapshot!(told.concat(), @"
    ACCESS EXCLUSIVE farms 1 1
    ROW EXCLUSIVE sales 0 1
    ");
}

#[test]
fn earlier_undos_and_restores_say_how_long_it_takes() {
    let test = Test::sql(SETUP).confirmed(
        "
        - backup: before
          tables: [batches]
        - fix: empty
          sql: DELETE FROM batches
          rows: 1..
        ",
    );
    test.run("run t --answer go=yes")
        .code(0)
        .says("at a guess: runbook undo ");
    test.run(&format!("undo {} --yes", test.id())).code(0);
    test.run("run t --answer go=no")
        .code(12)
        .says("about a minute at most, as the last undo took: runbook undo ");
    // What was much less says nothing of much more.
    test.connect()
        .run("INSERT INTO batches SELECT n, 1 FROM generate_series(31, 400) n");
    test.run("run t --answer go=no")
        .code(12)
        .says("about a minute at most, at a guess: runbook undo ");
    let name = format!("{}_copy", test.db.name());
    test.run(&format!(
        "backup restore t-before --table batches --as {name}"
    ))
    .code(0);
    let test = test.steps(
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
          that: true
        ",
    );
    test.connect().run("DELETE FROM batches WHERE id > 30");
    test.run("run t --answer go=no")
        .code(12)
        .says("as the last restore took: runbook backup restore ");
}

#[test]
fn the_newest_backup_of_the_database_is_told_where_the_run_makes_none() {
    let test = Test::sql(SETUP).fix("sql: TRUNCATE batches\nundo: none");
    test.run("backup create whole").code(0);
    let told = at_stake(&test.run("run t --answer go=no").code(12));
    assert_snapshot!(told, @"
    Operation      TRUNCATE batches
    Risk           high: TRUNCATE deletes every row
    Data at risk   all of batches, about 30 rows
    Locks          ACCESS EXCLUSIVE on batches: every query of it waits
    Backup         NONE: nothing puts back what is done; the newest of the whole database, verified, is less than a minute old
    Recovery time  only what that backup has comes back: runbook backup list, runbook backup restore
    ");
}

#[test]
fn on_a_protected_target_it_is_told_from_medium_risk_on() {
    const CHANGE: &str = "sql: UPDATE accounts SET balance = 0 WHERE id = 1\nrows: 1";
    let site = Site::new("", "").fix(CHANGE);
    site.run("ann_", "run t --answer go=no")
        .code(12)
        .keeps("Recovery time");
    let site = site.demanding("protected: true", "");
    let told = at_stake(&site.run("ann_", "run t --answer go=no").code(12));
    assert_snapshot!(told, @"
    Operation      UPDATE accounts
    Risk           medium: UPDATE with a predicate
    Data at risk   1 row of accounts updated
    Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
    Backup         none made; what changes is kept in the journal
    Recovery time  about a minute at most, at a guess: runbook undo RUN
    ");
    let site = site.demanding("", "medium:\n  approvals: { by: dba_ }");
    site.run("ann_", "run t --answer go=no")
        .code(12)
        .says("Recovery time");
}

#[test]
fn rows_that_raise_the_risk_are_the_reason() {
    let site = Site::new("", "rows: { high: 3 }")
        .fix("sql: UPDATE accounts SET balance = 0 WHERE id > 1\nrows: 4");
    let told = at_stake(&site.run("ann_", "run t --answer go=no").code(12));
    assert_snapshot!(told, @"
    Operation      UPDATE accounts
    Risk           high: 4 rows, and more than 3 are high risk on this target (UPDATE with a predicate)
    Data at risk   4 rows of accounts updated
    Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
    Backup         none made; what changes is kept in the journal
    Recovery time  about a minute at most, at a guess: runbook undo RUN
    ");
}

#[test]
fn it_is_one_screen() {
    let tables: String = (1..=9)
        .map(|n| {
            format!(
                "CREATE TABLE part_of_the_farm_{n} (id int PRIMARY KEY, farm_id int REFERENCES farms ON DELETE CASCADE);
                 INSERT INTO part_of_the_farm_{n} SELECT n, 1 FROM generate_series(1, {n}) AS n;"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let names: Vec<String> = (1..=9).map(|n| format!("part_of_the_farm_{n}")).collect();
    let test = Test::sql(&format!("{SETUP}; {tables}")).fix(&format!(
        "sql: DELETE FROM farms WHERE id = 1\nrows: 1\ntables: [farms, batches, {}]",
        names.join(", ")
    ));
    let (_, text) = Terminal::new(&test, "run t --answer go=no").end();
    let told = at_stake_in(&test.redact(&text));
    assert!(told.lines().count() < 20, "{told}");
    assert_snapshot!(told, @"
    Operation      DELETE farms
    Risk           medium: DELETE with a predicate
    Data at risk   1 row of farms deleted (50% of about 2); by cascades and triggers: 15 rows of batches deleted (50%
    of about 30); 9 rows of part_of_the_farm_9 deleted; 8 rows of part_of_the_farm_8 deleted; 7 rows of
    part_of_the_farm_7 deleted; 21 rows of 6 more tables
    Locks          ROW EXCLUSIVE on batches, farms, part_of_the_farm_1 and 8 more tables: nobody waits but who changes
    the same rows
    Backup         none made; what changes is kept in the journal
    Recovery time  about a minute at most, at a guess: runbook undo RUN
    ");
}
