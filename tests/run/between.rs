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
