//! `{{ x | literal }}`: a value in a statement that takes no parameters, whatever the value is.

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::test::Test;

const SETUP: &str = "CREATE TABLE things (id int PRIMARY KEY, name text)";

const COMMENT: &str = "
    params:
      words: { type: text }
    steps:
      - fix: comment
        sql: COMMENT ON TABLE things IS {{ words | literal }}
        undo: COMMENT ON TABLE things IS NULL
";

fn comments(test: &Test) -> String {
    test.rows("SELECT obj_description('things'::regclass), to_regclass('things') IS NOT NULL")
}

#[test]
fn a_value_is_what_it_was_whatever_it_says() {
    let test = Test::sql(SETUP).runbook("t", COMMENT);
    let hostile = [
        "plain",
        "O'Brien",
        "'; DROP TABLE things; --",
        "\\'; DROP TABLE things; --",
        "\\",
        "''\\''",
        "$$ $1 $a$",
        "-- no comment\n/* nor this */",
        "{{ words }} {% if x %}",
        "ÄÖÜ – ☃ 'é",
        "E'\\x27'",
    ];
    for text in hostile {
        test.run_with(["run", "t", &format!("--words={text}")])
            .code(0);
        assert_eq!(comments(&test), format!("{text} | t"));
    }
    // Whatever the server takes a backslash in plain quotes for.
    test.connect().run(&format!(
        "ALTER DATABASE {} SET standard_conforming_strings = off",
        test.db.name()
    ));
    for text in hostile {
        test.run_with(["run", "t", &format!("--words={text}")])
            .code(0);
        assert_eq!(comments(&test), format!("{text} | t"));
    }
}

#[test]
fn any_value_is_what_it_was() {
    let test = Test::sql(SETUP).runbook("t", COMMENT);
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    });
    let any = proptest::string::string_regex("x[^\\x00]{0,8}['\\\\$;-]{0,4}[^\\x00]{0,8}").unwrap();
    let property = |text: String| {
        let args = ["run", "t", &format!("--words={text}")];
        prop_assert_eq!(test.run_with(args).code, Some(0), "{:?}", text);
        prop_assert_eq!(comments(&test), format!("{text} | t"));
        Ok(())
    };
    runner.run(&any, property).unwrap();
}

#[test]
fn null_is_null() {
    let test = Test::sql(SETUP).steps(
        "
        - query: was
          sql: SELECT obj_description('things'::regclass) AS words
          rows: 1
        - fix: comment
          sql: COMMENT ON TABLE things IS 'new'
          undo: COMMENT ON TABLE things IS {{ was.words | literal }}
        ",
    );
    test.run("run t").code(0);
    assert_eq!(comments(&test), "new | t");
    test.run(&format!("undo {} --yes", test.id())).code(0);
    assert_eq!(comments(&test), "null | t");
}

#[test]
fn a_secret_in_it_is_nowhere_to_be_read() {
    let secret = "it's\n\\a 'very' long secret";
    let test = Test::sql(SETUP).runbook(
        "t",
        "
        risk: high
        params:
          password: { type: text, secret: true }
        steps:
          - confirm: go
            of: set
            ask: Set it?
          - fix: set
            sql: |
              ALTER TABLE things
                ADD secret int DEFAULT {{ password | literal }}
            undo: none
          - check: after
            that: true
        ",
    );
    let ran = test.run_with(["run", "t", "--yes", "--password", secret]);
    assert_snapshot!(ran, @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk
      password  •••

      ✗ go                     failed  TIME
          error: `set`: invalid input syntax for type integer: "•••" (SQLSTATE 22P02)
            = note: found by the rehearsal: nothing was changed

    Failed after TIME.
    `go`: `set`: invalid input syntax for type integer: "•••"
    Nothing was changed.
    --- stderr
    warning: the secret `password` stands on the command line, where others see it in the list of processes and the shell keeps it
      = help: give it at the prompt, by `env:` of the parameter, or by --params - from another program
    "#);
    let mut said = ran.to_string();
    said += &test
        .run_with(["plan", "t", "--password", secret])
        .to_string();
    said += &test.run_with(["report", &test.id()]).to_string();
    for file in std::fs::read_dir(test.record()).unwrap() {
        said += &String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap());
    }
    for part in ["it's", "it''s", "very", "long secret"] {
        assert!(!said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_can_bind_binds() {
    let test = Test::sql(SETUP).steps(
        "
        - query: q
          sql: SELECT {{ run.id | literal }}
        - fix: f
          sql: COMMENT ON TABLE things IS {{ run.id }}
          undo: none
        ",
    );
    assert_snapshot!(test.run("check t"), @"
    exit 3
    --- stdout
    error: SELECT takes its values apart from its text
     --> runbooks/t.yaml:6:17
      |
    6 |     sql: SELECT {{ run.id | literal }}
      |                 ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave `| literal` out: `{{ x }}` is sent as a parameter

    error: PostgreSQL takes no parameters in COMMENT ON
     --> runbooks/t.yaml:8:37
      |
    8 |     sql: COMMENT ON TABLE things IS {{ run.id }}
      |                                     ^^^^^^^^^^^^
      |
      = help: `{{ x | literal }}` puts in a value as a quoted text, `{{ x | ident }}` a name

    1 runbook: 0 valid, 1 invalid (2 errors)
    ");
}

#[test]
fn a_number_has_no_quotes_where_only_a_number_can_stand() {
    let test = Test::sql("CREATE SEQUENCE numbers").runbook(
        "t",
        "
        risk: high
        params:
          step: { type: int }
          last: { type: text, default: '99' }
        steps:
          - confirm: go
            ask: Go?
          - fix: change
            sql: ALTER SEQUENCE numbers INCREMENT BY {{ step | literal }} MAXVALUE {{ last | literal }}
            undo: none
          - check: after
            that: true
        ",
    );
    test.run("run t --yes --step 5").code(0);
    let options =
        "SELECT seqincrement, seqmax FROM pg_sequence WHERE seqrelid = 'numbers'::regclass";
    assert_eq!(test.rows(options), "5 | 99");
    assert_snapshot!(test.run("run t --yes --step 7 --last 1;--"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      step  7
      last  1;--

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ change                 failed  TIME
          error: PostgreSQL takes only a number here, not `1;--`

    Failed after TIME.
    `change`: PostgreSQL takes only a number here, not `1;--`
    Nothing was changed.
    ");
    assert_eq!(test.rows(options), "5 | 99");
}
