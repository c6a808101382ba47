//! Past runs told again.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use insta::assert_snapshot;
use regex_lite::Regex;
use runbook::record::store;

use crate::test::{Ran, Test};

/// Returns the only run of a test.
#[track_caller]
fn only(test: &Test) -> String {
    let runs = store::runs(&state(test)).unwrap();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.into_iter().next().unwrap()
}

fn state(test: &Test) -> PathBuf {
    test.root().join(".local/state/runbook")
}

fn log_of(test: &Test) -> PathBuf {
    store::folder(&state(test), &only(test)).join("events.jsonl")
}

fn ask(test: &Test, args: &str) -> Ran {
    let args = format!("report {} {args}", only(test));
    test.ran(&test.bare(args.split_whitespace()).output().unwrap())
}

/// Returns what a report says.
#[track_caller]
fn report(test: &Test, args: &str) -> String {
    let ran = ask(test, args);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)), "{args}");
    ran.stdout
}

/// Makes what differs from run to run the same.
fn calm(text: &str) -> String {
    let patterns = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\b\d{19}\b", "SYSTEM"),
        (r"runbook (undo|resume) [0-9a-z]{6}\b", "runbook $1 RUN"),
        (r"test\\_\d+", "DB"),
        (r"Transaction \d+", "Transaction XID"),
        (r"(\*\*Run\*\* \|) \w+", "$1 RUN"),
        (r"(PostgreSQL) [0-9.]+", "$1 VERSION"),
    ];
    patterns
        .iter()
        .fold(text.to_owned(), |text, (pattern, becomes)| {
            let pattern = Regex::new(pattern).unwrap();
            pattern.replace_all(&text, *becomes).into_owned()
        })
}

fn crm() -> (Test, Ran) {
    let test = Test::crm();
    let ran = test
        .run("run enable-suspended-customer --company 42 --yes")
        .code(0);
    (test, ran)
}

/// A database whose rows would be markup.
fn hostile() -> Test {
    let test = Test::sql(
        "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL); \
         INSERT INTO t VALUES (1, '<script>alert(1)</script> | `a` \"b\" & ''c'''), (2, E'two\\nlines')",
    )
    .confirmed("- fix: f\n  sql: UPDATE t SET name = '<b>' || name\n  rows: 2\n");
    test.run("run t --answer go=yes").code(0);
    test
}

#[test]
fn a_report_tells_what_the_run_told() {
    let (test, ran) = crm();
    assert_eq!(report(&test, ""), ran.stdout);
    assert_eq!(report(&test, "--format text"), ran.stdout);
    let short = &only(&test)[..3];
    let again = test.bare(["report", short]).output().unwrap();
    assert_eq!(test.ran(&again).code(0).stdout, ran.stdout);
}

#[test]
fn a_failed_run_is_told_as_it_failed() {
    let test = Test::sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .steps("- check: empty\n  sql: SELECT count(*) = 0 AS empty FROM t\n  that: false\n");
    let ran = test.run("run t").code(10);
    assert_eq!(report(&test, ""), ran.stdout);
}

#[test]
fn a_report_in_markdown_says_first_how_it_went() {
    let (test, _) = crm();
    let report = calm(&report(&test, "--format markdown"));
    let (head, _) = report.split_once("## Steps").unwrap();
    assert_snapshot!(head, @r"
    # Enable a suspended customer

    **Done in TIME.**

    Undo with: runbook undo RUN

    | | |
    |---|---|
    | **Run** | RUN |
    | **Runbook** | enable-suspended-customer (SHA-256 HASH) |
    | **Risk** | medium |
    | **By** | postgres (USER@HOST) |
    | **Database** | postgres@SERVER:5432/DB |
    | **Login** | postgres |
    | **Server** | PostgreSQL VERSION |
    | **System identifier** | SYSTEM |
    | **Began** | MOMENT |
    | **Ended** | MOMENT (took TIME) |

    ## Parameters

    | | |
    |---|---|
    | **company** | 42 |

    ## Who confirmed what

    | Confirm | Question | Answer | By | When |
    |---|---|---|---|---|
    | go\_ahead | Reactivate Acme GmbH and 3 users? | yes | postgres (USER@HOST) by --yes | MOMENT |
    ");
}

#[test]
fn a_report_in_markdown_has_all_of_it() {
    let (test, _) = crm();
    let report = calm(&report(&test, "--format markdown"));
    let (_, steps) = report.split_once("## Steps").unwrap();
    assert_snapshot!(steps, @r"
    ### ✓ customer

    query · 1 row · TIME · MOMENT

    *The company, its subscription and how many of its users are inactive.*

    | column | value |
    | --- | --- |
    | id | 42 |
    | name | Acme GmbH |
    | status | suspended |
    | suspended\_at | 2026-11-02 08:14:03+00 |
    | subscription\_id | 9001 |
    | subscription\_status | suspended |
    | inactive\_users | 3 |

    ### ✓ has\_subscription

    check · passed · TIME · MOMENT

    ### ✓ is\_suspended

    check · passed · TIME · MOMENT

    ### ✓ not\_cancelled

    check · passed · TIME · MOMENT

    ### ✓ before

    backup · 5 rows of 3 tables → ROOT/.local/state/runbook/backups/RUN-before (312 B, verified) · TIME · MOMENT

    *What the rows are now, to be put back by \`runbook backup restore\` whenever that is needed.*

    | table | rows |
    | --- | ---: |
    | public.subscriptions | 1 |
    | public.companies | 1 |
    | public.users | 3 |

    SHA-256 of its manifest: HASH

    ### ✓ go\_ahead

    confirm · yes · postgres (USER@HOST) by --yes · TIME · MOMENT

    Rehearsed: reactivation

    **subscriptions: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 9001 | updated | status | suspended | active |

    **companies: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 42 | updated | status | suspended | active |
    | 42 | updated | suspended\_at | 2026-11-02 08:14:03+00 | *null* |

    **users: 3 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1, 2, 3 | updated | is\_active | f | t |

    > Reactivate Acme GmbH and 3 users?

    To be typed for a yes: Acme GmbH

    The yes holds for changes HASH.

    ### ✓ reactivation

    atomic · 5 rows changed, committed · TIME · MOMENT

    Transaction XID.

    #### ✓ activate\_subscription

    fix · 1 row changed · TIME · MOMENT

    **subscriptions: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 9001 | updated | status | suspended | active |

    #### ✓ enable\_company

    fix · 1 row changed · TIME · MOMENT

    **companies: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 42 | updated | status | suspended | active |
    | 42 | updated | suspended\_at | 2026-11-02 08:14:03+00 | *null* |

    #### ✓ enable\_users

    fix · 3 rows changed · TIME · MOMENT

    **users: 3 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1, 2, 3 | updated | is\_active | f | t |

    #### ✓ all\_enabled

    check · passed · TIME · MOMENT

    *Sees the changes before they are final; when it fails, all of them are taken back.*

    ### ✓ reactivated

    check · 3 of 3 passed · TIME · MOMENT

    - ✓ company is active
    - ✓ subscription is active
    - ✓ no user is left inactive
    ");
}

#[test]
fn data_is_no_markup_in_markdown() {
    let text = report(&hostile(), "--format markdown");
    let line = text.lines().find(|line| line.contains("script"));
    assert_snapshot!(line.unwrap(), @r#"| 1 | updated | name | &lt;script&gt;alert(1)&lt;/script&gt; \| \`a\` "b" &amp; 'c' | &lt;b&gt;&lt;script&gt;alert(1)&lt;/script&gt; \| \`a\` "b" &amp; 'c' |"#);
    assert!(text.contains("two<br>lines"), "{text}");
}

#[test]
fn a_report_in_html_has_the_way_that_the_run_took() {
    let (test, _) = crm();
    let page = report(&test, "--format html");
    for text in [
        "<!DOCTYPE html>",
        "<title>Enable a suspended customer</title>",
        "<dt>Run</dt>",
        "<td>1, 2, 3</td><td>updated</td><td>is_active</td><td>f</td><td>t</td>",
        "<td>go_ahead</td><td>Reactivate Acme GmbH and 3 users?</td><td>yes</td>",
        "<svg xmlns=",
        "Undo with: runbook undo",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    // From step to step, and to the end.
    assert_eq!(page.matches("url(#went)").count(), 11);
    assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""));
}

#[test]
fn data_is_no_markup_in_html() {
    let page = report(&hostile(), "--format html");
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&lt;b&gt;&lt;script&gt;alert(1)"), "{page}");
}

#[test]
fn a_report_in_json_is_the_log_as_it_is() {
    let (test, _) = crm();
    let output = test
        .bare(["report", &only(&test), "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, fs::read(log_of(&test)).unwrap());
}

#[test]
fn a_run_that_was_cut_short_is_told_as_far_as_it_came() {
    let (test, _) = crm();
    let path = log_of(&test);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    // A crash left a part of the last line.
    fs::write(&path, format!("{}\n{{\"seq\":9", lines[..7].join("\n"))).unwrap();
    assert_snapshot!(calm(&report(&test, "")), @"
    Enable a suspended customer  run RUN · postgres@SERVER:5432/DB · medium risk
      company  42

      ✓ customer               1 row  TIME
          id                   42
          name                 Acme GmbH
          status               suspended
          suspended_at         2026-11-02 08:14:03+00
          subscription_id      9001
          subscription_status  suspended
          inactive_users       3
      ✓ has_subscription       passed  TIME
      ✓ is_suspended           passed  TIME

    It was cut short here. Go on with: runbook resume RUN
    ");
    let text = report(&test, "--format markdown");
    assert!(
        text.contains("**It was cut short: this is how far it came.**"),
        "{text}"
    );
    let page = report(&test, "--format html");
    assert!(page.contains("Go on with: runbook resume"), "{page}");
    assert_eq!(report(&test, "--format json").lines().count(), 7);
}

#[test]
fn a_run_that_still_runs_is_told_as_far_as_it_has_come() {
    let test = Test::sql("CREATE TABLE t (id int)")
        .steps("- query: waits\n  sql: SELECT count(*) AS n FROM t\n");
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    let running = test.start("run t");
    test.until(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name LIKE 'runbook/%' AND wait_event_type = 'Lock')",
    );
    let told = report(&test, "");
    assert!(told.ends_with("\nIt still runs.\n"), "{told}");
    let text = report(&test, "--format markdown");
    assert!(
        text.contains("**It still runs: this is how far it has come.**"),
        "{text}"
    );
    other.run("ROLLBACK");
    running.end().code(0);
    assert!(report(&test, "").contains("\nDone in "));
}

#[test]
fn a_report_goes_to_a_file_as_a_whole() {
    let (test, ran) = crm();
    let work = test.root().join("work");
    let file = work.join("report.txt");
    fs::write(&file, "an older report").unwrap();
    symlink("report.txt", work.join("link")).unwrap();
    assert_eq!(report(&test, "-o link"), "");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(test.redact(&text), ran.stdout);
    assert!(
        fs::symlink_metadata(work.join("link"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(report(&test, "--format html -o /dev/null"), "");
    let names = fs::read_dir(&work).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["link", "report.txt", "runbooks"]);
}

#[test]
fn a_report_that_cannot_be_written_says_so() {
    let (test, _) = crm();
    assert_snapshot!(ask(&test, "-o no/such/folder/report.html"), @"
    exit 10
    --- stderr
    error: cannot write `no/such/folder/report.html`: no such file or directory
    ");
    assert_snapshot!(ask(&test, "-o runbooks"), @"
    exit 10
    --- stderr
    error: cannot write `runbooks`: is a directory
    ");
}

#[test]
fn a_run_that_is_not_there_is_an_error() {
    let (test, _) = crm();
    let ran = |run: &str| test.ran(&test.bare(["report", run]).output().unwrap());
    assert_snapshot!(ran("no-run-is-called-so"), @"
    exit 2
    --- stderr
    error: there is no run `no-run-is-called-so` in `ROOT/.local/state/runbook`
      = help: `runbook history` lists the runs; --state-dir names another folder
    ");
}

#[test]
fn a_record_that_was_altered_is_not_told() {
    let (test, _) = crm();
    let path = log_of(&test);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Acme GmbH", "Acme Ltd.")).unwrap();
    for format in ["text", "markdown", "html", "json"] {
        let ran = ask(&test, &format!("--format {format}"));
        assert_eq!(ran.stdout, "", "{format}");
        let error = ran.stderr.lines().next().unwrap_or_default().to_owned();
        assert!(error.contains("it was altered"), "{error}");
    }
}

#[test]
fn an_undo_is_a_run_with_a_report_of_its_own() {
    let (test, _) = crm();
    let run = only(&test);
    let undone = test.run(&format!("undo {run} --yes")).code(0);
    let all = store::runs(&state(&test)).unwrap();
    let undo = all.iter().find(|id| **id != run).unwrap();
    let ask = |format| {
        let output = test.bare(["report", undo, "--format", format]).output();
        test.ran(&output.unwrap()).code(0).stdout
    };
    assert_eq!(ask("text"), undone.stdout);
    let text = ask("markdown");
    assert!(text.contains(&format!("| **Undo of** | {run} |")), "{text}");
    let page = ask("html");
    assert!(page.contains("<h1>Undo of run RUN: "), "{page}");
    assert!(
        page.contains("<svg") && !page.contains("Undo with"),
        "{page}"
    );
}
