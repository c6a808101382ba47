//! Runs that do not go well.

use insta::assert_snapshot;

use super::*;
use crate::engine::event::Blocker;

#[test]
fn a_failing_run_says_what_why_and_what_next() {
    let items = [
        ("company is active", true, None),
        (
            "no user is left inactive",
            false,
            Some("run enable-users\nfor each of them"),
        ),
    ];
    let kinds = vec![
        finish(step("reactivated"), check(false, &items), 1.0),
        fail(step("insert_user"), failure()),
        end(Outcome::Failed, "", &[]),
    ];
    assert_snapshot!(told(PIPED, kinds), @r#"
      ✗ reactivated            1 of 2 passed  1 ms
          ✓ company is active
          ✗ no user is left inactive
            = help: run enable-users
                    for each of them
      ✗ insert_user            failed  5 ms
          error: duplicate key value violates unique constraint "users_pkey" (SQLSTATE 23505)
            = note: Key (id)=(3) already exists.
            = help: look at the row with `runbook query`

    Failed after 2.4 s (2.3 s waiting for you).
    Nothing was changed.
    "#);
}

#[test]
fn an_atomic_that_fails_leaves_nothing() {
    let part = |name| inner(name, "reactivation");
    let kinds = vec![
        EventKind::AtomicStarted {
            step: step("reactivation"),
            item: None,
        },
        finish(
            part("enable_company"),
            fix(1, Changes::default(), false),
            1.0,
        ),
        EventKind::Noticed {
            message: "trigger disabled".into(),
        },
        EventKind::LockWaited {
            step: part("enable_users"),
            blockers: vec![Blocker {
                pid: 123,
                user: "app".into(),
                application: "web".into(),
                query: "UPDATE users\nSET x = 1".into(),
                seconds: 7,
            }],
        },
        EventKind::StepRetried {
            step: part("enable_users"),
            failure: Failure::new(
                FailureKind::LockTimeout,
                "canceling statement due to lock timeout",
            ),
            retry: 1,
            of: 3,
            wait_ms: 2000,
        },
        fail(part("enable_users"), failure()),
        EventKind::AtomicRolledBack {
            step: step("reactivation"),
        },
        end(Outcome::Stopped, "", &["before", "others"]),
    ];
    assert_snapshot!(told(PIPED, kinds), @r#"
          notice: trigger disabled
      ! enable_users           waiting for a lock held by pid 123 (user app): UPDATE users↵SET x = 1
      ⟲ enable_users           retry 1 of 3 in 2 s: canceling statement due to lock timeout
      ✗ reactivation           `enable_users` failed: rolled back, nothing of it remains
          ✓ enable_company  1 row
          ✗ enable_users
            error: duplicate key value violates unique constraint "users_pkey" (SQLSTATE 23505)
              = note: Key (id)=(3) already exists.
              = help: look at the row with `runbook query`

    Stopped with changes left in place after 2.4 s (2.3 s waiting for you).
    Committed, and still there: before and others.
      = help: look at what is in place before you run it again
    "#);
}

#[test]
fn a_commit_in_doubt_is_told_with_what_was_done() {
    let kinds = vec![
        EventKind::AtomicStarted {
            step: step("reactivation"),
            item: None,
        },
        finish(
            inner("enable", "reactivation"),
            fix(1, Changes::default(), false),
            1.0,
        ),
        fail(
            step("reactivation"),
            Failure::new(
                FailureKind::InDoubt,
                "the connection was lost during COMMIT",
            ),
        ),
        end(Outcome::Unknown, "", &[]),
    ];
    assert_snapshot!(told(PIPED, kinds), @r"
      ✗ reactivation           failed  5 ms
          ✓ enable  1 row
          error: the connection was lost during COMMIT

    Outcome unknown after 2.4 s (2.3 s waiting for you).
    COMMIT was sent, and nobody can say what became of it: the change may be there or not.
      = help: look whether the change is there; do not run it again before you know
    ");
}

#[test]
fn a_loop_of_atomics_that_stops_says_how_far_it_came() {
    let started = |index, label| EventKind::AtomicStarted {
        step: step("move"),
        item: Some(item(index, label)),
    };
    let kinds = vec![
        started(0, "Acme"),
        start(inner("copy", "move")),
        finish(
            inner("copy", "move"),
            fix(1, Changes::default(), false),
            1.0,
        ),
        EventKind::AtomicCommitted {
            step: step("move"),
            changes: reactivation(),
            took_ms: 3.0,
        },
        started(1, "Beta"),
        fail(
            step("move"),
            Failure::new(FailureKind::Statement, "a deferred constraint is violated"),
        ),
        EventKind::StepSkipped { step: step("tidy") },
    ];
    assert_snapshot!(told(PIPED, kinds), @r"
    ✗ move                   2 of 3 items  8 ms
        ✓ Acme  5 rows
        ✗ Beta
          error: a deferred constraint is violated
        subscriptions     9001  status        suspended → active
        companies           42  status        suspended → active
                                suspended_at  2026-11-02 08:14:03+00 → null
        users          1, 2, 3  is_active     f → t
    – tidy                   skipped
    ");
}

#[test]
fn a_no_ends_a_run_with_nothing_changed() {
    let asked = EventKind::Asked {
        step: step("go_ahead"),
        question: "Go on?".into(),
        typed: None,
        show: Some(rows(&[("id", oid::INT4)], &[&[Some("1")]])),
        impact: None,
    };
    let no = EventKind::StepFinished {
        step: step("go_ahead"),
        result: answer(false, "", Some("there is no terminal to ask at")),
        decision: Decision::Else,
        took_ms: 0.0,
    };
    let kinds = vec![
        start(step("go_ahead")),
        asked,
        no,
        end(Outcome::Declined, "", &[]),
    ];
    assert_snapshot!(told(PIPED, kinds), @r"
      ? go_ahead
          id
           1
          Go on?
          ✗ no · there is no terminal to ask at

    Declined after 2.4 s (2.3 s waiting for you).
    Nothing was changed.
    ");
}

#[test]
fn every_ending_says_what_remains() {
    let outcomes = [
        (Outcome::Nothing, "The customer is active already."),
        (Outcome::RolledBack, ""),
        (Outcome::Cancelled, ""),
        (Outcome::Unknown, ""),
        (Outcome::Declined, ""),
    ];
    let tell = |(outcome, says)| {
        let finished = ended(outcome, says, &["first"]);
        text(&crate::report::ending::draw(&finished, None, PIPED)) + "\n"
    };
    let text: String = outcomes.into_iter().map(tell).collect();
    assert_snapshot!(text, @r"
    Nothing to do after 2.4 s (2.3 s waiting for you).
    The customer is active already.

    Rolled back after 2.4 s (2.3 s waiting for you).
    What it had changed was put back.

    Cancelled after 2.4 s (2.3 s waiting for you).
    Committed, and still there: first.

    Outcome unknown after 2.4 s (2.3 s waiting for you).
    COMMIT was sent, and nobody can say what became of it. Committed before: first.
      = help: look whether the change is there; do not run it again before you know

    Declined after 2.4 s (2.3 s waiting for you).
    Committed, and still there: first.
    ");
}

#[test]
fn a_dry_run_that_may_have_lasted_is_told_loudly() {
    let mut finished = ended(Outcome::Done, "", &[]);
    finished.aborted = Some(false);
    finished.changes = Some(Changes::default());
    assert_snapshot!(text(&crate::report::ending::draw(&finished, None, PIPED)), @r"
    Done in 2.4 s (2.3 s waiting for you).
    It would change nothing.
    Dry run: the server does not say that the transaction is aborted!
      = help: look at the tables above before anything else runs on this database
    ");
}
