//! What a person should know before a yes to what is risky: what is done, what may be lost, and how it comes
//! back.

mod data;
mod recovery;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Changes;
use super::lock::TableLock;
use super::pace::Earlier;
use super::plan::Plan;
use super::policy;
use super::port::{Limits, World};
use super::rehearse::Rehearsal;
use super::state::State;
use crate::runbook::model::{Runbook, Step};
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::backup::Verify;
use crate::step::confirm::Confirm;
use recovery::{Lost, Recovery};

/// What is at stake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// What is done, such as `DELETE farms`.
    pub operation: Vec<String>,
    /// How dangerous it is.
    pub risk: Risk,
    /// Why the statements are dangerous.
    pub reason: String,
    /// Why it is more dangerous than they are: the rows that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<String>,
    /// The rows that the rehearsal changed: those that the statements name first, and tables that lose some.
    pub data: Vec<AtRisk>,
    /// The locks that it takes on tables, the strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<TableLock>,
    /// What cannot be told in rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// The backups that the run has made.
    pub backups: Vec<Saving>,
    /// The newest verified backup of the whole database, where the run has made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// What nothing puts back but a backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Whether the run's own records put back the rest: row images, or statements.
    pub undoable: bool,
    /// About how many seconds it takes to put everything back; nothing where nothing can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_seconds: Option<u64>,
    /// What that is taken from; a guess where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// The command that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
}

/// The rows of a table that change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AtRisk {
    /// The table.
    pub table: String,
    /// Whether all of it goes, which cannot be told row by row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Whether cascades and triggers change them, not the statements themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// How many rows are deleted.
    pub deleted: u64,
    /// How many are updated.
    pub updated: u64,
    /// How many are new.
    pub inserted: u64,
    /// About how many rows the table has, where the server knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Saving {
    /// Its id.
    pub id: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many rows it holds.
    #[serde(default)]
    pub rows: u64,
    /// How it was verified; nothing in a dry run, which does not make it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verify>,
}

/// The newest verified backup of the whole database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Newest {
    /// When it was taken.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub taken_at: Timestamp,
    /// How many seconds old it is.
    pub age_seconds: u64,
}

/// Returns whether it is told what is at stake with what a confirm approves: where that is of high risk on this
/// target, where rows go, by the statements themselves, by cascades or by triggers, and where the target is protected
/// or others must approve, from medium risk on.
pub(super) fn is_told(plan: &Plan, step: &Step, confirm: &Confirm, changes: &Changes) -> bool {
    let fixes = fixes(plan.runbook(), step);
    if !fixes.iter().any(|step| step.risk().is_some()) {
        return false;
    }
    let needed = policy::of_confirm(plan, step, confirm, changes);
    let deletes = changes.tables.iter().any(|table| table.deleted > 0);
    let is_guarded = plan.policy.rules.protected || needed.approvals.is_some();
    deletes || needed.risk >= Risk::High || (is_guarded && needed.risk >= Risk::Medium)
}

/// Returns what is at stake with what a confirm approves, where that is to be told.
pub(super) async fn of<W: World>(
    plan: &Plan,
    state: &State,
    world: &mut W,
    (step, confirm): (&Step, &Confirm),
    rehearsal: &Rehearsal,
    limits: &Limits,
) -> Option<Box<Impact>> {
    let changes = &rehearsal.changes;
    if !is_told(plan, step, confirm, changes) {
        return None;
    }
    let runbook = plan.runbook();
    let fixes = fixes(runbook, step);
    let (_, reason) = fixes.iter().filter_map(|step| step.risk()).max()?;
    let needed = policy::of_confirm(plan, step, confirm, changes);
    let lost = fixes.iter().filter(|step| recovery::is_lost(step));
    let lost: Vec<String> = lost.map(|step| step.title.clone()).collect();
    let undoable = lost.len() < fixes.len();
    let backups = recovery::backups(runbook, state);
    let newest = match backups.as_slice() {
        [] => recovery::newest(world).await,
        _ => None,
    };
    let back = Lost {
        needs_backup: !lost.is_empty(),
        undoable,
        rows: changes.count(),
        seconds: rehearsal.took.as_secs(),
    };
    let recovery = Recovery::of(plan, &back, &backups);
    Some(Box::new(Impact {
        operation: operations(&fixes),
        risk: needed.risk.max(runbook.risk),
        reason,
        raised: needed.raised,
        data: data::at_risk(changes, &fixes, world, limits).await,
        locks: rehearsal.locks.clone(),
        unseen: changes.unseen.clone(),
        backups,
        newest,
        lost,
        undoable,
        recovery_seconds: recovery.seconds,
        earlier: recovery.earlier,
        recovery: recovery.command,
    }))
}

/// Returns the fixes that a confirm approves.
fn fixes<'a>(runbook: &'a Runbook, confirm: &Step) -> Vec<&'a Step> {
    let steps = confirm.of.iter().flat_map(|id| runbook.step(*id).unit());
    let steps = steps.map(|id| runbook.step(id));
    steps
        .filter(|step| matches!(step.kind, Kind::Fix(_)))
        .collect()
}

fn operations(fixes: &[&Step]) -> Vec<String> {
    let mut operations = Vec::new();
    for step in fixes {
        if let Kind::Fix(fix) = &step.kind
            && fix.command.is_some()
        {
            operations.push(format!("a program ({})", step.title));
        }
        for sql in &step.sql {
            let written = sql.statement.tables().iter().filter(|table| table.written);
            let tables: Vec<String> = written.map(|table| table.name.to_string()).collect();
            let operation = format!("{} {}", sql.statement.verb(), tables.join(", "));
            operations.push(operation.trim_end().to_owned());
        }
    }
    operations.dedup();
    operations
}
