//! What no statement, value or address can do.

use std::process::Command;

use serde_json::json;

use crate::test::{Ran, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, name text); INSERT INTO accounts VALUES (1, 'a'), (2, 'b')";

/// Asks a server that is not there: what is refused with code 3 was never sent.
fn nowhere(test: &Test, args: &[&str]) -> Ran {
    let mut command = test.bare(args);
    command.env("DATABASE_URL", "postgres://me@127.0.0.1:1/none");
    test.ran(&command.output().unwrap())
}

const CONTROL: [&str; 18] = [
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "BEGIN",
    "START TRANSACTION",
    "COMMIT AND CHAIN",
    "ROLLBACK AND NO CHAIN",
    "/* x */ CoMmIt -- y",
    "-- only a comment\nEnD WORK",
    "/* a /* nested */ comment */COMMIT WORK;",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "SAVEPOINT s",
    "RELEASE SAVEPOINT s",
    "SET TRANSACTION READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "DO $$BEGIN COMMIT; END$$",
];

const SEVERAL: [&str; 6] = [
    "SELECT 1; SELECT 2",
    "SELECT 1; COMMIT",
    "SELECT 1;;COMMIT",
    "SELECT ';'; DROP TABLE accounts --",
    "SELECT $$;$$; DELETE FROM accounts",
    "SELECT 1 /* ; */; /* */ END",
];

#[test]
fn case_31_transaction_control_is_refused_before_anything_is_sent() {
    let test = Test::sql(ACCOUNTS);
    for sql in CONTROL {
        nowhere(&test, &["query", "--", sql]).code(3);
    }
    let mut test = test;
    for sql in CONTROL {
        for kind in ["query: s", "check: s\n  that: true", "fix: s\n  rows: 1"] {
            let quoted = json!(sql).to_string();
            test = test.steps(&format!("- {kind}\n  sql: {quoted}\n"));
            nowhere(&test, &["run", "t", "--yes"]).code(3);
        }
    }
}

#[test]
fn case_32_two_statements_are_refused_before_anything_is_sent() {
    let mut test = Test::sql(ACCOUNTS);
    for sql in SEVERAL {
        nowhere(&test, &["query", sql]).code(3);
        let quoted = json!(sql).to_string();
        test = test.confirmed(&format!("- fix: s\n  sql: {quoted}\n  rows: 1\n"));
        nowhere(&test, &["run", "t", "--yes"]).code(3);
    }
}

const ECHO: &str = "
    risk: high
    params:
      value: { type: text }
    steps:
      - query: shown
        sql: SELECT {{ value }}::text AS value, octet_length({{ value }}) AS bytes
        show: none
        rows: 1
      - confirm: go
        ask: Go?
      - fix: kept
        sql: INSERT INTO kept VALUES (1, {{ shown.value }}) ON CONFLICT (id) DO UPDATE SET body = {{ value }}
        undo: none
        rows: 1
      - check: same
        sql: SELECT body = {{ value }} AS same FROM kept
        that: same and shown.value == value
";

#[test]
fn case_33_values_are_bound_exactly() {
    let mut test =
        Test::sql("CREATE TABLE kept (id int PRIMARY KEY, body text)").runbook("t", ECHO);
    let long = "'\\\"; DROP TABLE kept; -- é🐘 ".repeat(3 * 1024 * 1024 / 40);
    let values = [
        "1; COMMIT; --",
        "'; DROP TABLE kept; --",
        "it's \"quoted\" \\ and \\\\ \\' E'\\n'",
        "$1 $$ $tag$ {{ value }} {% raw %} :x ::int ? @> %s %% ${HOME}",
        "é 漢字 🐘 e\u{301} \u{202e}rtl\u{202c} \u{feff}bom \u{200b} \u{fffd} \u{10ffff}",
        " leading and trailing \n\t\r\n lines ",
        "(a,b) {\"x\",NULL} [1,2) null NULL \\N",
        "",
        long.as_str(),
    ];
    for value in values {
        test = test.file("values.json", json!({ "value": value }).to_string());
        test.run("run t --yes --params values.json --output quiet")
            .code(0);
        let kept = test.rows("SELECT body FROM kept");
        assert!(
            kept == value,
            "{:?} became {:?}",
            &value[..value.len().min(80)],
            &kept[..kept.len().min(80)]
        );
    }
}

#[test]
fn case_33_ten_megabytes_are_refused_with_the_limit() {
    let long = "x".repeat(10 * 1024 * 1024);
    let test = Test::sql("CREATE TABLE kept (id int PRIMARY KEY, body text)")
        .runbook("t", ECHO)
        .file("values.json", json!({ "value": long }).to_string());
    insta::assert_snapshot!(test.run("run t --yes --params values.json"), @r#"
    exit 3
    --- stderr
    error: the file has 10485772 bytes; a runbook may have 4194304 at most
     --> values.json:1:1
      |
    1 | {"value":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
      | ^
      |
      = help: split it: a runbook can `use` others
    "#);
}

#[test]
fn case_33_a_nul_is_a_clear_error() {
    let test = Test::sql("CREATE TABLE kept (id int PRIMARY KEY, body text)")
        .runbook("t", ECHO)
        .file("values.json", r#"{ "value": "a\u0000b" }"#);
    let ran = test.run("run t --yes --params values.json");
    insta::assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      value: PostgreSQL cannot hold a NUL character
        give --value TEXT (text)
      = help: `runbook run t --help` describes the parameters
    ");
    assert_eq!(test.rows("SELECT count(*) FROM kept"), "0");
}

const SNEAKY: &str = "CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql AS $$BEGIN DELETE FROM accounts; RETURN 1; END$$; \
    CREATE FUNCTION escape() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('transaction_read_only', 'off', true); DELETE FROM accounts; RETURN 1; END$$; \
    CREATE FUNCTION liar() RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM sneak(); RETURN 1; END$$; \
    CREATE FUNCTION of_one(int) RETURNS int LANGUAGE plpgsql AS $$BEGIN DELETE FROM accounts; RETURN 1; END$$; \
    CREATE OPERATOR !!! (FUNCTION = of_one, RIGHTARG = int); \
    CREATE VIEW hidden AS SELECT sneak() AS n; CREATE VIEW hidden_escape AS SELECT escape() AS n; \
    CREATE SEQUENCE numbers";

#[test]
fn case_34_what_writes_is_refused_in_a_query() {
    let test = Test::sql(&format!("{ACCOUNTS}; {SNEAKY}"));
    let before = test.contents();
    let refused = [
        "WITH gone AS (DELETE FROM accounts RETURNING id) SELECT * FROM gone",
        "WITH a AS (SELECT 1), b AS (UPDATE accounts SET name = 'x' RETURNING 1) SELECT * FROM a, b",
        "SELECT * INTO copy FROM accounts",
        "SELECT * INTO TEMP copy FROM accounts",
        "CREATE TABLE copy AS SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM accounts",
        "EXPLAIN (ANALYZE true, FORMAT json) UPDATE accounts SET name = 'x'",
        "EXPLAIN (FORMAT json, ANALYZE) INSERT INTO accounts VALUES (3, 'c')",
        "SELECT id FROM accounts FOR UPDATE",
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 5)",
        "SELECT lo_create(0)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_terminate_backend(1)",
        "SELECT pg_reload_conf()",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "COPY accounts TO PROGRAM 'cat'",
        "COPY accounts TO '/tmp/x'",
        "DELETE FROM accounts",
        "TRUNCATE accounts",
        "MERGE INTO accounts USING accounts AS a ON false WHEN NOT MATCHED THEN INSERT VALUES (9, 'z')",
        "LOCK accounts",
        "VACUUM",
        "CALL nothing()",
        "NOTIFY x",
        "LISTEN x",
    ];
    for sql in refused {
        nowhere(&test, &["query", sql]).code(3);
    }
    let stopped = [
        "SELECT sneak()",
        "SELECT n.sneak FROM sneak() AS n(sneak)",
        "SELECT public.sneak() FROM accounts",
        "SELECT liar()",
        "SELECT !!! 1",
        "SELECT * FROM hidden",
        "SELECT * FROM hidden_escape",
        "TABLE hidden",
    ];
    for sql in stopped {
        let ran = test.run_with(["query", sql]);
        assert!(matches!(ran.code, Some(3 | 10)), "{sql}: {ran}");
        assert_eq!(test.contents(), before, "{sql}");
    }
}

#[test]
fn a_name_behind_a_dot_is_a_call_where_a_function_can_do_with_the_row() {
    let test = Test::sql(&format!(
        "{ACCOUNTS}; CREATE FUNCTION of_row(accounts, n int DEFAULT 1) RETURNS int LANGUAGE plpgsql \
         AS $$BEGIN RETURN 1; END$$"
    ));
    // It does not write here, but a volatile function may do so by another connection.
    for sql in [
        "SELECT accounts.of_row FROM accounts",
        "SELECT (a).of_row FROM accounts AS a",
    ] {
        test.run_with(["query", sql])
            .code(10)
            .says("the function public.of_row is VOLATILE");
    }
}

#[test]
fn case_34_what_writes_is_stopped_in_a_query_or_check_of_a_run() {
    let mut test = Test::sql(&format!("{ACCOUNTS}; {SNEAKY}"));
    for sql in [
        "SELECT sneak() AS n",
        "SELECT liar() AS n",
        "SELECT !!! 1 AS n",
        "SELECT n FROM hidden",
        "SELECT n FROM hidden_escape",
    ] {
        let before = test.contents();
        for steps in [
            format!("- query: q\n  sql: {sql}\n"),
            format!("- check: c\n  sql: {sql}\n  that: n == 1\n"),
            // Within a transaction that may write, the read alone may not.
            format!(
                "- confirm: go\n  ask: Go?\n- atomic: a\n  steps:\n    - fix: f\n      sql: UPDATE accounts SET name = 'x' WHERE id = 1\n      rows: 1\n    - query: q\n      sql: {sql}\n- check: after\n  that: true\n"
            ),
        ] {
            test = test.steps(&steps);
            for args in ["run t --yes", "run t --dry-run"] {
                let ran = test.run(args);
                assert!(matches!(ran.code, Some(3 | 10)), "{sql}: {ran}");
                assert_eq!(test.contents(), before, "{sql}: {ran}");
            }
        }
    }
}

#[test]
fn case_35_a_dry_run_leaves_nothing_of_anything() {
    let test = Test::sql(&format!(
        "{ACCOUNTS}; CREATE TABLE log (id serial PRIMARY KEY, what text); \
         CREATE TABLE parts (id int PRIMARY KEY, account int REFERENCES accounts ON DELETE CASCADE); INSERT INTO parts VALUES (1, 1), (2, 2)"
    ))
    .steps(
        "
        - query: all
          sql: SELECT id FROM accounts ORDER BY id
        - confirm: go
          ask: Go?
        - fix: first
          sql: INSERT INTO log (what) VALUES ('dry')
        - fix: each
          for_each: all.rows
          as: account
          sql: UPDATE accounts SET name = name || '!' WHERE id = {{ account.id }}
          rows: 1
        - atomic: both
          steps:
            - fix: gone
              sql: DELETE FROM accounts WHERE id = 1
              rows: 1
              tables: [accounts, parts]
            - fix: table
              sql: CREATE TABLE extra (id int)
              undo: DROP TABLE extra
        - check: seen
          sql: SELECT (SELECT name FROM accounts) AS name, (SELECT count(*) FROM parts) AS parts
          that: name == 'b!' and parts == 1
        ",
    );
    let before = test.contents();
    insta::assert_snapshot!(test.run("run t --dry-run"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ✓ all                    2 rows  TIME
          id
           1
           2
      ? go
          Go?
          ✓ yes · the rehearsal
      ✓ first                  1 row changed, to be rolled back  TIME
          log  + 1  what dry
      ✓ each                   2 items, 2 rows  TIME
          ✓ 1  1 row   ✓ 2  1 row
          accounts  1  name  a → a!
                    2  name  b → b!
      ✓ both                   2 rows changed, to be rolled back  TIME
          ✓ gone  1 row   ✓ table  0 rows
          accounts  - 1  name a!
          parts     - 1  account 1
                    1 deleted (by a trigger or cascade)
          ! CREATE TABLE: its rows cannot be shown one by one
      ✓ seen                   passed  TIME

    Done in TIME.
    It would change 5 rows of 3 tables:
      log       1 inserted
      accounts  2 updated, 1 deleted
      parts     1 deleted (by a trigger or cascade)
    Everything is rolled back, as the server confirms.
    ");
    assert_eq!(test.contents(), before);
    test.run("run t --yes").code(0);
    assert_ne!(test.contents(), before);
}

#[test]
fn case_37_a_password_is_never_shown() {
    let secret = "hunter2-Ge/heim";
    let test = Test::sql(&format!("{ACCOUNTS}; CREATE EXTENSION IF NOT EXISTS plpgsql")).steps(
        "
        - query: sessions
          sql: SELECT application_name, query FROM pg_stat_activity WHERE datname = current_database()
        - query: env
          command: [env]
        - query: tree
          command: [sh, -c, 'ps -eo args 2>/dev/null | grep -v grep | grep runbook/ || true']
        - query: wrong
          sql: SELECT nothing
        ",
    );
    let url = test
        .db
        .url()
        .replace("postgres@", "postgres:hunter2-Ge%2Fheim@");
    let database = test.db.name().to_owned();
    let pairs = format!(
        "host={} user=postgres password={secret} dbname={database}",
        crate::server::Database::folder()
    );
    let broken = url.replace(&database, "no_such_database");
    let bad = url
        .replace("postgresql://", "postgresqll://")
        .replace("postgres://", "postgress://");
    for url in [url.as_str(), &pairs, &broken, &bad] {
        for args in [
            vec!["run", "t"],
            vec!["run", "t", "--dry-run"],
            vec!["run", "t", "--output", "json"],
            vec!["run", "t", "--output", "quiet"],
            vec!["query", "SELECT application_name FROM pg_stat_activity"],
            vec!["query", "SELECT nothing"],
            vec!["check", "t"],
        ] {
            let mut command: Command = test.bare(&args);
            command
                .env("PATH", "/usr/bin:/bin")
                .env("DATABASE_URL", url);
            let ran = test.ran(&command.output().unwrap());
            ran.keeps(secret).keeps("hunter2").keeps("Ge%2Fheim");
        }
    }
}

#[test]
fn case_37_a_secret_parameter_is_never_shown() {
    let test = Test::sql("CREATE TABLE tokens (id int PRIMARY KEY, token text UNIQUE); INSERT INTO tokens VALUES (1, 'old'), (2, 'sesame-open')").runbook(
        "t",
        "
        risk: high
        params:
          token: { type: text, secret: true }
        steps:
          - query: q
            sql: SELECT {{ token }}::text AS token
            rows: 1
          - confirm: go
            of: f
            ask: Set it to {{ q.token }}?
            type: '{{ token }}'
          - fix: f
            sql: UPDATE tokens SET token = {{ token }} WHERE id = 1 RETURNING token
            rows: 1
          - check: after
            that: q.token == 'x'
            else: { fail: 'It is {{ token }}.' }
        ",
    );
    for output in ["human", "json", "quiet"] {
        // The unique constraint's error shows the value, as does all the rest.
        test.run(&format!(
            "run t --yes --token sesame-open --output {output}"
        ))
        .code(10)
        .keeps("sesame");
        test.run(&format!(
            "run t --yes --token sesame-{output} --output {output}"
        ))
        .code(13)
        .keeps("sesame");
        test.connect()
            .run("UPDATE tokens SET token = 'old' WHERE id = 1");
    }
}
