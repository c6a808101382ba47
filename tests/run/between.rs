//! Small parts of the language: what always has its one row, the session of a used runbook, and what the
//! settings of a session hold for.

use runbook::base::source::Source;
use runbook::runbook::check::check;
use runbook::runbook::graph::{Moment, Way};
use runbook::runbook::model::StepId;

use crate::test::Test;

#[test]
fn a_query_that_has_its_one_row_for_certain_has_no_other_way() {
    let text = "runbook: t
title: Test
steps:
  - query: certain
    sql: SELECT count(*) AS n FROM pg_class
    rows: 1
  - query: more
    sql: SELECT count(*) AS n FROM pg_class
    rows: 2..
  - query: open
    sql: SELECT relname FROM pg_class WHERE relname = 'pg_class'
    rows: 1
";
    let source = Source::new("t", text);
    let proved = check(&source, &|_| None).unwrap();
    let says_no = |id: usize| {
        let ran = proved.graph.find(Moment::Ran(StepId(id))).unwrap();
        let mut ways = proved.graph.moments.edges(ran);
        ways.any(|way| *way.weight() == Way::Else)
    };
    assert_eq!([0, 1, 2].map(says_no), [false, true, true]);
}

const USED: &str = "
    params:
      farm: { type: text }
    session: { app.farm: \"{{ farm }}\", work_mem: 8MB }
    steps:
      - query: own
        sql: SELECT current_setting('app.farm') AS farm, current_setting('work_mem') AS memory
        rows: 1
      - check: there
        that: own.farm == 'north' and own.memory == '8MB'
";

fn using(session: &str, with: &str) -> String {
    format!(
        "
        params:
          farm: {{ type: text, default: north }}
        session: {session}
        steps:
          - use: used
            with: {{ farm: {with} }}
        "
    )
}

#[test]
fn a_used_runbook_may_set_what_its_user_sets() {
    let both = "{ work_mem: 8MB, app.farm: \"{{ farm }}\" }";
    let test = Test::sql("SELECT 1")
        .runbook("used", USED)
        .runbook("t", &using(both, "\"{{ farm }}\""));
    test.run("run t").code(0);
    let refused = [
        (both, "north"),
        ("{ work_mem: 8MB }", "\"{{ farm }}\""),
        (
            "{ work_mem: 9MB, app.farm: \"{{ farm }}\" }",
            "\"{{ farm }}\"",
        ),
        ("{ work_mem: 8MB, app.farm: north }", "\"{{ farm }}\""),
    ];
    let mut test = test;
    for (session, with) in refused {
        test = test.runbook("t", &using(session, with));
        test.run("run t")
            .code(3)
            .says("for its session, which `use` does not bring here");
    }
}

#[test]
fn settings_of_the_session_hold_outside_of_transactions() {
    let index = |session: &str| {
        format!(
            "
            risk: high
            {session}
            steps:
              - confirm: go
                ask: Go?
              - fix: index
                sql: CREATE INDEX CONCURRENTLY one ON things (id)
                transaction: none
                undo: none
              - check: after
                sql: SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone
                that: zone == 'UTC'
            "
        )
    };
    let test = Test::sql("CREATE SCHEMA crm; CREATE TABLE crm.things (id int)").runbook(
        "t",
        &index("session: { search_path: crm, lock_timeout: 50ms }"),
    );
    test.run("run t --yes").code(0);
    assert_eq!(test.rows("SELECT to_regclass('crm.one') IS NOT NULL"), "t");
    test.connect().run("DROP INDEX crm.one");
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE crm.things IN SHARE ROW EXCLUSIVE MODE");
    test.run("run t --yes").code(10).says("lock timeout");
    other.run("ROLLBACK");
}

#[test]
fn a_list_of_names_stands_between_commas() {
    let test = Test::sql("CREATE TABLE things (id int, \"Odd \"\"name\" text)").runbook(
        "t",
        "
        risk: high
        params:
          columns: { type: list of identifier }
        steps:
          - confirm: go
            of: index
            ask: Go?
          - fix: index
            sql: CREATE INDEX several ON things ({{ columns | ident }})
            undo: DROP INDEX several
          - check: after
            that: true
        ",
    );
    let columns = [
        "run",
        "t",
        "--yes",
        "--columns",
        "[\"id\", \"Odd \\\"name\"]",
    ];
    test.run_with(columns).code(0);
    assert_eq!(
        test.rows("SELECT pg_get_indexdef('several'::regclass)"),
        "CREATE INDEX several ON public.things USING btree (id, \"Odd \"\"name\")"
    );
    let plan = ["plan", "t", "--columns", "id,name"];
    test.run_with(plan).code(0).says("(id, name)");
}

#[test]
fn a_fix_may_be_meant_for_the_rows_that_policies_show() {
    let setup = "DO $$ BEGIN
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'between_farmer') THEN CREATE ROLE between_farmer; END IF;
        END $$;
        CREATE TABLE batches (id int PRIMARY KEY, farm text, status text);
        INSERT INTO batches VALUES (1, 'north', 'new'), (2, 'south', 'new'), (3, 'north', 'new');
        ALTER TABLE batches ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON batches USING (farm = current_setting('app.farm'));
        GRANT SELECT, INSERT, UPDATE, DELETE ON batches TO between_farmer";
    let steps = |key: &str, last: &str| {
        format!(
            "
            risk: high
            session: {{ role: between_farmer, app.farm: north }}
            steps:
              - confirm: go
                of: update
                ask: Go?
              - fix: update
                sql: UPDATE batches SET status = 'done'
                rows: 2
                {key}
              - check: after
                that: {last}
            "
        )
    };
    let state = "SELECT string_agg(status, ',' ORDER BY id) FROM batches";
    let test = Test::sql(setup);
    test.run("init").code(0);
    test.connect().run(
        "GRANT USAGE ON SCHEMA runbook TO between_farmer;
         GRANT ALL ON ALL TABLES IN SCHEMA runbook TO between_farmer;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA runbook TO between_farmer",
    );
    let test = test.runbook("t", &steps("", "true"));
    test.run("run t --answer go=yes")
        .code(10)
        .says("row_security: true");
    let test = test.runbook("t", &steps("row_security: true", "false"));
    test.run("run t --answer go=yes").code(11);
    assert_eq!(test.rows(state), "new,new,new");
    let test = test.runbook("t", &steps("row_security: true", "not run.dry_run"));
    test.run("run t --answer go=yes").code(0);
    assert_eq!(test.rows(state), "done,new,done");
}

#[test]
fn no_cascade_goes_by_the_policies_unseen() {
    let test = Test::sql(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'between_tenant') THEN
           CREATE ROLE between_tenant; END IF; EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL; END $$;
         CREATE TABLE accounts (id int PRIMARY KEY, tenant int);
         CREATE TABLE notes (id int PRIMARY KEY, account int REFERENCES accounts ON DELETE CASCADE, tenant int);
         INSERT INTO accounts VALUES (1, 1), (2, 2), (3, 1);
         INSERT INTO notes VALUES (1, 1, 2), (2, 2, 2), (3, 3, 1);
         ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON accounts USING (tenant = 1);
         CREATE POLICY own ON notes USING (tenant = 1);
         GRANT ALL ON accounts, notes TO between_tenant",
    );
    test.run("init").code(0);
    test.connect().run(
        "GRANT USAGE ON SCHEMA runbook TO between_tenant;
         GRANT ALL ON ALL TABLES IN SCHEMA runbook TO between_tenant;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA runbook TO between_tenant",
    );
    let test = test.runbook(
        "t",
        "
        risk: high
        session: { role: between_tenant }
        params:
          account: { type: int }
        steps:
          - confirm: go
            of: f
            ask: Go?
          - fix: f
            sql: DELETE FROM accounts WHERE id = {{ account }}
            rows: 1
            row_security: true
            tables: [accounts, notes]
          - check: after
            that: true
        ",
    );
    let left = "SELECT (SELECT count(*) FROM accounts), (SELECT string_agg(id::text, ',' ORDER BY id) FROM notes)";
    // The note of the account belongs to another tenant: nobody could approve that it goes.
    test.run("run t --account 1 --yes")
        .code(10)
        .says("it changes rows of notes that row-level security hides from this login");
    assert_eq!(test.rows(left), "3 | 1,2,3");
    test.run("run t --account 3 --yes")
        .code(0)
        .says("1 deleted (by a trigger or cascade)");
    assert_eq!(test.rows(left), "2 | 1,2");
}
