//! A `backup` saves rows, tables or the database. What it returns is on disk and was read back in full.

use std::path::PathBuf;

use super::super::backup::{MadeBy, Order, Seal, TableRows, What};
use super::super::event::{Decision, StepResult};
use super::super::failure::Failure;
use super::super::port::World;
use super::{Performed, Stage, bind, template};
use crate::runbook::context::Context;
use crate::runbook::model::Step;
use crate::sql::ident::TableName;
use crate::step::backup::Backup;
use crate::step::text::Template;

pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    backup: &Backup,
) -> Result<Performed, Failure> {
    let context = stage.context(step)?;
    // What cannot even be ordered fails a dry run too.
    let order = order(stage, &context, step, backup)?;
    let result = if stage.lasting {
        let backed = stage.world.backup(&order, &stage.limits).await?;
        StepResult::Backup(Box::new(backed))
    } else {
        StepResult::WouldRun
    };
    Ok(Performed {
        result,
        decision: Decision::Next,
    })
}

/// Fills the templates of a backup.
fn order<W>(
    stage: &Stage<'_, W>,
    context: &Context,
    step: &Step,
    backup: &Backup,
) -> Result<Order, Failure> {
    let render = |text: &Template| context.render(text.text()).map_err(template);
    let seal = match &backup.encrypt {
        Some(many) => Some(Seal::Recipients(
            many.0.iter().map(render).collect::<Result<_, _>>()?,
        )),
        None => None,
    };
    let to = match &backup.to {
        Some(text) => Some(folder(&render(text)?)?),
        None => None,
    };
    let (run, runbook) = (&stage.plan.run, &stage.plan.runbook().name);
    Ok(Order {
        id: id(run, &step.title, stage.state.attempts(step.id)),
        name: format!("{runbook}-{}", step.title),
        what: what(context, step, backup)?,
        to,
        keep: backup.keep,
        verify: backup.verify,
        seal,
        made_by: MadeBy {
            actor: stage.plan.actor.clone(),
            run: Some(run.clone()),
            runbook: Some(runbook.clone()),
            step: Some(step.title.clone()),
        },
    })
}

fn what(context: &Context, step: &Step, backup: &Backup) -> Result<What, Failure> {
    if let Some(rows) = &backup.rows {
        let tables =
            rows.0.iter().zip(&step.sql).map(|((table, _), sql)| {
                Ok(TableRows::new(table.value.clone(), bind(context, sql)?))
            });
        return Ok(What::Rows(tables.collect::<Result<_, Failure>>()?));
    }
    if let Some(tables) = &backup.tables {
        let names = tables.iter().map(|text| table(context, text));
        return Ok(What::Tables(names.collect::<Result<_, _>>()?));
    }
    match backup.database {
        Some(database) => Ok(What::Database(database)),
        None => Err(template("the backup names nothing to save")),
    }
}

/// A name that a template gives is one name, whatever the value is.
fn table(context: &Context, text: &Template) -> Result<String, Failure> {
    let name = context.render(text.text()).map_err(template)?;
    match TableName::parse(&name) {
        Some(_) => Ok(name),
        None => Err(template(format!("`{name}` is no name of a table"))),
    }
}

fn folder(text: &str) -> Result<PathBuf, Failure> {
    if text.trim().is_empty() {
        let failure = template("`to` is empty: it names no folder");
        return Err(failure.help("leave `to` out for the folder of all backups"));
    }
    Ok(PathBuf::from(text))
}

/// Returns what no other backup is called. A run that goes on makes the backup again that it was cut short
/// in, and one that had just become complete then keeps its name.
fn id(run: &str, step: &str, attempts: u32) -> String {
    match attempts {
        0 | 1 => format!("{run}-{step}"),
        attempts => format!("{run}-{step}-{attempts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn each_attempt_has_an_id_of_its_own() {
        let ids = [0, 1, 2, 3].map(|attempts| id("7f3k", "before", attempts));
        let again = ["7f3k-before-2", "7f3k-before-3"];
        assert_eq!(ids, ["7f3k-before", "7f3k-before", again[0], again[1]]);
    }
}
