//! What the target's policy demands of a run: at its start, at each question, and before each COMMIT.

mod held;

use super::approval::Granted;
use super::change::Changes;
use super::event::StepResult;
use super::plan::Plan;
use super::state::State;
use crate::policy::reach::unasked_after;
use crate::policy::rules::{AnsweredBy, Approvals};
use crate::runbook::model::{Step, StepId};
use crate::sql::risk::Risk;
use crate::step::confirm::Confirm;

pub(super) use held::{at_commit, at_putting_back, at_question, at_start, lifted};

/// How many seconds other people have, where nobody says it.
const EXPIRE_SECONDS: u64 = 4 * 60 * 60;

/// What a question needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Needed {
    /// The risk of what it approves, on this target and with these changes.
    pub(super) risk: Risk,
    /// Why that is higher than the risk of the statements.
    pub(super) raised: Option<String>,
    /// How it may be answered with a yes.
    pub(super) answered_by: AnsweredBy,
    /// Whose approval it needs beside that of who is asked.
    pub(super) approvals: Option<Approvals>,
}

/// Returns what a confirm needs that approves fixes with these changes. One that names none approves what comes after
/// it.
pub(super) fn of_confirm(plan: &Plan, step: &Step, confirm: &Confirm, changes: &Changes) -> Needed {
    let changing = risk_of_confirm(plan, step);
    let rules = &plan.policy.rules;
    let demand = rules.demand(changing.unwrap_or_default(), changes.count());
    // Who breaks the glass goes on without other people, but not without being asked.
    let by_policy = demand
        .rule
        .others()
        .filter(|_| plan.policy.broken.is_none());
    let others = confirm.approvers.unwrap_or(1).saturating_sub(1);
    let approvals = match (by_policy.cloned(), others) {
        (Some(approvals), others) => Some(Approvals {
            count: approvals.count.max(others),
            ..approvals
        }),
        (None, 0) => None,
        (None, others) => Some(Approvals {
            count: others,
            by: Vec::new(),
            expire_seconds: EXPIRE_SECONDS,
        }),
    };
    let alone = match (rules.protected, changing) {
        (true, _) => AnsweredBy::Person,
        (false, Some(_)) => demand.answered_by,
        (false, None) => AnsweredBy::Flag,
    };
    Needed {
        risk: demand.risk,
        raised: demand.raised,
        answered_by: match approvals {
            Some(_) => AnsweredBy::Others,
            None => alone,
        },
        approvals,
    }
}

/// Returns the highest risk of the fixes that a confirm approves; nothing where it approves none.
pub(super) fn risk_of_confirm(plan: &Plan, step: &Step) -> Option<Risk> {
    if step.of.is_empty() {
        return unasked_after(&plan.proved, step.id).into_iter().max();
    }
    step.of
        .iter()
        .filter_map(|id| risk_of_unit(plan, *id))
        .max()
}

/// Returns the highest risk of the fixes of a unit; nothing where it changes nothing.
pub(super) fn risk_of_unit(plan: &Plan, unit: StepId) -> Option<Risk> {
    let runbook = plan.runbook();
    let steps = runbook.step(unit).unit();
    let risks = steps.iter().filter_map(|id| runbook.step(*id).risk());
    risks.map(|(risk, _)| risk).max()
}

/// Returns what other people approved of a unit: the latest yes to a confirm that is about it.
pub(super) fn granted<'a>(plan: &Plan, state: &'a State, unit: StepId) -> Option<&'a Granted> {
    let steps = plan.runbook().steps.iter();
    let confirms = steps.filter(|step| step.of.contains(&unit));
    confirms
        .filter_map(|confirm| match state.result(confirm.id) {
            Some(StepResult::Confirm {
                yes: true, granted, ..
            }) => granted.as_deref(),
            _ => None,
        })
        .max_by_key(|granted| (granted.risk, granted.logins.len()))
}
