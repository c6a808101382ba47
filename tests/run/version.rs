//! `target.server_version_num`: steps for one version of PostgreSQL.

use insta::assert_snapshot;

use crate::test::Test;

const STEPS: &str = "
    - query: newer
      when: target.server_version_num >= 990000
      sql: SELECT only_then FROM pg_stat_of_the_future
    - query: older
      when: run.actor != '' and target.server_version_num < 990000
      sql: SELECT {{ target.server_version_num }}::bigint = current_setting('server_version_num')::int AS same
      rows: 1
    - check: it_is
      when: run.actor != '' and target.server_version_num < 990000
      that: older.same
";

#[test]
fn what_is_for_another_version_is_left_out() {
    let test = Test::sql("SELECT 1").steps(STEPS);
    let ran = test.run("run t").code(0);
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      – newer                  skipped
      ✓ older                  1 row  TIME
          same
          t
      ✓ it_is                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn what_is_for_another_version_is_not_prepared() {
    let test = Test::sql("SELECT 1").steps(STEPS);
    let check = |test: &Test| {
        let url = test.db.url();
        test.ran(
            &test
                .bare(["check", "t", "--target", &url])
                .output()
                .unwrap(),
        )
    };
    check(&test).code(0);
    let test = test.steps(&STEPS.replace(">= 990000", ">= 90000"));
    assert_snapshot!(check(&test).code(3), @r#"
    exit 3
    --- stdout
    error: the server refuses `newer`: relation "pg_stat_of_the_future" does not exist
     --> runbooks/t.yaml:7:32
      |
    7 |     sql: SELECT only_then FROM pg_stat_of_the_future
      |                                ^^^^^^^^^^^^^^^^^^^^^

    1 runbook: 0 valid, 1 invalid (1 error)
    "#);
    let test = test.steps(&STEPS.replace("target.server_version_num >= 990000", "run.actor == ''"));
    check(&test).code(3);
}
