//! Results as people and programs read them, and what covers a runbook.

use insta::assert_snapshot;

use super::{came, proved, suite};
use crate::base::source::Source;
use crate::runbook::check::check;
use crate::suite::coverage::{Coverage, Covered, Elsewhere, ways};
use crate::suite::json::json;
use crate::suite::junit::junit;
use crate::suite::page::{self, Look};
use crate::suite::verdict::Played;

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
        elsewhere: 12,
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
      and 12 ways of the runbooks that it uses: their own tests take them
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
    let json = json(&played(), &coverage());
    assert_snapshot!(format!("{:#}", json["cases"]), @r#"
    [
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
    ]
    "#);
}

#[test]
fn ways_are_json() {
    let json = json(&played(), &coverage());
    assert_snapshot!(format!("{:#}\n{:#}", json["coverage"], json["summary"]), @r#"
    [
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
        ],
        "elsewhere": 12
      }
    ]
    {
      "cases": 2,
      "passed": 1,
      "failed": 1,
      "ways": 4,
      "taken": 2,
      "justified": 1,
      "missing": 1
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
    assert_snapshot!(ways(&proved, &Elsewhere::default()).join("\n"), @"
    one.next
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
