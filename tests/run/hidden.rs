//! Row-level security: what a run does under a role for which policies hold.

use insta::assert_snapshot;

use crate::test::Test;

const SETUP: &str = "CREATE TABLE batches (id int PRIMARY KEY, farm int, status text);
    INSERT INTO batches SELECT n, n % 2, 'new' FROM generate_series(1, 4) n;
    ALTER TABLE batches ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON batches USING (farm = current_setting('app.farm')::int);
    DO $$ BEGIN CREATE ROLE runbook_tenant; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT SELECT, INSERT, UPDATE, DELETE ON batches TO runbook_tenant";

#[test]
fn a_query_fails_rather_than_see_a_part() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
        session: { role: runbook_tenant, app.farm: 1, row_security: off }
        steps:
          - query: batches
            sql: SELECT id FROM batches ORDER BY id
        ",
    );
    assert_snapshot!(test.run("run t"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ batches                failed  TIME
          error: query would be affected by row-level security policy for table "batches" (SQLSTATE 42501)
            = help: run it as a login that has the right, or ask for it

    Failed after TIME.
    `batches`: query would be affected by row-level security policy for table "batches"
    Nothing was changed.
    "#);
}

#[test]
fn row_security_is_off_or_on() {
    let test = Test::sql("").runbook(
        "t",
        "
        session: { row_security: force }
        steps:
          - query: one
            sql: SELECT 1
        ",
    );
    assert_snapshot!(test.run("check t"), @"
    exit 3
    --- stdout
    error: `row_security` is `off` or `on`
     --> runbooks/t.yaml:3:26
      |
    3 | session: { row_security: force }
      |                          ^^^^^
      |
      = help: `off` has statements fail from which policies would hide rows; `on` is the server's own

    1 runbook: 0 valid, 1 invalid (1 error)
    ");
}
