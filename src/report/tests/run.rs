//! Runs that go well.

use insta::assert_snapshot;

use super::*;

fn customer() -> Rows {
    let names = [
        ("id", oid::INT8),
        ("name", 25),
        ("status", 25),
        ("subscription_id", oid::INT8),
        ("subscription_status", 25),
        ("inactive_users", oid::INT8),
    ];
    let row = ["42", "Acme GmbH", "suspended", "9001", "suspended", "3"].map(Some);
    rows(&names, &[&row])
}

fn confirmed() -> Vec<EventKind> {
    vec![
        start(step("go_ahead")),
        EventKind::Rehearsed {
            step: step("go_ahead"),
            of: vec!["reactivation".into()],
            changes: reactivation(),
        },
        EventKind::Asked {
            step: step("go_ahead"),
            question: "Reactivate Acme GmbH and 3 users?".into(),
            typed: Some("Acme GmbH".into()),
            show: None,
            impact: None,
        },
        finish(
            step("go_ahead"),
            answer(true, "anna, who typed \"Acme GmbH\"", None),
            0.0,
        ),
    ]
}

fn fixed(committed: bool) -> Vec<EventKind> {
    let part = |name| inner(name, "reactivation");
    let fixed = |name, count| finish(part(name), fix(count, Changes::default(), committed), 2.0);
    vec![
        EventKind::AtomicStarted {
            step: step("reactivation"),
            item: None,
        },
        fixed("activate_subscription", 1),
        fixed("enable_company", 1),
        fixed("enable_users", 3),
        finish(part("all_enabled"), check(true, &[]), 1.0),
        EventKind::AtomicCommitted {
            step: step("reactivation"),
            changes: reactivation(),
            took_ms: 14.0,
        },
    ]
}

fn checked() -> EventKind {
    let items = [
        ("company is active", true, None),
        ("subscription is active", true, None),
        ("no user is left inactive", true, Some("enable them")),
    ];
    finish(step("reactivated"), check(true, &items), 0.4)
}

fn run(dry_run: bool) -> Vec<EventKind> {
    let mut kinds = vec![
        begin(dry_run),
        start(step("customer")),
        finish(step("customer"), query(customer()), 3.0),
        finish(step("is_suspended"), check(true, &[]), 0.1),
        EventKind::StepSkipped {
            step: step("note_down"),
        },
    ];
    kinds.extend(confirmed());
    kinds.extend(fixed(!dry_run));
    kinds.push(checked());
    kinds
}

pub(super) fn whole_run() -> Vec<EventKind> {
    let mut kinds = run(false);
    kinds.push(end(Outcome::Done, "", &["reactivation"]));
    kinds
}

#[test]
fn a_run_looks_like_its_picture() {
    let look = Look {
        width: Some(120),
        ..PIPED
    };
    assert_snapshot!(told(look, whole_run()), @r#"
    Enable a suspended customer                                run 7f3k · production/crm · medium risk
      company  42

      ✓ customer               1 row                                                              3 ms
          id  name       status     subscription_id  subscription_status  inactive_users
          42  Acme GmbH  suspended             9001  suspended                         3
      ✓ is_suspended           passed                                                             0 ms
      – note_down              skipped
      ? go_ahead
          reactivation changes 5 rows of 3 tables
            subscriptions     9001  status        suspended → active
            companies           42  status        suspended → active
                                    suspended_at  2026-11-02 08:14:03+00 → null
            users          1, 2, 3  is_active     f → t
          Reactivate Acme GmbH and 3 users?
          ✓ yes · anna, who typed "Acme GmbH"
      ✓ reactivation           5 rows changed, committed                                         14 ms
          ✓ activate_subscription  1 row   ✓ enable_company  1 row   ✓ enable_users  3 rows   ✓ all_enabled
      ✓ reactivated            3 of 3 passed                                                      0 ms
          ✓ company is active   ✓ subscription is active   ✓ no user is left inactive

    Done in 2.4 s (2.3 s waiting for you).
    "#);
}

#[test]
fn a_narrow_terminal_without_unicode_shows_the_same() {
    let look = Look {
        width: Some(72),
        unicode: false,
        ..PIPED
    };
    let text = told(look, whole_run());
    assert!(text.is_ascii());
    assert_snapshot!(text, @r#"
    Enable a suspended customer      run 7f3k - production/crm - medium risk
      company  42

      ok customer              1 row                                    3 ms
          id  name       status    subscription_id  subsc...  inactive_users
          42  Acme GmbH  suspe...             9001  suspe...               3
      ok is_suspended          passed                                   0 ms
      -  note_down             skipped
      ?  go_ahead
          reactivation changes 5 rows of 3 tables
            subscriptions     9001  status        suspended -> active
            companies           42  status        suspended -> active
                                    suspended_at  2026-11-02 08:14:03+00 -> null
            users          1, 2, 3  is_active     f -> t
          Reactivate Acme GmbH and 3 users?
          ok yes - anna, who typed "Acme GmbH"
      ok reactivation          5 rows changed, committed               14 ms
          ok activate_subscription  1 row   ok enable_company  1 row
          ok enable_users  3 rows   ok all_enabled
      ok reactivated           3 of 3 passed                            0 ms
          ok company is active   ok subscription is active
          ok no user is left inactive

    Done in 2.4 s (2.3 s waiting for you).
    "#);
}

#[test]
fn a_pipe_has_no_width() {
    let text = told(PIPED, whole_run());
    assert!(
        text.contains("\n  ✓ customer               1 row  3 ms\n"),
        "{text}"
    );
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let look = Look {
        width: Some(100),
        ..PIPED
    };
    let colored = told(
        Look {
            colors: true,
            ..look
        },
        whole_run(),
    );
    assert_eq!(console::strip_ansi_codes(&colored), told(look, whole_run()));
    assert_ne!(colored, told(look, whole_run()));
}

#[test]
fn a_dry_run_says_what_it_is() {
    let mut kinds = run(true);
    if let Some(EventKind::RunStarted(started)) = kinds.first_mut() {
        started.not_rehearsed = vec![
            "`before` is a backup".into(),
            "the sequence companies_id_seq".into(),
        ];
    }
    kinds.push(finish(step("before"), StepResult::WouldRun, 0.0));
    let mut finished = ended(Outcome::Done, "Acme GmbH is active again.", &[]);
    finished.aborted = Some(true);
    finished.changes = Some(reactivation());
    kinds.push(EventKind::RunFinished(Box::new(finished)));
    assert_snapshot!(told(PIPED, kinds), @r#"
    Enable a suspended customer                                run 7f3k · production/crm · medium risk
      company  42

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – `before` is a backup
      – the sequence companies_id_seq

      ✓ customer               1 row  3 ms
          id  name       status     subscription_id  subscription_status  inactive_users
          42  Acme GmbH  suspended             9001  suspended                         3
      ✓ is_suspended           passed  0 ms
      – note_down              skipped
      ? go_ahead
          reactivation changes 5 rows of 3 tables
            subscriptions     9001  status        suspended → active
            companies           42  status        suspended → active
                                    suspended_at  2026-11-02 08:14:03+00 → null
            users          1, 2, 3  is_active     f → t
          Reactivate Acme GmbH and 3 users?
          ✓ yes · anna, who typed "Acme GmbH"
      ✓ reactivation           5 rows changed, to be rolled back  14 ms
          ✓ activate_subscription  1 row   ✓ enable_company  1 row   ✓ enable_users  3 rows   ✓ all_enabled
      ✓ reactivated            3 of 3 passed  0 ms
          ✓ company is active   ✓ subscription is active   ✓ no user is left inactive
      – before                 would run; a dry run cannot rehearse it

    Done in 2.4 s (2.3 s waiting for you).
    Acme GmbH is active again.
    It would change 5 rows of 3 tables:
      subscriptions  1 updated
      companies      1 updated
      users          3 updated
    Everything is rolled back, as the server confirms.
    "#);
}

#[test]
fn a_loop_is_one_line() {
    let purged = |count| fix(count, Changes::default(), true);
    let started = |index, label| EventKind::StepStarted {
        step: step("purge"),
        about: None,
        item: Some(item(index, label)),
    };
    let kinds = vec![
        started(0, "Acme"),
        finish(step("purge"), purged(2), 3.0),
        started(1, "Beta"),
        fail(step("purge"), failure()),
        started(2, "Gamma"),
        finish(step("purge"), purged(1), 3.0),
        EventKind::LoopFinished {
            step: step("purge"),
            items: 3,
            count: 3,
            failed: 1,
        },
        EventKind::LoopFinished {
            step: step("nothing"),
            items: 0,
            count: 0,
            failed: 0,
        },
    ];
    assert_snapshot!(told(PIPED, kinds), @r#"
    ! purge                  3 items, 3 rows, 1 failed  11 ms
        ✓ Acme  2 rows   ✓ Gamma  1 row
        ✗ Beta
          error: duplicate key value violates unique constraint "users_pkey" (SQLSTATE 23505)
            = note: Key (id)=(3) already exists.
            = help: look at the row with `runbook query`
    ✓ nothing                0 items  0 ms
    "#);
}

#[test]
fn kinds_have_their_own_words() {
    let command = StepResult::Command {
        code: 3,
        stdout: "one\n\x1b[2Jtwo\n".into(),
        stderr: "bad\n".into(),
        passed: false,
    };
    let switch = StepResult::Check {
        passed: true,
        items: Vec::new(),
        switch: Some("suspended".into()),
        severity: Severity::Error,
        otherwise: None,
    };
    let warning = StepResult::Check {
        passed: false,
        items: Vec::new(),
        switch: None,
        severity: Severity::Warning,
        otherwise: Some("wait for the replica".into()),
    };
    let missed = EventKind::StepFinished {
        step: step("customer"),
        result: StepResult::Query {
            rows: Rows::default(),
            show: Show::Table,
            guard: Some("1".into()),
            saved: None,
        },
        decision: Decision::Else,
        took_ms: 1.0,
    };
    let kinds = vec![
        finish(step("program"), command, 12.0),
        finish(step("which"), switch, 1.0),
        finish(step("replica_is_near"), warning, 1.0),
        missed,
        finish(step("enable"), fix(3, reactivation(), true), 2.0),
        finish(step("nothing"), fix(0, Changes::default(), true), 2.0),
        finish(step("allowed"), answer(true, "--yes", None), 0.0),
    ];
    assert_snapshot!(told(PIPED, kinds), @r"
    ✗ program                exit code 3  12 ms
        one
        \u{1b}[2Jtwo
        bad
    ✓ which                  suspended  1 ms
    ! replica_is_near        failed, a warning only  1 ms
          = help: wait for the replica
    → customer               0 rows  1 ms
    ✓ enable                 3 rows changed, committed  2 ms
        subscriptions     9001  status        suspended → active
        companies           42  status        suspended → active
                                suspended_at  2026-11-02 08:14:03+00 → null
        users          1, 2, 3  is_active     f → t
    ✓ nothing                no row changed, committed  2 ms
    ✓ allowed                yes · --yes  0 ms
    ");
}

#[test]
fn the_status_line_is_gone_before_anything_is_printed() {
    let options = TerminalOptions {
        colors: false,
        unicode: true,
        width: Some(80),
        live: true,
    };
    let paper = Paper::default();
    let mut terminal = Terminal::new(options, Box::new(paper.clone()), Box::new(paper.clone()));
    let mut kinds = vec![start(step("customer"))];
    kinds.push(finish(step("customer"), check(true, &[]), 1.0));
    kinds.extend(confirmed());
    for event in events(kinds) {
        terminal.take(&event).unwrap();
    }
    let text = paper.text();
    assert!(
        text.starts_with("[]\n[customer]\n[]\n  ✓ customer"),
        "{text}"
    );
    assert!(text.contains("[go_ahead]\n[]\n  ? go_ahead\n"), "{text}");
}
