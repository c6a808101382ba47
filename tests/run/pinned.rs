//! A pinned target is the one database alone, whatever its address; and it has no side door.

use insta::assert_snapshot;

use crate::targets::{at, project, with};
use crate::test::Test;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)";

const STEPS: &str = "
    - confirm: go
      ask: Go?
    - fix: f
      sql: UPDATE t SET a = 2 WHERE a = 1
      rows: 1
    - check: after
      that: true
";

/// The commands that connect.
const COMMANDS: [&str; 8] = [
    "run t --answer go=yes",
    "run t --dry-run",
    "query SELECT",
    "shell --command SELECT",
    "backup create",
    "init",
    "undo abcdef --yes",
    "check t",
];

fn cluster(test: &Test) -> String {
    test.rows("SELECT system_identifier FROM pg_control_system()")
}

fn pinned(test: Test, cluster: &str, database: &str) -> Test {
    let text = format!(
        "targets:\n  production:\n    url: $DB_URL\n    identity:\n      system_identifier: \"{cluster}\"\n      database: {database}\n    protected: true\n"
    );
    project(test, &text)
}

#[test]
fn another_cluster_is_refused_before_anything() {
    let test = pinned(
        Test::sql(SETUP).steps(STEPS),
        "7301234567890123456",
        "DB_NAME",
    );
    let ran = at(&test, "run t --answer go=yes --target production").code(4);
    assert_snapshot!(ran.to_string().replace(&cluster(&test), "CLUSTER"), @r#"
    exit 4
    --- stderr
    error: this is another cluster than the target `production`
     --> runbook.yaml:5:26
      |
    5 |       system_identifier: "7301234567890123456"
      |                          ^^^^^^^^^^^^^^^^^^^^^ this cluster is pinned
      |
      = note: found at postgres@SERVER:5432/DB: database DB, cluster CLUSTER; nothing was done with it
      = help: mend the address; or, if the database was moved there on purpose, mend its `identity`: `runbook targets --check` prints it
    "#);
    for command in COMMANDS {
        at(&test, &format!("{command} --target production"))
            .code(4)
            .says("runbook.yaml:5:26");
    }
    assert_eq!(test.rows("SELECT a FROM t"), "1");
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
}

#[test]
fn another_database_is_refused() {
    let test = Test::sql(SETUP).steps(STEPS);
    let cluster = cluster(&test);
    let test = pinned(test, &cluster, "crm_production");
    let ran = at(&test, "run t --answer go=yes --target production").code(4);
    assert_snapshot!(ran.to_string().replace(&cluster, "CLUSTER"), @"
    exit 4
    --- stderr
    error: this is another database than the target `production`
     --> runbook.yaml:6:17
      |
    6 |       database: crm_production
      |                 ^^^^^^^^^^^^^^ this database is pinned
      |
      = note: found at postgres@SERVER:5432/DB: database DB, cluster CLUSTER; nothing was done with it
      = help: mend the address; or, if the database was moved there on purpose, mend its `identity`: `runbook targets --check` prints it
    ");
}

#[test]
fn what_cannot_be_proved_is_refused() {
    let test = Test::sql(SETUP).steps(STEPS);
    let cluster = cluster(&test);
    let login = format!("blind_{}", test.db.name());
    test.connect().run(&format!(
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; CREATE ROLE {login} LOGIN; GRANT SELECT ON t TO {login}"
    ));
    let url = test.db.url().replacen("postgres@", &format!("{login}@"), 1);
    let own = [("DB_URL", url.as_str())];
    let test = pinned(test, &cluster, "DB_NAME");
    let ran = with(&test, "query SELECT --target production", &own).code(4);
    let masked = ran
        .to_string()
        .replace("blind_DB", "LOGIN")
        .replace(&cluster, "CLUSTER");
    assert_snapshot!(masked, @r#"
    exit 4
    --- stderr
    error: nobody can tell whether this is the target `production`
     --> runbook.yaml:5:26
      |
    5 |       system_identifier: "CLUSTER"
      |                          ^^^^^^^^^^^^^^^^^^^^^ this cluster is pinned
      |
      = note: found at LOGIN@SERVER:5432/DB: database DB, the login LOGIN may not read its system identifier; nothing was done with it
      = help: as a superuser: GRANT EXECUTE ON FUNCTION pg_control_system() TO LOGIN
    "#);
    // Nor may a plain address be what cannot be told from a protected target.
    let args = format!("query SELECT --database-url {url}");
    let ran = at(&test, &args).code(4);
    assert_snapshot!(ran.to_string().replace("blind_DB", "LOGIN").replace(&cluster, "CLUSTER"), @r#"
    exit 4
    --- stderr
    error: nobody can tell whether this is the target `production`
     --> runbook.yaml:5:26
      |
    5 |       system_identifier: "CLUSTER"
      |                          ^^^^^^^^^^^^^^^^^^^^^ this cluster is its own
      |
      = note: found at LOGIN@SERVER:5432/DB: database DB, the login LOGIN may not read its system identifier; nothing was done with it
      = help: name it if it is: --target production; else as a superuser: GRANT EXECUTE ON FUNCTION pg_control_system() TO LOGIN
    "#);
    test.connect().run(&format!(
        "GRANT EXECUTE ON FUNCTION pg_control_system() TO {login}"
    ));
    with(&test, "query SELECT --target production", &own).code(0);
    test.connect()
        .run(&format!("DROP OWNED BY {login}; DROP ROLE {login}"));
}

#[test]
fn a_pinned_target_has_no_side_door() {
    let test = Test::sql(SETUP).steps(STEPS);
    let cluster = cluster(&test);
    let test = pinned(test, &cluster, "DB_NAME");
    let ran = test.run("run t --answer go=yes").code(4);
    assert_snapshot!(ran.to_string().replace(&cluster, "CLUSTER"), @r#"
    exit 4
    --- stderr
    error: this is the target `production`, under another address
     --> runbook.yaml:5:26
      |
    5 |       system_identifier: "CLUSTER"
      |                          ^^^^^^^^^^^^^^^^^^^^^ this cluster is its own
      |
      = note: found at postgres@SERVER:5432/DB: database DB, cluster CLUSTER; nothing was done with it
      = help: what it demands of runs holds for its name: --target production
    "#);
    let url = test.db.url();
    for command in COMMANDS {
        test.run(command).code(4).says("--target production");
        // Without a flag `check` asks no database.
        if command != "check t" {
            with(&test, command, &[("DATABASE_URL", &url)])
                .code(4)
                .says("--target production");
        }
    }
    assert_eq!(test.rows("SELECT a FROM t"), "1");
    at(&test, "query SELECT --target production").code(0);
    // Another name with no pin of its own is no way around it either.
    let text = format!(
        "targets:\n  production:\n    url: $DB_URL\n    identity: {{ system_identifier: '{cluster}' }}\n    policy: p\n  \
         staging:\n    url: $DB_URL\npolicies:\n  p: {{}}\n"
    );
    let test = project(test, &text);
    at(&test, "query SELECT --target staging")
        .code(4)
        .says("--target production");
    // One that demands nothing may be called by its address.
    let test = project(test, &text.replace("    policy: p\n", ""));
    at(&test, "query SELECT --target staging").code(0);
    test.run("query SELECT").code(0);
}

#[test]
fn another_database_of_the_pinned_cluster_is_free() {
    let other = Test::sql("SELECT");
    let test = Test::sql(SETUP);
    let cluster = cluster(&test);
    let test = pinned(test, &cluster, "DB_NAME");
    let args = format!("query SELECT --database-url {}", other.db.url());
    at(&test, &args).code(0);
    // What is restored goes into another database of the same server.
    at(&test, "backup create --target production").code(0);
    let into = format!("{}_restored", test.db.name());
    let restore = format!(
        "backup restore {} --into {into} --yes --target production",
        test.db.name()
    );
    at(&test, &restore).code(0);
    test.connect().run(&format!("DROP DATABASE {into}"));
}
