//! What cases come to, judged and printed: without a server.

mod judged;
mod printed;

use std::time::Duration;

use jiff::Timestamp;

use super::document::{self, Suite};
use super::verdict::{Came, Difference, judge};
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
                ..Column::default()
            })
            .collect(),
        count: crate::base::words::long(rows.len()),
        rows,
    }
}

fn shown(differences: &[Difference]) -> String {
    let found = differences.iter();
    let texts = found.map(|found| {
        format!(
            "{}
  {}",
            found.key,
            found.lines.join(
                "
  "
            )
        )
    });
    texts.collect::<Vec<_>>().join(
        "
",
    )
}

fn judged(case: &str, came: &Came) -> String {
    let (_, suite) = suite(case);
    shown(&judge(&suite.cases[0], &proved(), came))
}
