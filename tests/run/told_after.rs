//! What is told of runs after the fact: the list of runs, the report of each, and whether the records are whole.

use insta::assert_snapshot;
use serde_json::Value;

use crate::test::Test;
use crate::undo::{USERS, newest, undo};

/// A run that was put back in part, a run that put itself back, an undo that was declined, and a dry run.
fn lived() -> (Test, Vec<(String, &'static str)>) {
    let mut known = Vec::new();
    let test = Test::sql(USERS).fix("sql: UPDATE users SET plan = 'paid' WHERE id <= 2\nrows: 2");
    test.run("run t --yes").code(0);
    known.push((newest(&test), "RUN_PAID"));
    undo(&test, "").code(12);
    known.push((newest(&test), "RUN_DECLINED"));
    undo(&test, "--dry-run").code(0);
    known.push((newest(&test), "RUN_LOOKED"));
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    undo(&test, "--yes").code(13);
    known.push((newest(&test), "RUN_STOPPED"));
    undo(&test, "--yes --skip-conflicts").code(13);
    known.push((newest(&test), "RUN_SKIPPED"));
    let test = test.steps(
        "
        - confirm: go
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id = 4
          rows: 1
        - check: after
          that: one.count == 2
        ",
    );
    test.run("run t --yes").code(11);
    known.push((newest(&test), "RUN_FAILED"));
    (test, known)
}

fn named(text: &str, known: &[(String, &str)]) -> String {
    let text = (known.iter()).fold(text.to_owned(), |text, (run, name)| text.replace(run, name));
    let moment =
        regex_lite::Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC|\+00)?")
            .unwrap();
    let wide = regex_lite::Regex::new(r" {2,}").unwrap();
    let text = moment.replace_all(&text, "MOMENT").into_owned();
    let other = [
        (r"\d{15,}", "ID"),
        (r"[0-9a-f]{64}", "HASH"),
        (r"test\\_\d+", "DB"),
        (r"PostgreSQL \S+", "PostgreSQL VERSION"),
    ];
    let text = other.iter().fold(text, |text, (pattern, becomes)| {
        let pattern = regex_lite::Regex::new(pattern).unwrap();
        pattern.replace_all(&text, *becomes).into_owned()
    });
    wide.replace_all(&text, "  ").into_owned()
}

/// Returns the report of one of these runs.
fn report((test, known): &(Test, Vec<(String, &str)>), name: &str, args: &str) -> String {
    let (run, _) = known.iter().find(|(_, known)| *known == name).unwrap();
    let args = format!("report {run} {args}");
    let ran = test.ran(&test.bare(args.split_whitespace()).output().unwrap());
    named(&ran.to_string(), known)
}

#[test]
fn the_list_tells_what_became_of_each() {
    let (test, known) = lived();
    let ran = test.ran(&test.bare(["history"]).output().unwrap());
    assert_snapshot!(named(&ran.to_string(), &known), @"
    exit 0
    --- stdout
    run  runbook  outcome  rows  undone by  when  who  target
    RUN_FAILED  t  rolled back  2  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    RUN_SKIPPED  t  undo of RUN_PAID: stopped, changes stay in place  1  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    RUN_STOPPED  t  undo of RUN_PAID: stopped, changes stay in place  0  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    RUN_LOOKED  t  dry run: undo of RUN_PAID: done  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    RUN_DECLINED  t  undo of RUN_PAID: declined  0  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    RUN_PAID  t  done  2  RUN_SKIPPED  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    ");
    let ran = test.ran(&test.bare(["history", "--output", "json"]).output().unwrap());
    let list: Value = serde_json::from_str(&ran.stdout).unwrap();
    let paid = list.as_array().unwrap().iter();
    let mut paid = paid.filter(|run| run["run"] == known[0].0.as_str());
    let by = named(&paid.next().unwrap()["undone_by"].to_string(), &known);
    assert_snapshot!(by, @r#"["RUN_SKIPPED"]"#);
}

#[test]
fn reports_tell_what_was_put_back_and_what_was_left() {
    let lived = lived();
    assert_snapshot!(report(&lived, "RUN_SKIPPED", ""), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
      putting back f changes 1 row of users
      users  1  plan  paid → free
      Put back 1 row, and leave 1 row that someone changed since?
      ✓ yes · postgres (USER@HOST) by --yes
      ! undo  f: 1 row put back, 1 row left as it is  TIME
      what run RUN changed is put back
      ! users id = 2 was changed since
      column  then  now  would become
      plan  paid  gold  free

    Stopped with changes left in place after TIME.
    1 row left as it is
    Committed, and still there: f.
      = help: look at what is in place before you run it again
    ");
    assert_snapshot!(report(&lived, "RUN_SKIPPED", "--format markdown"), @r"
    exit 0
    --- stdout
    # Undo of run RUN: Test

    **Stopped with changes left in place after TIME.**

    1 row left as it is

    Committed, and still there: f.

    Look at what is in place before you run it again.

    | | |
    |---|---|
    | **Run** | RUN_SKIPPED |
    | **Runbook** | t (SHA-256 HASH) |
    | **Risk** | medium |
    | **By** | postgres (USER@HOST) |
    | **Database** | postgres@SERVER:5432/DB |
    | **Login** | postgres |
    | **Server** | PostgreSQL VERSION |
    | **System identifier** | ID |
    | **Undo of** | RUN_PAID |
    | **Began** | MOMENT |
    | **Ended** | MOMENT (took TIME) |

    ## Who confirmed what

    | Confirm | Question | Answer | By | When |
    |---|---|---|---|---|
    | go\_ahead | Put back 1 row, and leave 1 row that someone changed since? | yes | postgres (USER@HOST) by --yes | MOMENT |

    ## Steps

    ### ✓ go\_ahead

    confirm · yes · postgres (USER@HOST) by --yes · TIME · MOMENT

    Rehearsed: f

    **users: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1 | updated | plan | paid | free |

    > Put back 1 row, and leave 1 row that someone changed since?

    ### ! undo

    f: 1 row put back, 1 row left as it is · TIME · MOMENT

    what run RUN changed is put back

    **users: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1 | updated | plan | paid | free |

    **Conflict: users id = 2 was changed since**

    | column | then | now | would become |
    | --- | --- | --- | --- |
    | plan | paid | gold | free |
    ");
}

#[test]
fn reports_tell_why_nothing_was_put_back() {
    let lived = lived();
    assert_snapshot!(report(&lived, "RUN_STOPPED", ""), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo  f: nothing put back, 1 row has changed since  TIME
      what run RUN changed is put back
      ! users id = 2 was changed since
      column  then  now  would become
      plan  paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_snapshot!(report(&lived, "RUN_DECLINED", ""), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
      putting back f changes 2 rows of users
      users  1, 2  plan  paid → free
      Put back 2 rows?
      ✗ no · nobody · there is no terminal to ask `go_ahead` at: answer it with --yes, or run it in a terminal

    Declined after TIME.
    nothing was put back
    Nothing was changed.
    ");
    assert_snapshot!(report(&lived, "RUN_FAILED", ""), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
      Go?
      ✓ yes · postgres (USER@HOST) by --yes
      ✓ one  1 row changed, committed  TIME
      users  4  plan  free → paid
      → after  no  TIME
      → not so: one.count == 2
      ↶ undo  one: 1 row put back  TIME
      `after` says no: one.count == 2
      users  4  plan  paid → free

    Rolled back after TIME.
    `after` says no: one.count == 2
    What it had changed was put back: one.
    ");
}

#[test]
fn other_formats_tell_the_same() {
    let lived = lived();
    let html = report(&lived, "RUN_SKIPPED", "--format html");
    for text in [
        "1 row put back, 1 row left as it is",
        "gold",
        "Stopped with changes left in place",
    ] {
        assert!(html.contains(text), "no `{text}` in:\n{html}");
    }
    let (test, known) = &lived;
    let (run, _) = &known[4];
    let json = test
        .bare(["report", run, "--format", "json"])
        .output()
        .unwrap();
    let json = String::from_utf8(json.stdout).unwrap();
    let events = json
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let undone = events.filter(|event| event["event"] == "undo_finished");
    let told: Vec<_> = undone
        .map(|event| {
            format!(
                "{} {} {}",
                event["restored"], event["undone"], event["conflicts"][0]["key"]
            )
        })
        .collect();
    assert_snapshot!(told.join("\n"), @r#"1 [] ["2"]"#);
}

#[test]
fn all_records_are_whole_and_as_the_journal_has_it() {
    let (test, known) = lived();
    let text = named(&test.run("audit verify").to_string(), &known);
    // They are in the order of their letters.
    let lines = text.lines().filter(|line| !line.contains('✓'));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    exit 0
    --- stdout

    6 records whole
    --- stderr
    Compared 6 records with the journal of the database `DB` of postgres@SERVER:5432.
    ");
    for (_, name) in &known {
        assert!(text.contains(&format!("✓ {name}")), "{text}");
    }
}
