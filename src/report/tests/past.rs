//! Runs that go on, and batches.

use insta::assert_snapshot;

use super::undo::{UNIT, undo_of};
use super::*;
use crate::report::places::Places;
use crate::report::status::Progress;

fn cut(kinds: Vec<EventKind>, still_runs: bool) -> String {
    let options = TerminalOptions {
        colors: false,
        unicode: true,
        width: None,
        live: false,
    };
    crate::report::text::draw(&events(kinds), still_runs, options, Places::default()).unwrap()
}

#[test]
fn what_was_cut_short_goes_on_as_it_can() {
    let last = |kinds| {
        let text = cut(kinds, false);
        text.lines().last().unwrap().to_owned()
    };
    let undo = last(vec![undo_of("7f3k", false)]);
    assert_eq!(undo, "It was cut short here. Go on with: runbook undo 7f3k");
    assert_eq!(last(vec![begin(true)]), "It was cut short here.");
    let unknown = vec![undo_of("7f3k", false), end(Outcome::Unknown, "", &[])];
    assert_eq!(last(unknown), "Go on with: runbook undo 7f3k");
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
    let cut = |still_runs| cut(kinds.clone(), still_runs);
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
        fn progress(&mut self, text: &str, progress: &Progress) {
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
    assert_snapshot!(seen.text(), @r#"
    [many]
    [many Progress { what: "", from: 40000, so_far: 60000, of: Some(100000), unit: Rows }]
    [many Progress { what: "", from: 40000, so_far: 80000, of: Some(100000), unit: Rows }]
    "#);
    assert_snapshot!(paper.text(), @"  ✓ many                   100000 rows changed, committed                    9 s");
}
