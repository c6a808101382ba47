//! `runbook backup restore`: into a new database, beside what is there, row by row, and in place.

use insta::assert_snapshot;
use serde_json::Value;

use crate::backup_cli::{damage, ids, newest, plain, shop, told};
use crate::terminal::Terminal;
use crate::test::{Ran, Test};

const COMPANIES: &str = "SELECT string_agg(id || ' ' || name, ', ' ORDER BY id) FROM companies";
const DATABASES: &str = "SELECT count(*) FROM pg_database WHERE datname LIKE current_database() || '%' OR datname LIKE 'runbook_restoring%'";

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
    assert_snapshot!(told(&ran), @"");
    let beside = Beside::of(&test, "_restored%");
    let names = beside.rows("SELECT name FROM companies ORDER BY id");
    assert!(
        names.contains("Globex") && !names.contains("New"),
        "{names}"
    );
    assert_eq!(test.contents(), before);
    let again = restore(&test, "").code(2);
    assert_snapshot!(told(&again), @"");
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
    assert_snapshot!(told(&restore(&test, &format!("--into {name} --yes")).code(2)), @"");
    assert_snapshot!(told(&restore(&test, "--into postgres").code(2)), @"");
    assert_snapshot!(told(&restore(&test, "--in-place").code(12)), @"");
    restore(&test, "--in-place --yes").code(12);
    assert_snapshot!(told(&restore(&test, "--in-place --yes --confirm other").code(12)), @"");
    let (code, text) = Terminal::new(&test, "backup restore one --in-place")
        .shows("to go on: ")
        .types("yes\n")
        .end();
    assert_eq!(code, Some(12), "{text}");
    assert_eq!(test.contents(), before);
    assert_eq!(test.rows(DATABASES), "1");
}

#[test]
fn backup_of_a_database_replaces_it_and_keeps_the_old_one() {
    let test = changed("");
    let name = test.db.name();
    let ran = restore(&test, &format!("--in-place --confirm {name}")).code(0);
    assert_snapshot!(told(&ran), @"");
    let old = Beside::of(&test, "_before%");
    assert!(old.rows("SELECT name FROM companies").contains("Wrong"));
    assert_eq!(test.rows(COMPANIES), "1 Acme, 2 Globex, 3 Initech");
    let history = test.run("history --output json").code(0);
    let runs: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(runs[0]["runbook"], "backup restore");
    let id = runs[0]["run"].as_str().unwrap();
    let ran = test.run(&format!("undo {id}")).code(2);
    assert_snapshot!(told(&ran), @"");
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
    assert_snapshot!(plain(&text), @"");
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
    assert_snapshot!(told(&ran), @"");
    assert_eq!(test.rows("SELECT count(*) FROM users"), "6");
    assert!(test.rows(COMPANIES).contains("Wrong"));
    // What others reference and is not replaced with it stays.
    let ran = restore(
        &test,
        &format!("--in-place --table companies --confirm {name}"),
    )
    .code(10);
    assert_snapshot!(told(&ran), @"");
}

#[test]
fn backup_table_is_restored_beside_the_live_one() {
    let test = changed("");
    let ran = restore(&test, "--table companies --as companies_before").code(0);
    assert_snapshot!(told(&ran), @"");
    assert_eq!(
        test.rows("SELECT string_agg(name, ', ' ORDER BY id) FROM companies_before"),
        "Acme, Globex, Initech"
    );
    assert!(test.rows(COMPANIES).contains("Wrong"));
    restore(&test, "--table companies --as companies_before").code(10);
    assert_snapshot!(told(&restore(&test, "--table company --as x").code(2)), @"");
    assert_snapshot!(told(&restore(&test, "--table companies").code(2)), @"");
    assert_snapshot!(told(&restore(&test, "--as x").code(2)), @"");
}

#[test]
fn backup_rows_are_put_back_after_they_were_shown() {
    let test = shop();
    test.run_with(["backup", "create", "one", "--rows", "users=id < 3"])
        .code(0);
    test.connect()
        .run("UPDATE users SET email = 'x' WHERE id = 1");
    let before = test.contents();
    assert_snapshot!(told(&restore(&test, "--yes").code(13)), @"");
    assert_eq!(test.contents(), before);
    let overwrite = "--on-conflict overwrite";
    assert_snapshot!(told(&restore(&test, overwrite).code(12)), @"");
    restore(&test, &format!("{overwrite} --dry-run")).code(0);
    assert_eq!(test.contents(), before);
    let (code, text) = Terminal::new(&test, &format!("backup restore one {overwrite}"))
        .shows("[y/N]")
        .types("y\n")
        .end();
    assert_snapshot!(plain(&text), @"");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(
        test.rows("SELECT email FROM users WHERE id = 1"),
        "user1@example.com"
    );
    assert_snapshot!(told(&restore(&test, "").code(0)), @"");
}

#[test]
fn backup_rows_of_a_table_are_merged_where_that_is_asked() {
    let test = changed("--table users --table companies");
    let ran = restore(
        &test,
        "--merge --table companies --on-conflict overwrite --yes",
    )
    .code(0);
    assert_snapshot!(told(&ran), @"");
    assert_eq!(test.rows(COMPANIES), "1 Acme, 2 Globex, 3 Initech, 9 New");
    assert_eq!(test.rows("SELECT count(*) FROM users"), "5");
}

#[test]
fn backup_rows_go_nowhere_else() {
    let test = shop();
    test.run_with(["backup", "create", "one", "--rows", "users=true"])
        .code(0);
    assert_snapshot!(told(&restore(&test, "--in-place").code(2)), @"");
    assert_snapshot!(told(&restore(&test, "--into other").code(2)), @"");
    test.run("backup create two --database schema").code(0);
    assert_snapshot!(told(&test.run("backup restore two --merge").code(2)), @"");
    test.run("backup create three --database data").code(0);
    assert_snapshot!(told(&test.run("backup restore three").code(2)), @"");
    assert_snapshot!(told(&test.run("backup restore three --in-place --on-conflict skip").code(2)), @"");
}

#[test]
fn backup_restore_that_is_only_looked_at_changes_nothing() {
    let test = changed("");
    let before = test.contents();
    assert_snapshot!(told(&restore(&test, "--dry-run").code(0)), @"");
    restore(&test, "--dry-run --in-place").code(0);
    restore(&test, "--dry-run --table users --as x").code(0);
    assert_eq!(test.contents(), before);
    assert_eq!(test.rows(DATABASES), "1");
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
            assert_eq!(test.rows(DATABASES), "1", "{args}");
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
    assert_snapshot!(told(&test.run(&format!("undo {id}")).code(2)), @"");
    let ran = test.run(&format!("report {id}")).code(0);
    assert!(ran.stdout.contains("Restore of one"), "{ran}");
    test.run("audit verify").code(0);
    assert_eq!(ids(&test).len(), 1);
}
