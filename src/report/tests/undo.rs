//! What is put back, and what is not.

use insta::assert_snapshot;

use super::*;
use crate::engine::conflict::{Clash, Conflict, ConflictColumn};
use crate::engine::journal::Unit;
use crate::report::quiet::Quiet;

pub(super) const UNIT: Unit = Unit {
    step: StepId(0),
    item: None,
    part: 0,
};

/// Returns how a run ends whose changes can be put back.
pub(super) fn undoable(outcome: Outcome, committed: &[&str]) -> EventKind {
    EventKind::RunFinished(Box::new(RunFinished {
        undoable: true,
        ..ended(outcome, "", committed)
    }))
}

/// Returns how the undo of a run begins.
pub(super) fn undo_of(run: &str, dry_run: bool) -> EventKind {
    match begin(dry_run) {
        EventKind::RunStarted(started) => EventKind::RunStarted(Box::new(RunStarted {
            run: "9xyz".into(),
            undo_of: Some(run.into()),
            params: Vec::new(),
            ..*started
        })),
        other => other,
    }
}

pub(super) fn undo_started() -> EventKind {
    EventKind::UndoStarted {
        of: vec!["reactivation".into(), "note".into()],
        why: "`notify` failed".into(),
    }
}

/// Returns the row changes of putting the reactivation back.
pub(super) fn put_back() -> Changes {
    let active = [change("is_active", Some("t"), Some("f"))];
    let users = ["1", "2"].map(|key| row(&[key], Deed::Updated, &active));
    Changes::new(vec![table("users", users.to_vec())])
}

pub(super) fn undone(
    changes: Changes,
    conflicts: Vec<Conflict>,
    failure: Option<Failure>,
) -> EventKind {
    EventKind::UndoFinished {
        undone: vec![UNIT],
        restored: changes.count(),
        changes,
        conflicts,
        failure,
        took_ms: 14.0,
    }
}

fn column(column: &str, sides: [Option<&str>; 3]) -> ConflictColumn {
    let [then, now, back] = sides.map(|side| side.map(str::to_owned));
    ConflictColumn {
        column: column.into(),
        then,
        now,
        back,
    }
}

pub(super) fn conflict(clash: Clash, columns: Vec<ConflictColumn>, by: Option<&str>) -> Conflict {
    Conflict {
        table: "users".into(),
        key_columns: vec!["id".into()],
        key: vec!["3".into()],
        clash,
        columns,
        by: by.map(str::to_owned),
    }
}

/// Returns a conflict of every sort.
pub(super) fn conflicts() -> Vec<Conflict> {
    let name = |sides| vec![column("name", sides)];
    let mut two_keys = conflict(Clash::Exists, name([None, Some(""), Some("Bo")]), None);
    two_keys.key_columns = vec!["company".into(), "id".into()];
    two_keys.key = vec!["42".into(), "3".into()];
    vec![
        conflict(
            Clash::Edited,
            vec![
                column("is_active", [Some("t"), Some("f"), Some("f")]),
                column("name", [Some("Ann"), None, Some("Anna")]),
            ],
            None,
        ),
        conflict(
            Clash::Deleted,
            name([Some("Ann"), None, Some("Anna")]),
            None,
        ),
        two_keys,
        conflict(
            Clash::LaterRun,
            name([Some("Ann"), Some("Ina"), Some("Anna")]),
            Some("run 8abc (rename-user, bo)"),
        ),
    ]
}

#[test]
fn a_done_run_says_how_to_undo_it() {
    let told = |kinds| {
        let text = told(PIPED, kinds);
        text.rsplit_once("\n\n").unwrap().1.to_owned()
    };
    let end = |dry_run, outcome| vec![begin(dry_run), undoable(outcome, &["reactivation"])];
    assert_snapshot!(told(end(false, Outcome::Done)), @"Done in 2.4 s (2.3 s waiting for you). Undo with: runbook undo 7f3k");
    assert_snapshot!(told(end(false, Outcome::Stopped)), @"
    Stopped with changes left in place after 2.4 s (2.3 s waiting for you).
    Committed, and still there: reactivation.
      = help: look at what is in place before you run it again
    Undo with: runbook undo 7f3k
    ");
    assert_snapshot!(told(end(false, Outcome::Unknown)), @"
    Outcome unknown after 2.4 s (2.3 s waiting for you).
    COMMIT was sent, and nobody can say what became of it. Committed before: reactivation.
      = help: look whether the change is there; do not run it again before you know
    Go on with: runbook resume 7f3k
    ");
    assert!(!told(end(true, Outcome::Done)).contains("Undo with"));
    let not_undoable = vec![begin(false), self::end(Outcome::Done, "", &["a"])];
    assert!(!told(not_undoable).contains("Undo with"));
    let of_undo = vec![undo_of("7f3k", false), undoable(Outcome::Done, &["a"])];
    assert!(!told(of_undo).contains("Undo with"));
}

#[test]
fn a_run_that_failed_puts_back_what_it_changed() {
    let finished = RunFinished {
        undone: vec!["reactivation".into(), "note".into()],
        ..ended(Outcome::RolledBack, "", &[])
    };
    let kinds = vec![
        fail(step("notify"), failure()),
        undo_started(),
        undone(put_back(), Vec::new(), None),
        EventKind::RunFinished(Box::new(finished)),
    ];
    assert_snapshot!(told(PIPED, kinds), @r#"
      ✗ notify                 failed  5 ms
          error: duplicate key value violates unique constraint "users_pkey" (SQLSTATE 23505)
            = note: Key (id)=(3) already exists.
            = help: look at the row with `runbook query`
      ↶ undo                   reactivation and note: 2 rows put back  14 ms
          `notify` failed
          users  1, 2  is_active  t → f

    Rolled back after 2.4 s (2.3 s waiting for you).
    What it had changed was put back: reactivation and note.
    "#);
}

#[test]
fn what_someone_changed_since_is_shown_by_column() {
    let kinds = |failure| {
        vec![
            undo_of("7f3k", false),
            undo_started(),
            undone(Changes::default(), conflicts(), failure),
            end(Outcome::Stopped, "", &["reactivation"]),
        ]
    };
    assert_snapshot!(told(PIPED, kinds(None)), @r#"
    Undo of run 7f3k: Enable a suspended customer              run 9xyz · production/crm · medium risk

      ✗ undo                   reactivation and note: nothing put back, 4 rows have changed since  14 ms
          `notify` failed
          ! users id = 3 was changed since
            column     then  now   would become
            is_active  t     f     f
            name       Ann   null  Anna
          ! users id = 3 was deleted since
            column  then  would become
            name    Ann   Anna
          ! users (company, id) = (42, 3) was deleted, and is there again
            column  now  would become
            name    ""   Bo
          ! users id = 3 was changed later by run 8abc (rename-user, bo) too
            column  then  now  would become
            name    Ann   Ina  Anna

    Stopped with changes left in place after 2.4 s (2.3 s waiting for you).
    Committed, and still there: reactivation.
      = help: look at what is in place before you run it again
    "#);
    let ascii = Look {
        unicode: false,
        width: Some(72),
        ..PIPED
    };
    let failure = Failure::new(FailureKind::Conflict, "rows cannot be put back")
        .help("`runbook undo 7f3k --skip-conflicts` puts the others back");
    let text = told(ascii, kinds(Some(failure)));
    assert!(text.is_ascii(), "{text}");
    assert_snapshot!(text, @r#"
    Undo of run 7f3k: Enable a suspended customer
      run 9xyz - production/crm - medium risk

      x  undo                                                          14 ms
          reactivation and note: nothing put back, 4 rows have changed since
          `notify` failed
          !  users id = 3 was changed since
            column     then  now   would become
            is_active  t     f     f
            name       Ann   null  Anna
          !  users id = 3 was deleted since
            column  then  would become
            name    Ann   Anna
          !  users (company, id) = (42, 3) was deleted, and is there again
            column  now  would become
            name    ""   Bo
          !  users id = 3 was changed later by run 8abc (rename-user, bo) too
            column  then  now  would become
            name    Ann   Ina  Anna
          error: rows cannot be put back
            = help: `runbook undo 7f3k --skip-conflicts` puts the others
                    back

    Stopped with changes left in place after 2.4 s (2.3 s waiting for you).
    Committed, and still there: reactivation.
      = help: look at what is in place before you run it again
    "#);
}

#[test]
fn rows_with_a_conflict_can_be_left() {
    let kinds = vec![
        undo_of("7f3k", true),
        undo_started(),
        undone(put_back(), conflicts().into_iter().take(1).collect(), None),
        end(Outcome::Done, "", &[]),
    ];
    assert_snapshot!(told(PIPED, kinds), @"
    Undo of run 7f3k: Enable a suspended customer              run 9xyz · production/crm · medium risk

    Dry run: everything is rolled back at its end.

      ! undo                   reactivation and note: 2 rows would be put back, 1 row left as it is  14 ms
          `notify` failed
          users  1, 2  is_active  t → f
          ! users id = 3 was changed since
            column     then  now   would become
            is_active  t     f     f
            name       Ann   null  Anna

    Done in 2.4 s (2.3 s waiting for you).
    ");
}

#[test]
fn an_undo_that_was_approved_shows_its_rows_once() {
    let kinds = vec![
        undo_of("7f3k", false),
        EventKind::Rehearsed {
            step: step("undo"),
            of: vec!["reactivation".into()],
            changes: put_back(),
        },
        EventKind::Asked {
            step: step("undo"),
            question: "Put back 2 rows?".into(),
            typed: None,
            show: None,
            impact: None,
        },
        finish(step("undo"), answer(true, "anna", None), 0.0),
        EventKind::UndoStarted {
            of: vec!["reactivation".into()],
            why: String::new(),
        },
        undone(put_back(), Vec::new(), None),
    ];
    assert_snapshot!(told(PIPED, kinds), @"
    Undo of run 7f3k: Enable a suspended customer              run 9xyz · production/crm · medium risk

      ? undo
          putting back reactivation changes 2 rows of users
            users  1, 2  is_active  t → f
          Put back 2 rows?
          ✓ yes · anna
      ↶ undo                   reactivation: 2 rows put back  14 ms
    ");
}

#[test]
fn a_rollback_step_is_told_like_an_undo() {
    let rollback = |conflicts: Vec<Conflict>, changes: Changes| StepResult::Rollback {
        undone: vec![UNIT],
        restored: changes.count(),
        changes,
        conflicts,
    };
    let kinds = vec![
        finish(step("back"), rollback(Vec::new(), put_back()), 3.0),
        finish(step("again"), rollback(Vec::new(), Changes::default()), 1.0),
        finish(
            step("edited"),
            rollback(
                conflicts().into_iter().take(1).collect(),
                Changes::default(),
            ),
            1.0,
        ),
    ];
    assert_snapshot!(told(PIPED, kinds), @"
    ↶ back                   2 rows put back  3 ms
        users  1, 2  is_active  t → f
    ↶ again                  nothing to put back  1 ms
    ✗ edited                 nothing put back, 1 row has changed since  1 ms
        ! users id = 3 was changed since
          column     then  now   would become
          is_active  t     f     f
          name       Ann   null  Anna
    ");
}

#[test]
fn quiet_shows_conflicts_and_the_next_command() {
    let paper = Paper::default();
    let mut quiet = Quiet::new(PIPED, Box::new(paper.clone()));
    let kinds = vec![
        begin(false),
        undo_started(),
        undone(
            Changes::default(),
            conflicts().into_iter().take(1).collect(),
            None,
        ),
        undoable(Outcome::Stopped, &["reactivation"]),
    ];
    events(kinds)
        .iter()
        .try_for_each(|event| quiet.take(event))
        .unwrap();
    assert_snapshot!(paper.text(), @"
    ! users id = 3 was changed since
      column     then  now   would become
      is_active  t     f     f
      name       Ann   null  Anna
    Stopped with changes left in place after 2.4 s (2.3 s waiting for you).
    Committed, and still there: reactivation.
      = help: look at what is in place before you run it again
    Undo with: runbook undo 7f3k
    ");
}
