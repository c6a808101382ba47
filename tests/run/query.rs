//! `runbook query`, and `runbook check` against a database.

use insta::assert_snapshot;

use crate::test::Test;

#[test]
fn a_question_is_answered_as_a_table() {
    let test = Test::crm();
    assert_snapshot!(test.run_with(["query", "SELECT id, name, status, suspended_at FROM companies WHERE id IN (7, 42) ORDER BY id"]), @"
    exit 0
    --- stdout
    id  name                status     suspended_at
     7  Globex Corporation  active     null
    42  Acme GmbH           suspended  2026-11-02 08:14:03+00
    (2 rows)
    ");
    assert_snapshot!(test.run_with(["query", "SELECT 1 AS n WHERE false"]), @"
    exit 0
    --- stdout
    (0 rows)
    ");
    assert_snapshot!(test.run_with(["query", "SHOW server_encoding"]), @"
    exit 0
    --- stdout
    server_encoding
    UTF8
    (1 row)
    ");
    assert_snapshot!(test.run_with(["query", "VALUES (1, 'a'), (2, NULL)"]), @"
    exit 0
    --- stdout
    column1  column2
          1  a
          2  null
    (2 rows)
    ");
    assert_snapshot!(test.run_with(["query", "SELECT 1 AS a, 2 AS a, 3"]), @"
    exit 0
    --- stdout
    a  a  ?column?
    1  2         3
    (1 row)
    ");
}

#[test]
fn a_question_is_answered_as_json() {
    let test = Test::crm();
    let ran = test.run_with([
        "query",
        "--output",
        "json",
        "SELECT 1.10::numeric AS n, NULL AS nothing, '{a,b}'::text[] AS list, true AS yes",
    ]);
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    [{"n":"1.10","nothing":null,"list":"{a,b}","yes":"t"}]
    "#);
}

#[test]
fn a_mistake_is_shown_with_its_line() {
    let test = Test::crm();
    assert_snapshot!(test.run_with(["query", "SELECT id\nFROM companys\nWHERE id = 1"]), @r#"
    exit 10
    --- stderr
    error: relation "companys" does not exist (SQLSTATE 42P01)
      = note: in: FROM companys
      = help: is this the database that the runbook is for? `runbook check NAME --target …` compares them
    "#);
    assert_snapshot!(test.run_with(["query", "SELECT 1 / 0"]), @"
    exit 10
    --- stderr
    error: division by zero (SQLSTATE 22012)
    ");
    assert_snapshot!(test.run_with(["query", "SELEC 1"]), @"
    exit 3
    --- stderr
    error: SQL does not parse: expected command, found IDENT
    ");
    assert_snapshot!(test.run_with(["query", "DELETE FROM companies"]), @"
    exit 3
    --- stderr
    error: DELETE changes something
      = help: a `query` and a `check` only read: put it in a `fix`
    ");
    assert_snapshot!(test.run_with(["query", "SELECT $1"]), @"
    exit 3
    --- stderr
    error: the question has parameters such as $1, for which there are no values
      = help: write the values into it
    ");
    test.run_with(["query", ""]).code(3);
}

#[test]
fn case_30_a_million_rows_show_the_first_and_their_count() {
    let test = Test::sql("SELECT 1");
    let ran = test
        .run_with(["query", "SELECT n FROM generate_series(1, 1000000) AS n"])
        .code(0)
        .says("(1000000 rows)");
    assert!(ran.stdout.lines().count() < 1100, "{}", ran.stdout.len());
}

#[test]
fn the_shipped_runbooks_fit_their_database() {
    let test = Test::crm();
    for name in [
        "enable-suspended-customer",
        "user-cannot-login",
        "make-user-admin",
        "health-check",
    ] {
        let mut command = test.bare(["check", name, "--target", &test.db.url()]);
        test.ran(&command.output().unwrap())
            .code(0)
            .says("1 runbook: 1 valid");
    }
}

#[test]
fn a_check_finds_what_the_database_does_not_have() {
    let check = |test: &Test| {
        let mut command = test.bare(["check", "t", "--target", &test.db.url()]);
        test.ran(&command.output().unwrap())
    };
    let setup = "CREATE TABLE accounts (id int PRIMARY KEY, name text); \
        CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; END$$";
    let test = Test::sql(setup).steps(
        "
        - query: a
          sql: |
            SELECT id,
                   nam
            FROM accounts
        ",
    );
    assert_snapshot!(check(&test), @r#"
    exit 3
    --- stdout
    error: the server refuses `a`: column "nam" does not exist
     --> runbooks/t.yaml:8:14
      |
    8 |              nam
      |              ^^^
      |
      = help: Perhaps you meant to reference the column "accounts.name".

    1 runbook: 0 valid, 1 invalid (1 error)
    "#);
    let test = test.steps("- query: a\n  sql: SELECT id FROM account\n");
    assert_snapshot!(check(&test), @r#"
    exit 3
    --- stdout
    error: the server refuses `a`: relation "account" does not exist
     --> runbooks/t.yaml:6:25
      |
    6 |     sql: SELECT id FROM account
      |                         ^^^^^^^

    1 runbook: 0 valid, 1 invalid (1 error)
    "#);
    let test = test.steps("- query: a\n  sql: SELECT id FROM accounts WHERE name = 1\n");
    assert_snapshot!(check(&test), @"
    exit 3
    --- stdout
    error: the server refuses `a`: operator does not exist: text = integer
     --> runbooks/t.yaml:6:45
      |
    6 |     sql: SELECT id FROM accounts WHERE name = 1
      |                                             ^
      |
      = help: No operator matches the given name and argument types. You might need to add explicit type casts.

    1 runbook: 0 valid, 1 invalid (1 error)
    ");
    let test = test.steps("- query: a\n  sql: SELECT sneak() AS n\n");
    assert_snapshot!(check(&test), @"
    exit 3
    --- stdout
    error: the function public.sneak is VOLATILE: it may change data, and a `query` or `check` never does
     --> runbooks/t.yaml:5:12
      |
    5 |   - query: a
      |            ^
      |
      = help: if it only reads, say so: ALTER FUNCTION public.sneak STABLE; if it writes, call it in a `fix`

    1 runbook: 0 valid, 1 invalid (1 error)
    ");
    let test = test.steps("- query: a\n  sql: SELECT * FROM accounts WHERE id = 1\n  rows: 1\n- check: c\n  that: a.nam == 'x'\n");
    assert_snapshot!(check(&test), @"
    exit 3
    --- stdout
    error: unknown column `a.nam`
     --> runbooks/t.yaml:9:11
      |
    9 |     that: a.nam == 'x'
      |           ^^^^^ `a` returns id, name
      |
      = help: did you mean `a.name`?

    1 runbook: 0 valid, 1 invalid (1 error)
    ");
    assert_eq!(test.rows("SELECT count(*) FROM accounts"), "0");
}

#[test]
fn rows_that_are_left_out_are_said() {
    let test = Test::sql("SELECT 1");
    let sql = "SELECT n FROM generate_series(1, 4042) AS n";
    for output in ["human", "json"] {
        let ran = test.run_with(["query", "--output", output, sql]).code(0);
        assert_eq!(
            ran.stderr,
            "warning: showing 1000 of 4042 rows; --limit 0 shows all\n"
        );
        let ran = test.run_with(["query", "--output", output, "--limit", "0", sql]);
        assert_eq!(ran.stderr, "");
        assert!(ran.stdout.contains("4042"), "{}", ran.stdout.len());
    }
    assert_snapshot!(test.run_with(["query", "--limit", "2", "VALUES (1), (2), (3)"]), @"
    exit 0
    --- stdout
    column1
          1
          2
    … and 1 more row
    (3 rows)
    --- stderr
    warning: showing 2 of 3 rows; --limit 0 shows all
    ");
}

#[test]
fn a_question_comes_from_standard_input() {
    let test = Test::sql("SELECT 1").file("question.sql", "SELECT 41 + 1 AS n\n");
    let file = std::fs::File::open(test.root().join("work/question.sql")).unwrap();
    let mut command = test.command(["query", "-"]);
    test.ran(&command.stdin(file).output().unwrap())
        .code(0)
        .says("42");
}

#[test]
fn output_that_cannot_be_written_is_no_wrong_command_line() {
    let test = Test::crm();
    let full = || std::fs::File::options().write(true).open("/dev/full");
    let mut command = test.command(["query", "SELECT 1"]);
    test.ran(&command.stdout(full().unwrap()).output().unwrap())
        .code(10)
        .says("error: cannot write to standard output");
    let mut command = test.command(["run", "health-check"]);
    test.ran(&command.stdout(full().unwrap()).output().unwrap())
        .code(10)
        .says("error: ");
}
