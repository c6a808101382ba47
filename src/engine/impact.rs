//! What a person should know before a yes to what is risky: what is done, what may be lost, and how it comes
//! back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Changes;
use super::event::StepResult;
use super::lock::TableLock;
use super::plan::Plan;
use super::port::{Bound, Limits, World};
use super::state::State;
use crate::runbook::data::{Cell, array_literal, oid};
use crate::runbook::model::{Runbook, Step};
use crate::sql::risk::Risk;
use crate::sql::statement::Statement;
use crate::step::Kind;
use crate::step::backup::Verify;

/// How many bytes of a backup are put back in a second, at a careful guess.
const BYTES_A_SECOND: u64 = 10_000_000;

/// What is at stake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// What is done, such as `DELETE farms`.
    pub operation: Vec<String>,
    /// How dangerous it is.
    pub risk: Risk,
    /// Why.
    pub reason: String,
    /// The rows that the rehearsal changed, the tables that lose some first.
    pub data: Vec<AtRisk>,
    /// The locks that it takes on tables, the strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<TableLock>,
    /// What cannot be told in rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// The backups that the run has made.
    pub backups: Vec<Saving>,
    /// What nothing puts back but a backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Whether the run's own records put back the rest: row images, or statements.
    pub undoable: bool,
    /// About how many seconds it takes to put everything back; nothing where nothing can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_seconds: Option<u64>,
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
    /// How it was verified; nothing in a dry run, which does not make it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verify>,
}

/// Returns what is at stake with what a confirm approves, where it is the riskiest of a runbook of high risk, or where
/// rows go: by the statements themselves, by cascades or by triggers.
pub(super) async fn of<W: World>(
    plan: &Plan,
    state: &State,
    world: &mut W,
    confirm: &Step,
    changes: &Changes,
    rehearsed_ms: f64,
    limits: &Limits,
) -> Option<Box<Impact>> {
    let runbook = plan.runbook();
    let fixes = fixes(runbook, confirm);
    let (risk, reason) = fixes.iter().filter_map(|step| step.risk()).max()?;
    let riskiest = runbook.steps.iter().filter_map(Step::risk).max()?.0;
    let is_risky = risk >= Risk::High && risk >= riskiest;
    let deletes = changes.tables.iter().any(|table| table.deleted > 0);
    if !is_risky && !deletes {
        return None;
    }
    let lost = fixes.iter().filter(|step| is_lost(step));
    let lost: Vec<String> = lost.map(|step| step.title.clone()).collect();
    let undoable = lost.len() < fixes.len();
    let backups = backups(runbook, state);
    let restore = backups.last().filter(|_| !lost.is_empty());
    let (recovery_seconds, recovery) = match restore {
        Some(backup) => (
            Some(1 + backup.bytes / BYTES_A_SECOND),
            Some(format!("runbook backup restore {}", backup.id)),
        ),
        None if undoable => (
            Some(1 + seconds(rehearsed_ms)),
            Some(format!("runbook undo {}", plan.run)),
        ),
        None => (None, None),
    };
    Some(Box::new(Impact {
        operation: operations(&fixes),
        risk: risk.max(runbook.risk),
        reason,
        data: at_risk(changes, &emptied(&fixes), world, limits).await,
        locks: Vec::new(),
        unseen: changes.unseen.clone(),
        backups,
        lost,
        undoable,
        recovery_seconds,
        recovery,
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

/// Returns whether neither row images nor statements put back what a fix does.
fn is_lost(step: &Step) -> bool {
    match &step.kind {
        Kind::Fix(fix) => fix.is_never_undone() || (fix.is_final() && step.undo.is_empty()),
        _ => false,
    }
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

/// Returns the tables that a statement empties or drops as a whole.
fn emptied(fixes: &[&Step]) -> Vec<String> {
    let statements = fixes.iter().flat_map(|step| &step.sql);
    let whole = statements.filter(|sql| matches!(sql.statement.verb(), "TRUNCATE" | "DROP TABLE"));
    whole
        .flat_map(|sql| sql.statement.tables())
        .map(|table| table.name.to_string())
        .collect()
}

fn backups(runbook: &Runbook, state: &State) -> Vec<Saving> {
    let steps = runbook.steps.iter();
    let steps = steps.filter(|step| matches!(step.kind, Kind::Backup(_)));
    let results = steps.filter_map(|step| Some((step, state.result(step.id)?)));
    results
        .filter_map(|(step, result)| match result {
            StepResult::Backup(backed) => Some(Saving {
                id: backed.id.clone(),
                bytes: backed.bytes,
                verified: Some(backed.verified),
            }),
            StepResult::WouldRun => Some(Saving {
                id: step.title.clone(),
                bytes: 0,
                verified: None,
            }),
            _ => None,
        })
        .collect()
}

/// Returns the rows that change, by table. That the server does not know how many a table has is no failure.
async fn at_risk<W: World>(
    changes: &Changes,
    emptied: &[String],
    world: &mut W,
    limits: &Limits,
) -> Vec<AtRisk> {
    let whole = |table: &String| AtRisk {
        table: table.clone(),
        whole: true,
        ..AtRisk::default()
    };
    let mut found: Vec<AtRisk> = emptied.iter().map(whole).collect();
    for table in &changes.tables {
        let known = found.iter().position(|known| known.table == table.table);
        let at = known.unwrap_or_else(|| {
            found.push(AtRisk {
                table: table.table.clone(),
                ..AtRisk::default()
            });
            found.len() - 1
        });
        if let Some(known) = found.get_mut(at) {
            known.deleted += table.deleted;
            known.updated += table.updated;
            known.inserted += table.inserted;
        }
    }
    let names: Vec<String> = found.iter().map(|table| table.table.clone()).collect();
    for (table, of) in found.iter_mut().zip(sizes(&names, world, limits).await) {
        table.of = of.filter(|of| *of >= table.deleted + table.updated);
    }
    found.sort_by_key(|table| std::cmp::Reverse((table.whole, table.deleted, table.updated)));
    found
}

async fn sizes<W: World>(names: &[String], world: &mut W, limits: &Limits) -> Vec<Option<u64>> {
    const SIZES: &str = "SELECT c.reltuples::bigint \
        FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n) \
        LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name) AND c.reltuples > 0 ORDER BY t.n";
    let Ok(statement) = Statement::parse(SIZES) else {
        return Vec::new();
    };
    let bound = Bound {
        statement,
        binds: vec![Cell {
            text: Some(array_literal(names)),
            oid: oid::UNKNOWN,
        }],
    };
    if names.is_empty() {
        return Vec::new();
    }
    let rows = world.read(&bound, names.len(), limits).await;
    let rows = rows.map(|rows| rows.rows).unwrap_or_default();
    let size = |row: Vec<Option<String>>| row.first().cloned().flatten()?.parse().ok();
    rows.into_iter().map(size).collect()
}

/// Returns whole seconds.
fn seconds(ms: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(ms / 1000.0)
        .unwrap_or_default()
        .as_secs()
}
