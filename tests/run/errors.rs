//! What cannot be done, and how that is said.

use insta::assert_snapshot;

use crate::server::Database;
use crate::test::Test;

const BOOK: &str = "- query: q\n  sql: SELECT 1 AS n\n";

#[test]
fn no_server_is_said() {
    let test = Test::sql("SELECT 1").steps(BOOK);
    let run = |url: &str| {
        let mut command = test.bare(["run", "t", "--database-url", url]);
        test.ran(&command.output().unwrap())
    };
    assert_snapshot!(run("postgres://me@127.0.0.1:1/none"), @"
    exit 4
    --- stderr
    error: cannot reach PostgreSQL at me@127.0.0.1:1/none: Connection refused (os error 111)
      = help: check that the server runs, and that host and port are right; `pg_isready` asks the same question
    ");
    assert_snapshot!(run("postgres://me@/none?host=/nowhere"), @"
    exit 4
    --- stderr
    error: cannot reach PostgreSQL at me@/nowhere:5432/none: No such file or directory (os error 2)
      = help: check that the server runs, and that host and port are right; `pg_isready` asks the same question
    ");
    assert_snapshot!(run("postgres//me"), @"
    exit 2
    --- stderr
    error: the database URL: this is neither a URL nor `keyword=value`
      = help: write postgres://user@host:port/database
    ");
}

#[test]
fn an_unknown_database_or_login_is_said() {
    let test = Test::sql("SELECT 1").steps(BOOK);
    let folder = Database::folder();
    let run = |url: &str| {
        let mut command = test.bare(["run", "t", "--database-url", url]);
        test.ran(&command.output().unwrap())
    };
    assert_snapshot!(run(&format!("postgres://postgres@/nowhere?host={folder}")), @r#"
    exit 4
    --- stderr
    error: unknown database postgres@SERVER:5432/nowhere: database "nowhere" does not exist (3D000)
      = help: check the database's name: `psql -l` lists those there are
    "#);
    assert_snapshot!(run(&format!("postgres://nobody_here@/postgres?host={folder}")), @r#"
    exit 4
    --- stderr
    error: PostgreSQL refuses the login nobody_here@SERVER:5432/postgres: role "nobody_here" does not exist (28000)
      = help: check the user and its password ($PGPASSWORD, ~/.pgpass), and the server's pg_hba.conf
    "#);
}

#[test]
fn a_missing_table_is_said_with_the_line() {
    let test = Test::sql("CREATE TABLE accounts (id int)").steps(
        "
        - query: q
          sql: |
            SELECT id
            FROM acounts
            WHERE id = 1
        ",
    );
    assert_snapshot!(test.run("run t"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ q                      failed  TIME
          error: relation "acounts" does not exist (SQLSTATE 42P01)
            = note: in: FROM acounts
            = help: is this the database that the runbook is for? `runbook check NAME --target …` compares them

    Failed after TIME.
    `q`: relation "acounts" does not exist
    Nothing was changed.
    "#);
    let test = test.steps("- query: q\n  sql: SELECT idd FROM accounts\n");
    test.run("run t")
        .code(10)
        .says("column \"idd\" does not exist");
}

#[test]
fn missing_rights_are_said() {
    let test = Test::sql(
        "CREATE TABLE accounts (id int PRIMARY KEY); INSERT INTO accounts VALUES (1); \
         DO $$BEGIN CREATE ROLE onlooker LOGIN; EXCEPTION WHEN duplicate_object THEN END$$; GRANT SELECT ON accounts TO onlooker",
    )
    .unrehearsed("- fix: f\n  sql: DELETE FROM accounts WHERE id = 1\n  rows: 1\n");
    let url = test.db.url().replace("postgres@", "onlooker@");
    let run = |args: &str| {
        let mut command = test.bare(args.split_whitespace());
        let command = command.env("DATABASE_URL", &url);
        test.ran(&command.output().unwrap())
    };
    assert_snapshot!(run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · onlooker@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: the journal cannot be made in this database: the login onlooker may not make a schema
            = note: every change is recorded in the transaction that makes it, in the schema `runbook`
            = help: have the owner of the database make it: `runbook init --grant onlooker`
            = help: or keep it beside the run's record: `--journal local`

    Failed after TIME.
    `go`: the journal cannot be made in this database: the login onlooker may not make a schema
    Nothing was changed.
    ");
    run("check t").code(0);
    assert_eq!(test.rows("SELECT count(*) FROM accounts"), "1");
    test.connect().run("REVOKE ALL ON accounts FROM onlooker");
}

#[test]
fn case_05_a_terminated_session_rolls_back() {
    let test = Test::sql(
        "CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 1)",
    )
    .unrehearsed(
        "
            - atomic: both
              steps:
                - fix: one
                  sql: UPDATE accounts SET n = 2 WHERE id = 1
                  rows: 1
                - query: long
                  sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
            ",
    );
    let before = test.contents();
    let run = test.start("run t --yes");
    let session = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'runbook/%' AND query LIKE '%pg_sleep%' AND state = 'active'";
    test.until(&format!("SELECT EXISTS (SELECT {session})"));
    test.connect()
        .run(&format!("SELECT pg_terminate_backend(pid) {session}"));
    assert_snapshot!(run.end(), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ both                   rolled back, nothing of it remains
          ✓ one  1 row
      ✗ long                   failed  TIME
          error: terminating connection due to administrator command (SQLSTATE 57P01)

    Failed after TIME.
    `long`: terminating connection due to administrator command
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn steps_of_a_later_version_are_refused_before_anything_runs() {
    let test = Test::sql(
        "CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 1)",
    )
    .runbook(
        "t",
        "
        risk: high
        steps:
          - confirm: go
            of: f
            ask: Go?
          - fix: f
            sql: UPDATE accounts SET n = 2 WHERE id = 1
            rows: 1
            for_each: '[1, 2]'
            as: n
            parallel: 2
          - check: after
            sql: SELECT n FROM accounts WHERE id = 1
            that: n == 3
            else: undo
        branches:
          undo:
            - rollback: everything
              of: f
        ",
    );
    let before = test.contents();
    assert_snapshot!(test.run("run t --yes"), @"
    exit 3
    --- stderr
    error: `t` could come to steps that this version cannot run
      the fix `f`: `parallel` above 1 is not part of this version
      = help: nothing was run; take these steps out, or wait for the version that has them
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn wrong_parameters_are_said_before_a_connection_is_made() {
    let test = Test::sql("SELECT 1").runbook(
        "t",
        "
        params:
          id: { type: int, min: 1 }
          day: { type: date }
        steps:
          - query: q
            sql: SELECT {{ id }} AS n, {{ day }} AS day
        ",
    );
    let mut command = test.bare([
        "run",
        "t",
        "--id",
        "0",
        "--day",
        "2026-02-30",
        "--database-url",
        "postgres://me@127.0.0.1:1/none",
    ]);
    assert_snapshot!(test.ran(&command.output().unwrap()), @"
    exit 3
    --- stderr
    error: 2 parameters of `t` are wrong
      id: 0 is less than 1
        give --id INT (int, at least 1)
      day: `2026-02-30` is not a day such as 2026-11-02
        give --day DATE (date)
      = help: `runbook run t --help` describes the parameters
    ");
}

#[test]
fn a_wrong_password_is_said_without_it() {
    let test = Test::sql(
        "DO $$BEGIN CREATE ROLE guarded LOGIN PASSWORD 'right one'; EXCEPTION WHEN duplicate_object THEN END$$",
    )
    .steps(BOOK);
    // The rules of this database alone ask for a password.
    let rules = test.rows("SHOW hba_file");
    let own = format!("local {} guarded scram-sha-256\n", test.db.name());
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("{own}{before}")).unwrap();
    let loaded = || test.rows("SELECT pg_conf_load_time()");
    let earlier = loaded();
    test.connect().run("SELECT pg_reload_conf()");
    // A new session has what the server itself has loaded.
    while loaded() == earlier {
        std::thread::yield_now();
    }
    let run = |password: &str| {
        let login = format!("guarded{password}@");
        let mut command = test.bare(["run", "t"]);
        command.env("DATABASE_URL", test.db.url().replace("postgres@", &login));
        test.ran(&command.output().unwrap())
    };
    assert_snapshot!(run(":wrong%20one"), @r#"
    exit 4
    --- stderr
    error: PostgreSQL refuses the login guarded@SERVER:5432/DB: password authentication failed for user "guarded" (28P01)
      = help: check the user and its password ($PGPASSWORD, ~/.pgpass), and the server's pg_hba.conf
    "#);
    assert_snapshot!(run(""), @"
    exit 4
    --- stderr
    error: PostgreSQL refuses the login guarded@SERVER:5432/DB: password missing
      = help: give a password with $PGPASSWORD or ~/.pgpass
    ");
    run(":right%20one").code(0).keeps("right one");
}
