//! The journal's schema: made, granted, foreign, newer, damaged, out of reach.

use insta::assert_snapshot;

use crate::session::{apply, begin, beside, block_on, connect, entry, limits, words};
use crate::test::Test;

const COUNTERS: &str = "CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); \
    INSERT INTO counters SELECT n, 0 FROM generate_series(1, 3) n";

const ONE: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

/// A test with a login that may change the table, and nothing else.
struct Unprivileged {
    test: Test,
    login: String,
}

impl Unprivileged {
    fn new() -> Self {
        let test = Test::sql(COUNTERS);
        let login = format!("clerk_{}", test.db.name());
        test.connect().run(&format!(
            "DROP ROLE IF EXISTS {login}; CREATE ROLE {login} LOGIN; \
             GRANT SELECT, UPDATE ON counters TO {login}"
        ));
        Self { test, login }
    }

    fn url(&self) -> String {
        self.test
            .db
            .url()
            .replacen("postgres@", &format!("{}@", self.login), 1)
    }

    /// What becomes of a fix of this login.
    fn apply(&self, step: usize) -> String {
        let done = block_on(async {
            let mut session = connect(&self.url(), "aaaaaa").await;
            apply(&mut session, &entry("aaaaaa", step), ONE).await
        });
        done.map_or_else(
            |failure| self.clean(&words(&failure)),
            |()| "done".to_owned(),
        )
    }

    fn clean(&self, text: &str) -> String {
        self.test.redact(&text.replace(&self.login, "CLERK"))
    }
}

impl Drop for Unprivileged {
    fn drop(&mut self) {
        let login = &self.login;
        self.test
            .connect()
            .run(&format!("DROP OWNED BY {login}; DROP ROLE {login}"));
    }
}

#[test]
fn init_makes_the_journal_for_a_login_that_may_not() {
    let test = Unprivileged::new();
    assert_snapshot!(test.apply(1), @"
    Target: the journal cannot be made in this database: permission denied for database DB
      note: every change is recorded in the transaction that makes it, in the schema `runbook`
      help: have the owner of the database make it: `runbook init --grant CLERK`
      help: or keep it beside the run's record: `--journal local`
    ");
    let init = test.test.run(&format!("init --grant {}", test.login));
    assert_snapshot!(test.clean(&init.to_string()), @"
    exit 0
    --- stdout
    created the journal: schema `runbook` of DB, version 2
    granted to clerk_DB: to run runbooks and record them there
    ");
    assert_eq!(test.apply(1), "done");
    // Once more changes nothing.
    let again = test.test.run(&format!("init --grant {}", test.login));
    assert_snapshot!(test.clean(&again.to_string()), @"
    exit 0
    --- stdout
    the journal is there already: schema `runbook` of DB, version 2
    granted to clerk_DB: to run runbooks and record them there
    ");
    assert_eq!(test.apply(2), "done");
    assert_eq!(
        test.test
            .rows("SELECT step, login = 'postgres', rows FROM runbook.entry ORDER BY id"),
        "1 | f | 1\n2 | f | 1"
    );
    let everybody = "SELECT has_schema_privilege('public', 'runbook', 'USAGE')";
    assert_eq!(test.test.rows(everybody), "f");
}

#[test]
fn what_was_recorded_cannot_be_altered_by_who_may_record() {
    let test = Unprivileged::new();
    test.test
        .run(&format!("init --grant {}", test.login))
        .code(0);
    assert_eq!(test.apply(1), "done");
    for alter in [
        "UPDATE runbook.entry SET actor = 'nobody'",
        "DELETE FROM runbook.entry",
        "DELETE FROM runbook.image",
        "TRUNCATE runbook.entry CASCADE",
    ] {
        let refused = test.test.connect();
        refused.run(&format!("SET ROLE {}", test.login));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| refused.run(alter)));
        assert!(done.is_err(), "{alter}");
    }
}

#[test]
fn init_says_why_it_cannot() {
    let test = Unprivileged::new();
    let refused = test.test.run("init --grant no_such_role");
    assert_snapshot!(test.clean(&refused.to_string()), @r#"
    exit 4
    --- stderr
    error: nothing was granted: role "no_such_role" does not exist (SQLSTATE 42704)
      = help: the owner of the schema `runbook` grants, to roles that exist
    "#);
    assert_snapshot!(test.test.run("init --grant public"), @"
    exit 4
    --- stderr
    error: nothing was granted: the journal is not for everybody
      = help: name the roles that run runbooks
    ");
}

#[test]
fn a_login_that_may_not_make_the_journal_is_told_who_may() {
    let test = Unprivileged::new();
    let own = test
        .test
        .bare(["init", "--database-url", &test.url()])
        .output()
        .unwrap();
    assert_snapshot!(test.clean(&test.test.ran(&own).to_string()), @"
    exit 4
    --- stderr
    error: the journal cannot be made in this database: permission denied for database DB (SQLSTATE 42501)
      = note: every change is recorded in the transaction that makes it, in the schema `runbook`
      = help: have the owner of the database make it: `runbook init --grant clerk_DB`
      = help: or keep it beside the run's record: `--journal local`
    ");
    assert_eq!(test.test.rows("SELECT to_regnamespace('runbook')"), "null");
}

#[test]
fn rights_that_are_revoked_in_the_middle_stop_the_run_before_a_change() {
    let test = Unprivileged::new();
    test.test
        .run(&format!("init --grant {}", test.login))
        .code(0);
    let failures = block_on(async {
        let mut session = connect(&test.url(), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        let revoke = |what: &str| {
            beside(
                &test.test,
                &format!("REVOKE {what} ON runbook.entry FROM {}", test.login),
            );
        };
        // It began, and cannot complete its entry.
        begin(&mut session, &entry("aaaaaa", 2), ONE).await.unwrap();
        revoke("UPDATE (rows, head, wal)");
        let at_commit = session
            .close(runbook::engine::port::Close::Commit, &limits())
            .await
            .unwrap_err();
        revoke("INSERT");
        let at_begin = apply(&mut session, &entry("aaaaaa", 2), ONE)
            .await
            .unwrap_err();
        format!("{}\n{}", words(&at_commit), words(&at_begin))
    });
    assert_snapshot!(test.clean(&failures), @"
    Target: the login CLERK may not write to the journal, the schema `runbook`
      note: permission denied for table entry
      note: nothing was changed
      help: have its owner grant it: `runbook init --grant CLERK`
      help: or keep it beside the run's record: `--journal local`
    Target: the login CLERK may not write to the journal, the schema `runbook`
      note: permission denied for table entry
      note: nothing was changed
      help: have its owner grant it: `runbook init --grant CLERK`
      help: or keep it beside the run's record: `--journal local`
    ");
    assert_eq!(
        test.test.rows("SELECT value FROM counters WHERE id = 1"),
        "1"
    );
    assert_eq!(test.test.rows("SELECT count(*) FROM runbook.entry"), "1");
}

/// What becomes of a fix after something was done to the schema.
fn after(setup: &str) -> String {
    let test = Test::sql(COUNTERS);
    test.run("init").code(0);
    test.connect().run(setup);
    let failure = block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE)
            .await
            .unwrap_err()
    });
    assert_eq!(test.rows("SELECT value FROM counters WHERE id = 1"), "0");
    words(&failure)
}

#[test]
fn a_newer_journal_is_not_written_to() {
    assert_snapshot!(
        after("COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 3'"), @"
    Target: the journal of this database is written by a newer version of runbook: it is version 3, where this program knows 2
      help: update runbook
    ");
}

/// Makes the journal what the first version of it was.
const FIRST: &str = "\
    DROP TABLE runbook.verdict, runbook.request, runbook.glass; \
    DROP FUNCTION runbook.guard_entry, runbook.guard_capture, runbook.guard_request, runbook.guard_verdict, runbook.guard_glass, runbook.guard_past CASCADE; \
    COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 1'";

#[test]
fn a_journal_of_the_first_version_is_brought_up_to_date() {
    let test = Unprivileged::new();
    let grant = format!("init --grant {}", test.login);
    test.test.run(&grant).code(0);
    assert_eq!(test.apply(1), "done");
    let login = &test.login;
    test.test.connect().run(&format!(
        "{FIRST}; REVOKE INSERT ON runbook.entry, runbook.capture FROM {login}; \
         GRANT SELECT, INSERT ON runbook.entry, runbook.capture, runbook.image TO {login}"
    ));
    // Who may not do it is told who may.
    assert_snapshot!(test.apply(2), @"
    Target: the journal of this database is of version 1, and cannot be brought up to version 2: permission denied for schema runbook
      note: every change is recorded in the transaction that makes it, in the schema `runbook`
      help: have the owner of the schema do it: `runbook init`; whoever may write to it still may then
      help: or keep it beside the run's record: `--journal local`
    ");
    assert_eq!(
        test.test.rows("SELECT value FROM counters WHERE id = 1"),
        "1"
    );
    assert_snapshot!(test.test.run("init").code(0).stdout, @"brought the journal up to date: schema `runbook` of DB, version 2");
    // Whoever could write to it still may, and no more than before: not who it was.
    assert_eq!(test.apply(2), "done");
    assert_eq!(
        test.test.rows(&format!(
            "SELECT has_column_privilege('{login}', 'runbook.entry', 'login', 'INSERT'), \
                    has_column_privilege('{login}', 'runbook.entry', 'run', 'INSERT'), \
                    has_column_privilege('{login}', 'runbook.verdict', 'word', 'INSERT')"
        )),
        "f | t | t"
    );
    assert_eq!(
        test.test
            .rows("SELECT step, login <> 'postgres' FROM runbook.entry ORDER BY id"),
        "1 | t\n2 | t"
    );
}

#[test]
fn the_first_fix_brings_the_journal_up_to_date_for_who_may() {
    let test = Test::sql(COUNTERS);
    test.run("init").code(0);
    test.connect().run(FIRST);
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
    });
    assert_eq!(
        test.rows("SELECT obj_description('runbook'::regnamespace, 'pg_namespace'), to_regclass('runbook.verdict')"),
        "The journal of runbook, version 2 | runbook.verdict"
    );
}

#[test]
fn a_journal_without_its_guards_is_damaged() {
    assert_snapshot!(after("DROP TRIGGER guard ON runbook.entry"), @"
    Target: the journal of this database is damaged: `runbook.entry.guard()` is gone
      note: without it nobody could tell what was done, so nothing is changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
    assert_snapshot!(after("ALTER TABLE runbook.verdict DISABLE TRIGGER past"), @"
    Target: the journal of this database is damaged: `runbook.verdict.past()` is gone
      note: without it nobody could tell what was done, so nothing is changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
}

#[test]
fn a_foreign_schema_is_left_alone() {
    assert_snapshot!(
        after("DROP SCHEMA runbook CASCADE; CREATE SCHEMA runbook; CREATE TABLE runbook.recipes (id int)"), @"
    Target: this database has a schema `runbook` that is not the journal of this program
      help: give that schema another name: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
}

#[test]
fn a_damaged_journal_is_not_guessed_at() {
    assert_snapshot!(after("DROP TABLE runbook.lease"), @"
    Target: the journal of this database is damaged: `runbook.lease` is gone
      note: without it nobody could tell what was done, so nothing is changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
    assert_snapshot!(after("ALTER TABLE runbook.entry DROP COLUMN head"), @"
    Target: the journal of this database is damaged: `runbook.entry.head` is gone
      note: without it nobody could tell what was done, so nothing is changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
    // Without its unique key an entry would not be the only one.
    assert_snapshot!(after("ALTER TABLE runbook.entry DROP CONSTRAINT entry_run_step_item_part_undo_key"), @"
    Target: the journal, the schema `runbook`, is damaged or gone
      note: there is no unique or exclusion constraint matching the ON CONFLICT specification
      note: nothing was changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    ");
}

#[test]
fn a_journal_that_is_dropped_in_the_middle_stops_the_run() {
    let test = Test::sql(COUNTERS);
    let failure = block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        beside(&test, "DROP SCHEMA runbook CASCADE");
        apply(&mut session, &entry("aaaaaa", 2), ONE)
            .await
            .unwrap_err()
    });
    assert_snapshot!(words(&failure), @r#"
    Target: the journal, the schema `runbook`, is damaged or gone
      note: relation "runbook.entry" does not exist
      note: nothing was changed
      help: restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …
      help: or keep it beside the run's record: `--journal local`
    "#);
    assert_eq!(test.rows("SELECT value FROM counters WHERE id = 1"), "1");
}
