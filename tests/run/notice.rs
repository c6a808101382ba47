//! `notify:`: who is told how a run goes, what, and what becomes of it when nobody can be told.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use crate::hook::{Hook, Sent};
use crate::test::{Ran, Test};

const SETUP: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20); \
    CREATE TABLE log (id int PRIMARY KEY, what text)";

const STEPS: &str = "
steps:
  - confirm: go
    ask: Raise it?
  - atomic: both
    steps:
      - fix: raise
        sql: UPDATE accounts SET balance = balance + 1 WHERE id < 3
        rows: 2
      - fix: note
        sql: INSERT INTO log VALUES (1, 'raised')
        rows: 1
  - check: after
    that: true
";

fn told(notify: &str) -> Test {
    with(notify, STEPS)
}

fn with(notify: &str, steps: &str) -> Test {
    Test::sql(SETUP).runbook("t", &format!("risk: high\n{notify}\n{steps}"))
}

fn moments(sent: &[Sent]) -> Vec<String> {
    let word = |sent: &Sent| {
        let outcome = sent.body["outcome"].as_str().unwrap_or("-");
        format!("{} {outcome}", sent.body["moment"].as_str().unwrap())
    };
    sent.iter().map(word).collect()
}

/// Runs with variables.
fn run_with(test: &Test, args: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = test.command(args.split_whitespace());
    command.envs(variables.iter().copied());
    test.ran(&command.output().unwrap())
}

#[test]
fn a_web_hook_is_told_of_the_end() {
    let hook = Hook::answering("200 OK");
    let test = told(&format!("notify: [{{ webhook: '{}' }}]", hook.url("/hook")));
    let ran = test.run("run t --yes").code(0);
    assert_eq!(ran.stderr, "");
    let sent = hook.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].path, "/hook");
    let body = serde_json::to_string_pretty(&sent[0].body).unwrap();
    let body = test.redact(&body).replace(&test.id(), "RUN");
    assert_snapshot!(body, @r#"
    {
      "text": "Test: done, 3 rows of 2 tables changed. t on DB (USER@HOST), run RUN, by postgres (USER@HOST)",
      "run": "RUN",
      "runbook": "t",
      "title": "Test",
      "target": "DB (USER@HOST)",
      "moment": "done",
      "by": "postgres (USER@HOST)",
      "says": null,
      "outcome": "done",
      "changes": "3 rows of 2 tables"
    }
    "#);
}

#[test]
fn a_program_reads_the_message_and_sees_no_password() {
    let script = "cat > told.json; env | sort > env.txt; pwd > folder.txt";
    let test = told(&format!("notify:\n  - command: [sh, -c, '{script}']"));
    let variables = [
        ("PGPASSWORD", "hush-hush"),
        ("DATABASE_URL", "postgres://a:hush-hush@nowhere/b"),
        ("OTHER_URL", "postgres://a:hush-hush@nowhere/b"),
        ("CALLED_BY", "the test"),
        ("PATH", "/usr/bin:/bin"),
    ];
    run_with(&test, "run t --yes", &variables).code(0);
    let read = |name: &str| std::fs::read_to_string(test.root().join("work").join(name)).unwrap();
    let body: serde_json::Value = serde_json::from_str(&read("told.json")).unwrap();
    assert_eq!(body["moment"], "done");
    assert_eq!(body["changes"], "3 rows of 2 tables");
    assert_eq!(
        read("folder.txt").trim(),
        test.root().join("work").to_str().unwrap()
    );
    let variables = read("env.txt");
    assert!(!variables.contains("hush-hush"), "{variables}");
    for line in [
        "CALLED_BY=the test",
        "RUNBOOK_MOMENT=done",
        "RUNBOOK_RUNBOOK=t",
    ] {
        assert!(variables.lines().any(|known| known == line), "{variables}");
    }
    assert!(
        variables.contains(&format!("RUNBOOK_RUN={}\n", test.id())),
        "{variables}"
    );
}

#[test]
fn each_is_told_of_what_it_wants_to_hear() {
    let hook = Hook::answering("204 No Content");
    let all = "on: [start, done, failed, waiting]";
    let test = told(&format!(
        "notify: [{{ webhook: '{}', {all} }}]",
        hook.url("/")
    ));
    test.run("run t --answer go=no").code(12);
    // Nobody waits until it is known that it began: the end may be told before.
    let mut told = moments(&hook.sent());
    told.sort();
    assert_eq!(told, ["failed declined", "start -"]);
    test.run("run t --dry-run").code(0);
    assert_eq!(hook.sent().len(), 2, "nobody is told of what does not last");
    test.run("run t --yes").code(0);
    let sent = hook.sent();
    let changes = |moment: &str| -> Vec<&serde_json::Value> {
        let told = sent.iter().filter(|sent| sent.body["moment"] == moment);
        told.map(|sent| &sent.body["changes"]).collect()
    };
    assert_eq!(changes("start").len(), 2);
    assert_eq!(changes("failed"), [&serde_json::Value::Null]);
    assert_eq!(changes("done"), ["3 rows of 2 tables"]);
}

#[test]
fn what_was_put_back_is_not_told_as_changed() {
    let hook = Hook::answering("200 OK");
    let steps = STEPS.replace("that: true", "that: false");
    let test = with(
        &format!("notify: [{{ webhook: '{}' }}]", hook.url("/")),
        &steps,
    );
    test.run("run t --yes").code(11);
    let sent = hook.sent();
    assert_eq!(moments(&sent), ["failed rolled_back"]);
    assert_eq!(sent[0].body["changes"], serde_json::Value::Null);
}

#[test]
fn a_run_that_goes_on_and_an_undo_are_told() {
    let hook = Hook::answering("200 OK");
    let notify = format!(
        "notify:\n  - {{ webhook: '{}', on: [start, done, failed] }}",
        hook.url("/")
    );
    let steps = STEPS.replace("that: true", "sql: SELECT (SELECT count(*) FROM log) AS n FROM (SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM accounts WHERE id = 3) THEN 0 ELSE 60 END)) AS pause\n    that: n == 1");
    let test = with(&notify, &steps);
    let run = test.start("run t --yes");
    test.until(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND application_name LIKE 'runbook/%' AND position('pg_sleep' IN query) > 0)",
    );
    run.kill();
    test.connect().run("INSERT INTO accounts VALUES (3, 30)");
    test.run(&format!("resume {} --yes", test.id())).code(0);
    let sent = hook.sent();
    assert_eq!(moments(&sent), ["start -", "start -", "done done"]);
    assert!(sent[1].body["text"].as_str().unwrap().contains("goes on"));
    assert_eq!(sent[2].body["changes"], "3 rows of 2 tables");
}

#[test]
fn all_are_told_at_the_same_time() {
    let second = Arc::new(Hook::answering("200 OK"));
    let seen = Arc::clone(&second);
    // The first one answers once the second one was told.
    let first = Hook::new(move |_| {
        Test::wait(|| !seen.sent().is_empty());
        "200 OK".to_owned()
    });
    let test = told(&format!(
        "notify: [{{ webhook: '{}', timeout: 1m }}, {{ webhook: '{}', timeout: 1m }}]",
        first.url("/"),
        second.url("/")
    ));
    let ran = test.run("run t --yes").code(0);
    assert_eq!(ran.stderr, "");
    assert_eq!((first.sent().len(), second.sent().len()), (1, 1));
}

#[test]
fn a_run_does_not_wait_before_its_end() {
    let test = Test::sql(SETUP);
    let url = test.db.url();
    // The start is taken note of only once the run has changed everything.
    let hook = Hook::new(move |sent| {
        if sent.body["moment"] == "start" {
            Test::wait(|| {
                let mut psql = Command::new("/usr/lib/postgresql/15/bin/psql");
                let out = psql
                    .args([&url, "-Atc", "SELECT count(*) FROM log"])
                    .output();
                out.is_ok_and(|out| out.stdout == b"1\n")
            });
        }
        "200 OK".to_owned()
    });
    let notify = format!(
        "notify: [{{ webhook: '{}', on: start, timeout: 1m }}]",
        hook.url("/")
    );
    let test = test.runbook("t", &format!("risk: high\n{notify}\n{STEPS}"));
    let ran = test.run("run t --yes").code(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(moments(&hook.sent()), ["start -"]);
}

#[test]
fn what_cannot_be_told_is_a_warning_and_no_more() {
    let broken = Hook::answering("500 Internal Server Error");
    let elsewhere = Arc::new(Hook::answering("200 OK"));
    let to = elsewhere.url("/taken");
    let moved = Hook::new(move |_| format!("307 Temporary Redirect\r\nLocation: {to}"));
    let silent = Hook::new(|_| {
        std::thread::sleep(Duration::from_secs(20));
        "200 OK".to_owned()
    });
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let test = told(
        "
notify:
  - webhook: $BROKEN
  - webhook: $MOVED
  - { webhook: $SILENT, timeout: 300ms }
  - webhook: $CLOSED
  - webhook: $NOT_SET
  - webhook: $PLAIN
  - command: [sh, -c, exit 3]
  - command: [no-such-program, --at-all]
  - { command: [sleep, '20'], timeout: 300ms }
",
    );
    let token = "T0KEN-4711-very-secret";
    let urls = [
        broken.url(""),
        moved.url(""),
        silent.url(""),
        format!("http://127.0.0.1:{port}"),
    ];
    let urls = urls.map(|url| format!("{url}/services/{token}?key={token}"));
    let variables = [
        ("BROKEN", urls[0].as_str()),
        ("MOVED", &urls[1]),
        ("SILENT", &urls[2]),
        ("CLOSED", &urls[3]),
        ("PLAIN", "http://hooks.example.com/T0KEN-4711-very-secret"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let ran = run_with(&test, "run t --yes", &variables)
        .code(0)
        .keeps("T0KEN");
    let mut lines: Vec<String> = ran.stderr.lines().map(str::to_owned).collect();
    for (hook, name) in [
        (broken.port(), "BROKEN"),
        (moved.port(), "MOVED"),
        (silent.port(), "SILENT"),
        (port, "CLOSED"),
    ] {
        for line in &mut lines {
            *line = line.replace(&format!("127.0.0.1:{hook}"), name);
        }
    }
    lines.sort();
    assert_snapshot!(lines.join("\n"), @"
    warning: could not tell $NOT_SET of it: the environment variable is not set
    warning: could not tell BROKEN of it: it answers 500 Internal Server Error
    warning: could not tell CLOSED of it: connection refused
    warning: could not tell MOVED of it: it answers 307, and points elsewhere, where nothing is sent
    warning: could not tell SILENT of it: it took longer than TIME
    warning: could not tell `no-such-program` of it: no such file or directory
    warning: could not tell `sh` of it: it ended with exit code 3
    warning: could not tell `sleep` of it: it took longer than TIME
    warning: could not tell hooks.example.com of it: what is sent by `http://` can be read on its way
    ");
    assert!(
        elsewhere.sent().is_empty(),
        "nothing is sent to where nobody asked for"
    );
    assert_eq!(broken.sent().len(), 1);
    let log = std::fs::read_to_string(test.record().join("events.jsonl")).unwrap();
    let facts = std::fs::read_to_string(test.record().join("run.json")).unwrap();
    assert!(!log.contains("T0KEN") && !facts.contains("T0KEN"));
    assert!(!log.contains("could not tell"));
    // It is the same when the run itself failed.
    run_with(&test, "run t --answer go=no", &variables)
        .code(12)
        .keeps("T0KEN");
}

#[test]
fn a_secret_is_masked_and_slack_is_not_misled() {
    let hook = Hook::answering("200 OK");
    let steps = "
params:
  token: { type: text, secret: true, env: TOKEN }
  who: { type: text }
steps:
  - query: asked
    sql: SELECT {{ token }} AS token, {{ who }} AS who
  - check: known
    that: asked.rows[0].token == 'x'
    otherwise: \"{{ asked.rows[0].token }} is not known to {{ who }}\"
";
    let test = with(
        &format!("notify: [{{ webhook: '{}' }}]", hook.url("/")),
        steps,
    );
    let ran = run_with(&test, "run t --who <!channel>", &[("TOKEN", "hush-hush")]);
    assert_eq!(ran.code, Some(10), "{ran}");
    let sent = hook.sent();
    let text = sent[0].body.to_string();
    assert!(!text.contains("hush-hush"), "{text}");
    assert!(
        !sent[0].body["text"].as_str().unwrap().contains('<'),
        "{text}"
    );
}

#[test]
fn a_target_and_all_targets_have_their_own() {
    let (mine, ours) = (Hook::answering("200 OK"), Hook::answering("200 OK"));
    let test = Test::sql(SETUP);
    let url = test.db.url();
    let project = format!(
        "
default: crm
targets:
  crm:
    url: $CRM_URL
    notify: [{{ webhook: '{}' }}]
notify:
  - {{ webhook: '{}', on: [start, done] }}
",
        mine.url("/mine"),
        ours.url("/ours")
    );
    let test = test
        .file("runbook.yaml", project)
        .runbook("t", &format!("risk: high\n{STEPS}"));
    let mut command = test.bare(["run", "t", "--yes"]);
    command.env("CRM_URL", &url);
    test.ran(&command.output().unwrap()).code(0);
    assert_eq!(moments(&mine.sent()), ["done done"]);
    assert_eq!(mine.sent()[0].body["target"], "crm");
    assert_eq!(moments(&ours.sent()), ["start -", "done done"]);
    // An undo is told by those of the target.
    let mut command = test.bare(["undo", &test.id(), "--yes"]);
    command.env("CRM_URL", &url);
    test.ran(&command.output().unwrap()).code(0);
    assert_eq!(moments(&mine.sent()), ["done done", "done done"]);
}

/// All that can be wrong with `notify`.
const WRONG: &str = "
notify:
  - on: done
  - { command: [a], webhook: $HOOK }
  - command: []
  - command: [\"\", a]
  - command: [sh, '{{ who }}']
  - webhook: http://hooks.example.com/x
  - webhook: ftp://127.0.0.1/x
  - webhook: https:///x
  - webhook: $NO-NAME
  - webhook: https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXX9X
  - webhook: https://me:pass@example.com/
  - { webhook: $HOOK, timeout: 2m }
  - { webhook: http://localhost:8080/hook }
";

#[test]
fn what_is_wrong_with_it_is_said_where_it_stands() {
    let test = told(WRONG);
    assert_snapshot!(test.run("check t"), @r#"
    exit 3
    --- stdout
    error: the address of `webhook` in line 15 of runbooks/t.yaml holds a secret
     |
     = note: who knows the address can write there; it would be in the record of each run
     = help: put it into an environment variable, and write `webhook: $NAME`

    error: the address of `webhook` in line 16 of runbooks/t.yaml holds a secret
     |
     = note: who knows the address can write there; it would be in the record of each run
     = help: put it into an environment variable, and write `webhook: $NAME`

    error: nobody is told
     --> runbooks/t.yaml:6:5
      |
    6 |   - on: done
      |     ^
      |
      = help: give `command: [PROGRAM, ARGUMENT, …]`, or `webhook: $NAME`

    error: `command` and `webhook` together
     --> runbooks/t.yaml:7:17
      |
    7 |   - { command: [a], webhook: $HOOK }
      |                 ^
      |
      = help: make two of them, one for each

    error: the command has no program
     --> runbooks/t.yaml:8:5
      |
    8 |   - command: []
      |     ^
      |
      = help: give the program and its arguments as a list: `command: [notify-send, runbook]`

    error: the command has no program
     --> runbooks/t.yaml:9:5
      |
    9 |   - command: ["", a]
      |     ^
      |
      = help: give the program and its arguments as a list: `command: [notify-send, runbook]`

    error: nothing is filled in here
      --> runbooks/t.yaml:10:19
       |
    10 |   - command: [sh, '{{ who }}']
       |                   ^^^^^^^^^^^
       |
       = help: the program reads what there is to tell as JSON from its standard input, and RUNBOOK_RUN, RUNBOOK_RUNBOOK, RUNBOOK_TARGET and RUNBOOK_MOMENT are in its environment

    error: what is sent by `http://` can be read on its way
      --> runbooks/t.yaml:11:14
       |
    11 |   - webhook: http://hooks.example.com/x
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write `webhook: $NAME`, an environment variable that holds an `https://` address

    error: the address is not one of the web
      --> runbooks/t.yaml:12:14
       |
    12 |   - webhook: ftp://127.0.0.1/x
       |              ^^^^^^^^^^^^^^^^^
       |
       = help: write `webhook: $NAME`, an environment variable that holds an `https://` address

    error: the address has no host
      --> runbooks/t.yaml:13:14
       |
    13 |   - webhook: https:///x
       |              ^^^^^^^^^^
       |
       = help: write `webhook: $NAME`, an environment variable that holds an `https://` address

    error: this is no name of an environment variable
      --> runbooks/t.yaml:14:14
       |
    14 |   - webhook: $NO-NAME
       |              ^^^^^^^^
       |
       = help: write `$NAME`, with letters, digits and `_`

    error: the time-out is not between 1ms and 1m
      --> runbooks/t.yaml:17:5
       |
    17 |   - { webhook: $HOOK, timeout: 2m }
       |     ^
       |
       = note: a run waits at its end until all are told

    1 runbook: 0 valid, 1 invalid (12 errors)
    "#);
    it_is_said_of_runbook_yaml(test);
}

fn it_is_said_of_runbook_yaml(test: Test) {
    let test = test.runbook("u", "steps:\n  - query: a\n    sql: SELECT 1").file(
        "runbook.yaml",
        "targets:\n  crm:\n    url: $CRM\n    notify: [{ webhook: http://hooks.example.com/x }]\nnotify:\n  - command: []\n",
    );
    let ran = test.ran(&test.bare(["run", "u", "--target", "crm"]).output().unwrap());
    assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: what is sent by `http://` can be read on its way
     --> runbook.yaml:4:25
      |
    4 |     notify: [{ webhook: http://hooks.example.com/x }]
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `webhook: $NAME`, an environment variable that holds an `https://` address

    error: the command has no program
     --> runbook.yaml:6:5
      |
    6 |   - command: []
      |     ^
      |
      = help: give the program and its arguments as a list: `command: [notify-send, runbook]`
    ");
}

#[test]
fn over_tls_only_who_is_proven_is_told() {
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let test = told("notify: [{ webhook: $HOOK }]");
    let at = |name: &str| test.root().join(name);
    let made = Command::new("openssl")
        .args("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE".split(' '))
        .current_dir(test.root())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let config = tls(&at("ca.pem"), &at("key.pem"));
    let hook = Hook::over(
        |_| "200 OK".to_owned(),
        move |mut stream, serve| {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            serve(&mut rustls::Stream::new(&mut session, &mut stream));
            session.send_close_notify();
            let _ = session.complete_io(&mut stream);
        },
    );
    let url = format!("https://localhost:{}/services/T0KEN", hook.port());
    let ca = at("ca.pem").display().to_string();
    let variables = [("HOOK", url.as_str()), ("SSL_CERT_FILE", &ca)];
    let ran = run_with(&test, "run t --yes", &variables).code(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(moments(&hook.sent()), ["done done"]);
    let ran = run_with(&test, "run t --answer go=no", &[("HOOK", &url)])
        .code(12)
        .keeps("T0KEN");
    assert!(ran.stderr.contains("could not tell localhost:"), "{ran}");
    assert_eq!(hook.sent().len(), 1, "whoever is not proven is not told");
}

fn tls(certificate: &std::path::Path, key: &std::path::Path) -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}
