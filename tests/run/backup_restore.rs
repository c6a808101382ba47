//! `runbook backup restore`: into a new database, beside what is there, row by row, and in place.

use insta::assert_snapshot;
use serde_json::Value;

use crate::backup_cli::{damage, ids, newest, plain, shop, told};
use crate::terminal::Terminal;
use crate::test::{Ran, Test};

const COMPANIES: &str = "SELECT string_agg(id || ' ' || name, ', ' ORDER BY id) FROM companies";
/// Whether the test's database is the only one, and nothing that was being restored is left: others restore too, but
/// are connected to it.
const ALONE: &str = "SELECT count(*) = 1 FROM pg_database d WHERE datname ~ ('^' || current_database() || '(_|$)') \
    OR datname LIKE 'runbook_restoring%' AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)";

/// What a new database has, once the test is over.
struct Beside<'a> {
    test: &'a Test,
    name: String,
}

impl<'a> Beside<'a> {
    /// Finds the database that a restore made.
    #[track_caller]
    fn of(test: &'a Test, like: &str) -> Self {
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}{like}'",
            test.db.name()
        );
        let name = test.rows(&sql);
        assert!(!name.is_empty() && !name.contains('\n'), "{name}");
        Self { test, name }
    }

    fn rows(&self, sql: &str) -> String {
        let url = self.test.db.url().replace(self.test.db.name(), &self.name);
        let ran = self.test.ran(
            &self
                .test
                .bare(["query", sql, "--database-url", &url, "--output", "json"])
                .output()
                .unwrap(),
        );
        let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
        rows.to_string()
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        self.test
            .connect()
            .run(&format!("DROP DATABASE \"{}\"", self.name));
    }
}

/// A shop with a backup of all of it, and a change since.
fn changed(what: &str) -> Test {
    let test = shop();
    test.run(&format!("backup create one {what}")).code(0);
    test.connect().run(
        "DELETE FROM users WHERE id = 1; UPDATE companies SET name = 'Wrong' WHERE id = 2; \
         INSERT INTO companies VALUES (9, 'New', 'trial')",
    );
    test
}

fn restore(test: &Test, args: &str) -> Ran {
    test.run(&format!("backup restore one {args}"))
}

#[test]
fn backup_of_a_database_is_restored_into_a_new_one() {
    let test = changed("");
    let before = test.contents();
    let ran = restore(&test, "").code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  the new database DB_restored_DATE

      ✓ restore  9 rows of 2 tables → database DB_restored_DATE  TIME

    Done in TIME.
    Look at it: connect to the database DB_restored_DATE of the same server
    Drop it: DROP DATABASE DB_restored_DATE;
    ");
    let beside = Beside::of(&test, "_restored%");
    let names = beside.rows("SELECT name FROM companies ORDER BY id");
    assert!(
        names.contains("Globex") && !names.contains("New"),
        "{names}"
    );
    assert_eq!(test.contents(), before);
    let again = restore(&test, "").code(2);
    assert_snapshot!(told(&again), @"
    exit 2
    --- stderr
    error: there is a database `DB_restored_DATE` already: nothing is restored over it
      = help: choose another name: `--into NAME`
      = help: or drop it first: `DROP DATABASE DB_restored_DATE`
    ");
}

#[test]
fn backup_of_tables_is_restored_into_a_new_database() {
    let test = changed("--table companies --table users");
    let name = format!("{}_mine", test.db.name());
    restore(&test, &format!("--into {name} --quiet")).code(0);
    let beside = Beside::of(&test, "_mine");
    assert!(beside.rows("SELECT count(*) FROM users").contains('6'));
}

#[test]
fn case_49_backup_restored_onto_its_source_is_refused_without_the_ceremony() {
    let test = changed("");
    let before = test.contents();
    let name = test.db.name();
    assert_snapshot!(told(&restore(&test, &format!("--into {name} --yes")).code(2)), @"
    exit 2
    --- stderr
    error: `DB` is the database that the backup would overwrite: everything that it holds by now would be lost
      = help: without --into it goes into a new database, which harms nobody
      = help: --in-place replaces what is there, once you have seen what that loses
    ");
    assert_snapshot!(told(&restore(&test, "--into postgres").code(2)), @"
    exit 2
    --- stderr
    error: there is a database `postgres` already: nothing is restored over it
      = help: choose another name: `--into NAME`
      = help: or drop it first: `DROP DATABASE postgres`
    ");
    assert_snapshot!(told(&restore(&test, "--in-place").code(12)), @"
    exit 12
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  DB; what it holds now is kept as DB_before_DATE

      ? in_place
          table  rows now  rows in the backup
          companies  4  3
          users  5  6
          The database DB at postgres@SERVER:5432 is replaced.
          The backup is one-DATE, saved AGE ago.
          At least 1 row that came since, and what was changed since, are lost.
          What is there now is kept as DB_before_DATE.
          Nobody else is connected.
          ✗ no · nobody · there is no terminal to ask `in_place` at: answer it with --confirm DB, or run it in a terminal

    Declined after TIME.
    nothing was restored: the database is as it was
    Nothing was changed.
    ");
    restore(&test, "--in-place --yes").code(12);
    assert_snapshot!(told(&restore(&test, "--in-place --yes --confirm other").code(12)), @r#"
    exit 12
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  DB; what it holds now is kept as DB_before_DATE

      ? in_place
          table  rows now  rows in the backup
          companies  4  3
          users  5  6
          The database DB at postgres@SERVER:5432 is replaced.
          The backup is one-DATE, saved AGE ago.
          At least 1 row that came since, and what was changed since, are lost.
          What is there now is kept as DB_before_DATE.
          Nobody else is connected.
          ✗ no · postgres (USER@HOST) by --confirm · "other" is not the text asked for, "DB"

    Declined after TIME.
    nothing was restored: the database is as it was
    Nothing was changed.
    "#);
    let (code, text) = Terminal::new(&test, "backup restore one --in-place")
        .shows("to go on: ")
        .types("yes\n")
        .end();
    assert_eq!(code, Some(12), "{text}");
    assert_eq!(test.contents(), before);
    test.until(ALONE);
}

#[test]
fn backup_of_a_database_replaces_it_and_keeps_the_old_one() {
    let test = changed("");
    let name = test.db.name();
    let ran = restore(&test, &format!("--in-place --confirm {name}")).code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  DB; what it holds now is kept as DB_before_DATE

      ? in_place
          table  rows now  rows in the backup
          companies  4  3
          users  5  6
          The database DB at postgres@SERVER:5432 is replaced.
          The backup is one-DATE, saved AGE ago.
          At least 1 row that came since, and what was changed since, are lost.
          What is there now is kept as DB_before_DATE.
          Nobody else is connected.
          ✓ yes · postgres (USER@HOST) by --confirm
      ✓ restore  9 rows of 2 tables → database DB, in place  TIME
          what was there before is kept as DB_before_DATE

    Done in TIME.
    The old database is kept as DB_before_DATE.
    To go back, connected to another database, such as postgres:
      ALTER DATABASE DB RENAME TO DB_undone;
      ALTER DATABASE DB_before_DATE RENAME TO DB;
    To be rid of it: DROP DATABASE DB_before_DATE;
    ");
    let old = Beside::of(&test, "_before%");
    assert!(old.rows("SELECT name FROM companies").contains("Wrong"));
    assert_eq!(test.rows(COMPANIES), "1 Acme, 2 Globex, 3 Initech");
    let history = test.run("history --output json").code(0);
    let runs: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(runs[0]["runbook"], "backup restore");
    let id = runs[0]["run"].as_str().unwrap();
    let ran = test.run(&format!("undo {id}")).code(2);
    assert_snapshot!(told(&ran), @"
    exit 2
    --- stderr
    error: run `RUN` restored a backup
      = help: what was there before is the database DB_before_DATE: ALTER DATABASE DB RENAME TO DB_undone; ALTER DATABASE DB_before_DATE RENAME TO DB
    ");
}

#[test]
fn backup_of_tables_replaces_them_after_they_were_saved() {
    let test = changed("--table users --table companies");
    let before = test.contents();
    let saved = test.rows(COMPANIES);
    let (code, text) = Terminal::new(&test, "backup restore one --in-place")
        .shows("to go on: ")
        .types(&format!("{}\n", test.db.name()))
        .end();
    assert_snapshot!(plain(&text), @r#"
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  9 rows of 2 tables
      taken  MOMENT
      to  public.users and public.companies, in place of their rows in DB

      ? in_place
          table  rows now  rows in the backup
          companies  4  3
          users  5  6
          All rows of public.users and public.companies in DB at postgres@SERVER:5432 are replaced.
          The backup is one-DATE, saved AGE ago.
          At least 1 row that came since, and what was changed since, are lost.
          What is there now is saved first, and read back.
          Type "DB" to go on: DB
          ✓ yes · postgres (USER@HOST)
      ✓ before  9 rows of 2 tables (SIZE, verified)  TIME
          → ~/.local/state/runbook/backups/DB-before-restore-DATE
      ✓ restore  9 rows of 2 tables → database DB, in place  TIME

    Done in TIME.
    To go back: runbook backup restore DB-before-restore-DATE --in-place
    "#);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(test.rows(COMPANIES), "1 Acme, 2 Globex, 3 Initech");
    assert_eq!(test.rows("SELECT count(*) FROM users"), "6");
    // The way back is a backup like any other.
    let way_back = newest(&test);
    assert!(way_back.contains("-before-restore-"), "{way_back}");
    let name = test.db.name();
    test.run(&format!(
        "backup restore {way_back} --in-place --confirm {name}"
    ))
    .code(0);
    assert_eq!(test.rows(COMPANIES), saved);
    assert_eq!(test.contents(), before);
}

#[test]
fn backup_of_tables_replaces_one_of_them_where_that_is_asked() {
    let test = changed("");
    let name = test.db.name();
    let ran = restore(&test, &format!("--in-place --table users --confirm {name}")).code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  public.users, in place of its rows in DB

      ? in_place
          table  rows now  rows in the backup
          users  5  6
          All rows of public.users in DB at postgres@SERVER:5432 are replaced.
          The backup is one-DATE, saved AGE ago.
          What was changed since is lost.
          What is there now is saved first, and read back.
          ✓ yes · postgres (USER@HOST) by --confirm
      ✓ before  5 rows of public.users → ~/.local/state/runbook/backups/DB-before-restore-DATE (SIZE, verified)  TIME
      ✓ restore  6 rows of public.users → database DB, in place  TIME

    Done in TIME.
    To go back: runbook backup restore DB-before-restore-DATE --in-place
    ");
    assert_eq!(test.rows("SELECT count(*) FROM users"), "6");
    assert!(test.rows(COMPANIES).contains("Wrong"));
    // What others reference and is not replaced with it stays.
    let ran = restore(
        &test,
        &format!("--in-place --table companies --confirm {name}"),
    )
    .code(10);
    assert_snapshot!(told(&ran), @"
    exit 10
    --- stderr
    error: the rows cannot be replaced: tables that are not replaced reference them
      public.users references public.companies
      nothing was replaced
      = help: replace public.users too: the backup has it
    ");
}

#[test]
fn backup_table_is_restored_beside_the_live_one() {
    let test = changed("");
    let ran = restore(&test, "--table companies --as companies_before").code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  the new table companies_before in DB

      ✓ restore  3 rows → table public.companies_before  TIME

    Done in TIME.
    public.companies is as it was.
    Drop the new one when you are done: DROP TABLE companies_before;
    ");
    assert_eq!(
        test.rows("SELECT string_agg(name, ', ' ORDER BY id) FROM companies_before"),
        "Acme, Globex, Initech"
    );
    assert!(test.rows(COMPANIES).contains("Wrong"));
    restore(&test, "--table companies --as companies_before").code(10);
    assert_snapshot!(told(&restore(&test, "--table company --as x").code(2)), @"
    exit 2
    --- stderr
    error: the backup `one-DATE` has no table `company`
      = help: did you mean `companies`?
    ");
    assert_snapshot!(told(&restore(&test, "--table companies").code(2)), @"
    exit 2
    --- stderr
    error: a single table does not get a database of its own
      = help: --as NEW restores it beside the live one
      = help: --merge puts its rows back, --in-place replaces all of them
    ");
    assert_snapshot!(told(&restore(&test, "--as x").code(2)), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --table <TABLE>

    Usage: runbook backup restore --table <TABLE> --as <NAME> --database-url <URL> <BACKUP>

    For more information, try '--help'.
    ");
}

#[test]
fn backup_rows_are_put_back_after_they_were_shown() {
    let test = shop();
    test.run_with(["backup", "create", "one", "--rows", "users=id < 3"])
        .code(0);
    test.connect()
        .run("UPDATE users SET email = 'x' WHERE id = 1");
    let before = test.contents();
    assert_snapshot!(told(&restore(&test, "--yes").code(10)), @"
    exit 10
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  2 rows of 1 table
      taken  MOMENT
      to  rows of DB, one by one

      ✗ undo  restore: nothing put back, 1 row has changed since  TIME
          rows of the backup one-DATE are put back
          ! users id = 1 was changed since
            column  then  now  would become
            email  user1@example.com  x  user1@example.com

    Failed after TIME.
    nothing was put back: someone changed 1 row since.
    To leave what was changed, and put back the others: runbook backup restore one-DATE --on-conflict skip
    To put all of them back: runbook backup restore one-DATE --on-conflict overwrite
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
    let overwrite = "--on-conflict overwrite";
    assert_snapshot!(told(&restore(&test, overwrite).code(12)), @"
    exit 12
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  2 rows of 1 table
      taken  MOMENT
      to  rows of DB, one by one

      ? go_ahead
          restore changes 1 row of users
            users  1  email  x → user1@example.com
          Put back 1 row?
          ✗ no · nobody · there is no terminal to ask `go_ahead` at: answer it with --yes, or run it in a terminal

    Declined after TIME.
    nothing was put back
    Nothing was changed.
    ");
    restore(&test, &format!("{overwrite} --dry-run")).code(0);
    assert_eq!(test.contents(), before);
    let (code, text) = Terminal::new(&test, &format!("backup restore one {overwrite}"))
        .shows("[y/N]")
        .types("y\n")
        .end();
    assert_snapshot!(plain(&text), @"
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  2 rows of 1 table
      taken  MOMENT
      to  rows of DB, one by one

      ? go_ahead
          restore changes 1 row of users
            users  1  email  x → user1@example.com
          Put back 1 row?
          Go on? [y/N] y
          ✓ yes · postgres (USER@HOST)
      ↶ undo  restore: 1 row put back  TIME
          rows of the backup one-DATE are put back
          users  1  email  x → user1@example.com

    Done in TIME.
    ");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(
        test.rows("SELECT email FROM users WHERE id = 1"),
        "user1@example.com"
    );
    assert_snapshot!(told(&restore(&test, "").code(0)), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  2 rows of 1 table
      taken  MOMENT
      to  rows of DB, one by one


    Nothing to do after TIME.
    all rows are as they were saved
    ");
}

#[test]
fn backup_rows_of_a_table_are_merged_where_that_is_asked() {
    let test = changed("--table users --table companies");
    let ran = restore(
        &test,
        "--merge --table companies --on-conflict overwrite --yes",
    )
    .code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  9 rows of 2 tables
      taken  MOMENT
      to  rows of public.companies, one by one

      ? go_ahead
          restore changes 1 row of companies
            companies  2  name  Wrong → Globex
          Put back 1 row?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo  restore: 1 row put back  TIME
          rows of the backup one-DATE are put back
          companies  2  name  Wrong → Globex

    Done in TIME.
    ");
    assert_eq!(test.rows(COMPANIES), "1 Acme, 2 Globex, 3 Initech, 9 New");
    assert_eq!(test.rows("SELECT count(*) FROM users"), "5");
}

#[test]
fn backup_rows_go_nowhere_else() {
    let test = shop();
    test.run_with(["backup", "create", "one", "--rows", "users=true"])
        .code(0);
    assert_snapshot!(told(&restore(&test, "--in-place").code(2)), @"
    exit 2
    --- stderr
    error: `one-DATE` holds some rows of its tables: it cannot replace all of them
      = help: without --in-place its rows are put back, and the others are let be
    ");
    assert_snapshot!(told(&restore(&test, "--into other").code(2)), @"
    exit 2
    --- stderr
    error: `one-DATE` holds some rows of its tables: there is no database to be made of them
      = help: without --into its rows are put back to where they were
    ");
    test.run("backup create two --database schema").code(0);
    assert_snapshot!(told(&test.run("backup restore two --merge").code(2)), @"
    exit 2
    --- stderr
    error: `two-DATE` holds the structure of a database, and no rows
      = help: it can be restored into a new database
    ");
    test.run("backup create three --database data").code(0);
    assert_snapshot!(told(&test.run("backup restore three").code(2)), @"
    exit 2
    --- stderr
    error: `three-DATE` holds data alone: a new database would have no tables for it
      = help: --merge puts rows back, --in-place replaces those of the tables
    ");
    assert_snapshot!(told(&test.run("backup restore three --in-place --on-conflict skip").code(2)), @"
    exit 2
    --- stderr
    error: --on-conflict is about single rows that are put back: there are conflicts with --merge alone
    ");
}

#[test]
fn backup_restore_that_is_only_looked_at_changes_nothing() {
    let test = changed("");
    let before = test.contents();
    assert_snapshot!(told(&restore(&test, "--dry-run").code(0)), @"
    exit 0
    --- stdout
    Restore of one  run RUN · postgres@SERVER:5432/DB · high risk
      backup  one-DATE
      holds  the database: 9 rows of 2 tables
      taken  MOMENT
      to  the new database DB_restored_DATE

    Dry run: everything is rolled back at its end.

      ✓ read  passed  TIME

    Done in TIME.
    The backup is good: it was read in full.
    It would be restored to the new database DB_restored_DATE.
    ");
    restore(&test, "--dry-run --in-place").code(0);
    restore(&test, "--dry-run --table users --as x").code(0);
    assert_eq!(test.contents(), before);
    test.until(ALONE);
}

#[test]
fn case_44_backup_that_is_damaged_is_not_restored() {
    for what in ["", "--table users --table companies"] {
        let test = changed(what);
        let before = test.contents();
        let id = newest(&test);
        damage(&test, &id);
        let name = test.db.name();
        for args in [
            String::new(),
            format!("--in-place --confirm {name}"),
            "--table users --as x".to_owned(),
            "--merge --yes --on-conflict overwrite".to_owned(),
        ] {
            let ran = test.run(&format!("backup restore {id} {args}"));
            assert_eq!(ran.code, Some(10), "{args}: {ran}");
            assert_eq!(test.contents(), before);
            test.until(ALONE);
        }
    }
}

#[test]
fn backup_restore_runs_say_what_to_do_instead_of_undoing_them() {
    let test = changed("");
    restore(&test, "--table companies --as c2").code(0);
    let history = test.run("history --output json").code(0);
    let runs: Value = serde_json::from_str(&history.stdout).unwrap();
    let id = runs[0]["run"].as_str().unwrap();
    assert_snapshot!(told(&test.run(&format!("undo {id}")).code(2)), @"
    exit 2
    --- stderr
    error: run `RUN` restored a backup
      = help: nothing that was there before was changed by it: drop the table public.c2
    ");
    let ran = test.run(&format!("report {id}")).code(0);
    assert!(ran.stdout.contains("Restore of one"), "{ran}");
    test.run("audit verify").code(0);
    assert_eq!(ids(&test).len(), 1);
}

#[test]
fn backup_of_tables_that_others_reference_is_refused_before_anybody_is_asked() {
    let test = changed("--table companies");
    for args in ["--in-place --dry-run", "--in-place"] {
        let ran = restore(&test, args).code(10);
        let ran = ran
            .says("public.users references public.companies")
            .says("`--merge`");
        assert!(!ran.to_string().contains("in_place"), "{ran}");
    }
}

#[test]
fn advice_of_a_restore_that_stops_can_be_typed_as_it_is() {
    let test = shop();
    let folder = test.root().join("mine");
    let at = format!("--folder {}", folder.display());
    test.run(&format!("backup create one --table users {at}"))
        .code(0)
        .says("--folder");
    test.connect()
        .run("UPDATE users SET email = 'x' WHERE id = 1");
    let ran = restore(&test, &format!("--merge --table users {at}")).code(10);
    let advice = ran.stdout.lines().find_map(|line| {
        let (_, command) = line.split_once("To put all of them back: runbook ")?;
        Some(command.replace("ROOT", &test.root().display().to_string()))
    });
    test.run(&format!("{} --yes", advice.unwrap())).code(0);
    assert_eq!(
        test.rows("SELECT email FROM users WHERE id = 1"),
        "user1@example.com"
    );
}

#[test]
fn backup_of_data_alone_is_good_though_it_cannot_be_tried() {
    let test = shop();
    test.run("backup create one --database data").code(0);
    test.run("backup verify one --restore")
        .code(10)
        .says("read in full, but not restored on trial");
    test.run("backup verify --all --restore").code(0);
    let listed = test.run("backup list").code(0).says("readable");
    assert!(!listed.to_string().contains("damaged"), "{listed}");
    test.run("backup create two --database data --verify restore")
        .code(2)
        .says("leave out `--verify restore`");
}
