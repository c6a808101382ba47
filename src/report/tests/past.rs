//! Runs that go on, and what is put back.

use insta::assert_snapshot;

use super::*;
use crate::engine::conflict::{Clash, Conflict, ConflictColumn};
use crate::engine::journal::Unit;
use crate::report::quiet::Quiet;
use crate::report::status::Progress;

const UNIT: Unit = Unit {
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
    Undo of run 7f3k: Enable a suspended customer  run 9xyz - production/crm - medium risk

      x  undo                  reactivation and note: nothing put back, 4 rows have changed since  14 ms
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
            = help: `runbook undo 7f3k --skip-conflicts` puts the others back

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
fn a_resumed_run_says_so_and_one_that_was_cut_short_too() {
    let kinds = vec![
        begin(false),
        EventKind::AtomicStarted {
            step: step("reactivation"),
            item: None,
        },
        finish(
            inner("enable", "reactivation"),
            fix(1, Changes::default(), false),
            1.0,
        ),
        EventKind::Committing {
            batch: None,
            step: step("reactivation"),
            unit: UNIT,
            transaction: Some("771".into()),
            result: fix(1, Changes::default(), true),
        },
        EventKind::RunResumed {
            actor: "bo (bo@desk)".into(),
        },
        EventKind::AtomicCommitted {
            step: step("reactivation"),
            changes: reactivation(),
            took_ms: 3.0,
        },
        EventKind::AtomicStarted {
            step: step("second"),
            item: None,
        },
    ];
    let cut = |still_runs| {
        let paper = Paper::default();
        let options = TerminalOptions {
            colors: false,
            unicode: true,
            width: None,
            live: false,
        };
        let mut terminal = Terminal::new(options, Box::new(paper.clone()), Box::new(NoStatus));
        events(kinds.clone())
            .iter()
            .try_for_each(|event| terminal.take(event))
            .unwrap();
        terminal.cut_short(still_runs).unwrap();
        paper.text()
    };
    assert_snapshot!(cut(false), @"
    Enable a suspended customer                                run 7f3k · production/crm · medium risk
      company  42

      ⟲ resumed by bo (bo@desk)
      ✓ reactivation           5 rows changed, committed  3 ms
          ✓ enable  1 row
          subscriptions     9001  status        suspended → active
          companies           42  status        suspended → active
                                  suspended_at  2026-11-02 08:14:03+00 → null
          users          1, 2, 3  is_active     f → t
      ! second                 did not come to its end

    It was cut short here. Go on with: runbook resume 7f3k
    ");
    assert!(cut(true).ends_with("\nIt still runs.\n"));
}

#[test]
fn a_batch_shows_how_far_it_is_and_nothing_that_lasts() {
    #[derive(Default)]
    struct Seen(Paper);
    impl Status for Seen {
        fn show(&mut self, text: &str) {
            self.0.show(text);
        }
        fn progress(&mut self, text: &str, progress: Progress) {
            writeln!(self.0, "[{text} {progress:?}]").unwrap();
        }
        fn clear(&mut self) {}
    }
    let part = |so_far| EventKind::BatchCommitted {
        step: step("many"),
        unit: UNIT,
        count: 20_000,
        so_far,
        of: 100_000,
        last: vec!["7".into()],
    };
    let options = TerminalOptions {
        colors: false,
        unicode: true,
        width: Some(80),
        live: true,
    };
    let (paper, seen) = (Paper::default(), Paper::default());
    let status = Box::new(Seen(seen.clone()));
    let mut terminal = Terminal::new(options, Box::new(paper.clone()), status);
    let kinds = vec![
        start(step("many")),
        part(60_000),
        part(80_000),
        finish(step("many"), fix(100_000, Changes::default(), true), 9000.0),
    ];
    for event in events(kinds) {
        terminal.take(&event).unwrap();
    }
    assert_snapshot!(seen.text(), @"
    [many]
    [many Progress { from: 40000, so_far: 60000, of: 100000 }]
    [many Progress { from: 40000, so_far: 80000, of: 100000 }]
    ");
    assert_snapshot!(paper.text(), @"  ✓ many                   100000 rows changed, committed                    9 s");
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
