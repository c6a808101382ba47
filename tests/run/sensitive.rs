//! `sensitive`: columns whose values nobody sees, though they are changed, compared and put back exactly.

use insta::assert_snapshot;

use crate::test::Test;

const SETUP: &str = r#"CREATE TABLE "User" (id int PRIMARY KEY, email text, password text CHECK (password <> 'hash-bad'), "tokenHash" text);
    INSERT INTO "User" VALUES (1, 'a@x', 'hash-one', 'token-one'), (2, 'b@x', 'hash-two', NULL);
    CREATE TABLE notes (id int PRIMARY KEY, password text);
    INSERT INTO notes VALUES (1, 'written on paper');
    CREATE VIEW logins AS SELECT id, password FROM "User""#;

const HEAD: &str = r#"
risk: high
sensitive: ['"User".password', '*."tokenHash"']
steps:
"#;

fn test(steps: &str) -> Test {
    let steps = crate::test::indent(steps, 2);
    Test::sql(SETUP).runbook("t", &format!("{HEAD}{steps}"))
}

/// What the runs of a test have written, but for the texts of runbooks.
fn records(test: &Test) -> String {
    let log = |folder: std::fs::DirEntry| {
        std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap_or_default()
    };
    let runs = test.root().join(".local/state/runbook/runs");
    let runs = std::fs::read_dir(runs).unwrap();
    runs.map(|folder| log(folder.unwrap())).collect()
}

const CHANGE: &str = r#"
    - query: users
      sql: SELECT id, password AS p, "tokenHash", upper(password) AS password FROM "User" ORDER BY id
    - query: others
      sql: SELECT n.password, l.password AS "tokenHash" FROM notes n JOIN logins l USING (id)
    - query: view
      sql: SELECT * FROM logins ORDER BY id
    - confirm: go
      of: [change, remove]
      ask: Go?
      show: users
    - fix: change
      sql: UPDATE "User" SET password = 'hash-' || 'new' WHERE password = {{ users.rows[0].p }} RETURNING id, password, email AS password2
      rows: 1
    - fix: remove
      sql: DELETE FROM "User" WHERE id = 2
      rows: 1
    - check: same
      that: users.rows[0].p[5:] ~ change.rows[0].password[5:] == 'one' ~ 'new'
"#;

#[test]
fn nobody_sees_the_values_of_a_sensitive_column() {
    let test = test(CHANGE);
    let ran = test.run("run t --yes").code(0);
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ users                  2 rows  TIME
          id  p    tokenHash  password
           1  •••  •••        •••
           2  •••  null       •••
      ✓ others                 1 row  TIME
          password          tokenHash
          written on paper  •••
      ✓ view                   2 rows  TIME
          id  password
           1  •••
           2  •••
      ? go
          change and remove change 2 rows of "User"
            "User"    1  password  ••• → •••
                    - 2  email b@x   password •••   tokenHash null
          id  p    tokenHash  password
           1  •••  •••        •••
           2  •••  null       •••
          Operation      UPDATE "User"; DELETE "User"
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of "User" deleted, 1 updated
          Locks          ROW EXCLUSIVE on "User": nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ change                 1 row changed, committed  TIME
          id  password  password2
           1  •••       a@x
      ✓ remove                 1 row changed, committed  TIME
      ✓ same                   passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
    let json = test.run("run t --yes --output json");
    json.says("•••");
    let all = records(&test);
    for hidden in ["hash-one", "hash-two", "token-one", "HASH-ONE"] {
        assert!(!all.contains(hidden), "{hidden} is in the records");
    }
    assert!(all.contains("written on paper"));
}

#[test]
fn what_is_put_back_is_exact() {
    let test = test(CHANGE);
    test.run("run t --yes").code(0);
    test.connect()
        .run(r#"UPDATE "User" SET password = 'hash-mine' WHERE id = 1"#);
    let id = test.id();
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @r#"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   remove and change: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! "User" id = 1 was changed since
            column    then  now  would become
            password  •••   •••  •••

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    "#);
    test.connect()
        .run(r#"UPDATE "User" SET password = 'hash-new' WHERE id = 1"#);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @r#"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back remove and change changes 2 rows of "User"
            "User"  + 2  email b@x   password •••   tokenHash null
                      1  password  ••• → •••
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   remove and change: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    "#);
    assert_eq!(
        test.rows(r#"SELECT password, "tokenHash" FROM "User" ORDER BY id"#),
        "hash-one | token-one\nhash-two | null"
    );
    let all = records(&test);
    for hidden in ["hash-one", "hash-two", "hash-mine", "token-one"] {
        assert!(!all.contains(hidden), "{hidden} is in the records");
    }
}

#[test]
fn what_the_server_says_of_a_row_is_hidden_and_a_file_is_not() {
    let test = test(
        r#"
    - query: saved
      sql: SELECT id, password FROM "User" ORDER BY id
      save: users.csv
    - confirm: go
      ask: Go?
    - fix: change
      sql: UPDATE "User" SET password = 'hash-bad' WHERE id = 1
      rows: 1
    - check: after
      that: true
"#,
    );
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ saved                  2 rows → users.csv (37 B)  TIME
          id  password
           1  •••
           2  •••
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ change                 failed  TIME
          error: new row for relation "User" violates check constraint "User_password_check" (SQLSTATE 23514)
            = note: Failing row contains (•••).

    Failed after TIME.
    `change`: new row for relation "User" violates check constraint "User_password_check"
    Nothing was changed.
    "#);
    let file = std::fs::read_to_string(test.root().join("work/users.csv")).unwrap();
    assert_eq!(file, "id,password\r\n1,hash-one\r\n2,hash-two\r\n");
}

#[test]
fn an_unknown_form_is_an_error_where_it_stands() {
    let test = Test::sql("").runbook(
        "t",
        "
        sensitive: [users.password, password, users.*]
        steps:
          - query: a
            sql: SELECT 1
        ",
    );
    assert_snapshot!(test.run("check t"), @r#"
    exit 3
    --- stdout
    error: `password` is no column of a table
     --> runbooks/t.yaml:3:29
      |
    3 | sensitive: [users.password, password, users.*]
      |                             ^^^^^^^^
      |
      = help: write `table.column`, `schema.table.column`, or `*.column` for every table; names with capital letters in double quotes: '"User".password'

    error: `users.*` is no column of a table
     --> runbooks/t.yaml:3:39
      |
    3 | sensitive: [users.password, password, users.*]
      |                                       ^^^^^^^
      |
      = help: write `table.column`, `schema.table.column`, or `*.column` for every table; names with capital letters in double quotes: '"User".password'

    1 runbook: 0 valid, 1 invalid (2 errors)
    "#);
}
