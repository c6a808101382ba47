//! Performs one step: one kind a file. What it does to the world goes through the port, what it comes to
//! is returned; telling and deciding are the driver's.

mod backup;
mod check;
mod command;
mod confirm;
mod fix;
mod query;

use tokio::time::Instant;

use super::cancel::Cancel;
use super::event::{Decision, StepRef, StepResult};
use super::failure::{Failure, FailureKind};
use super::plan::Plan;
use super::port::{Bound, Limits, World};
use super::scope::{self, Current, Surroundings};
use super::state::State;
use crate::runbook::context::Context;
use crate::runbook::model::{Runbook, Step};
use crate::runbook::statement::{Fillings, SqlTemplate};
use crate::sql::statement::Statement;
use crate::step::Kind;

pub(super) use confirm::{Asking, ask, prepare};
pub(super) use fix::{
    ROLLED_BACK, check_guard, has_transaction, perform_part, same_as_approved, whole,
};

/// What a step came to, and which way it chose.
#[derive(Clone, Debug)]
pub(super) struct Performed {
    /// What it came to.
    pub(super) result: StepResult,
    /// Which way it chose.
    pub(super) decision: Decision,
}

/// What a step needs to be performed.
pub(super) struct Stage<'a, W> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a State,
    pub(super) surroundings: &'a Surroundings,
    pub(super) world: &'a mut W,
    pub(super) limits: Limits,
    pub(super) items: &'a [Current],
    /// Whether what is done may last: not in a dry run, and not in a rehearsal.
    pub(super) lasting: bool,
    /// The digest that a person approved for this very step.
    pub(super) approved: Option<String>,
}

/// Performs a step that is neither a question nor a structure.
pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
) -> Result<Performed, Failure> {
    match &step.kind {
        Kind::Query(kind) => query::perform(stage, step, kind).await,
        Kind::Check(kind) => check::perform(stage, step, kind).await,
        Kind::Fix(kind) => fix::perform(stage, step, kind).await,
        Kind::Backup(kind) => backup::perform(stage, step, kind).await,
        Kind::Confirm(_) | Kind::Rollback(_) | Kind::Atomic(_) | Kind::Use(_) => Err(Failure::new(
            FailureKind::Unsupported,
            format!("a `{}` cannot be performed here", step.kind.word()),
        )),
    }
}

impl<W: World> Stage<'_, W> {
    /// Returns what the step's templates see.
    fn context(&self, step: &Step) -> Result<Context, Failure> {
        scope::context(self.plan, self.state, self.surroundings, step, self.items).map_err(template)
    }
}

/// Fills a statement with its values.
pub(super) fn bind(context: &Context, sql: &SqlTemplate) -> Result<Bound, Failure> {
    let statement = named(context, sql)?;
    let binds = sql
        .binds
        .iter()
        .map(|expression| {
            context
                .bind(expression)
                .map_err(|why| template(format!("{{{{ {expression} }}}}: {why}")))
        })
        .collect::<Result<_, _>>()?;
    Ok(Bound { statement, binds })
}

/// Fills a statement with its names and literals alone.
pub(super) fn named(context: &Context, sql: &SqlTemplate) -> Result<Statement, Failure> {
    let names: Vec<Vec<String>> = sql
        .names
        .iter()
        .map(|expression| context.names(expression))
        .collect::<Result<_, _>>()
        .map_err(template)?;
    let literals = sql
        .literals
        .iter()
        .map(|expression| literal(context, expression))
        .collect::<Result<_, _>>()?;
    let statement = sql
        .filled(&Fillings { names, literals })
        .map_err(|error| Failure::new(FailureKind::Statement, error.message))?;
    let same = statement.access() == sql.statement.access()
        && statement.risk().risk <= sql.statement.risk().risk;
    let reads = sql.statement.allowed_in_read().is_ok();
    if !same || (reads && statement.allowed_in_read().is_err()) {
        let message = format!(
            "`{}` becomes another kind of statement by the names that it is given",
            sql.statement.text()
        );
        return Err(Failure::new(FailureKind::Statement, message)
            .help("names may only name tables and columns"));
    }
    Ok(statement)
}

/// Returns the text that a literal stands for; none for NULL.
fn literal(context: &Context, expression: &str) -> Result<Option<String>, Failure> {
    let wrong = |why: &str| template(format!("{{{{ {expression} | literal }}}}: {why}"));
    let text = context.bind(expression).map_err(|why| wrong(&why))?.text;
    match text {
        Some(text) if text.contains('\0') => Err(wrong("PostgreSQL cannot hold a NUL character")),
        text => Ok(text),
    }
}

/// Returns the failure of a template.
pub(super) fn template(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Template, why)
}

/// Returns the limits of a step that begins now.
pub(super) fn limits(step: &Step, cancel: &Cancel) -> Limits {
    Limits {
        deadline: step
            .common
            .timeout
            .map(|timeout| Instant::now() + timeout.0),
        cancel: cancel.clone(),
    }
}

/// Returns how events name a step.
pub(super) fn step_ref(runbook: &Runbook, step: &Step) -> StepRef {
    StepRef {
        id: step.id,
        name: step.title.clone(),
        kind: step.kind.word().to_owned(),
        atomic: step.atomic.map(|id| runbook.step(id).title.clone()),
    }
}
