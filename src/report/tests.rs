//! Whole runs, as people see them, and what hostile data can't do.

mod backup;
mod changes;
mod everything;
mod hostile;
mod html;
mod markdown;
mod past;
mod run;
mod sinks;
mod table;
mod trouble;
mod undo;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use jiff::Timestamp;

use super::line::Line;
use super::look::Look;
use super::status::{NoStatus, Status};
use super::terminal::{Terminal, TerminalOptions};
use crate::engine::change::{Changes, ColumnChange, Deed, RowChange, TableChange};
use crate::engine::event::{
    Assertion, Decision, Event, EventKind, Item, RunFinished, RunStarted, Shown, Sink, StepRef,
    StepResult, TargetFacts,
};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::Outcome;
use crate::runbook::data::{Column, Rows, oid};
use crate::runbook::model::StepId;
use crate::sql::risk::Risk;
use crate::step::check::Severity;
use crate::step::query::Show;

const PIPED: Look = Look {
    colors: false,
    unicode: true,
    width: None,
};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Status for Paper {
    fn show(&mut self, text: &str) {
        writeln!(self, "[{text}]").unwrap();
    }

    fn clear(&mut self) {
        writeln!(self, "[]").unwrap();
    }
}

fn text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(ToString::to_string)
        .map(|line| line + "\n")
        .collect()
}

fn events(kinds: Vec<EventKind>) -> Vec<Event> {
    let number = |(seq, kind)| Event {
        seq,
        at: Timestamp::UNIX_EPOCH,
        elapsed_ms: 0.0,
        kind,
    };
    (1..).zip(kinds).map(number).collect()
}

fn told(look: Look, kinds: Vec<EventKind>) -> String {
    let options = TerminalOptions {
        colors: look.colors,
        unicode: look.unicode,
        width: look.width,
        live: false,
    };
    let paper = Paper::default();
    let mut terminal = Terminal::new(options, Box::new(paper.clone()), Box::new(NoStatus));
    for event in events(kinds) {
        terminal.take(&event).unwrap();
    }
    paper.text()
}

fn step(name: &str) -> StepRef {
    StepRef {
        id: StepId(0),
        name: name.into(),
        kind: "fix".into(),
        atomic: None,
    }
}

fn inner(name: &str, atomic: &str) -> StepRef {
    StepRef {
        atomic: Some(atomic.into()),
        ..step(name)
    }
}

fn begin(dry_run: bool) -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        run: "7f3k".into(),
        runbook: "enable-suspended-customer".into(),
        title: "Enable a suspended customer".into(),
        hash: "0".into(),
        risk: Risk::Medium,
        dry_run,
        actor: "anna".into(),
        target: TargetFacts {
            name: "production".into(),
            database: "crm".into(),
            ..TargetFacts::default()
        },
        params: vec![Shown {
            name: "company".into(),
            value: "42".into(),
        }],
        undo_of: None,
        not_rehearsed: Vec::new(),
        glass: None,
    }))
}

fn start(step: StepRef) -> EventKind {
    EventKind::StepStarted {
        step,
        about: None,
        item: None,
    }
}

fn finish(step: StepRef, result: StepResult, took_ms: f64) -> EventKind {
    EventKind::StepFinished {
        step,
        result,
        decision: Decision::Next,
        took_ms,
    }
}

fn fail(step: StepRef, failure: Failure) -> EventKind {
    EventKind::StepFailed {
        step,
        failure,
        took_ms: 5.0,
    }
}

fn ended(outcome: Outcome, says: &str, committed: &[&str]) -> RunFinished {
    RunFinished {
        outcome,
        says: says.into(),
        committed: committed.iter().map(|name| (*name).to_owned()).collect(),
        undone: Vec::new(),
        undoable: false,
        aborted: None,
        changes: None,
        took_ms: 2400.0,
        waited_ms: 2300.0,
    }
}

fn end(outcome: Outcome, says: &str, committed: &[&str]) -> EventKind {
    EventKind::RunFinished(Box::new(ended(outcome, says, committed)))
}

fn columns(names: &[(&str, u32)]) -> Vec<Column> {
    let column = |(name, oid): &(&str, u32)| Column {
        name: (*name).into(),
        kind: "?".into(),
        oid: *oid,
        ..Column::default()
    };
    names.iter().map(column).collect()
}

fn rows(names: &[(&str, u32)], rows: &[&[Option<&str>]]) -> Rows {
    let row = |row: &&[Option<&str>]| row.iter().map(|cell| cell.map(str::to_owned)).collect();
    Rows {
        columns: columns(names),
        rows: rows.iter().map(row).collect(),
        count: rows.len().try_into().unwrap(),
    }
}

fn query(rows: Rows) -> StepResult {
    StepResult::Query {
        rows,
        show: Show::Table,
        guard: None,
        saved: None,
    }
}

fn check(passed: bool, items: &[(&str, bool, Option<&str>)]) -> StepResult {
    let item = |(name, passed, otherwise): &(&str, bool, Option<&str>)| {
        Assertion::new(*name, *passed, otherwise.map(str::to_owned))
    };
    StepResult::Check {
        passed,
        items: items.iter().map(item).collect(),
        switch: None,
        severity: Severity::Error,
        otherwise: None,
    }
}

fn fix(count: u64, changes: Changes, committed: bool) -> StepResult {
    StepResult::Fix {
        count,
        rows: Rows::default(),
        changes,
        committed,
    }
}

fn answer(yes: bool, by: &str, why: Option<&str>) -> StepResult {
    StepResult::Confirm {
        yes,
        by: by.into(),
        why: why.map(str::to_owned),
        refusal: None,
        granted: None,
        approved: Vec::new(),
    }
}

fn change(column: &str, before: Option<&str>, after: Option<&str>) -> ColumnChange {
    ColumnChange {
        column: column.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        volatile: false,
    }
}

fn row(key: &[&str], deed: Deed, columns: &[ColumnChange]) -> RowChange {
    RowChange {
        key: key.iter().map(|key| (*key).to_owned()).collect(),
        deed,
        columns: columns.to_vec(),
        own: false,
    }
}

fn table(name: &str, rows: Vec<RowChange>) -> TableChange {
    let count = |deed| {
        rows.iter()
            .filter(|row| row.deed == deed)
            .count()
            .try_into()
            .unwrap()
    };
    TableChange {
        table: name.into(),
        key: vec!["id".into()],
        inserted: count(Deed::Inserted),
        updated: count(Deed::Updated),
        deleted: count(Deed::Deleted),
        rows,
        indirect: false,
    }
}

fn reactivation() -> Changes {
    let status = || change("status", Some("suspended"), Some("active"));
    let suspended = change("suspended_at", Some("2026-11-02 08:14:03+00"), None);
    let active = [change("is_active", Some("f"), Some("t"))];
    let users = ["1", "2", "3"].map(|key| row(&[key], Deed::Updated, &active));
    Changes::new(vec![
        table(
            "subscriptions",
            vec![row(&["9001"], Deed::Updated, &[status()])],
        ),
        table(
            "companies",
            vec![row(&["42"], Deed::Updated, &[status(), suspended])],
        ),
        table("users", users.to_vec()),
    ])
}

fn failure() -> Failure {
    Failure {
        sqlstate: Some("23505".into()),
        ..Failure::new(
            FailureKind::Statement,
            "duplicate key value violates unique constraint \"users_pkey\"",
        )
    }
    .note("Key (id)=(3) already exists.")
    .help("look at the row with `runbook query`")
}

fn item(index: usize, label: &str) -> Item {
    Item {
        index,
        of: 3,
        label: label.into(),
    }
}
