//! Every way in which a question is answered, or not: what becomes of the run, and what its record says.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::terminal::Terminal;
use crate::test::Test;

const SETUP: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20)";

const ASKED: &str = "
    - confirm: go
      ask: Raise it?
      {typed}
      {timeout}
      {else}
    - fix: raise
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
      rows: 1
    - check: after
      that: true
";

/// A change that is committed before the question.
const BEFORE: &str = "
    - confirm: first
      ask: Lower the other one first?
    - fix: lower
      sql: UPDATE accounts SET balance = balance - 1 WHERE id = 2
      rows: 1
    - check: lowered
      that: true
";

/// A runbook with a question.
#[derive(Clone, Copy, Default)]
struct Asked {
    typed: bool,
    timeout: bool,
    otherwise: bool,
    before: &'static str,
}

impl Asked {
    fn test(self) -> Test {
        let key = |is_there: bool, text: &'static str| if is_there { text } else { "# nothing" };
        let asked = ASKED
            .replace("{typed}", key(self.typed, "type: raise"))
            .replace("{timeout}", key(self.timeout, "timeout: 300ms"))
            .replace(
                "{else}",
                key(self.otherwise, "else: { stop: Another time. }"),
            );
        let before = self.before.trim_end();
        Test::sql(SETUP).steps(&format!("{before}{asked}"))
    }

    fn prompt(self) -> &'static str {
        if self.typed {
            "Type \"raise\" to go on: "
        } else {
            "Go on? [y/N] "
        }
    }

    fn args(self) -> &'static str {
        if self.before.is_empty() {
            "run t"
        } else {
            "run t --answer first=yes"
        }
    }
}

/// Says how a run ended, what its rows are then, and what its record says of the question.
fn told(test: &Test, code: Option<i32>) -> String {
    let log = std::fs::read_to_string(test.record().join("events.jsonl")).unwrap();
    let mut answer = "no answer".to_owned();
    let mut outcome = "no end".to_owned();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap() {
            "step_finished" if event["step"]["name"] == "go" => {
                let result = &event["result"];
                let word = if result["yes"] == true { "yes" } else { "no" };
                answer = format!("{word} by {}", text(&result["by"]));
                if let Some(why) = result["why"].as_str() {
                    write!(answer, ": {why}").unwrap();
                }
            }
            "step_failed" if event["step"]["name"] == "go" => {
                answer = text(&event["failure"]["message"]);
            }
            "run_finished" => outcome = text(&event["outcome"]),
            _ => {}
        }
    }
    let code = code.map_or("a signal".to_owned(), |code| code.to_string());
    let rows = test.rows("SELECT string_agg(balance::text, ',' ORDER BY id) FROM accounts");
    test.redact(&format!("{code} {outcome}, rows {rows}, {answer}"))
}

/// Has a question answered at a terminal.
fn at_terminal(asked: Asked, answer: impl FnOnce(Terminal<'_>) -> Terminal<'_>) -> String {
    let test = asked.test();
    let terminal = Terminal::own(&test, asked.args()).shows(asked.prompt());
    let (code, screen) = answer(terminal).end();
    let told = told(&test, code);
    assert!(!screen.contains("panicked"), "{screen}");
    told
}

/// Has it answered without one.
fn without(asked: Asked, args: &str, change: impl FnOnce(Command) -> Command) -> String {
    let test = asked.test();
    let args = format!("{} {args}", asked.args());
    let command = change(test.command(args.split_whitespace()));
    let ran = test.begin(command).end();
    told(&test, ran.code)
}

const ANSWERS: [(&str, &str); 11] = [
    ("y", "y\n"),
    ("YES", "YES\n"),
    ("n", "n\n"),
    ("no", "No\n"),
    ("empty", "\n"),
    ("blanks", "  \n"),
    ("the text", " raise \n"),
    ("almost the text", "Raise\n"),
    ("something else", "sure\n"),
    ("end of input", "\x04"),
    ("y and end of input", "y\x04\x04"),
];

#[test]
fn what_is_typed_at_a_question_of_yes_and_no() {
    let mut all = String::new();
    for (name, keys) in ANSWERS {
        let told = at_terminal(Asked::default(), |terminal| terminal.types(keys));
        writeln!(all, "{name}: {told}").unwrap();
    }
    assert_snapshot!(all, @r#"
    y: 0 done, rows 11,20, yes by postgres (USER@HOST)
    YES: 0 done, rows 11,20, yes by postgres (USER@HOST)
    n: 12 declined, rows 10,20, no by postgres (USER@HOST)
    no: 12 declined, rows 10,20, no by postgres (USER@HOST)
    empty: 12 declined, rows 10,20, no by postgres (USER@HOST)
    blanks: 12 declined, rows 10,20, no by postgres (USER@HOST)
    the text: 12 declined, rows 10,20, no by postgres (USER@HOST): "raise" is neither yes nor no
    almost the text: 12 declined, rows 10,20, no by postgres (USER@HOST): "Raise" is neither yes nor no
    something else: 12 declined, rows 10,20, no by postgres (USER@HOST): "sure" is neither yes nor no
    end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    y and end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    "#);
}

#[test]
fn what_is_typed_where_a_text_must_be_typed() {
    let asked = Asked {
        typed: true,
        ..Asked::default()
    };
    let mut all = String::new();
    for (name, keys) in ANSWERS {
        let told = at_terminal(asked, |terminal| terminal.types(keys));
        writeln!(all, "{name}: {told}").unwrap();
    }
    assert_snapshot!(all, @r#"
    y: 12 declined, rows 10,20, no by postgres (USER@HOST): "y" is not the text asked for, "raise"
    YES: 12 declined, rows 10,20, no by postgres (USER@HOST): "YES" is not the text asked for, "raise"
    n: 12 declined, rows 10,20, no by postgres (USER@HOST)
    no: 12 declined, rows 10,20, no by postgres (USER@HOST)
    empty: 12 declined, rows 10,20, no by postgres (USER@HOST)
    blanks: 12 declined, rows 10,20, no by postgres (USER@HOST)
    the text: 0 done, rows 11,20, yes by postgres (USER@HOST)
    almost the text: 12 declined, rows 10,20, no by postgres (USER@HOST): "Raise" is not the text asked for, "raise"
    something else: 12 declined, rows 10,20, no by postgres (USER@HOST): "sure" is not the text asked for, "raise"
    end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    y and end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    "#);
}

/// What ends a question that nobody answers.
fn ends(asked: Asked) -> String {
    let mut all = String::new();
    let late = Asked {
        timeout: true,
        ..asked
    };
    let mut say = |name: &str, told: String| writeln!(all, "{name}: {told}").unwrap();
    say("time-out", at_terminal(late, |terminal| terminal));
    say(
        "end of input",
        at_terminal(asked, |terminal| terminal.types("\x04")),
    );
    say(
        "Ctrl-C",
        at_terminal(asked, |terminal| terminal.types("\x03")),
    );
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let told = at_terminal(asked, |terminal| terminal.signals(signal));
        say(signal.as_str(), told);
    }
    // With the first letter of an answer typed: it counts for nothing without its Enter.
    say(
        "hang-up",
        at_terminal(asked, |terminal| terminal.types("y").hangs_up()),
    );
    all
}

#[test]
fn case_40_what_ends_a_question_of_yes_and_no() {
    assert_snapshot!(ends(Asked::default()), @"
    time-out: 12 declined, rows 10,20, no by nobody: nobody answered in time
    end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    Ctrl-C: 130 cancelled, rows 10,20, cancelled at the question
    SIGINT: 130 cancelled, rows 10,20, cancelled at the question
    SIGTERM: 130 cancelled, rows 10,20, cancelled at the question
    SIGHUP: 130 cancelled, rows 10,20, cancelled at the question
    hang-up: 130 cancelled, rows 10,20, cancelled at the question
    ");
}

#[test]
fn case_40_what_ends_a_question_for_a_text() {
    let asked = Asked {
        typed: true,
        ..Asked::default()
    };
    assert_snapshot!(ends(asked), @"
    time-out: 12 declined, rows 10,20, no by nobody: nobody answered in time
    end of input: 12 declined, rows 10,20, no by nobody: the input ended without an answer
    Ctrl-C: 130 cancelled, rows 10,20, cancelled at the question
    SIGINT: 130 cancelled, rows 10,20, cancelled at the question
    SIGTERM: 130 cancelled, rows 10,20, cancelled at the question
    SIGHUP: 130 cancelled, rows 10,20, cancelled at the question
    hang-up: 130 cancelled, rows 10,20, cancelled at the question
    ");
}

#[test]
fn case_40_what_ends_a_question_that_has_an_else() {
    let asked = Asked {
        otherwise: true,
        ..Asked::default()
    };
    assert_snapshot!(ends(asked), @"
    time-out: 0 nothing, rows 10,20, no by nobody: nobody answered in time
    end of input: 0 nothing, rows 10,20, no by nobody: the input ended without an answer
    Ctrl-C: 130 cancelled, rows 10,20, cancelled at the question
    SIGINT: 130 cancelled, rows 10,20, cancelled at the question
    SIGTERM: 130 cancelled, rows 10,20, cancelled at the question
    SIGHUP: 130 cancelled, rows 10,20, cancelled at the question
    hang-up: 130 cancelled, rows 10,20, cancelled at the question
    ");
}

#[test]
fn case_40_what_ends_a_question_after_a_change() {
    let asked = Asked {
        before: BEFORE,
        ..Asked::default()
    };
    assert_snapshot!(ends(asked), @"
    time-out: 13 stopped, rows 10,19, no by nobody: nobody answered in time
    end of input: 13 stopped, rows 10,19, no by nobody: the input ended without an answer
    Ctrl-C: 11 rolled_back, rows 10,20, cancelled at the question
    SIGINT: 11 rolled_back, rows 10,20, cancelled at the question
    SIGTERM: 11 rolled_back, rows 10,20, cancelled at the question
    SIGHUP: 11 rolled_back, rows 10,20, cancelled at the question
    hang-up: 11 rolled_back, rows 10,20, cancelled at the question
    ");
}

#[test]
fn a_no_after_a_change_and_with_an_else() {
    let before = Asked {
        before: BEFORE,
        ..Asked::default()
    };
    let otherwise = Asked {
        otherwise: true,
        ..Asked::default()
    };
    let both = Asked {
        otherwise: true,
        ..before
    };
    let mut all = String::new();
    for (name, asked) in [("before", before), ("else", otherwise), ("both", both)] {
        for keys in ["y\n", "n\n", "sure\n"] {
            let told = at_terminal(asked, |terminal| terminal.types(keys));
            writeln!(all, "{name}, {}: {told}", keys.trim()).unwrap();
        }
    }
    assert_snapshot!(all, @r#"
    before, y: 0 done, rows 11,19, yes by postgres (USER@HOST)
    before, n: 13 stopped, rows 10,19, no by postgres (USER@HOST)
    before, sure: 13 stopped, rows 10,19, no by postgres (USER@HOST): "sure" is neither yes nor no
    else, y: 0 done, rows 11,20, yes by postgres (USER@HOST)
    else, n: 0 nothing, rows 10,20, no by postgres (USER@HOST)
    else, sure: 0 nothing, rows 10,20, no by postgres (USER@HOST): "sure" is neither yes nor no
    both, y: 0 done, rows 11,19, yes by postgres (USER@HOST)
    both, n: 0 nothing, rows 10,19, no by postgres (USER@HOST)
    both, sure: 0 nothing, rows 10,19, no by postgres (USER@HOST): "sure" is neither yes nor no
    "#);
}

/// The program without a terminal to ask at.
fn nobody(asked: Asked) -> String {
    let mut all = String::new();
    let mut say = |name: &str, told: String| writeln!(all, "{name}: {told}").unwrap();
    say("no input", without(asked, "", |command| command));
    say(
        "closed input",
        without(asked, "", |command| {
            through(&command, "exec \"$0\" \"$@\" <&-")
        }),
    );
    say(
        "a pipe that says yes",
        without(asked, "", |command| {
            through(&command, "printf 'y\\nraise\\n' | \"$0\" \"$@\"")
        }),
    );
    say(
        "a pipe that says nothing",
        without(asked, "", |mut command| {
            command.stdin(Stdio::piped());
            command
        }),
    );
    for args in [
        "--yes",
        "--answer go=yes",
        "--answer go=raise",
        "--answer go=no",
        "--answer go=",
        "--answer go=maybe",
        "--yes --answer go=no",
    ] {
        say(args, without(asked, args, |command| command));
    }
    all
}

fn through(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shell
}

#[test]
fn case_40_without_a_terminal_only_flags_answer_a_question_of_yes_and_no() {
    assert_snapshot!(nobody(Asked::default()), @r#"
    no input: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    closed input: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    a pipe that says yes: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    a pipe that says nothing: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    --yes: 0 done, rows 11,20, yes by postgres (USER@HOST) by --yes
    --answer go=yes: 0 done, rows 11,20, yes by postgres (USER@HOST) by --answer
    --answer go=raise: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer: "raise" is neither yes nor no
    --answer go=no: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    --answer go=: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    --answer go=maybe: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer: "maybe" is neither yes nor no
    --yes --answer go=no: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    "#);
}

#[test]
fn case_40_without_a_terminal_only_flags_answer_a_question_for_a_text() {
    let asked = Asked {
        typed: true,
        ..Asked::default()
    };
    assert_snapshot!(nobody(asked), @r#"
    no input: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    closed input: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    a pipe that says yes: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    a pipe that says nothing: 12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal
    --yes: 0 done, rows 11,20, yes by postgres (USER@HOST) by --yes
    --answer go=yes: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer: "yes" is not the text asked for, "raise"
    --answer go=raise: 0 done, rows 11,20, yes by postgres (USER@HOST) by --answer
    --answer go=no: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    --answer go=: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    --answer go=maybe: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer: "maybe" is not the text asked for, "raise"
    --yes --answer go=no: 12 declined, rows 10,20, no by postgres (USER@HOST) by --answer
    "#);
}

#[test]
fn a_terminal_to_read_from_is_no_terminal_to_ask_at() {
    // Nobody sees a question that goes to a file.
    let test = Asked::default().test();
    let command = test.command(["run", "t"]);
    let (code, _) = Terminal::of(
        &test,
        Terminal::leading(&through(&command, "\"$0\" \"$@\" 2> said")),
    )
    .end();
    assert_snapshot!(told(&test, code), @"12 declined, rows 10,20, no by nobody: there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal");
}

#[test]
fn what_is_typed_before_the_question_is_no_answer() {
    let asked = ASKED.replace("ask: Raise it?", "of: raise\n      ask: Raise it?");
    let asked = ["typed", "timeout", "else"]
        .iter()
        .fold(asked, |text, key| {
            text.replace(&format!("{{{key}}}"), "# nothing")
        });
    let test = Test::sql(SETUP).steps(&asked);
    let other = test.connect();
    // The rehearsal waits for the row.
    other.run("BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1");
    let terminal = Terminal::own(&test, "run t").shows("Test");
    test.until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')");
    let terminal = terminal.types("y\n");
    other.run("ROLLBACK");
    let (code, _) = terminal.shows("Go on? [y/N] ").types("n\n").end();
    assert_snapshot!(told(&test, code), @"12 declined, rows 10,20, no by postgres (USER@HOST)");
}

#[test]
fn a_terminal_that_is_gone_ends_what_is_under_way() {
    let test = Test::sql(SETUP).steps(
        "
        - confirm: go
          ask: Go?
        - fix: raise
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
          rows: 1
        - check: after
          sql: SELECT 1 AS n FROM (SELECT pg_sleep(60)) AS pause
          that: n == 1
        ",
    );
    let terminal = Terminal::own(&test, "run t --yes").shows("1 row changed, committed");
    test.until(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND application_name LIKE 'runbook/%' AND position('pg_sleep(60)' IN query) > 0)",
    );
    let (code, _) = terminal.hangs_up().end();
    assert_snapshot!(told(&test, code), @"11 rolled_back, rows 10,20, yes by postgres (USER@HOST) by --yes");
    test.run("audit verify").code(0).says("1 record whole");
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let test = Test::sql(SETUP).steps(
        "
        - confirm: go
          ask: Go?
        - query: long
          sql: SELECT 1 AS n FROM accounts WHERE id = 2 AND pg_sleep(0.5) IS NOT NULL
        - fix: raise
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
          rows: 1
        - check: after
          that: true
        ",
    );
    let command = test.command(["run", "t", "--yes"]);
    let script = "trap '' HUP; exec \"$0\" \"$@\" > out 2>&1 < /dev/null";
    let running = test.begin(through(&command, script));
    test.until(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND application_name LIKE 'runbook/%' AND position('pg_sleep' IN query) > 0)",
    );
    let pid = nix::unistd::Pid::from_raw(i32::try_from(running.pid()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
    let ran = running.end();
    assert_snapshot!(told(&test, ran.code), @"0 done, rows 11,20, yes by postgres (USER@HOST) by --yes");
}
