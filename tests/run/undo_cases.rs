//! What holds for undo under faults, through the program: cases 18 to 29 of what a fix must bear.

use insta::{allow_duplicates, assert_snapshot};

use crate::restore_exact::typed;
use crate::test::Test;
use crate::undo::{USERS, newest, told, undo};

/// Runs a fix and undoes it, with the journal in the database and beside the record: everything is what it was.
#[track_caller]
fn there_and_back(setup: &str, sql: &str, more: &str) {
    for journal in ["database", "local"] {
        let sql = sql.replace('\n', " ");
        let test = Test::sql(setup).confirmed(&format!(
            "- fix: f\n  sql: |\n    {sql}\n  rows: 0..\n{more}"
        ));
        let before = test.contents();
        let ran = test.run(&format!("run t --yes -q --journal {journal}"));
        assert_eq!(ran.to_string(), "exit 0\n");
        assert_ne!(test.contents(), before, "{sql}");
        let ran = undo(&test, "--yes -q");
        assert_eq!(ran.to_string(), "exit 0\n");
        assert_eq!(test.contents(), before, "{sql}");
        undo(&test, "--yes").code(0).says("was put back already");
        assert_eq!(test.contents(), before, "{sql}");
    }
}

const SHOP: &str = "CREATE TABLE users (id int PRIMARY KEY, name text); \
    CREATE TABLE orders (id int PRIMARY KEY, owner int NOT NULL REFERENCES users ON DELETE CASCADE); \
    CREATE TABLE notes (id int PRIMARY KEY, about int REFERENCES orders ON DELETE SET NULL); \
    INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 4) n; \
    INSERT INTO orders SELECT n, n % 4 + 1 FROM generate_series(1, 8) n; \
    INSERT INTO notes SELECT n, n FROM generate_series(1, 8) n";

#[test]
fn case_18_declared_cascades_are_put_back() {
    let fix = "
        - fix: f
          sql: DELETE FROM users WHERE id = 1
          rows: 1
    ";
    let test = Test::sql(SHOP).confirmed(fix);
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: `f`: it changes orders too, which the fix does not say: 2 rows deleted
            = note: a trigger or a cascade did it
            = note: and notes: 2 rows updated
            = note: nothing was changed
            = note: found by the rehearsal: nothing was changed
            = help: if that is meant, name orders and notes under the fix's `tables`, together with its own table

    Failed after TIME.
    `go`: `f`: it changes orders too, which the fix does not say: 2 rows deleted
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
    let declared = fix.replace(
        "rows: 1",
        "rows: 1\n          tables: [users, orders, notes]",
    );
    let test = test.confirmed(&declared);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 5 rows of 3 tables
            users   - 1  name user 1
            orders  - 4  owner 1
                    - 8  owner 1
                    2 deleted (by a trigger or cascade)
            notes     4  about  4 → null
                      8  about  8 → null
                    2 updated (by a trigger or cascade)
          Operation      DELETE users
          Risk           medium: DELETE with a predicate
          Data at risk   1 row of users deleted; by cascades and triggers: 2 rows of orders deleted; 2 rows of notes updated
          Locks          ROW EXCLUSIVE on notes, orders and users: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT count(*), count(about) FROM notes"),
        "8 | 6"
    );
    let id = newest(&test);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 5 rows of 3 tables
            users   + 1  name user 1
            orders  + 4  owner 1
                    + 8  owner 1
                    2 inserted (by a trigger or cascade)
            notes     4  about  null → 4
                      8  about  null → 8
                    2 updated (by a trigger or cascade)
          Put back 5 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 5 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_19_what_a_declared_trigger_wrote_is_put_back() {
    let setup = format!(
        "{USERS}; CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN INSERT INTO log (said) VALUES (OLD.plan || ' to ' || NEW.plan); RETURN NULL; END$$; \
         CREATE TRIGGER note AFTER UPDATE ON users FOR EACH ROW WHEN (NEW.plan = 'paid') EXECUTE FUNCTION note()"
    );
    let fix = "
        - fix: f
          sql: UPDATE users SET plan = 'paid' WHERE id <= 2
          rows: 2
    ";
    let test = Test::sql(&setup).confirmed(fix);
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: `f`: it changes log too, which the fix does not say: 2 rows inserted
            = note: a trigger or a cascade did it
            = note: nothing was changed
            = note: found by the rehearsal: nothing was changed
            = help: if that is meant, name log under the fix's `tables`, together with its own table

    Failed after TIME.
    `go`: `f`: it changes log too, which the fix does not say: 2 rows inserted
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
    let test = test.confirmed(&fix.replace("rows: 2", "rows: 2\n          tables: [users, log]"));
    test.run("run t --yes").code(0);
    assert_eq!(
        test.rows("SELECT said FROM log"),
        "free to paid\nfree to paid"
    );
    let id = newest(&test);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 4 rows of 2 tables
            users  1, 2  plan  paid → free
            log     - 5  said free to paid
                    - 6  said free to paid
                   2 deleted (by a trigger or cascade)
          Put back 4 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 4 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), before);
}

/// A run that paid for three users, and what someone did since.
fn paid(since: &str) -> Test {
    let test = Test::sql(USERS).fix("sql: UPDATE users SET plan = 'paid' WHERE id <= 3\nrows: 3");
    test.run("run t --yes").code(0);
    test.connect().run(since);
    test
}

#[test]
fn case_21_a_row_deleted_since_stays_deleted() {
    let test = paid("DELETE FROM users WHERE id = 3");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   f: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 3 was deleted since
            column  then  would become
            plan    paid  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
    undo(&test, "--yes --skip-conflicts").code(13);
    assert_eq!(
        test.rows("SELECT string_agg(id || ' ' || plan, ', ' ORDER BY id) FROM users"),
        "1 free, 2 free, 4 free, 5 free"
    );
}

#[test]
fn case_22_a_column_added_since_is_refused() {
    let test = paid("ALTER TABLE users ADD vat text DEFAULT 'x'");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 10
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   f: failed, nothing was put back  TIME
          what run RUN changed is put back
          error: the rows of users cannot be put back: its columns are others than when they were changed
            = note: column vat text is new
            = note: nothing was put back
            = help: bring the columns back to what they were, or change the rows by a runbook of its own

    Failed after TIME.
    nothing was put back: the rows of users cannot be put back: its columns are others than when they were changed
    Nothing was changed.
    ");
    assert_snapshot!(undo(&test, "--dry-run").code(10).stderr, @"");
    assert_eq!(test.contents(), before);
    test.connect().run("ALTER TABLE users DROP vat");
    undo(&test, "--yes").code(0);
}

#[test]
fn case_23_every_type_is_there_and_back() {
    let (setup, update) = typed();
    there_and_back(&setup, &update, "");
    there_and_back(&setup, "DELETE FROM typed WHERE id > 0", "");
}

#[test]
fn case_24_kept_columns_and_families_of_tables_are_there_and_back() {
    let made = "CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY, \
        word text, shout text GENERATED ALWAYS AS (upper(word)) STORED); INSERT INTO made (word) VALUES ('a'), ('b'), (NULL)";
    there_and_back(made, "DELETE FROM made WHERE id < 3", "");
    there_and_back(
        made,
        "UPDATE made SET word = word || 'x', other = 7 WHERE id < 3",
        "",
    );
    there_and_back(
        made,
        "INSERT INTO made (word) VALUES ('new'), ('newer')",
        "",
    );
    let parts = "CREATE TABLE parts (id int, state text, v int, PRIMARY KEY (id, state)) PARTITION BY LIST (state); \
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b'); \
        INSERT INTO parts SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 10) n";
    there_and_back(parts, "UPDATE parts SET v = -v WHERE id > 2", "");
    there_and_back(parts, "DELETE FROM parts WHERE id > 2", "");
    let tree = "CREATE TABLE base (id int PRIMARY KEY, v int); CREATE TABLE derived (extra text, PRIMARY KEY (id)) INHERITS (base); \
        INSERT INTO base VALUES (1, 1), (2, 2); INSERT INTO derived VALUES (3, 3, 'x'), (4, 4, NULL)";
    there_and_back(tree, "UPDATE base SET v = v * 10 WHERE id > 0", "");
    there_and_back(tree, "DELETE FROM base WHERE id <> 1", "");
}

#[test]
fn case_25_an_inserted_row_with_children_since_is_refused() {
    let test =
        Test::sql(SHOP).fix("sql: INSERT INTO users VALUES (9, 'new') RETURNING id\nrows: 1");
    test.run("run t --yes").code(0);
    test.connect().run("INSERT INTO orders VALUES (90, 9)");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 10
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ undo                   f: failed, nothing was put back  TIME
          what run RUN changed is put back
          error: putting the rows back would change orders too: 1 row deleted
            = note: by a cascade or a trigger; the fix did not change these rows, so they would be lost or altered; nothing was put back
            = help: rows of orders that came since and point to what would go: delete them or point them elsewhere first
            = help: where a trigger writes to orders on purpose, name it in the fix: `tables: […, orders]`

    Failed after TIME.
    nothing was put back: putting the rows back would change orders too: 1 row deleted
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
    test.connect().run("DELETE FROM orders WHERE id = 90");
    undo(&test, "--yes").code(0);
    assert_eq!(test.rows("SELECT count(*) FROM users"), "4");
}

const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'";

#[test]
fn case_26_an_undo_that_is_killed_midway_is_done_once() {
    let test = Test::sql(USERS).steps(
        "
        - confirm: go
          of: [one, two]
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE users SET plan = 'paid' WHERE id = 2
          rows: 1
        - check: after
          that: true
        ",
    );
    let free = test.contents();
    test.run("run t --yes").code(0);
    let paid = test.contents();
    let other = test.connect();
    // The second of them waits: the first is put back, and not committed.
    other.run("BEGIN; SELECT 1 FROM users WHERE id = 1 FOR UPDATE");
    let run = test.start(&format!("undo {} --yes", test.id()));
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    test.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'runbook/%'");
    assert_eq!(test.contents(), paid);
    // An undo does not go on: it is asked for again.
    let killed = newest(&test);
    assert_snapshot!(test.run(&format!("resume {killed} --yes")), @"
    exit 2
    --- stderr
    error: run `RUN` puts back run `RUN`: all of it or nothing, so that there is nothing to go on with
      = help: runbook undo RUN
    ");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back two and one changes 2 rows of users
            users  2, 1  plan  paid → free
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   two and one: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.contents(), free);
    assert_eq!(
        test.rows("SELECT count(*) FROM runbook.entry WHERE undo"),
        "2"
    );
}

#[test]
fn case_26_of_two_undo_at_once_one_is_told() {
    let test = paid("SELECT 1");
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM users WHERE id = 1 FOR UPDATE");
    let run = test.start(&format!("undo {} --yes", test.id()));
    test.until(WAITS);
    allow_duplicates! {
        for command in ["undo", "resume"] {
            let ran = test.run(&format!("{command} {} --yes", test.id()));
            assert_snapshot!(ran, @"
            exit 10
            --- stderr
            error: USER@HOST works on run `RUN`, as process PID since MOMENT
              = help: nothing is changed; wait until that one has ended, or end it
            ");
        }
    }
    // From another machine it is the journal that knows.
    let elsewhere = test.start(&format!("undo {} --yes --state-dir elsewhere", test.id()));
    test.until(&WAITS.replace("= 1 FROM", "= 2 FROM"));
    other.run("ROLLBACK");
    let (first, second) = (run.end(), elsewhere.end());
    assert_eq!(
        test.rows("SELECT count(DISTINCT by_run), count(*) FROM runbook.entry WHERE undo"),
        "1 | 1",
        "{first}{second}"
    );
    assert_eq!(
        (first.code, second.code),
        (Some(0), Some(0)),
        "{first}{second}"
    );
    assert_eq!(
        test.rows("SELECT count(*) FROM users WHERE plan = 'free'"),
        "5"
    );
}

#[test]
fn case_29_a_fix_of_no_rows_is_put_back_as_nothing() {
    let test = Test::sql(USERS).fix("sql: UPDATE users SET plan = NULL WHERE id > 99\nrows: 0..");
    test.run("run t --yes").code(0);
    let before = test.contents();
    // Nobody is asked about nothing.
    assert_snapshot!(undo(&test, ""), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ↶ undo                   f: nothing to put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn a_column_that_a_trigger_keeps_is_named_and_left_out() {
    let setup = format!(
        "{USERS}; ALTER TABLE users ADD updated_at timestamptz DEFAULT '2020-01-01 00:00+00'; \
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END$$; \
         CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()"
    );
    let fix = "sql: UPDATE users SET plan = 'paid' WHERE id <= 2\nrows: 2\nignore: [updated_at]";
    let test = Test::sql(&setup).fix(fix);
    test.run("run t --yes").code(0);
    test.connect()
        .run("UPDATE users SET plan = plan WHERE id = 1");
    undo(&test, "--yes").code(0);
    let plans = "SELECT count(*) FROM users WHERE plan = 'free'";
    assert_eq!(test.rows(plans), "5");
    // Without it nothing is put back, and the way out is said.
    let test = Test::sql(&setup)
        .unrehearsed("- fix: f\n  sql: UPDATE users SET plan = 'paid' WHERE id <= 2\n  rows: 2");
    test.run("run t --yes").code(0);
    let before = test.contents();
    undo(&test, "--yes")
        .code(10)
        .says("where a trigger keeps the column, name it in the fix: `ignore: [updated_at]`");
    assert_eq!(test.contents(), before);
}
