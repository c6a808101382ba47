//! `runbook.yaml`: databases by name, how they are connected, what their sessions begin with, and groups of them.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::test::{Ran, Test};

/// Writes `runbook.yaml`; `DB_NAME` in it is the database of the test.
pub(crate) fn project(test: Test, text: &str) -> Test {
    let text = text.replace("DB_NAME", test.db.name());
    test.file("runbook.yaml", text)
}

/// Runs the program without naming a database: `$DB_URL` holds the address of the test's.
pub(crate) fn at(test: &Test, args: &str) -> Ran {
    with(test, args, &[])
}

/// The same, with other variables.
pub(crate) fn with(test: &Test, args: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = test.bare(args.split_whitespace());
    command.env("DB_URL", test.db.url());
    command.envs(variables.iter().copied());
    test.ran(&command.output().unwrap())
}

/// A question for the runbook `t`.
fn asks(test: Test, sql: &str) -> Test {
    test.runbook("t", &format!("steps:\n  - query: q\n    sql: {sql}\n"))
}

const STAGING: &str = "targets:\n  staging:\n    url: $DB_URL\n";

#[test]
fn a_target_is_named_and_shown() {
    let test = asks(project(Test::sql("SELECT"), STAGING), "SELECT 1 AS one");
    assert_snapshot!(at(&test, "run t --target staging").code(0), @"
    exit 0
    --- stdout
    Test  run RUN · staging/DB · low risk

      ✓ q                      1 row  TIME
          one
            1

    Done in TIME.
    ");
    assert_snapshot!(at(&test, "run t --target stagign").code(2), @"
    exit 2
    --- stderr
    error: there is no target `stagign` in runbook.yaml
      = help: did you mean `staging`?
    ");
    let here = project(
        test,
        &format!("{STAGING}    protected: true\ndefault: staging\n"),
    );
    assert_snapshot!(at(&here, "run t").code(0), @"
    exit 0
    --- stdout
    Test  run RUN · staging/DB · protected · low risk

      ✓ q                      1 row  TIME
          one
            1

    Done in TIME.
    ");
    at(&here, "report --format markdown").code(2).says("RUN");
}

#[test]
fn what_names_the_database_has_an_order() {
    let other = Test::sql("CREATE TABLE other ()");
    let test = asks(
        project(Test::sql("SELECT"), &format!("default: staging\n{STAGING}")),
        "SELECT current_database()::text, to_regclass('other') IS NOT NULL AS other",
    );
    let other_url = other.db.url();
    let url = ("DATABASE_URL", other_url.as_str());
    let answer = |args: &str, variables: &[(&str, &str)]| {
        let ran = with(&test, args, variables).code(0);
        ran.stdout.contains(" t\n") || ran.stdout.contains(" t ")
    };
    assert!(!answer("run t", &[]));
    assert!(answer("run t", &[url]));
    assert!(!answer("run t --target staging", &[url]));
    let explicit = format!("run t --database-url {other_url}");
    assert!(answer(&explicit, &[]));
    // A variable of libpq's stands behind `default`.
    with(&test, "run t", &[("PGHOST", "/nowhere")]).code(0);
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let test = asks(
        project(Test::sql("SELECT"), "targets:\n  far:\n    url: $FAR_URL\n"),
        "SELECT 1",
    );
    assert_snapshot!(at(&test, "run t --target far").code(2), @"
    exit 2
    --- stderr
    error: $FAR_URL is not set: it holds the connection URL of the target `far`
      = help: export FAR_URL=postgres://user@host:port/database
    ");
}

#[test]
fn without_a_file_a_name_says_where_it_was_looked_for() {
    let test = asks(Test::sql("SELECT"), "SELECT 1");
    assert_snapshot!(at(&test, "run t --target production").code(2), @"
    exit 2
    --- stderr
    error: there is no target `production`: there is no runbook.yaml
      = help: it was looked for: `runbook.yaml` in this folder and those above, then `ROOT/.config/runbook/runbook.yaml`
      = help: `runbook targets` shows a small one to begin with; or give a connection URL, $DATABASE_URL or libpq's variables
    ");
    assert_snapshot!(at(&test, "targets").code(0), @"
    exit 0
    --- stdout
    default: staging

    targets:
      staging:
        url: $STAGING_URL                     # an environment variable that holds the connection URL
      production:
        service: crm-production               # a name in pg_service.conf; its password in ~/.pgpass
        sslmode: verify-full
        protected: true                       # only a person at a terminal answers its questions
        policy: careful

    policies:
      careful:
        medium:
          backup: 24h                         # how old the newest verified backup may be
        high:
          approvals: { by: dba }              # members of this database role approve
    --- stderr
    There is no runbook.yaml; it was looked for: `runbook.yaml` in this folder and those above, then `ROOT/.config/runbook/runbook.yaml`.
    A small one to begin with:
    ");
    // What it shows can be used as it is.
    let shown = at(&test, "targets").stdout;
    let test = test.file("runbook.yaml", shown);
    at(&test, "targets").code(0).says("production");
}

#[test]
fn the_file_is_found_above_and_in_the_configuration() {
    let test = asks(Test::sql("SELECT"), "SELECT 1");
    let configuration = test.root().join(".config/runbook");
    std::fs::create_dir_all(&configuration).unwrap();
    std::fs::write(configuration.join("runbook.yaml"), STAGING).unwrap();
    at(&test, "run t --target staging").code(0);
    let named = "targets:\n  named:\n    url: $DB_URL\n";
    std::fs::write(test.root().join("named.yaml"), named).unwrap();
    with(
        &test,
        "run t --target named",
        &[("RUNBOOK_PROJECT", "../named.yaml")],
    )
    .code(0);
    with(
        &test,
        "run t --target named",
        &[("RUNBOOK_PROJECT", "nothing.yaml")],
    )
    .code(2)
    .says("$RUNBOOK_PROJECT: there is no file");
    let above = test.root().join("runbook.yaml");
    std::fs::write(&above, "targets:\n  above:\n    url: $DB_URL\n").unwrap();
    at(&test, "run t --target above").code(0);
    // What everybody may change is not trusted.
    std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o666)).unwrap();
    at(&test, "run t --target above")
        .code(3)
        .says("is not trusted: everybody may change it");
}

#[test]
fn a_session_takes_on_the_role_and_the_settings() {
    let test = Test::sql("SELECT");
    let (login, role) = (
        format!("login_{}", test.db.name()),
        format!("role_{}", test.db.name()),
    );
    test.connect().run(&format!(
        "CREATE ROLE {role}; CREATE ROLE {login} LOGIN; GRANT {role} TO {login}; CREATE SCHEMA app; \
         CREATE TABLE app.here (id int PRIMARY KEY, a int); INSERT INTO app.here VALUES (1, 1); \
         GRANT USAGE, CREATE ON SCHEMA app TO {role}; GRANT CREATE ON DATABASE {0} TO {role}; ALTER TABLE app.here OWNER TO {role}",
        test.db.name()
    ));
    let url = test.db.url().replacen("postgres@", &format!("{login}@"), 1);
    let test = project(
        test,
        &format!(
            "targets:\n  app:\n    url: $APP_URL\n    role: {role}\n    search_path: [app, public]\n    \
             statement_timeout: 2min\n    lock_timeout: 3s\n"
        ),
    );
    let test = test.steps(
        "
        - query: who
          sql: SELECT left(session_user::text, 5) AS login, left(current_user::text, 4) AS role, current_setting('search_path') AS path, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock, (SELECT count(*) FROM here) AS here
        - confirm: go
          ask: Go?
        - fix: f
          sql: UPDATE here SET a = 2 WHERE id = 1
          rows: 1
        - check: after
          sql: SELECT count(*) AS n FROM here WHERE a = 2
          that: n == 1
        ",
    );
    let app = [("APP_URL", url.as_str())];
    let ran = with(&test, "run t --target app --answer go=yes", &app).code(0);
    let masked = |ran: &Ran| {
        ran.to_string()
            .replace("login_DB", "LOGIN")
            .replace("role_DB", "ROLE")
    };
    assert_snapshot!(masked(&ran), @"
    exit 0
    --- stdout
    Test  run RUN · app/DB · medium risk

      ✓ who                    1 row  TIME
          login  role  path         statement  lock  here
          login  role  app, public  2min       3s       1
      ? go
          Go?
          ✓ yes · LOGIN (USER@HOST) by --answer
      ✓ f                      1 row changed, committed  TIME
          here  1  a  1 → 2
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    // The journal says who it was; it belongs to the role.
    let who = "SELECT actor LIKE 'login_%' FROM runbook.entry LIMIT 1";
    assert_eq!(test.rows(who), "t");
    let owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'runbook'";
    assert_eq!(test.rows(owner), role);
    // A backup is made by the role, too: the login alone may not read the table.
    with(&test, "backup create --table app.here --target app", &app).code(0);
    with(&test, "backup create --target app", &app).code(0);
    // Who is no member is not let on.
    test.connect().run(&format!("REVOKE {role} FROM {login}"));
    let ran = with(&test, "run t --target app --answer go=yes", &app).code(4);
    assert_snapshot!(masked(&ran), @r#"
    exit 4
    --- stderr
    error: PostgreSQL at LOGIN@SERVER:5432/DB refuses the connection: the role `ROLE`: permission denied to set role "ROLE"
      = help: the login must be a member: GRANT ROLE TO its role; or mend `role` of the target
    "#);
    test.connect().run(&format!(
        "REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {login}; DROP ROLE {role}"
    ));
}

#[test]
fn hidden_columns_are_hidden_everywhere() {
    let setup = "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE); INSERT INTO users VALUES (1, 'ann@x')";
    let test = asks(
        project(
            Test::sql(setup),
            &format!("default: staging\n{STAGING}    sensitive:\n      users: [email]\n"),
        ),
        "SELECT id, email FROM users",
    );
    let query = |output: &str| {
        let args = ["query", "SELECT * FROM users", "--output", output];
        let mut command = test.bare(args);
        command.env("DB_URL", test.db.url());
        test.ran(&command.output().unwrap()).code(0)
    };
    for output in ["human", "json", "csv", "jsonl"] {
        query(output).keeps("ann@x").says("•••");
    }
    at(&test, "run t").code(0).keeps("ann@x").says("•••");
    at(&test, "run t --output json").code(0).keeps("ann@x");
    let mut shell = test.bare(["shell", "--command", "SELECT * FROM users"]);
    shell.env("DB_URL", test.db.url());
    test.ran(&shell.output().unwrap())
        .code(0)
        .keeps("ann@x")
        .says("•••");
}

const FIX: &str = "
    - confirm: go
      ask: Go?
    - fix: f
      sql: UPDATE t SET a = 2 WHERE a = 1
      rows: 1
    - check: after
      that: true
";

#[test]
fn the_journal_is_where_the_target_says() {
    let text = format!("default: staging\n{STAGING}    journal: local\n");
    let test = project(
        Test::sql("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)"),
        &text,
    )
    .steps(FIX);
    assert_snapshot!(at(&test, "run t --answer go=yes --journal database").code(2), @"
    exit 2
    --- stderr
    error: `--journal database`: the target `staging` says `journal: local`
      = help: leave the flag out: where the journal is must be the same for everybody
    ");
    at(&test, "run t --answer go=yes").code(0);
    assert_eq!(test.rows("SELECT a FROM t"), "2");
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
    let undo = format!("undo {} --yes", test.id());
    at(&test, &undo).code(0);
    assert_eq!(test.rows("SELECT a FROM t"), "1");
}

#[test]
fn backups_go_where_the_target_says() {
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let text = format!(
        "default: staging\n{STAGING}    backups:\n      folder: kept\n      keep: {{ last: 1 }}\n      encrypt: {key}\n"
    );
    let test = project(
        Test::sql("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)"),
        &text,
    )
    .steps("- backup: b\n  tables: [t]");
    let count = || {
        let kept = std::fs::read_dir(test.root().join("work/kept")).unwrap();
        let folders = kept.filter(|one| one.as_ref().unwrap().path().is_dir());
        folders.count()
    };
    at(&test, "run t").code(0);
    assert_eq!(count(), 1);
    at(&test, "run t").code(0);
    assert_eq!(count(), 1, "only the last is kept");
    at(&test, "backup create mine --table t").code(0);
    assert_eq!(count(), 2);
    at(&test, "backup show mine").code(0).says("encrypted");
    at(&test, "backup list").code(0).says("mine");
    // What is nearer says it instead.
    at(&test, "backup list --folder elsewhere")
        .code(0)
        .keeps("mine");
}

/// A login that needs a password, on the test's database.
fn with_password(test: &Test, password: &str) -> (String, String) {
    let login = format!("password_{}", test.db.name());
    let connection = test.connect();
    connection.run(&format!("CREATE ROLE {login} LOGIN PASSWORD '{password}'"));
    let hba = connection.rows("SHOW hba_file");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("local all {login} scram-sha-256\n{rules}")).unwrap();
    connection.run("SELECT pg_reload_conf()");
    test.until(&format!(
        "SELECT EXISTS (SELECT FROM pg_hba_file_rules WHERE user_name = ARRAY['{login}'])"
    ));
    let url = test.db.url().replacen("postgres@", &format!("{login}@"), 1);
    (login, url)
}

#[test]
fn case_37_passwords_come_from_files_and_programs_and_are_never_shown() {
    let test = asks(Test::sql("SELECT"), "SELECT session_user::text");
    let (login, url) = with_password(&test, "hunter2");
    let passfile = test.root().join("secret.pgpass");
    std::fs::write(&passfile, format!("*:*:*:{login}:hunter2\n")).unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let target = |more: &str| {
        format!("default: staging\ntargets:\n  staging:\n    url: $OWN_URL\n    {more}\n")
    };
    let own = [("OWN_URL", url.as_str()), ("PGPASSWORD", "wrong")];
    let test = project(test, &target("passfile: ~/secret.pgpass"));
    with(&test, "run t", &own).code(0).says("password_DB");

    let test = project(
        test,
        &target("password_command: [printf, 'hunter2\\nand more\\n']"),
    );
    with(&test, "run t", &own)
        .code(0)
        .says("password_DB")
        .keeps("hunter2");
    with(&test, "targets --check", &own)
        .code(0)
        .keeps("hunter2");
    with(&test, "targets --check --output json", &own)
        .code(0)
        .keeps("hunter2");
    with(&test, "health", &own).keeps("hunter2");
    with(&test, "doctor", &own).keeps("hunter2");

    let script = "echo 'hunter2 of the store'; echo 'the store is locked' >&2; exit 3";
    let test = project(
        test,
        &target(&format!("password_command: [sh, -c, \"{script}\"]")),
    );
    let ran = with(&test, "run t", &own).code(4).keeps("hunter2");
    assert_snapshot!(ran, @"
    exit 4
    --- stderr
    error: there is no password for the target `staging`
      `sh` ended with 3
      the store is locked
      = help: its `password_command` is run without a shell; try it in one, in the folder of runbook.yaml
    ");
    let test = project(test, &target("password_command: [no-such-program]"));
    with(&test, "run t", &own)
        .code(4)
        .says("`no-such-program` cannot be started");
    let test = project(test, &target("password_command: [\"true\"]"));
    with(&test, "run t", &own)
        .code(4)
        .says("`true` printed no password");
    // A password in the variable's URL is a secret as well.
    let test = project(test, &target("about: none"));
    let whole = url.replacen(&format!("{login}@"), &format!("{login}:hunter2@"), 1);
    let wrong = url.replacen(&format!("{login}@"), &format!("{login}:hunter3@"), 1);
    with(&test, "run t", &[("OWN_URL", &whole)])
        .code(0)
        .keeps("hunter");
    for args in ["run t", "targets --check", "health", "doctor", "targets"] {
        with(&test, args, &[("OWN_URL", &wrong)]).keeps("hunter");
    }
    let records = test.root().join(".local/state/runbook");
    let found = std::process::Command::new("grep")
        .args(["-rl", "hunter"])
        .arg(&records)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    test.connect().run(&format!("DROP ROLE {login}"));
}

#[test]
fn a_service_is_a_target_too() {
    let test = asks(Test::sql("SELECT"), "SELECT current_database()::text");
    let service = format!(
        "[crm]\nhost={}\nuser=postgres\ndbname={}\n",
        crate::server::Database::folder(),
        test.db.name()
    );
    std::fs::write(test.root().join(".pg_service.conf"), service).unwrap();
    let test = project(
        test,
        "targets:\n  crm:\n    service: crm\n  gone:\n    service: gone\n",
    );
    with(&test, "run t --target crm", &[("PGDATABASE", "postgres")])
        .code(0)
        .says("DB");
    with(&test, "run t --target gone", &[]).code(2).says("no");
    at(&test, "targets").code(0).says("crm");
}

#[test]
fn targets_are_listed_and_checked() {
    let test = listed();
    are_listed(&test);
    are_checked(&test);
}

fn listed() -> Test {
    project(
        Test::sql("SELECT"),
        r#"
default: staging
targets:
  staging:
    about: Where releases are tried
    url: $DB_URL
  production:
    url: $PRODUCTION_URL
    role: crm_owner
    protected: true
    policy: careful
    identity: { system_identifier: "7", database: crm }
    journal: local
groups:
  all: [staging, production]
policies:
  careful:
    low: { run: [support] }
    medium: { backup: 24h }
    high: { approvals: { count: 2, by: [dba, lead] }, windows: [{ days: [sat, sun], from: 22:00, to: 04:00, zone: Europe/Berlin }] }
"#,
    )
}

fn are_listed(test: &Test) {
    assert_snapshot!(at(test, "targets").code(0), @"
    exit 0
    --- stdout
    staging, default
      where     postgres@SERVER:5432/DB
      about     Where releases are tried
      groups    all

    production, protected
      where     $PRODUCTION_URL is not set: it holds the connection URL of the target `production`
      role      crm_owner
      pinned to cluster 7, database crm
      journal   local
      policy    careful
        low     run by `support`, answered at a terminal
        medium  run by `support`, backup not older than 24 h, answered at a terminal
        high    run by `support`, 2 approvals by `dba` or `lead` within 4 h, Sat, Sun 22:00–04:00 Europe/Berlin, backup not older than 24 h
      groups    all
    ");
    assert_snapshot!(at(test, "targets stagin").code(2), @"
    exit 2
    --- stderr
    error: there is no target `stagin` in runbook.yaml
      = help: did you mean `staging`?
    ");
}

fn are_checked(test: &Test) {
    let cluster = test.rows("SELECT system_identifier FROM pg_control_system()");
    let ran = at(test, "targets staging --check").code(0);
    assert_snapshot!(ran.to_string().replace(&cluster, "CLUSTER"), @r#"
    exit 0
    --- stdout
    staging, default
      where     postgres@SERVER:5432/DB
      about     Where releases are tried
      groups    all
      ✓ PostgreSQL 15.18, no TLS, database DB, as postgres
        it is not pinned: any database under its address would do
        to pin it, put this under `staging:` in runbook.yaml:

        identity:
          system_identifier: "CLUSTER"
          database: "DB"
    "#);
    let url = test.db.url();
    let wrong = [("PRODUCTION_URL", url.as_str())];
    let ran = with(test, "targets all --check", &wrong).code(4);
    assert_snapshot!(ran.to_string().replace(&cluster, "CLUSTER"), @r#"
    exit 4
    --- stdout
    staging, default
      where     postgres@SERVER:5432/DB
      about     Where releases are tried
      groups    all
      ✓ PostgreSQL 15.18, no TLS, database DB, as postgres
        it is not pinned: any database under its address would do
        to pin it, put this under `staging:` in runbook.yaml:

        identity:
          system_identifier: "CLUSTER"
          database: "DB"

    production, protected
      where     postgres@SERVER:5432/DB
      role      crm_owner
      pinned to cluster 7, database crm
      journal   local
      policy    careful
        low     run by `support`, answered at a terminal
        medium  run by `support`, backup not older than 24 h, answered at a terminal
        high    run by `support`, 2 approvals by `dba` or `lead` within 4 h, Sat, Sun 22:00–04:00 Europe/Berlin, backup not older than 24 h
      groups    all
      ✗ this is another cluster than the target `production`
          --> runbook.yaml:12:36
           |
        12 |     identity: { system_identifier: "7", database: crm }
           |                                    ^^^ this cluster is pinned
           |
           = note: found at postgres@SERVER:5432/DB: database DB, cluster CLUSTER; nothing was done with it
           = help: mend the address; or, if the database was moved there on purpose, mend its `identity`: `runbook targets --check` prints it
    --- stderr
    production is not as it should be
    "#);
    are_checked_for_programs(test, &cluster);
}

fn are_checked_for_programs(test: &Test, cluster: &str) {
    let url = test.db.url();
    let wrong = [("PRODUCTION_URL", url.as_str())];
    let ran = with(test, "targets --check --output json", &wrong).code(4);
    assert_snapshot!(ran.to_string().replace(cluster, "CLUSTER"), @r#"
    exit 4
    --- stdout
    [
      {
        "name": "staging",
        "about": "Where releases are tried",
        "where": "postgres@SERVER:5432/DB",
        "default": true,
        "role": null,
        "protected": false,
        "policy": null,
        "needs": {
          "low": [],
          "medium": [],
          "high": [
            "answered at a terminal or by --answer"
          ]
        },
        "identity": null,
        "groups": [
          "all"
        ],
        "check": {
          "ok": true,
          "server_version": "15.18",
          "tls": null,
          "replica": false,
          "login": "postgres",
          "role": null,
          "system_identifier": "CLUSTER",
          "database": "DB",
          "pinned": false
        }
      },
      {
        "name": "production",
        "about": null,
        "where": "postgres@SERVER:5432/DB",
        "default": false,
        "role": "crm_owner",
        "protected": true,
        "policy": "careful",
        "needs": {
          "low": [
            "run by `support`",
            "answered at a terminal"
          ],
          "medium": [
            "run by `support`",
            "backup not older than 24 h",
            "answered at a terminal"
          ],
          "high": [
            "run by `support`",
            "2 approvals by `dba` or `lead` within 4 h",
            "Sat, Sun 22:00–04:00 Europe/Berlin",
            "backup not older than 24 h"
          ]
        },
        "identity": {
          "system_identifier": "7",
          "database": "crm"
        },
        "groups": [
          "all"
        ],
        "check": {
          "ok": false,
          "error": "error: this is another cluster than the target `production`\n  --> runbook.yaml:12:36\n   |\n12 |     identity: { system_identifier: \"7\", database: crm }\n   |                                    ^^^ this cluster is pinned\n   |\n   = note: found at postgres@SERVER:5432/DB: database DB, cluster CLUSTER; nothing was done with it\n   = help: mend the address; or, if the database was moved there on purpose, mend its `identity`: `runbook targets --check` prints it"
        }
      }
    ]
    --- stderr
    production is not as it should be
    "#);
}

#[test]
fn a_group_is_worked_on_one_after_the_other() {
    let setup = "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)";
    let (second, third) = (Test::sql(setup), Test::sql(setup));
    let test = project(
        Test::sql(setup),
        "targets:\n  one: { url: $DB_URL }\n  two: { url: $TWO_URL }\n  three: { url: $THREE_URL }\ngroups:\n  all: [one, two, three]\n",
    )
    .steps(FIX);
    let (two, three) = (second.db.url(), third.db.url());
    let urls = [("TWO_URL", two.as_str()), ("THREE_URL", three.as_str())];
    // On the second one there is nothing to change, which is a failure.
    second.connect().run("UPDATE t SET a = 5");
    let ran = with(&test, "run t --target all --answer go=yes", &urls).code(10);
    assert_snapshot!(ran.stderr, @"
    one (1 of 3):
    two (2 of 3):
    It did not end well on two: nothing was run on three.
    ");
    assert_eq!(test.rows("SELECT a FROM t"), "2");
    assert_eq!(second.rows("SELECT a FROM t"), "5");
    assert_eq!(third.rows("SELECT a FROM t"), "1");
    second.connect().run("UPDATE t SET a = 1");
    test.connect().run("UPDATE t SET a = 1");
    with(&test, "run t --target all --answer go=yes", &urls).code(0);
    assert_eq!(second.rows("SELECT a FROM t"), "2");
    assert_eq!(third.rows("SELECT a FROM t"), "2");
    let runs = test.root().join(".local/state/runbook/runs");
    assert_eq!(std::fs::read_dir(runs).unwrap().count(), 5);
    // Where a group makes no sense, its targets are named.
    for command in ["health", "shell", "backup create", "init", "undo abcdef"] {
        with(&test, &format!("{command} --target all"), &urls)
            .code(2)
            .says("name one of them: one, two and three");
    }
    // The check looks at each of them.
    third.connect().run("ALTER TABLE t RENAME a TO b");
    let ran = with(&test, "check t --target all", &urls).code(3);
    assert_snapshot!(ran, @r#"
    exit 3
    --- stdout
    error: the server refuses `f`: column "a" does not exist
     --> runbooks/t.yaml:8:35
      |
    8 |     sql: UPDATE t SET a = 2 WHERE a = 1
      |                                   ^
      |
      = note: on the target `three`

    1 runbook: 0 valid, 1 invalid (1 error)
    "#);
}

#[test]
fn a_run_is_put_back_where_it_was() {
    let setup = "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)";
    let other = Test::sql(setup);
    let test = project(
        Test::sql(setup),
        &format!("default: other\n{STAGING}  other:\n    url: $OTHER_URL\n"),
    )
    .steps(FIX);
    let url = other.db.url();
    let urls = [("OTHER_URL", url.as_str())];
    with(&test, "run t --target staging --answer go=yes", &urls).code(0);
    assert_eq!(test.rows("SELECT a FROM t"), "2");
    let undo = format!("undo {} --yes", test.id());
    with(&test, &undo, &urls).code(0).says("staging/DB");
    assert_eq!(test.rows("SELECT a FROM t"), "1");
    assert_eq!(other.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
}

#[test]
fn a_session_that_was_lost_takes_on_the_role_again() {
    let test = Test::sql("CREATE TABLE t (a int)");
    let role = format!("again_{}", test.db.name());
    test.connect()
        .run(&format!("CREATE ROLE {role}; GRANT SELECT ON t TO {role}"));
    let test = project(
        test,
        &format!("default: staging\n{STAGING}    role: {role}\n    lock_timeout: 70s\n"),
    )
    .steps(
        "
        - query: who
          sql: SELECT current_user::text, current_setting('lock_timeout') AS lock, (SELECT count(*) FROM t) AS n
          retry: { times: 2, wait: 10ms, on: [connection] }
        ",
    );
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE t");
    let mut command = test.bare(["run", "t"]);
    command.env("DB_URL", test.db.url());
    let running = test.begin(command);
    let waiting =
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    test.until(&format!("SELECT EXISTS (SELECT {waiting})"));
    test.connect()
        .run(&format!("SELECT pg_terminate_backend(pid) {waiting}"));
    other.run("COMMIT");
    running
        .end()
        .code(0)
        .says("again_DB")
        .says("70s")
        .says("connection");
    test.connect()
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn names_are_completed() {
    let test = project(
        Test::sql("SELECT"),
        &format!("{STAGING}groups:\n  stage: [staging]\n"),
    );
    let mut command = test.bare(["--", "runbook", "run", "--target", "st"]);
    command
        .env("RUNBOOK_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "3")
        .env("_CLAP_IFS", "\n");
    let ran = test.ran(&command.output().unwrap()).code(0);
    assert_eq!(ran.stdout.trim(), "staging\nstage");
}
