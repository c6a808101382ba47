//! A run that goes through all that can be told, with a text wherever there is room for one.

use super::undo::{conflicts, undone};
use super::*;
use crate::engine::backup::{Backed, BackedTable, RestoredInto};
use crate::engine::conflict::Conflict;
use crate::engine::event::{Approved, Blocker};
use crate::engine::impact::{AtRisk, Impact, Saving};
use crate::engine::journal::Unit;
use crate::engine::lock::{LockMode, TableLock};
use crate::engine::pace::Earlier;

const UNIT: Unit = Unit {
    step: StepId(0),
    item: None,
    part: 0,
};

/// Returns the run. It makes no sense.
pub(super) fn everything(text: &str) -> Vec<EventKind> {
    [
        beginning(text),
        meanwhile(text),
        confirmed(text),
        atomic(text),
        results(text),
        ending(text),
    ]
    .concat()
}

fn found(text: &str) -> Changes {
    let value = change(text, Some(text), None);
    let fresh = change(text, None, Some(text));
    let rows = vec![
        row(&[text], Deed::Updated, std::slice::from_ref(&value)),
        row(&[text, text], Deed::Inserted, &[fresh]),
        row(&[], Deed::Deleted, &[value]),
    ];
    let indirect = TableChange {
        indirect: true,
        inserted: 7,
        ..table(text, Vec::new())
    };
    Changes {
        unseen: vec![text.into()],
        ..Changes::new(vec![table(text, rows), indirect])
    }
}

fn shown(text: &str) -> Rows {
    let names = [(text, 25), ("n", oid::INT4)];
    rows(&names, &[&[Some(text), None], &[None, Some("1")]])
}

fn trouble(text: &str) -> Failure {
    Failure::new(FailureKind::Statement, text)
        .note(text)
        .help(text)
}

fn named(text: &str) -> StepRef {
    StepRef {
        kind: text.into(),
        ..step(text)
    }
}

pub(super) fn clashes(text: &str) -> Vec<Conflict> {
    let mut clashes = conflicts();
    for clash in &mut clashes {
        clash.table = text.into();
        clash.key = vec![text.into()];
        clash.by = Some(text.into());
        for column in &mut clash.columns {
            column.column = text.into();
            column.now = Some(text.into());
        }
    }
    clashes
}

fn finished(text: &str) -> EventKind {
    EventKind::RunFinished(Box::new(RunFinished {
        changes: Some(found(text)),
        aborted: Some(true),
        ..ended(Outcome::Failed, text, &[text])
    }))
}

fn beginning(text: &str) -> Vec<EventKind> {
    let said = || text.to_owned();
    let EventKind::RunStarted(started) = begin(true) else {
        return Vec::new();
    };
    let param = Shown {
        name: said(),
        value: said(),
    };
    let started = RunStarted {
        title: said(),
        actor: said(),
        params: vec![param],
        target: TargetFacts {
            name: said(),
            database: said(),
            user: said(),
            server_version: said(),
            system_identifier: Some(said()),
            ..TargetFacts::default()
        },
        not_rehearsed: vec![said()],
        glass: Some(said()),
        ..*started
    };
    vec![
        EventKind::Noticed { message: said() },
        EventKind::RunStarted(Box::new(started)),
        EventKind::StepStarted {
            step: named(text),
            about: Some(said()),
            item: Some(item(0, text)),
        },
    ]
}

fn meanwhile(text: &str) -> Vec<EventKind> {
    let said = || text.to_owned();
    let blocker = Blocker {
        pid: 1,
        user: said(),
        application: said(),
        query: said(),
        seconds: 1,
    };
    vec![
        EventKind::LockWaited {
            step: named(text),
            blockers: vec![blocker],
        },
        EventKind::StepRetried {
            step: named(text),
            failure: trouble(text),
            retry: 1,
            of: 2,
            wait_ms: 3,
        },
        EventKind::BatchCommitted {
            step: named(text),
            unit: UNIT,
            count: 1,
            so_far: 2,
            of: 3,
            last: vec![said()],
        },
        EventKind::Committing {
            batch: None,
            step: named(text),
            unit: UNIT,
            transaction: Some(said()),
            result: fix(1, Changes::default(), true),
        },
        finished(text),
        EventKind::RunResumed { actor: said() },
    ]
}

fn confirmed(text: &str) -> Vec<EventKind> {
    let said = || text.to_owned();
    let approved = Approved {
        part: None,
        step: StepId(0),
        item: None,
        digest: said(),
    };
    let yes = StepResult::Confirm {
        yes: true,
        by: said(),
        why: Some(said()),
        refusal: None,
        granted: None,
        approved: vec![approved],
    };
    vec![
        EventKind::Rehearsed {
            step: named(text),
            of: vec![said()],
            changes: found(text),
        },
        EventKind::Asked {
            step: named(text),
            question: said(),
            typed: Some(said()),
            show: Some(shown(text)),
            impact: Some(Box::new(at_stake(text))),
        },
        finish(named(text), yes, 1.0),
    ]
}

fn at_stake(text: &str) -> Impact {
    let said = || text.to_owned();
    Impact {
        operation: vec![said()],
        risk: Risk::High,
        reason: said(),
        raised: Some(said()),
        data: vec![AtRisk {
            table: said(),
            whole: false,
            beside: true,
            deleted: 3,
            updated: 2,
            inserted: 1,
            of: Some(9),
        }],
        locks: vec![TableLock {
            table: said(),
            mode: LockMode::AccessExclusive,
            waiting: 1,
            users: 2,
        }],
        unseen: vec![said()],
        backups: vec![Saving {
            id: said(),
            bytes: 5,
            rows: 6,
            verified: None,
        }],
        newest: None,
        lost: vec![said()],
        undoable: true,
        recovery_seconds: Some(7),
        earlier: Some(Earlier::Restores(3)),
        recovery: Some(said()),
    }
}

fn atomic(text: &str) -> Vec<EventKind> {
    let part = inner(text, text);
    let unsound = check(false, &[(text, false, Some(text))]);
    vec![
        EventKind::AtomicStarted {
            step: named(text),
            item: Some(item(1, text)),
        },
        finish(part.clone(), query(shown(text)), 1.0),
        finish(part, unsound, 1.0),
        EventKind::AtomicRolledBack { step: named(text) },
    ]
}

fn results(text: &str) -> Vec<EventKind> {
    let record = StepResult::Query {
        rows: rows(&[(text, 25)], &[&[Some(text)]]),
        show: Show::Record,
        guard: Some(text.into()),
        saved: None,
    };
    let fixed = StepResult::Fix {
        count: 1,
        rows: shown(text),
        changes: found(text),
        committed: true,
    };
    vec![
        finish(named(text), record, 1.0),
        finish(named(text), fixed, 1.0),
        finish(named(text), saved(text), 1.0),
        finish(named(text), restored(text), 1.0),
        fail(named(text), trouble(text)),
    ]
}

fn saved(text: &str) -> StepResult {
    StepResult::Backup(Box::new(Backed {
        id: text.into(),
        path: text.into(),
        tables: tables(text),
        pruned: vec![text.into()],
        ..Backed::default()
    }))
}

fn restored(text: &str) -> StepResult {
    StepResult::Restored(Box::new(RestoredInto {
        backup: text.into(),
        into: text.into(),
        tables: tables(text),
        rows: 7,
        aside: Some(text.into()),
    }))
}

fn tables(text: &str) -> Vec<BackedTable> {
    vec![BackedTable {
        table: text.into(),
        rows: 7,
    }]
}

fn ending(text: &str) -> Vec<EventKind> {
    vec![
        EventKind::UndoStarted {
            of: vec![text.into()],
            why: text.into(),
        },
        undone(found(text), clashes(text), Some(trouble(text))),
        finished(text),
    ]
}
