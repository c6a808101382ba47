//! `runbook health`: what deserves attention, and what to try where there is no connection.

use insta::assert_snapshot;

use crate::test::{Ran, Test};

/// What differs from one machine to another.
const VARIES: [(&str, &str); 4] = [
    // The server has other tests, too, which may keep it busy.
    (
        r"! checkpoints\n +not so: checkpoints come by time\n(        .*\n)+",
        "✓ checkpoints\n",
    ),
    (r"[23] of 22 checks need", "N of 22 checks need"),
    (r"PostgreSQL \d+[.\d]*", "PostgreSQL VERSION"),
    (r"\(os error \d+\)", "(os error N)"),
];

fn health(test: &Test, more: &[&str]) -> Ran {
    // The tests' server does not vacuum by itself: something always deserves attention.
    test.run_with([&["health"], more].concat())
}

#[test]
fn what_deserves_attention_is_said_with_its_remedy() {
    let test =
        Test::sql("CREATE TABLE t (a int); CREATE SEQUENCE s MAXVALUE 10; SELECT setval('s', 9)");
    // Every database that another test makes forces a checkpoint.
    test.connect().run(
        "SELECT pg_stat_reset_shared(CASE WHEN current_setting('server_version_num')::int >= 170000 \
         THEN 'checkpointer' ELSE 'bgwriter' END)",
    );
    let patient = [
        "deadlocks=1000000",
        "waiting=1 day",
        "idle_transaction=1 day",
        "connections_percent=100",
    ];
    let patient: Vec<&str> = patient
        .iter()
        .flat_map(|limit| ["--param", *limit])
        .collect();
    let ran = health(&test, &patient);
    insta::with_settings!({filters => VARIES}, {
        assert_snapshot!(ran, @"
        exit 10
        --- stdout
        DB at postgres@SERVER:5432 as postgres, PostgreSQL VERSION
          ✓ rights
          ✓ sessions  5 of 5
          ! vacuum keeps up  1 of 2
              not so: autovacuum is on
                Without autovacuum and track_counts tables grow and plans get worse until the server stops.
                Set both on; pg-settings shows where they are set.
          ✓ database  4 of 4
          ! objects  2 of 3
              not so: no sequence is near its end
                1 are: inserts will fail at the end. pg-sequences says which.
          ✓ replication  4 of 4
          ✓ archiving
          ✓ checkpoints
          ✓ size
        N of 22 checks need attention.
        --- stderr
        `runbook run pg-health` shows the numbers.
        ");
    });
}

#[test]
fn a_limit_is_moved_by_its_name() {
    let test = Test::sql("CREATE SEQUENCE s MAXVALUE 10; SELECT setval('s', 9)");
    health(&test, &[])
        .code(10)
        .says("no sequence is near its end");
    health(&test, &["--param", "sequence_percent=95"]).keeps("no sequence is near its end");
    health(&test, &["--param", "sequence_percent=often"])
        .code(3)
        .says("sequence_percent");
    health(&test, &["--param", "sequence=1"])
        .code(3)
        .says("sequence_percent");
}

#[test]
fn programs_read_what_was_found() {
    let test = Test::sql("CREATE SEQUENCE s MAXVALUE 10; SELECT setval('s', 9)");
    let ran = health(&test, &["--output", "json"]).code(10);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["well"], false);
    assert_eq!(found["failure"], serde_json::Value::Null);
    let checks = found["checks"].as_array().unwrap();
    let objects = checks
        .iter()
        .find(|check| check["name"] == "objects_well")
        .unwrap();
    assert_eq!(objects["passed"], false);
}

#[test]
fn nothing_is_recorded_of_it() {
    let test = Test::sql("CREATE TABLE t (a int)");
    health(&test, &[]);
    assert!(!test.root().join(".local").exists());
    assert_eq!(
        test.rows("SELECT count(*) FROM pg_namespace WHERE nspname = 'runbook'"),
        "0"
    );
}

#[test]
fn a_database_that_is_not_there_is_told_from_those_that_are() {
    let test = Test::sql("CREATE TABLE t (a int)");
    let url = test.db.url().replace(test.db.name(), "no_such_database");
    let ran = test.ran(
        &test
            .bare(["health", "--database-url", &url])
            .output()
            .unwrap(),
    );
    ran.code(4)
        .says("unknown database")
        .says("What to try, in this order:")
        .says("1. Use one that there is: ")
        .says("`runbook backup restore ID --as NAME`");
}

#[test]
fn a_login_that_is_refused_says_whom_to_ask() {
    let test = Test::sql("CREATE TABLE t (a int)");
    let url = test.db.url().replace("postgres@", "nobody_at_all@");
    let ran = test.ran(
        &test
            .bare(["health", "--database-url", &url])
            .output()
            .unwrap(),
    );
    ran.code(4)
        .says("refuses the login")
        .says("1. See which login and which password are used");
}

#[test]
fn a_server_that_does_not_answer_is_to_be_started() {
    let test = Test::sql("CREATE TABLE t (a int)");
    let ran = test.ran(
        &test
            .bare(["health", "--database-url", "postgresql://u@127.0.0.1:1/d"])
            .output()
            .unwrap(),
    );
    insta::with_settings!({filters => VARIES}, {
        assert_snapshot!(ran, @"
        exit 4
        --- stderr
        error: cannot reach PostgreSQL at u@127.0.0.1:1/d: Connection refused (os error N)
          = help: check that the server runs, and that host and port are right; `pg_isready` asks the same
                  question

        What to try, in this order:
          1. See whether it runs: `systemctl status postgresql`, `docker ps --filter name=postgres`,
             `pg_lsclusters` or `brew services list`
          2. If it does not, read why it ended before it is started again: `journalctl -u postgresql`,
             `docker logs CONTAINER`, or the end of the server's log; a full disk is the usual reason:
             `df -h`
          3. Start it: `systemctl start postgresql`, `docker compose up -d postgres`,
             `pg_ctlcluster VERSION main start` or `brew services start postgresql`
          4. If it runs, see whether it listens where you ask: `ss -ltn`, and `listen_addresses` and `port`
             in postgresql.conf; a firewall or a VPN may stand between
          5. Then once more: `runbook health`
        ");
    });
}

#[test]
fn a_health_check_of_the_project_only_reads() {
    let test = Test::sql("CREATE TABLE t (a int)").runbook(
        "pg-health",
        "steps:
           - fix: add
             sql: INSERT INTO t VALUES (1)",
    );
    health(&test, &[])
        .code(3)
        .says("`pg-health` has the fix `add`: what looks at the health of a database only reads");
    assert_eq!(test.rows("SELECT count(*) FROM t"), "0");
}
