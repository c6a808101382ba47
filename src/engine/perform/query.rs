//! A `query` reads rows and holds their number against its guard.

use super::super::event::{Decision, Saved, StepResult};
use super::super::failure::Failure;
use super::super::port::World;
use super::{Performed, Stage, bind, command};
use crate::runbook::model::Step;
use crate::step::query::Query;
use crate::step::shape::RowsGuard;

/// Rows that are kept for templates and for showing, where a query does not say how many.
const KEEP: usize = 1000;

pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    query: &Query,
) -> Result<Performed, Failure> {
    let context = stage.context(step)?;
    if let Some(program) = &query.command {
        return command::perform(stage, &context, program, query.pass_connection, None, true).await;
    }
    let Some(sql) = step.sql.first() else {
        return Err(super::template("the step has no statement"));
    };
    let bound = bind(&context, sql)?;
    let keep = query.limit.map_or(KEEP, |limit| limit as usize);
    let path = query.save.as_ref();
    let path = path.map(|save| context.render_path(save.text()).map_err(super::template));
    let path = path.transpose()?;
    let would_save = path.as_ref().map(|path| {
        Box::new(Saved {
            path: path.clone(),
            sha256: None,
            bytes: 0,
        })
    });
    let (rows, saved) = match path.filter(|_| stage.lasting) {
        Some(path) => {
            let read = stage.world.save(&bound, keep, &path, &stage.limits);
            let (rows, saved) = read.await?;
            (rows, Some(Box::new(saved)))
        }
        None => {
            let rows = stage.world.read(&bound, keep, &stage.limits).await?;
            (rows, would_save)
        }
    };
    let decision = match &query.rows {
        Some(guard) if !guard.admits(rows.count, expected(guard, &context)?) => Decision::Else,
        _ => Decision::Next,
    };
    Ok(Performed {
        result: StepResult::Query {
            rows,
            show: query.show,
            guard: query.rows.as_ref().map(ToString::to_string),
            saved,
        },
        decision,
    })
}

/// Returns the number that a guard of the form `={{ expression }}` comes to.
pub(super) fn expected(
    guard: &RowsGuard,
    context: &crate::runbook::context::Context,
) -> Result<Option<u64>, Failure> {
    let RowsGuard::Equals(expression) = guard else {
        return Ok(None);
    };
    let value = context
        .evaluate(expression.text())
        .map_err(super::template)?;
    let count = value.as_i64().and_then(|count| u64::try_from(count).ok());
    match count {
        Some(count) => Ok(Some(count)),
        None => Err(super::template(format!(
            "the row guard `{}` is {value}, not a number of rows",
            expression.text()
        ))),
    }
}
