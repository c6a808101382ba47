//! Secrets are nowhere to be read: not in what is printed, kept, sent, or seen of the processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use insta::assert_snapshot;

use crate::terminal::Terminal;
use crate::test::{Ran, Test};

const TOKEN: &str = "zq-TOKEN-7f3a";
const PINS: [&str; 2] = ["zq-PIN-one", "zq-PIN-t\"w'o"];
const PASSWORD: &str = "zq-PASS-wd";
const HOOK: &str = "zq-HOOK-4711";

/// An exit code that something else is about.
const ANY: i32 = -1;

/// What no text may have in it: parts, since a text may be cut or written otherwise.
const MARKS: [&str; 5] = ["zq-TOKEN", "zq-PIN", "zq-HASH", "zq-PASS", "zq-HOOK"];

const SETUP: &str = "CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE, hash text CHECK (hash <> 'zq-HASH-bad'));
    INSERT INTO users VALUES (1, 'ann', 'zq-HASH-81'), (2, 'bob', 'zq-HASH-82'), (3, 'cid', NULL)";

const RUNBOOK: &str = "
risk: high
lock: 'users/{{ token }}'
sensitive: [users.hash]
session: { app.token: '{{ token }}' }
notify:
  - { command: [sh, -c, 'cat >> told.json; env >> told.env; cat /proc/$$/cmdline >> told.args'], on: [start, done, failed] }
  - { webhook: $HOOK, timeout: 2s }
params:
  token: { type: text, secret: true, env: TOKEN, help: A token }
  pins: { type: list of text, secret: true, env: PINS }
  name: { type: text, default: ann }
steps:
  - query: given
    sql: SELECT {{ token }}::text AS token, {{ pins }}::text[] AS pins, jsonb_build_object('t', ({{ pins }}::text[])[2]) AS json, ROW(({{ pins }}::text[])[2])::text AS tuple, * FROM users ORDER BY id
  - query: listed
    command: [sh, -c, 'env; echo \"$0\"', '{{ name }}']
  - check: known
    that: given.rows[0].token == token
    otherwise: 'The token {{ token }} is unknown'
  - backup: before
    rows: { users: \"name <> {{ token }}::text AND name <> ALL ({{ pins }}::text[])\" }
  - backup: dumped
    database: schema
  - confirm: go
    of: f
    ask: 'Change {{ name }} by {{ token }} and {{ pins[0] }}?'
    type: '{{ token }}'
  - fix: f
    sql: UPDATE users SET name = name || '!', hash = hash || '-new' WHERE name = {{ name }} AND {{ token }}::text <> ALL ({{ pins }}::text[]) RETURNING *, {{ token }}::text AS by
    rows: 1
  - check: after
    that: name != 'bob'
    else: { fail: 'It was {{ token }} with {{ pins }}' }
  - query: paused
    sql: SELECT {{ token }}::text AS again, pg_sleep(0.3)::text AS slept
";

const WRONG: &str = "
risk: high
sensitive: [users.hash]
params:
  token: { type: text, secret: true, env: TOKEN }
steps:
  - confirm: go
    ask: Go?
  - fix: f
    sql: INSERT INTO users VALUES (4, {{ token }}, 'zq-' || 'HASH-4'), (5, {{ token }}, 'zq-' || 'HASH-bad')
    rows: 2
  - check: after
    that: true
";

fn test() -> Test {
    Test::sql(SETUP)
        .runbook("t", RUNBOOK)
        .runbook("wrong", WRONG)
}

fn pins() -> String {
    serde_json::to_string(&PINS).unwrap()
}

/// Returns the program with all secrets in its environment, the password of the database too.
fn command(test: &Test, args: &str) -> Command {
    let url = test.db.url();
    let url = url.replace("postgres@", &format!("postgres:{PASSWORD}@"));
    assert!(url.contains(PASSWORD));
    let mut command = test.bare(args.split_whitespace());
    command
        .env("DATABASE_URL", url)
        .env("TOKEN", TOKEN)
        .env("PINS", pins())
        .env("HOOK", format!("http://127.0.0.1:9/services/{HOOK}"))
        .env("PATH", "/usr/lib/postgresql/15/bin:/usr/bin:/bin");
    command
}

fn run(test: &Test, args: &str) -> Ran {
    test.ran(&command(test, args).output().unwrap())
}

#[track_caller]
fn clean(what: &str, text: &str) {
    for mark in MARKS {
        let at = text.find(mark);
        let around = at.map(|at| {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(60)
                .map_or(0, |(at, _)| at);
            text[from..].chars().take(160).collect::<String>()
        });
        assert!(at.is_none(), "{mark} in {what}: {}", around.unwrap());
    }
}

/// Reads all files in a folder, but those that hold data by their nature.
fn clean_files(folder: &Path, data: &dyn Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += clean_files(&path, data);
        } else if !data(&path.display().to_string()) {
            let bytes = fs::read(&path).unwrap();
            clean(
                &path.display().to_string(),
                &String::from_utf8_lossy(&bytes),
            );
            count += 1;
        }
    }
    count
}

/// Looks at the processes until it is told to stop: returns those in whose arguments a secret stands, and the names of
/// those below the program that know the password.
fn watch(stop: &AtomicBool) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut seen = (BTreeSet::new(), BTreeSet::new());
    while !stop.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| {
                let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let arguments = read("cmdline");
            if MARKS.iter().any(|mark| arguments.contains(mark)) {
                seen.0.insert(arguments);
            }
            // Between fork and exec a child still has the variables of the program.
            let before = read("comm");
            if read("environ").contains(PASSWORD) && read("comm") == before {
                seen.1.insert(before.trim().to_owned());
            }
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    seen
}

#[test]
fn case_37_marked_secrets_are_nowhere() {
    let test = test();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let watching = std::thread::spawn(move || watch(&stopping));
    let mut said = String::new();
    let mut all = |args: &str, code: i32| {
        let ran = run(&test, args);
        assert!(code < 0 || ran.code == Some(code), "{args}: {ran}");
        clean(args, &ran.to_string());
        said.push_str(&ran.to_string());
    };
    all("check", ANY);
    all("list", ANY);
    all("show t", ANY);
    all("run t --help", ANY);
    all("plan t", ANY);
    let answer = format!("--answer go={TOKEN}");
    all(&format!("run t --dry-run --output json {answer}"), 0);
    all("run t", 12);
    let first = test.id();
    for (name, output) in [("ann", "human"), ("cid", "json"), ("ann!", "quiet")] {
        all(&format!("run t --yes --name {name} --output {output}"), 0);
    }
    all("run t --yes --name bob", 13);
    all("run t --answer go=zq-TOKEN-wrong --name cid!", 12);
    for output in ["human", "json", "quiet"] {
        all(&format!("run wrong --yes --output {output}"), 10);
    }
    all("history", ANY);
    all("history --output json", ANY);
    for format in ["text", "markdown", "html", "json"] {
        all(&format!("report {first} --format {format}"), ANY);
        let last = test.ids().pop().unwrap();
        all(&format!("report {last} --format {format}"), ANY);
    }
    for id in test.ids().into_iter().take(6) {
        let ran = run(&test, &format!("undo {id} --yes"));
        clean("undo", &ran.to_string());
    }
    all("audit verify", ANY);
    all("audit export", ANY);
    all("audit export --format csv --out export.csv", ANY);
    all("backup list", ANY);
    all("backup list --output json", ANY);
    all("query SELECT*FROM(nothing)", ANY);
    all("completions bash", ANY);
    stop.store(true, Ordering::Relaxed);
    let (arguments, knowing) = watching.join().unwrap();
    assert!(said.contains("•••"), "{said}");
    // Answers that a test gives are in its own command lines, and nothing else is.
    let ours = |line: &&String| line.contains("--answer") || line.contains("pg_ctl");
    let others: Vec<_> = arguments.iter().filter(|line| !ours(line)).collect();
    assert!(others.is_empty(), "{others:?}");
    for name in &knowing {
        // A shell begins pg_dump; those of steps and of `notify` are looked at by what they print.
        let known = ["runbook", "sh", "pg_dump", "pg_restore"];
        assert!(known.contains(&name.as_str()), "{name} knows the password");
    }
    assert!(knowing.contains("runbook"), "{knowing:?}");
    // Everything that is left of it, but what holds the rows themselves.
    let is_data = |path: &str| {
        path.contains("/backups/") && Path::new(path).extension().is_none_or(|end| end != "json")
            || path.contains("/work/runbooks/")
            || path.ends_with("told.env")
    };
    assert!(clean_files(test.root(), &is_data) > 30);
    let told = fs::read_to_string(test.root().join("work/told.env")).unwrap();
    assert!(!told.contains(PASSWORD) && !told.contains(HOOK), "{told}");
    clean_journal(&test);
}

/// Reads every table of the journal but the images, which are the rows as they were.
fn clean_journal(test: &Test) {
    let tables = test.rows(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'runbook'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1",
    );
    assert!(tables.lines().any(|table| table == "entry"), "{tables}");
    for table in tables.lines() {
        let rows = test.rows(&format!("SELECT t::text FROM runbook.{table} t"));
        if table == "image" || table == "capture" {
            // They hold values of columns, and nothing else that is secret.
            for mark in ["zq-TOKEN", "zq-PIN", "zq-PASS", "zq-HOOK"] {
                assert!(!rows.contains(mark), "{mark} in {table}: {rows}");
            }
        } else {
            clean(table, &rows);
        }
    }
}

#[test]
fn a_lock_that_is_made_of_a_secret_stands_nowhere_in_plain() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
risk: high
lock: 'users/{{ token }}'
params:
  token: { type: text, secret: true, env: TOKEN }
steps:
  - confirm: go
    ask: Go?
  - fix: f
    sql: UPDATE users SET name = name || '!' WHERE id = 1
    rows: 1
  - check: after
    sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
    that: n == 1
",
    );
    let running = test.begin(command(&test, "run t --yes"));
    test.until(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND application_name LIKE 'runbook/%' AND position('pg_sleep' IN query) > 0)",
    );
    let key = test.rows("SELECT key FROM runbook.lease");
    assert!(key.starts_with("users/•••#") && key.len() > 16, "{key}");
    // Another run with the same secret is kept out; one with another secret is not.
    let mut other = command(&test, "run t --answer go=no");
    let ran = test.ran(&other.output().unwrap()).code(10);
    clean("the other run", &ran.to_string());
    assert!(
        ran.stdout
            .contains("another run holds the lock `users/•••#"),
        "{ran}"
    );
    other.env("TOKEN", "zq-TOKEN-other");
    test.ran(&other.output().unwrap()).code(12);
    running.kill();
    // Nor is what was cut short overrun.
    test.until("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'runbook/%')");
    let ran = run(&test, "run t --answer go=no").code(10);
    clean("a run after it", &ran.to_string());
    assert!(ran.stdout.contains("its lease on the lock"), "{ran}");
    // Whoever goes on with it is the one who holds it.
    let ran = run(&test, &format!("undo {} --yes", test.id()));
    clean("undo", &ran.code(0).to_string());
}

#[test]
fn a_secret_of_the_command_line_works_and_is_warned_of() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
params:
  token: { type: text, secret: true, env: TOKEN }
  pin: { type: text, secret: true, default: null }
steps:
  - query: q
    sql: SELECT length({{ token }}) AS n
"
        .replace(", default: null", "")
        .as_str(),
    );
    assert_snapshot!(test.run("run t --token hush-hush --pin 7x"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk
      token  •••
      pin    •••

      ✓ q                      1 row  TIME
          n
          9

    Done in TIME.
    --- stderr
    warning: the secret `token` stands on the command line, where others see it in the list of processes and the shell keeps it
      = help: give it at the prompt, by $TOKEN, or by --params - from another program
    warning: the secret `pin` stands on the command line, where others see it in the list of processes and the shell keeps it
      = help: give it at the prompt, by `env:` of the parameter, or by --params - from another program
    warning: the secret `pin` is so short that anybody can guess it, and much is masked that only looks like it
    ");
    let mut command = test.command(["run", "t"]);
    command.env("TOKEN", "hush-hush");
    let ran = test.ran(&command.output().unwrap());
    assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      pin: it has no value
        give --pin TEXT (text, secret)
      = help: `runbook run t --help` describes the parameters
    ");
}

#[test]
fn secrets_come_from_standard_input() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
params:
  token: { type: text, secret: true }
  name: { type: text }
steps:
  - query: q
    sql: SELECT {{ token }} || '/' || {{ name }} AS both, length({{ token }}) AS n
",
    );
    let feed = |text: &str, args: &str| {
        use std::io::Write;
        let mut command = test.command(args.split_whitespace());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        test.ran(&child.wait_with_output().unwrap())
    };
    assert_snapshot!(feed("token: hush-hush\nname: ann\n", "run t --params -"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk
      token  •••
      name   ann

      ✓ q                      1 row  TIME
          both     n
          •••/ann  9

    Done in TIME.
    ");
    // What is wrong with it is said without it.
    assert_snapshot!(feed("token: \"hush-hush\nname: ann\n", "run t --params -"), @"
    exit 3
    --- stderr
    error: `standard input:2:1` is not YAML
      it may hold secrets, so it is not shown
    ");
    assert_snapshot!(feed("token: [hush-hush]\nname: ann\n", "run t --params -"), @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      token: the value is not allowed (it is secret, so it is not shown)
        give --token TEXT (text, secret)
      = help: `runbook run t --help` describes the parameters
    ");
    assert_snapshot!(feed("", "run t --params - --name ann"), @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      token: it has no value
        give --token TEXT (text, secret)
      = help: `runbook run t --help` describes the parameters
    ");
}

#[test]
fn a_secret_is_typed_without_being_shown() {
    let test = Test::sql(SETUP).runbook(
        "t",
        "
risk: high
params:
  token: { type: text, secret: true }
steps:
  - confirm: go
    ask: Go?
    type: '{{ token }}'
  - fix: f
    sql: UPDATE users SET name = name || '!' WHERE id = 1
    rows: 1
  - check: after
    that: true
",
    );
    let terminal = Terminal::own(&test, "run t").shows("token (not shown): ");
    assert!(!terminal.echoes());
    let terminal = terminal
        .types("hush-hush\n")
        .shows("Type \"•••\" to go on: ");
    assert!(!terminal.echoes());
    let (code, screen) = terminal.types("hush-hush\n").end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hush"), "{screen}");
    // The wrong text is not shown either: it may be all but one letter of it.
    let terminal = Terminal::own(&test, "run t").shows("token (not shown): ");
    let terminal = terminal.types("hush-hush\n").shows("to go on: ");
    let (code, screen) = terminal.types("hush-hash\n").end();
    assert_eq!(code, Some(12), "{screen}");
    assert!(!screen.contains("hush"), "{screen}");
}
