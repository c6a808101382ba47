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
    lines.flat_map(|(_, line)| [line, "\n"]).collect()
}

#[test]
fn what_is_missing_is_said_with_what_mends_it() {
    // The server of the tests does without fsync.
    let ran = Test::sql(ACCOUNTS).run("doctor").code(10);
    let long = |line: &&str| line.chars().count() > 80 && !line.contains('`');
    assert_eq!(ran.stdout.lines().find(long), None);
    // How long the first line is differs with the server's folder.
    let told = unwrapped(&ran.stdout);
    let start = told.find("This machine").unwrap();
    told!(&told[start..], @"
    This machine
      ✓ program   runbook VERSION
      ✓ records   ROOT/.local/state/runbook, made with the first run
      ✓ backups   ROOT/.local/state/runbook/backups, SIZE free
      ! terminal  there is none: nobody is asked, and what is asked is refused
            on a protected target a person answers: run it in a terminal (`ssh -t`,
            `docker exec -it`)
            elsewhere questions are answered by `--answer NAME=…`
    Project
      ! runbook.yaml  there is none: no target is protected, and nothing tells one database from another
            `runbook targets` shows a small one to begin with
            it is looked for: `runbook.yaml` in this folder and those above, then
            `ROOT/.config/runbook/runbook.yaml`
    Connection
      ✓ server      postgres@SERVER:5432/DB answers
      ✓ encryption  none is needed: the server is on this machine
      ✓ password    none is open to others
    Server
      ✓ version      PostgreSQL VERSION
      ✓ writes       it is no replica
      ✗ durability   fsync and full_page_writes are off: a crash of the machine may damage the database
            `ALTER SYSTEM SET fsync = on;`
            `ALTER SYSTEM SET full_page_writes = on;`
            `SELECT pg_reload_conf();`
      ✓ statistics   sessions and changed rows are counted
      ✓ connections  N of N are free
      ✓ pooler       none stands between
      ✓ clock        the server's is this machine's
      ✓ identity     cluster ID, database DB
    Login
      ! role    postgres is a superuser: no right holds it, and it may alter the journal's past and forge approvals
            run runbooks as a login that may only what they need:
            `CREATE ROLE fixer LOGIN;`
            `GRANT CONNECT ON DATABASE DB TO fixer;`
            `GRANT USAGE ON SCHEMA public TO fixer;`
            `GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO fixer;`
            `GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO fixer;`
            `GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO fixer;`
            `runbook init --grant fixer`
      ✓ rights  it may read 1 of 1 table, and change 1
    Journal
      ! journal  there is none: the first change makes it, and its login owns it then, and may alter what is recorded
            make it as an owner who runs no runbooks: `runbook init --grant FIXER`
    Backups
      ✓ pg_dump  VERSION
      ! newest   there is no verified backup of this whole database
            `runbook backup create` makes one, and reads it back
      ✓ room     SIZE free for a database of SIZE
    1 thing is missing; 5 things to look at.
    ");
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
    told!(group(&ran, "Server"), @"
    Server
      ✓ version      PostgreSQL VERSION
      ✓ writes       it is no replica
      ✓ durability   what is committed is on disk
      ✓ statistics   sessions and changed rows are counted
      ✓ connections  N of N are free
      ✓ pooler       none stands between
      ✓ clock        the server's is this machine's
      ✓ identity     cluster ID, database postgres
    ");
    told!(group(&ran, "Login"), @"
    Login
      ✓ role    clerk, no superuser
      ✓ rights  it may read 1 of 1 table, and change 1
    ");
    told!(group(&ran, "Journal"), @"
    Journal
      ✓ journal  SIZE, of postgres
    ");
    ran.says("Nothing is missing;");
    // It reads, and leaves nothing.
    assert!(!test.root().join(".local").exists());
}

#[test]
fn without_a_connection_the_rest_is_told() {
    let test = Test::sql("SELECT 1");
    let mut command = test.bare([
        "doctor",
        "--database-url",
        "postgres://ann:hunter2@127.0.0.1:1/crm",
    ]);
    let ran = test
        .ran(&command.output().unwrap())
        .code(4)
        .keeps("hunter2");
    told!(group(&ran, "Connection"), @"
    Connection
      ✗ server    ann@127.0.0.1:1/crm: Connection refused (os error N)
            See whether it runs: `systemctl status postgresql`,
            `docker ps --filter name=postgres`, `pg_lsclusters` or
            `brew services list`
            If it does not, read why it ended before it is started again:
            `journalctl -u postgresql`, `docker logs CONTAINER`, or the end of the
            server's log; a full disk is the usual reason: `df -h`
            Start it: `systemctl start postgresql`, `docker compose up -d postgres`,
            `pg_ctlcluster VERSION main start` or `brew services start postgresql`
            If it runs, see whether it listens where you ask: `ss -ltn`, and
            `listen_addresses` and `port` in postgresql.conf; a firewall or a VPN
            may stand between
            Then once more: `runbook health`
      ! password  it stands on the command line, where every user of this machine can see it
            put it into `~/.pgpass` (HOST:PORT:DATABASE:USER:PASSWORD, mode 0600) or
            into `$PGPASSWORD`
    ");
    told!(group(&ran, "Backups"), @"
    Backups
      ✓ pg_dump  VERSION
    ");
    ran.says("The rest can be told once there is a");
    let mut command = test.bare(["doctor", "--database-url", "postgres://127.0.0.1:none/crm"]);
    test.ran(&command.output().unwrap())
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
    told!(group(&ran, "Connection"), @"
    Connection
      ✓ server      postgres@SERVER:5432/DB answers
      ✓ encryption  none is needed: the server is on this machine
      ✗ password    the password file pass is ignored: others may read it
            `chmod 600 pass`
    ");
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
    told!(group(&ran, "Project"), @"
    Project
      ✗ runbook.yaml  unknown key `protectd`
            runbook.yaml:4:5
            did you mean `protected`?
    ");
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
    told!(group(&ran, "Project"), @"
    Project
      ✓ runbook.yaml  runbook.yaml, 1 target
      ✓ target        `crm`, protected, policy `strict`
    ");
    told!(group(&ran, "Policy"), @"
    Policy
      ✗ roles  changes of high risk can never be approved on `crm`: 2 other logins must approve, and only `doctor_boss` can
            runbook.yaml:10:13
            make more logins members (GRANT role TO login), or ask for fewer
            approvals
    ");
    told!(group(&ran, "Backups"), @"
    Backups
      ✓ pg_dump  VERSION
      ✗ newest   there is no verified backup of this whole database, and the policy demands one
            `runbook backup create --target crm` makes one, and reads it back
      ✓ room     SIZE free for a database of SIZE
    ");
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
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"
    Login
      ✓ role    doctor_me, no superuser
      ✗ rights  it may read 0 of 1 table, and change 0
            as its owner: `GRANT USAGE ON SCHEMA public TO doctor_me;`
            `GRANT SELECT ON ALL TABLES IN SCHEMA public TO doctor_me;`
    Journal
      ✗ journal  there is none, and the login may not make it: nothing can be changed
            have the owner of the database make it: `runbook init --grant doctor_me`
    ");
    test.run("init").code(0);
    // Who only reads lacks nothing.
    let ran = as_login(&test, "GRANT SELECT ON accounts TO {me}");
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"
    Login
      ✓ role    doctor_me, no superuser
      ✓ rights  it may read 1 of 1 table, and change 0
    Journal
      ✓ journal  the login may not write to it, nor change any table: it only reads
    ");
    let ran = as_login(
        &test,
        "GRANT SELECT ON accounts TO {me}; GRANT USAGE ON SCHEMA runbook TO {me}; GRANT pg_write_all_data TO {me}; \
         ALTER ROLE {me} CREATEROLE",
    );
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"
    Login
      ! role    doctor_me may make roles: before PostgreSQL VERSION it can make itself a member of those who approve
            `ALTER ROLE doctor_me NOCREATEROLE;`
      ✓ rights  it may read 1 of 1 table, and change 1
    Journal
      ✓ journal  SIZE, of postgres
      ✗ past     the login may alter what is recorded: it has too many rights on capture, entry, glass, image, request and verdict
            `REVOKE ALL ON ALL TABLES IN SCHEMA runbook FROM doctor_me;`
            and take the role away that may give it, such as pg_write_all_data
            then grant what a run needs: `runbook init --grant doctor_me`
      ! leases   could not be looked at: permission denied for table lease
    ");
    let ran = as_login(
        &test,
        "GRANT ALL ON accounts TO {me}; ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; \
         CREATE SCHEMA hidden; CREATE TABLE hidden.t (a int)",
    );
    told!(group(&ran, "Login") + &group(&ran, "Journal"), @"
    Login
      ✓ role          doctor_me, no superuser
      ✓ rights        it may read 1 of 2 tables, and change 1
      ✓ schemas       it sees nothing of what is in the schema hidden
            if runbooks are about it: `GRANT USAGE ON SCHEMA hidden TO doctor_me;`
      ! row security  it may see only a part of the rows of accounts: policies decide which
            a fix that is meant for these rows alone says `row_security: true`;
            backups of such tables are refused
            where it must see all of them: `ALTER ROLE doctor_me BYPASSRLS;`
    Journal
      ✗ journal  it is there, and the login may not write to it: nothing can be changed
            have postgres grant it: `runbook init --grant doctor_me`
    ");
}

#[test]
fn a_journal_that_is_foreign_damaged_or_old_is_found() {
    let test = Test::sql("CREATE SCHEMA runbook");
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"
    Journal
      ✗ journal  this database has a schema `runbook` that is not the journal of this program
            give that schema another name: ALTER SCHEMA runbook RENAME TO …
            or keep it beside the run's record: `--journal local`
    ");
    let test = Test::sql(ACCOUNTS);
    test.run("init").code(0);
    test.connect()
        .run("ALTER TABLE runbook.image DROP COLUMN before");
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"
    Journal
      ✗ journal  the journal of this database is damaged: `runbook.image.before` is gone
            restore it from a backup, or begin a new one: ALTER SCHEMA runbook
            RENAME TO …
            or keep it beside the run's record: `--journal local`
    ");
    test.connect().run(
        "ALTER TABLE runbook.image ADD COLUMN before text; COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 1'",
    );
    let ran = test.run("doctor").code(10);
    told!(group(&ran, "Journal"), @"
    Journal
      ✓ journal  SIZE, of postgres
      ! version  it is of an earlier version of the program: what is recorded is not guarded yet, and nobody can be asked to approve
            as postgres: `runbook init`
    ");
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
    let until = regex_lite::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC").unwrap();
    let told = group(&ran, "Journal");
    told!(until.replace_all(&told, "MOMENT"), @"
    Journal
      ✓ journal  SIZE, of postgres
      ! lease  run RUN by ann left the lock `crm` behind; its lease still holds
            `runbook resume RUN` goes on with it, `runbook undo RUN` puts back
            what it changed
      ! lease  run RUN by bob left the lock `old` behind; its lease is over
            `runbook resume RUN` goes on with it, `runbook undo RUN` puts back
            what it changed
      ✓ waits    run waitin of postgres waits for approval until MOMENT: 0 of 2
            another login than postgres: `runbook approve waitin`
    ");
}
