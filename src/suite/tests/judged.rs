//! What a case came to beside what its author expects.

use insta::assert_snapshot;

use super::{came, event, judged, rows};
use crate::engine::event::{EventKind, StepRef};
use crate::engine::outcome::Outcome;
use crate::runbook::model::StepId;
use crate::suite::verdict::Came;

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
