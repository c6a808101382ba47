//! The sinks that are not for reading along.

use super::everything::clashes;
use super::undo::{UNIT, undone};
use super::*;
use crate::report::json::Json;
use crate::report::quiet::Quiet;
use crate::report::secret::Redactor;

#[test]
fn json_is_read_back_line_by_line() {
    let paper = Paper::default();
    let mut json = Json::new(paper.clone());
    let told = events(vec![
        begin(true),
        finish(
            step("a"),
            query(rows(&[("x", 25)], &[&[Some("a\nb")]])),
            1.0,
        ),
        end(Outcome::Done, "", &[]),
    ]);
    told.iter().try_for_each(|event| json.take(event)).unwrap();
    let read: Vec<Event> = paper
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, told);
}

#[test]
fn quiet_says_how_it_ended_and_what_went_wrong() {
    let said = |kinds| {
        let paper = Paper::default();
        let mut quiet = Quiet::new(PIPED, Box::new(paper.clone()));
        events(kinds)
            .iter()
            .try_for_each(|event| quiet.take(event))
            .unwrap();
        paper.text()
    };
    assert_eq!(said(vec![begin(false), end(Outcome::Done, "", &[])]), "");
    assert_eq!(
        said(vec![end(Outcome::Nothing, "It is active.", &[])]),
        "It is active.\n"
    );
    let text = said(vec![
        fail(step("a"), failure()),
        end(Outcome::Failed, "", &[]),
    ]);
    assert!(text.starts_with("error: duplicate key"), "{text}");
    assert!(text.ends_with("Nothing was changed.\n"), "{text}");
}

#[test]
fn no_sink_behind_a_redactor_sees_a_secret() {
    const SECRET: &str = "hunter2";
    let all = |text: &str| format!("{text} {SECRET}.");
    let password = change("password", Some(&all("old")), Some(&all("new")));
    let changes = Changes::new(vec![table(
        "users",
        vec![row(&[&all("key")], Deed::Updated, &[password])],
    )]);
    let shown = rows(&[("x", 25)], &[&[Some(SECRET)]]);
    let hidden = Failure::new(FailureKind::Statement, all("failed"))
        .note(all("DETAIL"))
        .help(all("see"));
    let mut finished = ended(Outcome::Done, &all("says"), &[]);
    finished.changes = Some(changes.clone());
    let kinds = vec![
        EventKind::StepStarted {
            step: step("a"),
            about: Some(all("about")),
            item: Some(item(0, SECRET)),
        },
        EventKind::Noticed {
            message: all("notice"),
        },
        EventKind::Asked {
            step: step("a"),
            question: all("q"),
            typed: Some(SECRET.into()),
            show: Some(shown.clone()),
            impact: None,
        },
        finish(step("a"), query(shown), 1.0),
        finish(
            step("a"),
            check(false, &[(SECRET, false, Some(SECRET))]),
            1.0,
        ),
        finish(step("a"), fix(1, changes.clone(), true), 1.0),
        finish(step("a"), answer(true, SECRET, Some(SECRET)), 1.0),
        EventKind::RunResumed {
            actor: all("actor"),
        },
        EventKind::Committing {
            step: step("a"),
            unit: UNIT,
            transaction: Some("7".into()),
            result: StepResult::Rollback {
                undone: vec![UNIT],
                restored: 1,
                changes: changes.clone(),
                conflicts: clashes(SECRET),
            },
            batch: None,
        },
        EventKind::BatchCommitted {
            step: step("a"),
            unit: UNIT,
            count: 1,
            so_far: 1,
            of: 1,
            last: vec![all("key")],
        },
        EventKind::UndoStarted {
            of: vec!["a".into()],
            why: all("why"),
        },
        undone(changes.clone(), clashes(SECRET), Some(hidden.clone())),
        fail(step("a"), hidden),
        EventKind::RunFinished(Box::new(finished)),
    ];
    let paper = Paper::default();
    let redactor = Redactor::new([SECRET.to_owned(), String::new()]);
    let mut sink = Json::new(paper.clone());
    events(kinds)
        .iter()
        .try_for_each(|event| sink.take(&redactor.event(event)))
        .unwrap();
    assert!(!paper.text().contains(SECRET), "{}", paper.text());
    assert!(paper.text().contains("DETAIL •••."));
}
