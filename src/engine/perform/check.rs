//! A `check` decides: by an expression, by named assertions, by the value of a `switch`, by a program.

mod database;

use super::super::event::{Assertion, Decision, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::port::World;
use super::super::scope::add_own_row;
use super::{Performed, Stage, bind, command, template};
use crate::runbook::context::{Context, plain};
use crate::runbook::model::Step;
use crate::step::check::Check;

pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    step: &Step,
    check: &Check,
) -> Result<Performed, Failure> {
    let outer = stage.context(step)?;
    let mut own = outer.clone();
    if let Some(program) = &check.command {
        let performed = command::perform(
            stage,
            &outer,
            program,
            check.pass_connection,
            check.expect.as_ref(),
            true,
        )
        .await?;
        let StepResult::Command {
            code,
            stdout,
            stderr,
            passed,
        } = performed.result
        else {
            return Ok(performed);
        };
        own.insert("code", code.into());
        own.insert("stdout", stdout.into());
        own.insert("stderr", stderr.into());
        if !passed {
            return decide(step, check, &outer, &own, Vec::new(), Some(false));
        }
    }
    if let Some(sql) = step.sql.first() {
        let bound = bind(&outer, sql)?;
        let rows = stage.world.read(&bound, 2, &stage.limits).await?;
        if rows.count != 1 {
            let message = format!(
                "the statement of a check returns one row; this one returned {}",
                rows.count
            );
            return Err(Failure::new(FailureKind::Guard, message)
                .help("count or aggregate in it: SELECT count(*) AS n …"));
        }
        add_own_row(&mut own, &rows);
    }
    let found = match &check.database {
        Some(database) => database::look(stage, database, &outer).await?,
        None => Vec::new(),
    };
    decide(step, check, &outer, &own, found, None)
}

fn decide(
    step: &Step,
    check: &Check,
    outer: &Context,
    own: &Context,
    mut items: Vec<Assertion>,
    forced: Option<bool>,
) -> Result<Performed, Failure> {
    if let (Some(switch), None) = (&check.switch, forced) {
        return choose(
            step,
            check,
            plain(&own.evaluate(switch.text()).map_err(template)?),
        );
    }
    for (name, assertion) in check.all.iter().flat_map(|all| &all.0) {
        let passed = own
            .holds(assertion.that.text())
            .map_err(|why| template(format!("{}: {why}", name.value)))?;
        let remedy = assertion.otherwise.as_ref().filter(|_| !passed);
        let remedy = remedy
            .map(|text| outer.render(text.text()))
            .transpose()
            .map_err(template)?;
        items.push(Assertion::new(name.value.clone(), passed, remedy));
    }
    let that = match &check.that {
        Some(that) => own.holds(that.text()).map_err(template)?,
        None => true,
    };
    if let (Some(condition), false, None) = (&check.that, that, forced) {
        items.push(Assertion::new(condition.text(), false, None));
    }
    let passed = forced.unwrap_or(that && items.iter().all(|item| item.passed));
    let remedy = check.otherwise.as_ref().filter(|_| !passed);
    Ok(Performed {
        decision: match passed {
            true if check.then.is_some() => Decision::Then,
            true => Decision::Next,
            false => Decision::Else,
        },
        result: StepResult::Check {
            passed,
            items,
            switch: None,
            severity: check.severity,
            otherwise: remedy
                .map(|text| outer.render(text.text()))
                .transpose()
                .map_err(template)?,
        },
    })
}

fn choose(step: &Step, check: &Check, value: String) -> Result<Performed, Failure> {
    let known = step.routes.cases.iter().any(|(case, _)| *case == value);
    if !known && step.routes.otherwise.is_none() {
        let cases: Vec<&str> = step
            .routes
            .cases
            .iter()
            .map(|(case, _)| case.as_str())
            .collect();
        let message = format!("the switch is `{value}`, for which there is no case");
        return Err(Failure::new(FailureKind::Guard, message)
            .note(format!("the cases are {}", cases.join(", ")))
            .help("add a case for it, or an `else`"));
    }
    Ok(Performed {
        decision: if known {
            Decision::Case(value.clone())
        } else {
            Decision::Else
        },
        result: StepResult::Check {
            passed: known,
            items: Vec::new(),
            switch: Some(value),
            severity: check.severity,
            otherwise: None,
        },
    })
}
