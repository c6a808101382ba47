//! A `fix` changes rows in one transaction, and commits only what its guard admits and a person approved.

use super::super::change::Changes;
use super::super::event::{Decision, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::journal::{Terms, Undo};
use super::super::port::{Bound, World};
use super::query::expected;
use super::{Performed, Stage, bind, command, template};
use crate::base::words;
use crate::runbook::context::Context;
use crate::runbook::data::Rows;
use crate::runbook::model::Step;
use crate::step::Kind;
use crate::step::fix::{Fix, TransactionMode};
use crate::step::text::Template;

pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    fix: &Fix,
) -> Result<Performed, Failure> {
    let context = stage.context(step)?;
    if let Some(program) = &fix.command {
        return run_program(stage, &context, fix, program).await;
    }
    if fix.transaction == TransactionMode::None {
        return act(stage, step, &context).await;
    }
    change(stage, step, fix, &context).await
}

/// Returns whether a step is a fix that has a transaction of its own. It is performed within it; whoever
/// performs it opens and closes it.
pub(in crate::engine) fn has_transaction(step: &Step) -> bool {
    let Kind::Fix(fix) = &step.kind else {
        return false;
    };
    step.atomic.is_none() && !fix.is_final()
}

async fn change<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    fix: &Fix,
    context: &Context,
) -> Result<Performed, Failure> {
    let (mut count, mut rows, mut changes) = (0, Rows::default(), Changes::default());
    let terms = terms(step, fix, context)?;
    for sql in &step.sql {
        let bound = bind(context, sql)?;
        let changed = stage.world.change(&bound, &terms, &stage.limits).await?;
        count += changed.count;
        changes.append(changed.changes);
        rows = changed.rows;
    }
    check_guard(stage, step, fix, count)?;
    if step.atomic.is_none() {
        changes.append(stage.world.settle(&stage.limits).await?);
    }
    if let Some(approved) = &stage.approved {
        same_as_approved(approved, &changes)?;
    }
    Ok(Performed {
        result: StepResult::Fix {
            count,
            rows,
            changes,
            committed: step.atomic.is_none() && stage.lasting,
        },
        decision: Decision::Next,
    })
}

/// Returns the statement of a batch, for all of its rows.
pub(in crate::engine) fn whole<W: World>(
    stage: &Stage<'_, W>,
    step: &Step,
) -> Result<Bound, Failure> {
    let context = stage.context(step)?;
    match step.sql.as_slice() {
        [sql] => bind(&context, sql),
        _ => Err(template("a batch has one statement")),
    }
}

/// Does one part of a batch, and returns how many rows it changed. Its guard is about all parts.
pub(in crate::engine) async fn perform_part<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    fix: &Fix,
    bound: &Bound,
) -> Result<(u64, Changes), Failure> {
    let terms = terms(step, fix, &stage.context(step)?)?;
    let changed = stage.world.change(bound, &terms, &stage.limits).await?;
    let mut changes = changed.changes;
    changes.append(stage.world.settle(&stage.limits).await?);
    if let Some(approved) = &stage.approved {
        same_as_approved(approved, &changes)?;
    }
    Ok((changed.count, changes))
}

/// What a guard that says no means for a transaction.
pub(in crate::engine) const ROLLED_BACK: &str =
    "the transaction is rolled back: nothing was changed";

/// Holds the number of changed rows against the guard of a fix.
pub(in crate::engine) fn check_guard<W: World>(
    stage: &Stage<'_, W>,
    step: &Step,
    fix: &Fix,
    count: u64,
) -> Result<(), Failure> {
    let shown = stage
        .state
        .approved
        .iter()
        .any(|approved| approved.step == step.id || Some(approved.step) == step.atomic);
    guard(fix, &stage.context(step)?, count).map_err(|failure| {
        if shown {
            failure.note(
                "other rows were shown and approved: someone changed the data since; run it again",
            )
        } else {
            failure
        }
    })
}

/// Returns what the statements of a fix are held to.
fn terms(step: &Step, fix: &Fix, context: &Context) -> Result<Terms, Failure> {
    let names = |names: &[Template]| -> Result<Vec<String>, Failure> {
        names
            .iter()
            .map(|name| context.render(name.text()).map_err(template))
            .collect()
    };
    Ok(Terms {
        step: step.id,
        undo: match (fix.is_never_undone(), step.undo.is_empty()) {
            (true, _) => Undo::Never,
            (false, true) => Undo::Images,
            (false, false) => Undo::Statements,
        },
        tables: fix.tables.as_deref().map(names).transpose()?,
        ignore: names(fix.ignore.as_deref().unwrap_or_default())?,
        row_security: fix.row_security,
    })
}

fn guard(fix: &Fix, context: &Context, count: u64) -> Result<(), Failure> {
    match &fix.rows {
        Some(guard) if !guard.admits(count, expected(guard, context)?) => {
            let wanted = match expected(guard, context)? {
                Some(exactly) => exactly.to_string(),
                None => guard.to_string(),
            };
            let found = words::count(count, "row");
            Err(Failure::new(
                FailureKind::Guard,
                format!("it would change {found}, but its row guard says {wanted}"),
            )
            .note(ROLLED_BACK)
            .help("look at the rows with a query; if the number is right, change `rows`"))
        }
        _ => Ok(()),
    }
}

/// The yes of a person holds for exactly what was shown.
pub(in crate::engine) fn same_as_approved(
    approved: &str,
    changes: &Changes,
) -> Result<(), Failure> {
    if changes.digest == approved {
        return Ok(());
    }
    let tables: Vec<String> = changes
        .tables
        .iter()
        .map(|table| format!("{} of {}", words::count(table.count(), "row"), table.table))
        .collect();
    Err(Failure::new(FailureKind::Changed, "the changes are not those that were shown and approved")
        .note(format!("now it would change {}", if tables.is_empty() { "nothing".to_owned() } else { words::list(&tables) }))
        .note("someone changed the data since, or the statement gives other values each time; nothing was changed")
        .help("run it again, and look at what it shows now"))
}

async fn act<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    context: &Context,
) -> Result<Performed, Failure> {
    if !stage.lasting {
        return Ok(Performed {
            result: StepResult::WouldRun,
            decision: Decision::Next,
        });
    }
    for sql in &step.sql {
        let bound = bind(context, sql)?;
        stage.world.act(&bound, &stage.limits).await?;
    }
    Ok(Performed {
        result: StepResult::Fix {
            count: 0,
            rows: Rows::default(),
            changes: Changes::default(),
            committed: true,
        },
        decision: Decision::Next,
    })
}

async fn run_program<W: World>(
    stage: &mut Stage<'_, W>,
    context: &Context,
    fix: &Fix,
    program: &crate::step::command::Command,
) -> Result<Performed, Failure> {
    let performed = command::perform(
        stage,
        context,
        program,
        fix.pass_connection,
        fix.expect.as_ref(),
        false,
    )
    .await?;
    match performed.result {
        StepResult::Command {
            code,
            passed: false,
            stderr,
            ..
        } => Err(command::unexpected(code, fix.expect.as_ref(), &stderr)),
        _ => Ok(performed),
    }
}
