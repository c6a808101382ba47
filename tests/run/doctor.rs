//! `runbook doctor`: what is missing, with what mends it.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, ScratchOptions};

use crate::proxy::Proxy;
use crate::server::Database;
use crate::test::{Ran, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL); \
    INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 2) n";

/// What differs from one machine or server to another.
const VARIES: [(&str, &str); 7] = [
    (
        r"PostgreSQL \d+[.\d]*(, [^\n]*tests run on[^\n]*)?",
        "PostgreSQL VERSION",
    ),
    (r"\d+(\.\d+)? [kMGT]?B\b", "SIZE"),
    (r"\d+ of \d+ are free", "N of N are free"),
    (r"cluster \d+", "cluster ID"),
    (r"✓ pg_dump  [^\n]*", "✓ pg_dump  VERSION"),
    (r"runbook \d+\.\d+\.\d+", "runbook VERSION"),
    (r"\(os error \d+\)", "(os error N)"),
];

/// Asserts what a person reads.
macro_rules! told {
    ($ran:expr, @$expected:literal) => {
        insta::with_settings!({filters => VARIES}, { assert_snapshot!($ran, @$expected) })
    };
}

/// Puts lines together that were broken because they are long: how long they are differs with names and folders. What
/// mends something stands less far in.
fn unwrapped(text: &str) -> String {
    let broken = regex_lite::Regex::new(r"\n {9,}(\S)").unwrap();
    broken.replace_all(text, " $1").into_owned()
}

/// Returns a group of what is told.
fn group(ran: &Ran, name: &str) -> String {
    let text = unwrapped(&ran.stdout);
    let lines = text.lines().skip_while(|line| *line != name);
    let lines = lines
        .enumerate()
        .take_while(|(at, line)| *at == 0 || line.starts_with(' '));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn what_is_missing_is_said_with_what_mends_it() {
    // The server of the tests does without fsync.
    let ran = Test::sql(ACCOUNTS).run("doctor").code(10);
    let long = |line: &&str| line.chars().count() > 80 && !line.contains('`');
    assert_eq!(ran.stdout.lines().find(long), None);
    told!(unwrapped(&ran.stdout), @"");
}

#[test]
fn nothing_is_missing_to_a_fixer_of_a_server_that_is_as_it_should_be() {
    let test = Test::sql("SELECT 1");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let settings = ["fsync", "full_page_writes", "synchronous_commit"];
    let options = ScratchOptions {
        settings: settings
            .map(|name| (name.to_owned(), "on".to_owned()))
            .into(),
        ..ScratchOptions::default()
    };
    let server = runtime
        .block_on(scratch::start(&Environment::from_process(), options))
        .unwrap();
    runtime.block_on(async {
        let connected = server.settings("postgres").connect().await.unwrap();
        let sql = format!(
            "{ACCOUNTS}; CREATE ROLE clerk LOGIN; GRANT SELECT, UPDATE ON accounts TO clerk"
        );
        connected.client.batch_execute(&sql).await.unwrap();
    });
    let init = [
        "init",
        "--grant",
        "clerk",
        "--database-url",
        &server.url("postgres"),
    ];
    test.ran(&test.bare(init).output().unwrap()).code(0);
    let doctor = [
        "doctor",
        "--database-url",
        &server.url_for("clerk", "postgres"),
    ];
    let ran = test.ran(&test.bare(doctor).output().unwrap()).code(0);
    told!(group(&ran, "Server"), @"");
    told!(group(&ran, "Login"), @"");
    told!(group(&ran, "Journal"), @"");
    ran.says("Nothing is missing;");
    // It reads, and leaves nothing.
    assert!(!test.root().join(".local").exists());
}

#[test]
fn without_a_connection_the_rest_is_told() {
    let test = Test::sql("SELECT 1");
    let ran = test.bare([
        "doctor",
        "--database-url",
        "postgres://ann:hunter2@127.0.0.1:1/crm",
    ]);
    let ran = test
        .ran(&{ ran }.output().unwrap())
        .code(4)
        .keeps("hunter2");
    told!(group(&ran, "Connection"), @"");
    told!(group(&ran, "Backups"), @"");
    ran.says("The rest can be told once there is a");
    let ran = test.bare(["doctor", "--database-url", "postgres://127.0.0.1:none/crm"]);
    test.ran(&{ ran }.output().unwrap())
        .code(4)
        .says("✗ settings");
}

#[test]
fn programs_read_one_object() {
    let ran = Test::sql(ACCOUNTS).run("doctor --output json").code(10);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["reached"], true);
    assert_eq!(told["target"]["user"], "postgres");
    assert_eq!(told["missing"], 1);
    let groups = told["groups"].as_array().unwrap();
    let names: Vec<_> = groups
        .iter()
        .map(|group| group["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "This machine",
            "Project",
            "Connection",
            "Server",
            "Login",
            "Journal",
            "Backups",
            "Policy"
        ]
    );
    let all = groups
        .iter()
        .flat_map(|group| group["findings"].as_array().unwrap());
    let missing: Vec<_> = all
        .filter(|finding| finding["state"] == "missing")
        .collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0]["name"], "durability");
    assert_eq!(missing[0]["help"][0], "`ALTER SYSTEM SET fsync = on;`");
}

#[test]
fn a_pooler_of_transactions_is_found() {
    let test = Test::sql(ACCOUNTS);
    let proxy = Proxy::pooling(test.root(), &Database::folder());
    let url = proxy.url(&test.db.url());
    let ran = test.bare(["doctor", "--database-url", &url]).output();
    let ran = test.ran(&ran.unwrap()).code(10);
    assert!(group(&ran, "Server").contains("✗ pooler"), "{ran}");
}

#[test]
fn folders_that_are_closed_or_open_to_others_are_found() {
    let test = Test::sql("SELECT 1").file("taken", "");
    let ran = test.run("doctor --state-dir taken/state");
    ran.says("no run can be recorded:")
        .says("taken is not a folder");
    let state = test.root().join("work/state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = test.run("doctor --state-dir state");
    ran.says("is open to others").says("`chmod 700");
}

#[test]
fn passwords_that_others_can_read_are_found() {
    let test = Test::sql("SELECT 1").file("pass", "*:*:*:*:hunter2\n");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(test.root().join("work/pass"), open).unwrap();
    let mut command = test.command(["doctor"]);
    let ran = test
        .ran(&command.env("PGPASSFILE", "pass").output().unwrap())
        .code(10);
    told!(group(&ran, "Connection"), @"");
    ran.keeps("hunter2");
}

#[test]
fn what_is_wrong_in_runbook_yaml_is_told_with_its_place() {
    let test = Test::sql("SELECT 1").file(
        "runbook.yaml",
        "targets:\n  crm:\n    url: $URL\n    protectd: true\n",
    );
    let ran = test.bare(["doctor"]).output().unwrap();
    let ran = test.ran(&ran).code(4);
    told!(group(&ran, "Project"), @"");
}

#[test]
fn a_target_is_held_against_its_policy_and_its_identity() {
    let test = Test::sql(ACCOUNTS);
    let url = test.db.url();
    let boss = "doctor_boss";
    let yaml = format!(
        "default: crm\ntargets:\n  crm:\n    url: {url}\n    protected: true\n    policy: strict\n\
         policies:\n  strict:\n    medium:\n      run: [{boss}]\n      backup: 24h\n    high:\n      approvals: {{ count: 2, by: [{boss}] }}\n"
    );
    let test = test.file("runbook.yaml", yaml);
    test.connect().run(&format!("CREATE ROLE {boss} LOGIN"));
    let ran = test.bare(["doctor"]).output().unwrap();
    let ran = test.ran(&ran);
    test.connect().run(&format!("DROP ROLE {boss}"));
    told!(group(&ran, "Project"), @"");
    told!(group(&ran, "Policy"), @"");
    told!(group(&ran, "Backups"), @"");
    let pinned = ran.code(10).stdout;
    let pinned = pinned
        .lines()
        .find(|line| line.contains("`identity: {"))
        .unwrap()
        .to_owned();
    // What it says can be pasted.
    let pinned = pinned
        .trim()
        .trim_matches('`')
        .replace("DB", test.db.name());
    let yaml = std::fs::read_to_string(test.root().join("work/runbook.yaml")).unwrap();
    let yaml = yaml.replace("    protected", &format!("    {pinned}\n    protected"));
    let test = test.file("runbook.yaml", yaml);
    let ran = test.bare(["doctor"]).output().unwrap();
    let ran = test.ran(&ran);
    assert!(group(&ran, "Server").contains("as runbook.yaml has it"));
}

/// What is told of a login of its own, made and granted by these statements; `{me}` is its name.
fn as_login(test: &Test, sql: &str) -> Ran {
    let me = "doctor_me";
    let connection = test.connect();
    connection.run(&format!("CREATE ROLE {me} LOGIN"));
    if !sql.is_empty() {
        connection.run(&sql.replace("{me}", me));
    }
    let url = test.db.url().replacen("postgres@", &format!("{me}@"), 1);
    let output = test
        .bare(["doctor", "--database-url", &url])
        .output()
        .unwrap();
    connection.run(&format!("DROP OWNED BY {me}; DROP ROLE {me}"));
    test.ran(&output)
}

#[test]
fn a_login_is_told_what_it_lacks_and_what_it_has_too_much() {
    let test = Test::sql(ACCOUNTS);
    let ran = as_login(&test, "").code(10);
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"");
    test.run("init").code(0);
    // Who only reads lacks nothing.
    let ran = as_login(&test, "GRANT SELECT ON accounts TO {me}");
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"");
    let ran = as_login(
        &test,
        "GRANT SELECT ON accounts TO {me}; GRANT USAGE ON SCHEMA runbook TO {me}; GRANT pg_write_all_data TO {me}; \
         ALTER ROLE {me} CREATEROLE",
    );
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"");
    let ran = as_login(
        &test,
        "GRANT ALL ON accounts TO {me}; ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; \
         CREATE SCHEMA hidden; CREATE TABLE hidden.t (a int)",
    );
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"");
}

#[test]
fn a_journal_that_is_foreign_damaged_or_old_is_found() {
    let test = Test::sql("CREATE SCHEMA runbook");
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"");
    let test = Test::sql(ACCOUNTS);
    test.run("init").code(0);
    test.connect()
        .run("ALTER TABLE runbook.image DROP COLUMN before");
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"");
    test.connect().run(
        "ALTER TABLE runbook.image ADD COLUMN before text; COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 1'",
    );
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"");
}

#[test]
fn what_runs_left_and_what_waits_is_told() {
    let test = Test::sql(ACCOUNTS);
    test.run("init").code(0);
    test.connect().run(
        "INSERT INTO runbook.lease (key, run, runbook, actor, expires_at) VALUES \
         ('crm', 'abcdef', 't', 'ann', now() + interval '1 hour'), ('old', 'ghjkmn', 't', 'bob', now() - interval '1 hour')",
    );
    let asked = |run: &str, seconds: i64| {
        format!(
            "INSERT INTO runbook.request (content) VALUES ('{{\"run\":\"{run}\",\"step\":1,\"needs\":\
             {{\"count\":2,\"by\":[],\"expire_seconds\":{seconds}}}}}')"
        )
    };
    test.connect().run(&asked("waitin", 3600));
    test.connect().run(&asked("expire", -1));
    let ran = test.run("doctor").keeps("expire");
    let until = regex_lite::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00").unwrap();
    let told = group(&ran, "Journal");
    told!(until.replace_all(&told, "MOMENT"), @"");
}
