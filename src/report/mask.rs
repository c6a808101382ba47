//! Masks every text of an event that can hold data. What the engine itself names stays: steps and their
//! kinds, the run's id, and the digests that a resumed run compares.
//!
//! Everything is taken apart to its fields, so that a new one cannot be forgotten.

use super::secret::{Hidden, MASK, Redactor};
use crate::engine::approval::{Request, Standing, Verdict};
use crate::engine::backup::{Backed, BackedTable, RestoredInto};
use crate::engine::change::{Changes, ColumnChange, RowChange, TableChange};
use crate::engine::conflict::{Conflict, ConflictColumn};
use crate::engine::event::{
    Assertion, Blocker, Decision, Event, EventKind, Item, Progress, RunFinished, RunStarted, Saved,
    Shown, StepResult, TargetFacts,
};
use crate::engine::failure::Failure;
use crate::engine::impact::{AtRisk, Impact, Saving};
use crate::engine::lock::TableLock;
use crate::runbook::data::{Column, Rows};

/// What can hold secrets.
pub(super) trait Mask {
    /// Masks them.
    fn mask(&mut self, redactor: &Redactor);
}

impl Mask for String {
    fn mask(&mut self, redactor: &Redactor) {
        *self = redactor.mask(self);
    }
}

impl<T: Mask> Mask for Option<T> {
    fn mask(&mut self, redactor: &Redactor) {
        if let Some(some) = self {
            some.mask(redactor);
        }
    }
}

impl<T: Mask> Mask for Box<T> {
    fn mask(&mut self, redactor: &Redactor) {
        T::mask(self, redactor);
    }
}

impl<T: Mask> Mask for Vec<T> {
    fn mask(&mut self, redactor: &Redactor) {
        for item in self {
            item.mask(redactor);
        }
    }
}

/// Masks the named fields of what is taken apart.
macro_rules! mask_fields {
    ($redactor:expr; $($field:expr),+) => {
        { $( Mask::mask($field, $redactor); )+ }
    };
}

/// Says of a struct which fields can hold secrets, and which cannot.
macro_rules! mask_struct {
    ($kind:ident { $($field:ident),* } $(keeps { $($kept:ident),* })?) => {
        impl Mask for $kind {
            fn mask(&mut self, redactor: &Redactor) {
                let Self { $($field,)* $($($kept: _,)*)? } = self;
                mask_fields!(redactor; $($field),*);
            }
        }
    };
}

mask_struct!(Event { kind } keeps { seq, at, elapsed_ms });
mask_struct!(RunStarted { title, actor, target, params, not_rehearsed, glass }
    keeps { run, runbook, hash, risk, dry_run, undo_of });
mask_struct!(Shown { value } keeps { name });
mask_struct!(TargetFacts {
    name,
    database,
    user,
    role,
    server_version,
    system_identifier,
    timeline
} keeps { database_oid, protected, search_path });
mask_struct!(Item { label } keeps { index, of });
mask_struct!(Blocker { user, application, query } keeps { pid, seconds });
mask_struct!(Assertion { name, otherwise, found, why } keeps { passed, group, seen });
mask_struct!(RunFinished { says, changes }
    keeps { outcome, committed, undone, undoable, aborted, took_ms, waited_ms });
mask_struct!(Column { name } keeps { kind, oid, sensitive });
mask_struct!(Changes { tables, unseen } keeps { digest });
mask_struct!(RowChange { key, columns } keeps { deed, own });
mask_struct!(ConflictColumn {
    column,
    then,
    now,
    back
});
mask_struct!(Backed { id, path, tables, pruned }
    keeps { holds, rows, bytes, sha256, verified, encrypted });
mask_struct!(Impact { operation, reason, raised, data, locks, unseen, backups, lost, recovery }
    keeps { risk, newest, undoable, recovery_seconds, earlier });
mask_struct!(TableLock { table } keeps { mode, waiting, users });
mask_struct!(Request { title, params, target, actor, question, changes, show, impact }
    keeps { run, step, name, runbook, hash, risk, params_digest, of, approved, needs });
mask_struct!(Verdict { actor, reason } keeps { word, login, at });
mask_struct!(Standing { verdicts } keeps { asked_at, expires_at, expired });
mask_struct!(AtRisk { table } keeps { whole, beside, deleted, updated, inserted, of });
mask_struct!(Saving { id } keeps { bytes, rows, verified });
mask_struct!(Saved { path } keeps { sha256, bytes });
mask_struct!(BackedTable { table } keeps { rows });
mask_struct!(RestoredInto {
    backup,
    into,
    tables,
    aside
} keeps { rows });
mask_struct!(Progress { last } keeps { so_far, of });
mask_struct!(ColumnChange { column, before, after } keeps { volatile });

impl Mask for Rows {
    fn mask(&mut self, by: &Redactor) {
        let Self {
            columns,
            rows,
            count: _,
        } = self;
        let hidden = columns.iter().map(|column| column.sensitive);
        let hidden: Vec<bool> = hidden.collect();
        if hidden.contains(&true) {
            rows.iter_mut()
                .flat_map(|row| row.iter_mut().zip(&hidden))
                .filter(|(_, hidden)| **hidden)
                .for_each(|(value, _)| hide(value.as_mut()));
        }
        mask_fields!(by; columns, rows);
    }
}

impl Mask for TableChange {
    fn mask(&mut self, by: &Redactor) {
        let Self {
            table,
            key,
            rows,
            inserted: _,
            updated: _,
            deleted: _,
            indirect: _,
        } = self;
        let hidden = by.sensitive_of(table);
        if !hidden.is_empty() {
            for row in rows.iter_mut() {
                hide_key(&hidden, key, &mut row.key);
                let changed = row.columns.iter_mut();
                changed
                    .filter(|change| hidden.has(&change.column))
                    .flat_map(|change| [&mut change.before, &mut change.after])
                    .for_each(|value| hide(value.as_mut()));
            }
        }
        mask_fields!(by; table, key, rows);
    }
}

impl Mask for Conflict {
    fn mask(&mut self, by: &Redactor) {
        let Self {
            table,
            key_columns,
            key,
            columns,
            by: who,
            clash: _,
        } = self;
        let hidden = by.sensitive_of(table);
        if !hidden.is_empty() {
            hide_key(&hidden, key_columns, key);
            let clashing = columns.iter_mut();
            clashing
                .filter(|clash| hidden.has(&clash.column))
                .flat_map(|clash| [&mut clash.then, &mut clash.now, &mut clash.back])
                .for_each(|value| hide(value.as_mut()));
        }
        mask_fields!(by; table, key_columns, key, columns, who);
    }
}

impl Mask for Failure {
    fn mask(&mut self, by: &Redactor) {
        let Self {
            message,
            notes,
            help,
            sqlstate,
            kind: _,
        } = self;
        for note in notes.iter_mut() {
            if let Some(hidden) = by.without_row(sqlstate.as_deref(), note) {
                *note = hidden;
            }
        }
        mask_fields!(by; message, notes, help);
    }
}

fn hide_key(hidden: &Hidden<'_>, columns: &[String], key: &mut [String]) {
    let parts = columns.iter().zip(key);
    parts
        .filter(|(column, _)| hidden.has(column))
        .for_each(|(_, value)| hide(Some(value)));
}

/// That there is no value is no secret.
fn hide(value: Option<&mut String>) {
    if let Some(value) = value {
        MASK.clone_into(value);
    }
}

impl Mask for EventKind {
    fn mask(&mut self, by: &Redactor) {
        match self {
            Self::RunStarted(started) => started.mask(by),
            Self::RunResumed { actor } => actor.mask(by),
            Self::StepStarted {
                step: _,
                about,
                item,
            } => mask_fields!(by; about, item),
            Self::LockWaited { step: _, blockers } => blockers.mask(by),
            Self::Noticed { message } => message.mask(by),
            Self::StepRetried {
                step: _,
                failure,
                retry: _,
                of: _,
                wait_ms: _,
            }
            | Self::StepFailed {
                step: _,
                failure,
                took_ms: _,
            } => failure.mask(by),
            Self::Rehearsed {
                step: _,
                of: _,
                changes,
            }
            | Self::AtomicCommitted {
                step: _,
                changes,
                took_ms: _,
            } => changes.mask(by),
            Self::Asked {
                step: _,
                question,
                typed,
                show,
                impact,
            } => {
                mask_fields!(by; question, typed, show, impact);
            }
            Self::BrokeGlass {
                reason,
                by: who,
                lifted,
            } => mask_fields!(by; reason, who, lifted),
            Self::ApprovalAsked {
                step: _,
                request,
                expires_at: _,
            } => request.mask(by),
            Self::ApprovalSeen { step: _, standing } => standing.mask(by),
            Self::StepFinished {
                step: _,
                result,
                decision,
                took_ms: _,
            } => {
                mask_fields!(by; result, decision);
            }
            Self::AtomicStarted { step: _, item } => item.mask(by),
            Self::Committing {
                step: _,
                unit: _,
                transaction: _,
                result,
                batch,
            } => mask_fields!(by; result, batch),
            Self::BatchCommitted {
                step: _,
                unit: _,
                count: _,
                so_far: _,
                of: _,
                last,
            } => last.mask(by),
            Self::UndoStarted { of: _, why } => why.mask(by),
            Self::UndoFinished {
                undone: _,
                restored: _,
                changes,
                conflicts,
                failure,
                took_ms: _,
            } => mask_fields!(by; changes, conflicts, failure),
            Self::StepSkipped { step: _ }
            | Self::AtomicRolledBack { step: _ }
            | Self::LoopFinished {
                step: _,
                items: _,
                count: _,
                failed: _,
            } => {}
            Self::RunFinished(finished) => finished.mask(by),
        }
    }
}

impl Mask for StepResult {
    fn mask(&mut self, by: &Redactor) {
        match self {
            Self::Query {
                rows,
                show: _,
                guard,
                saved,
            } => mask_fields!(by; rows, guard, saved),
            Self::Check {
                passed: _,
                items,
                switch,
                severity: _,
                otherwise,
            } => {
                mask_fields!(by; items, switch, otherwise);
            }
            Self::Confirm {
                yes: _,
                by: who,
                why,
                refusal: _,
                granted: _,
                approved: _,
            } => mask_fields!(by; who, why),
            Self::Fix {
                count: _,
                rows,
                changes,
                committed: _,
            } => mask_fields!(by; rows, changes),
            Self::Command {
                code: _,
                stdout,
                stderr,
                passed: _,
            } => {
                mask_fields!(by; stdout, stderr);
            }
            Self::Rollback {
                undone: _,
                restored: _,
                changes,
                conflicts,
            } => mask_fields!(by; changes, conflicts),
            Self::Backup(backed) => backed.mask(by),
            Self::Restored(restored) => restored.mask(by),
            Self::WouldRun => {}
        }
    }
}

impl Mask for Decision {
    fn mask(&mut self, by: &Redactor) {
        match self {
            Self::Case(value) => value.mask(by),
            Self::Next | Self::Then | Self::Else => {}
        }
    }
}
