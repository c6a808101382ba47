//! `save`: the rows of a query in a file; and rows for other programs on standard output.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::test::Test;

const SETUP: &str = "CREATE TABLE people (id int PRIMARY KEY, name text, on_duty bool, facts jsonb, born date, score numeric);
    INSERT INTO people VALUES (1, E'O''Brien, \"Bob\"\\nJr.', true, '{\"a\": [1, 2.50]}', '1990-01-02', 1.50), (2, '', false, NULL, NULL, 'NaN')";

fn file(test: &Test, path: &str) -> String {
    std::fs::read_to_string(test.root().join("work").join(path)).unwrap()
}

#[test]
fn all_rows_are_in_the_file() {
    let test = Test::sql(SETUP).steps(
        "
        - query: people
          sql: SELECT * FROM people ORDER BY id
          save: exports/deep/people.csv
        - query: lines
          sql: SELECT * FROM people ORDER BY id
          save: exports/people.jsonl
          show: none
        - query: many
          sql: SELECT n FROM generate_series(1, 3000) AS n
          limit: 2
          save: exports/{{ people.count }}-many.csv
        - check: known
          sql: SELECT {{ many.path }}::text AS path
          all:
            count: many.count == 3000
            path: path == many.path
            hash: many.sha256 | length == 64
        ",
    );
    let ran = test.run("run t").code(0);
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ people                 2 rows → exports/deep/people.csv (111 B)  TIME
          id  name                on_duty  facts             born        score
           1  O'Brien, "Bob"↵Jr.  t        {"a": [1, 2.50]}  1990-01-02   1.50
           2                      f        null              null          NaN
      ✓ lines                  2 rows → exports/people.jsonl (187 B)  TIME
      ✓ many                   3000 rows → exports/2-many.csv (16.9 kB)  TIME
          n
          1
          2
          … and 2998 more rows
      ✓ known                  3 of 3 passed  TIME
          ✓ count   ✓ path   ✓ hash

    Done in TIME.
    "#);
    let csv = file(&test, "exports/deep/people.csv");
    assert_snapshot!(csv.escape_debug().to_string(), @r#"id,name,on_duty,facts,born,score\r\n1,\"O\'Brien, \"\"Bob\"\"\nJr.\",t,\"{\"\"a\"\": [1, 2.50]}\",1990-01-02,1.50\r\n2,,f,,,NaN\r\n"#);
    assert_snapshot!(file(&test, "exports/people.jsonl"), @r#"
    {"id":1,"name":"O'Brien, \"Bob\"\nJr.","on_duty":true,"facts":{"a": [1, 2.50]},"born":"1990-01-02","score":1.50}
    {"id":2,"name":"","on_duty":false,"facts":null,"born":null,"score":"NaN"}
    "#);
    let folder = test.root().join("work/exports");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let many = names
        .iter()
        .find(|name| name.ends_with("-many.csv"))
        .unwrap();
    assert_eq!(
        file(&test, &format!("exports/{many}")).lines().count(),
        3001
    );
    let mode = std::fs::metadata(folder.join(many))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_there_is_never_written_over() {
    let test = Test::sql(SETUP)
        .steps("- query: people\n  sql: SELECT 1 AS one\n  save: people.csv\n")
        .file("people.csv", "mine");
    let ran = test.run("run t").code(10);
    assert_snapshot!(ran, @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ people                 failed  TIME
          error: there is a file `people.csv` already
            = note: what is saved is never written over
            = help: move it away, or put {{ run.id }} into the name

    Failed after TIME.
    `people`: there is a file `people.csv` already
    Nothing was changed.
    ");
    assert_eq!(file(&test, "people.csv"), "mine");
}

#[test]
fn what_fails_leaves_no_file() {
    let test = Test::sql(SETUP).steps(
        "
        - query: people
          sql: SELECT 1 / (5 - n) AS x FROM generate_series(1, 9) AS n
          save: out/people.csv
        ",
    );
    test.run("run t").code(10).says("division by zero");
    let twice = "- query: p\n  sql: SELECT 1 AS a, 2 AS a\n  save: out/p.jsonl\n";
    let test = test.steps(twice);
    test.run("run t")
        .code(10)
        .says("two columns are called `a`");
    let left = std::fs::read_dir(test.root().join("work/out")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let test = Test::sql(SETUP).steps(
        "
        - query: people
          sql: SELECT id FROM people
          save: people.csv
        - query: next
          sql: SELECT {{ people.path }}::text AS path, {{ people.sha256 }}::text AS hash
          rows: 1
        ",
    );
    let ran = test.run("run t --dry-run").code(0);
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

    Dry run: everything is rolled back at its end.

      ✓ people                 2 rows → people.csv (would be written)  TIME
          id
           1
           2
      ✓ next                   1 row  TIME
          path        hash
          people.csv  (no file in a dry run)

    Done in TIME.
    It would change nothing.
    Everything is rolled back, as the server confirms.
    ");
    assert!(!test.root().join("work/people.csv").exists());
}

#[test]
fn a_value_leads_to_no_other_folder() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
        params:
          name: { type: text }
        steps:
          - query: people
            sql: SELECT id FROM people
            save: ../inside/{{ name }}.csv
        ",
    );
    for name in ["../x", "/etc/x", "a/b", ".."] {
        test.run_with(["run", "t", "--name", name])
            .code(10)
            .says("is more than a name");
    }
    test.run("run t --name x").code(0);
    assert!(test.root().join("inside/x.csv").exists());
}

#[test]
fn what_cannot_be_saved_is_refused() {
    let test = Test::sql(SETUP).steps(
        "
        - query: a
          sql: SELECT 1
          save: a.txt
        - query: b
          command: [ls]
          save: b.csv
        - atomic: c
          steps:
            - query: d
              sql: SELECT 1
              save: d.csv
            - fix: e
              sql: INSERT INTO people (id) VALUES (9)
        ",
    );
    assert_snapshot!(test.run("check t"), @"
    exit 3
    --- stdout
    error: `save` names a file that ends in `.csv` or `.jsonl`
     --> runbooks/t.yaml:7:11
      |
    7 |     save: a.txt
      |           ^^^^^
      |
      = help: save: exports/{{ run.id }}-users.csv

    error: `save` writes the rows of a statement, not what a command says
      --> runbooks/t.yaml:10:11
       |
    10 |     save: b.csv
       |           ^^^^^
       |
       = help: save: exports/{{ run.id }}-users.csv

    error: `save` cannot stand inside of an `atomic`: no rollback takes a file away
      --> runbooks/t.yaml:15:15
       |
    15 |         save: d.csv
       |               ^^^^^
       |
       = help: save: exports/{{ run.id }}-users.csv

    1 runbook: 0 valid, 1 invalid (3 errors)
    ");
}

#[test]
fn a_question_is_answered_for_programs() {
    let test = Test::sql(SETUP);
    let ask = |format, sql| test.run_with(["query", "--output", format, sql]).code(0);
    assert_snapshot!(ask("csv", "SELECT id, name FROM people"), @r#"
    exit 0
    --- stdout
    id,name
    1,"O'Brien, ""Bob""
    Jr."
    2,
    "#);
    assert_snapshot!(ask("jsonl", "SELECT * FROM people WHERE id = 2"), @r#"
    exit 0
    --- stdout
    {"id":2,"name":"","on_duty":false,"facts":null,"born":null,"score":"NaN"}
    "#);
    let many = "SELECT n FROM generate_series(1, 2500) AS n";
    assert_eq!(ask("csv", many).stdout.lines().count(), 2501);
    let some = test.run_with(["query", "--output", "jsonl", "--limit", "2", many]);
    assert_snapshot!(some, @r#"
    exit 0
    --- stdout
    {"n":1}
    {"n":2}
    --- stderr
    warning: showing 2 of 2500 rows; --limit 0 shows all
    "#);
    test.run_with(["query", "--output", "csv", "SELECT nothing"])
        .code(10)
        .says("does not exist");
}
