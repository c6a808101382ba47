//! Holds a run to the policy: what is not there stops it, unless the glass was broken.

use super::super::failure::{Failure, FailureKind};
use super::super::plan::Plan;
use super::super::port::World;
use super::super::state::State;
use super::{granted, risk_of_unit};
use crate::policy::lack::{Here, Lack};
use crate::policy::reach;
use crate::policy::rules::{Approvals, Demand, Rule};
use crate::runbook::model::{Step, StepId};
use crate::sql::risk::Risk;

/// Holds a run to the policy at its start: who may run it, when, and after which backup. What is approved is asked
/// later.
pub(in crate::engine) async fn at_start<W: World>(
    plan: &Plan,
    world: &mut W,
) -> Result<(), Failure> {
    let Some(risk) = highest(plan) else {
        return Ok(());
    };
    let own_backup = reach::backs_up(&plan.proved);
    let demand = plan.policy.rules.demand(risk, 0);
    hold(plan, world, &demand, !own_backup, Vec::new()).await
}

/// Holds a run to the policy before people are asked about changes that were rehearsed.
pub(in crate::engine) async fn at_question<W: World>(
    plan: &Plan,
    world: &mut W,
    risk: Option<Risk>,
    rows: u64,
) -> Result<(), Failure> {
    let Some(risk) = risk else {
        return Ok(());
    };
    let demand = plan.policy.rules.demand(risk, rows);
    hold(plan, world, &demand, true, Vec::new()).await
}

/// Holds a unit to the policy before it commits, with the rows that it really changed; or before what cannot be taken
/// back is done.
pub(in crate::engine) async fn at_commit<W: World>(
    plan: &Plan,
    state: &State,
    world: &mut W,
    unit: &Step,
    rows: u64,
) -> Result<(), Failure> {
    let Some(risk) = risk_of_unit(plan, unit.id) else {
        return Ok(());
    };
    let demand = plan.policy.rules.demand(risk, rows);
    let missing = missing_approvals(plan, state, unit.id, demand.risk);
    let held = hold(plan, world, &demand, true, missing.into_iter().collect()).await;
    held.map_err(|failure| about(plan, unit, failure))
}

/// Holds what puts units back to the policy, where it changes more than they did: the statements of an `undo` are no
/// way around what is demanded. What is as risky as what it puts back is always admitted.
pub(in crate::engine) async fn at_putting_back<W: World>(
    plan: &Plan,
    state: &State,
    world: &mut W,
    units: &[StepId],
    rows: u64,
) -> Result<(), Failure> {
    let risks = units.iter().filter_map(|unit| risk_of_unit(plan, *unit));
    let Some(risk) = risks.max() else {
        return Ok(());
    };
    let rules = &plan.policy.rules;
    let parts = state.batch.iter();
    let parts = parts.filter(|batch| units.contains(&batch.unit.step));
    let parts = parts.map(|batch| batch.progress.so_far);
    let changed = units
        .iter()
        .map(|unit| state.rows_of(plan.runbook(), *unit))
        .chain(parts);
    let was = rules.demand(risk, changed.sum());
    let demand = rules.demand(risk, rows);
    if demand.risk <= was.risk {
        return Ok(());
    }
    let missing = units
        .iter()
        .find_map(|unit| missing_approvals(plan, state, *unit, demand.risk));
    let held = hold(plan, world, &demand, true, missing.into_iter().collect()).await;
    held.map_err(|failure| {
        failure.note("it would change more than it puts back: nothing of it remains")
    })
}

/// Returns what the policy demands of the run that is not there, and that who breaks the glass goes on without: also
/// what is demanded only once rows raise the risk.
pub(in crate::engine) async fn lifted<W: World>(
    plan: &Plan,
    world: &mut W,
) -> Result<Vec<String>, Failure> {
    let mut lifted = Vec::new();
    let Some(risk) = highest(plan) else {
        return Ok(lifted);
    };
    for risk in plan.policy.rules.risks_from(risk) {
        let rule = plan.policy.rules.rule(risk);
        let mut lacks = lacks(plan, world, rule, true).await?;
        lacks.extend(rule.others().map(|needs| Lack::Approvals {
            needs: needs.clone(),
            given: 0,
        }));
        for lack in lacks {
            let words = lack.to_string();
            if !lifted.contains(&words) {
                lifted.push(words);
            }
        }
    }
    Ok(lifted)
}

/// Returns the highest risk of what a run may change; nothing where it only reads.
fn highest(plan: &Plan) -> Option<Risk> {
    let steps = plan.runbook().steps.iter();
    steps.filter_map(Step::risk).map(|(risk, _)| risk).max()
}

async fn hold<W: World>(
    plan: &Plan,
    world: &mut W,
    demand: &Demand<'_>,
    backup: bool,
    missing: Vec<Lack>,
) -> Result<(), Failure> {
    if plan.policy.broken.is_some() {
        return Ok(());
    }
    let mut lacks = lacks(plan, world, demand.rule, backup).await?;
    if !plan.dry_run {
        lacks.extend(missing);
    }
    match refusal(plan, &world.target().name, demand, &lacks) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// Returns what of a rule is not there: approvals left out. A dry run is held to who may run only.
async fn lacks<W: World>(
    plan: &Plan,
    world: &mut W,
    rule: &Rule,
    backup: bool,
) -> Result<Vec<Lack>, Failure> {
    let policy = &plan.policy;
    if plan.dry_run {
        return Ok(rule.lacks_role(&policy.member_of).into_iter().collect());
    }
    let limit = rule.backup.filter(|_| backup);
    let now = if rule.windows.is_empty() && limit.is_none() {
        None
    } else {
        Some(world.now().await?)
    };
    let newest = match limit {
        Some(_) => world.newest_backup().await?,
        None => None,
    };
    let here = Here {
        member_of: &policy.member_of,
        now,
        backup: backup.then_some(newest),
    };
    Ok(rule.lacks(&here))
}

/// Returns the approvals of other people that a unit needs and does not have, by the policy as it is now.
fn missing_approvals(plan: &Plan, state: &State, unit: StepId, risk: Risk) -> Option<Lack> {
    let granted = granted(plan, state, unit);
    // Who approved the riskier whole approved its parts.
    let risk = granted.map_or(risk, |granted| granted.risk.max(risk));
    let needs = plan.policy.rules.rule(risk).others()?;
    let given = granted.map_or(0, |granted| {
        if serves(&granted.needs, needs) {
            granted.logins.len()
        } else {
            0
        }
    });
    let is_enough = given >= usize::try_from(needs.count).unwrap_or(usize::MAX);
    (!is_enough).then(|| Lack::Approvals {
        needs: needs.clone(),
        given,
    })
}

/// Returns whether whoever could approve what was asked then may approve what is needed now.
fn serves(asked: &Approvals, needs: &Approvals) -> bool {
    needs.by.is_empty()
        || (!asked.by.is_empty() && asked.by.iter().all(|role| needs.by.contains(role)))
}

/// Returns the failure of what is not there.
fn refusal(plan: &Plan, target: &str, demand: &Demand<'_>, lacks: &[Lack]) -> Option<Failure> {
    let (first, others) = lacks.split_first()?;
    let message = format!("{target}, {} risk: {first}", demand.risk);
    let mut failure = Failure::new(FailureKind::Policy, message);
    for lack in others {
        failure = failure.note(lack.to_string());
    }
    if let Some(raised) = &demand.raised {
        failure = failure.note(raised.clone());
    }
    for lack in lacks {
        failure = failure.help(lack.help());
    }
    let roles = &plan.policy.rules.break_glass;
    if !roles.is_empty() && !plan.dry_run {
        failure = failure.help(format!(
            "in an emergency a member of {} goes on with --break-glass REASON",
            crate::base::words::quoted(roles)
        ));
    }
    Some(failure)
}

/// Names the unit that does not commit, and what to write where nobody could approve it.
fn about(plan: &Plan, unit: &Step, failure: Failure) -> Failure {
    let is_asked = plan.runbook().steps.iter().any(|step| {
        matches!(step.kind, crate::step::Kind::Confirm(_)) && step.of.contains(&unit.id)
    });
    let mut failure = failure.note(format!(
        "`{}` is not committed: nothing of it remains",
        unit.title
    ));
    if is_asked {
        return failure;
    }
    // Only a question that shows its rows asks others about them.
    if let Some(help) = failure.help.iter_mut().find(|help| *help == Lack::ASK) {
        *help = format!(
            "put a `confirm` with `of: {}` before it: it shows the rows, and asks for the approvals",
            unit.name
        );
    }
    failure
}
