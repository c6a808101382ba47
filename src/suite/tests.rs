//! What cases come to, judged and printed: without a server.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;

use super::coverage::{Coverage, Covered};
use super::document::{self, Suite};
use super::json::json;
use super::junit::junit;
use super::page::{self, Look};
use super::verdict::{Came, Difference, Played, judge};
use crate::base::source::Source;
use crate::engine::event::{Event, EventKind, StepRef};
use crate::engine::outcome::Outcome;
use crate::runbook::check::{Proved, check};
use crate::runbook::data::{Column, Rows, oid};
use crate::runbook::model::StepId;

const BOOK: &str = "runbook: t
title: Test
params:
  id: { type: bigint }
  token: { type: text, secret: true, env: TOKEN }
steps:
  - { query: one, sql: SELECT 1 AS n, rows: 1 }
  - { check: two, that: one.n == 1, else: { stop: Enough. } }
  - { query: three, sql: SELECT 3 AS n, when: one.n == 2 }
";

fn proved() -> Proved {
    check(&Source::new("t.yaml", BOOK), &|_| None).unwrap()
}

fn suite(case: &str) -> (Source, Suite) {
    let text = format!(
        "test: t\ncases:\n  - case: it works\n    params: {{ id: 1, token: hunter-22 }}\n{case}"
    );
    let source = Source::new("t.test.yaml", text);
    let suite = document::parse(&source).unwrap();
    (source, suite)
}

fn event(kind: EventKind) -> Event {
    Event {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        elapsed_ms: 0.0,
        kind,
    }
}

fn started(id: usize, name: &str) -> Event {
    event(EventKind::StepStarted {
        step: StepRef {
            id: StepId(id),
            name: name.to_owned(),
            kind: "query".to_owned(),
            atomic: None,
        },
        about: None,
        item: None,
    })
}

/// A run that came to its end by `one`, `two` and `three`.
fn came() -> Came {
    Came {
        outcome: Some(Outcome::Done),
        said: "One row\n  of it\nReset First?\nDone.".to_owned(),
        events: vec![started(0, "one"), started(1, "two"), started(2, "three")],
        tables: vec![
            "users".to_owned(),
            "\"Odd\"".to_owned(),
            "app.logs".to_owned(),
        ],
        took: Duration::from_millis(412),
        ..Came::default()
    }
}

fn rows(cells: &[&[Option<&str>]]) -> Rows {
    let columns = [
        ("id", oid::INT8),
        ("active", oid::BOOL),
        ("name", oid::TEXT),
    ];
    let rows: Vec<Vec<Option<String>>> = cells
        .iter()
        .map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect())
        .collect();
    Rows {
        columns: columns
            .iter()
            .map(|(name, oid)| Column {
                name: (*name).to_owned(),
                kind: "x".to_owned(),
                oid: *oid,
            })
            .collect(),
        count: crate::base::words::long(rows.len()),
        rows,
    }
}

fn shown(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|found| format!("{}\n  {}\n", found.key, found.lines.join("\n  ")))
        .collect()
}

fn judged(case: &str, came: &Came) -> String {
    let (_, suite) = suite(case);
    shown(&judge(&suite.cases[0], &proved(), came))
}

#[test]
fn what_is_as_expected_has_no_difference() {
    let case = "    outcome: done
    path: [one, two, three]
    says: [One row of it, Reset First?]
    says_not: Second
    rows:
      - { sql: 'SELECT', are: [[1, true, null], [2, f, x]] }
    unchanged: [users, public.users, Odd, '\"Odd\"', app.logs]
    undo: true
";
    let came = Came {
        rows: vec![Ok(rows(&[
            &[Some("1"), Some("t"), None],
            &[Some("2"), Some("f"), Some("x")],
        ]))],
        undone: Some(Ok(Vec::new())),
        ..came()
    };
    // `Odd` without quotes folds to another name.
    assert_snapshot!(judged(case, &came), @r#"
    unchanged
      - there is no table `Odd`: did you mean `"Odd"`?
    "#);
}

#[test]
fn another_end_says_why() {
    let mut failed = came();
    failed.outcome = Some(Outcome::Failed);
    failed.events.push(event(EventKind::StepFailed {
        step: StepRef {
            id: StepId(2),
            name: "three".to_owned(),
            kind: "query".to_owned(),
            atomic: None,
        },
        failure: crate::engine::failure::Failure::new(
            crate::engine::failure::FailureKind::Statement,
            "division by zero",
        ),
        took_ms: 1.0,
    }));
    assert_snapshot!(judged("    outcome: done\n", &failed), @"
    outcome
      - done
      + failed
        `three`: division by zero
    ");
    let refused = Came {
        outcome: None,
        said: "error: there is no company 9\n  = help: 42".to_owned(),
        ..Came::default()
    };
    assert_snapshot!(judged("    outcome: rolled_back\n", &refused), @"
    outcome
      - rolled_back
      + refused
        error: there is no company 9
          = help: 42
    ");
}

#[test]
fn a_path_is_laid_beside_the_other() {
    assert_snapshot!(judged("    outcome: done\n    path: [one, three]\n", &came()), @"
    path
        one
      + two
        three
    ");
    assert_snapshot!(judged("    outcome: done\n    path: []\n", &came()), @"
    path
      + one
      + two
      + three
    ");
}

#[test]
fn what_is_not_said_is_compared_with_what_is_like_it() {
    let case = "    outcome: done
    says: [Reset Frist?, 'nothing like it at all']
    says_not: Reset
";
    assert_snapshot!(judged(case, &came()), @"
    says
      - Reset Frist?
      + Reset First?
    says
      - nothing like it at all
        it says nothing like it
    says_not
      + Reset First?
    ");
}

#[test]
fn a_secret_is_never_said() {
    let mut told = came();
    told.said += "\nthe token hunter-22";
    assert_snapshot!(judged("    outcome: done\n", &told), @"
    says_not
      + the value of the secret `token`
    ");
}

#[test]
fn rows_are_laid_beside_the_others() {
    let case = "    outcome: done
    rows:
      - sql: SELECT id, active,
          name FROM t
        are: [[1, true, Ann], [2, false, null], [3, true, 'null']]
      - { sql: SELECT 2, are: [[1, t, a], [2, t, b]] }
      - { sql: SELECT 3, are: [] }
      - { sql: SELECT 4, are: [1] }
";
    let came = Came {
        rows: vec![
            Ok(rows(&[
                &[Some("1"), Some("t"), Some("Ann")],
                &[Some("2"), Some("t"), None],
                &[Some("3"), Some("t"), None],
            ])),
            Ok(rows(&[
                &[Some("2"), Some("t"), Some("b")],
                &[Some("1"), Some("t"), Some("a")],
            ])),
            Ok(rows(&[&[
                Some("1"),
                None,
                Some("a text of many words, that goes on and on for long"),
            ]])),
            Err("relation \"t\" does not exist".to_owned()),
        ],
        ..came()
    };
    assert_snapshot!(judged(case, &came), @r#"
    rows
        SELECT id, active, name FROM t
        id  active  name
        1   t       Ann
      - 2   f       null
      - 3   t       "null"
      + 2   t       null
      + 3   t       null
    rows
        SELECT 2
        id  active  name
      - 1   t       a
        2   t       b
      + 1   t       a
        these are the same rows in another order: add ORDER BY
    rows
        SELECT 3
        id  active  name
      + 1   null    a text of many words, that goes on and o…
    rows
        SELECT 4
      + relation "t" does not exist
    "#);
}

#[test]
fn tables_that_changed_are_named() {
    let changed = Came {
        changed: vec!["users".to_owned()],
        undone: Some(Ok(vec!["app.logs".to_owned()])),
        ..came()
    };
    assert_snapshot!(judged("    outcome: done\n    unchanged: [users, user, app.logs]\n    undo: true\n", &changed), @"
    unchanged
      + users was changed
      - there is no table `user`: did you mean `users`?
    undo
      + app.logs is not as before the run
    ");
    assert_snapshot!(judged("    outcome: done\n    unchanged: all\n", &changed), @"
    unchanged
      + users was changed
    ");
    let mut not = came();
    assert_snapshot!(judged("    outcome: done\n    undo: true\n", &not), @"
    undo
      + there was nothing to undo
    ");
    not.undone = Some(Err("someone changed 1 row since".to_owned()));
    assert_snapshot!(judged("    outcome: done\n    undo: true\n", &not), @"
    undo
      + someone changed 1 row since
    ");
}

#[test]
fn a_case_in_trouble_is_not_judged() {
    let trouble = Came {
        trouble: Some("the session `web` failed: deadlock detected".to_owned()),
        ..Came::default()
    };
    assert_snapshot!(judged("    outcome: done\n    path: [one]\n", &trouble), @"
    trouble
      the session `web` failed: deadlock detected
    ");
}

fn played() -> Vec<Played> {
    let (source, good) = suite("    outcome: done\n");
    let (_, bad) = suite(
        "    outcome: nothing\n    path: [one, two]\n    says: a line that is long enough to be broken at the width of eighty columns, as a person reads it\n",
    );
    let proved = proved();
    let mut failing = Played::new(&source, &bad.cases[0], &proved, came());
    failing.case = "it has nothing to do".to_owned();
    vec![
        Played::new(&source, &good.cases[0], &proved, came()),
        failing,
    ]
}

fn coverage() -> Vec<Coverage> {
    let way = |way: &str, cases: &[&str], untested: Option<(&str, usize)>| Covered {
        way: way.to_owned(),
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        untested: untested.map(|(reason, line)| (reason.to_owned(), line)),
    };
    vec![Coverage {
        runbook: "t".to_owned(),
        file: "t.test.yaml".to_owned(),
        ways: vec![
            way("one.next", &["it works", "it has nothing to do"], None),
            way("one.else", &[], None),
            way("two.next", &["it works"], Some(("nobody can", 12))),
            way(
                "two.else",
                &[],
                Some((
                    "one and one is two, and will be that for as long as anybody can say it",
                    13,
                )),
            ),
        ],
        unknown: vec!["two.error".to_owned()],
    }]
}

const LOOK: Look = Look {
    colours: false,
    width: 80,
    coverage: false,
    output: false,
};

#[test]
fn results_read_well() {
    assert_snapshot!(page::group(&played(), Look { output: true, ..LOOK }), @"
    t
      ✓ it works              412 ms
      ✗ it has nothing to do  412 ms
          t.test.yaml:3
        outcome
          - nothing
          + done
            One row
              of it
            Reset First?
            Done.
        path
            one
            two
          + three
        says
          - a line that is long enough to be broken at the width of eighty columns,
            as a person reads it
            it says nothing like it
        output
          One row
            of it
          Reset First?
          Done.
    ");
    assert_snapshot!(page::closing(&played(), &coverage(), LOOK), @"
    error: t.test.yaml:12: `two.next` is not untested: `it works` takes it. Take it out of `untested`.
    error: a run of t took `two.error`, which its graph does not have. Please report it: it is a defect.

    2 cases of 1 runbook: 1 passed, 1 failed; coverage 75 % (3 of 4 ways, 1 justified)
    ");
    assert_snapshot!(page::closing(&played(), &coverage(), Look { coverage: true, ..LOOK }), @"
    t  coverage 75 % (3 of 4 ways, 1 justified)
      ✓ one.next  2 cases
      ✗ one.else  no case takes it
      ✓ two.next  1 case
      – two.else  one and one is two, and will be that for as long as anybody can
                  say it
    error: t.test.yaml:12: `two.next` is not untested: `it works` takes it. Take it out of `untested`.
    error: a run of t took `two.error`, which its graph does not have. Please report it: it is a defect.

    2 cases of 1 runbook: 1 passed, 1 failed; coverage 75 % (3 of 4 ways, 1 justified)
    ");
    assert_snapshot!(page::closing(&played()[..1], &[], LOOK), @"1 case of 1 runbook: 1 passed");
    assert_eq!(page::group(&[], LOOK), "");
}

#[test]
fn colours_change_no_word() {
    let look = Look {
        colours: true,
        coverage: true,
        ..LOOK
    };
    let plain = Look {
        coverage: true,
        ..LOOK
    };
    let bare = |text: &str| console::strip_ansi_codes(text).into_owned();
    let colored = page::group(&played(), look);
    assert_ne!(colored, page::group(&played(), plain));
    assert_eq!(bare(&colored), page::group(&played(), plain));
    let colored = page::closing(&played(), &coverage(), look);
    assert_eq!(bare(&colored), page::closing(&played(), &coverage(), plain));
}

#[test]
fn results_are_json() {
    assert_snapshot!(format!("{:#}", json(&played(), &coverage())), @r#"
    {
      "cases": [
        {
          "runbook": "t",
          "case": "it works",
          "file": "t.test.yaml",
          "line": 3,
          "passed": true,
          "outcome": "done",
          "path": [
            "one",
            "two",
            "three"
          ],
          "took_ms": 412,
          "trouble": null,
          "differences": []
        },
        {
          "runbook": "t",
          "case": "it has nothing to do",
          "file": "t.test.yaml",
          "line": 3,
          "passed": false,
          "outcome": "done",
          "path": [
            "one",
            "two",
            "three"
          ],
          "took_ms": 412,
          "trouble": null,
          "differences": [
            {
              "key": "outcome",
              "lines": [
                "- nothing",
                "+ done",
                "  One row",
                "    of it",
                "  Reset First?",
                "  Done."
              ]
            },
            {
              "key": "path",
              "lines": [
                "  one",
                "  two",
                "+ three"
              ]
            },
            {
              "key": "says",
              "lines": [
                "- a line that is long enough to be broken at the width of eighty columns, as a person reads it",
                "  it says nothing like it"
              ]
            }
          ]
        }
      ],
      "coverage": [
        {
          "runbook": "t",
          "file": "t.test.yaml",
          "ways": [
            {
              "way": "one.next",
              "cases": [
                "it works",
                "it has nothing to do"
              ],
              "untested": null
            },
            {
              "way": "one.else",
              "cases": [],
              "untested": null
            },
            {
              "way": "two.next",
              "cases": [
                "it works"
              ],
              "untested": "nobody can"
            },
            {
              "way": "two.else",
              "cases": [],
              "untested": "one and one is two, and will be that for as long as anybody can say it"
            }
          ],
          "unknown": [
            "two.error"
          ]
        }
      ],
      "summary": {
        "cases": 2,
        "passed": 1,
        "failed": 1,
        "ways": 4,
        "taken": 2,
        "justified": 1,
        "missing": 1
      }
    }
    "#);
}

#[test]
fn results_are_xml_of_junit() {
    assert_snapshot!(junit(&played()).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="runbook" tests="2" skipped="0" failures="1" errors="0">
        <testsuite name="t" tests="2" skipped="0" errors="0" failures="1">
            <testcase name="it works" classname="t" time="0.412"/>
            <testcase name="it has nothing to do" classname="t" time="0.412">
                <failure message="not as expected: outcome, path, says">t.test.yaml:3
    outcome
      - nothing
      + done
        One row
          of it
        Reset First?
        Done.
    path
        one
        two
      + three
    says
      - a line that is long enough to be broken at the width of eighty columns, as a person reads it
        it says nothing like it
    </failure>
                <system-out>One row
      of it
    Reset First?
    Done.</system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn coverage_is_what_it_says() {
    let mut coverage = coverage().remove(0);
    assert!(!coverage.is_full() && !coverage.is_sound());
    coverage.ways.remove(1);
    assert!(coverage.is_full() && !coverage.is_sound());
    coverage.ways.remove(1);
    coverage.unknown.clear();
    assert!(coverage.is_full() && coverage.is_sound());
}

#[test]
fn ways_that_nothing_can_bring_about_do_not_count() {
    let text = "runbook: t
title: Test
risk: high
on_failure: aside
on_cancel: aside
steps:
  - { query: one, sql: SELECT 1 AS n, rows: 1 }
  - { check: two, that: one.n == 1 }
  - { check: three, that: one.n == 1, then: last, else: chosen }
  - { check: chosen, switch: one.n, cases: { 1: last, 2: { stop: no } } }
  - { confirm: last, ask: Go? }
  - { fix: four, sql: UPDATE t SET n = 1 WHERE id = 1, rows: 1, when: one.n == 1 }
  - { check: five, sql: SELECT n FROM t WHERE id = 1, that: n == 1 }
branches:
  aside:
    - { rollback: six, on_conflict: skip }
";
    let proved = check(&Source::new("t.yaml", text), &|_| None).unwrap();
    assert_snapshot!(super::coverage::ways(&proved).join("\n"), @"
    one.next
    one.else
    one.error
    one.cancel
    two.next
    two.else
    three.then
    three.else
    chosen.case.1
    chosen.case.2
    chosen.else
    last.next
    last.else
    last.error
    last.cancel
    four.next
    four.skipped
    four.error
    four.cancel
    five.next
    five.else
    five.error
    five.cancel
    six.next
    ");
}
