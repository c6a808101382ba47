//! What the target's policy demands of a run at each of its steps.

use super::change::Changes;
use super::plan::Plan;
use crate::policy::rules::{AnsweredBy, Approvals};
use crate::runbook::model::Step;
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::confirm::Confirm;

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

/// Returns what a confirm needs that approves fixes with these changes.
pub(super) fn of_confirm(plan: &Plan, step: &Step, confirm: &Confirm, changes: &Changes) -> Needed {
    let runbook = plan.runbook();
    let units = step.of.iter().flat_map(|id| runbook.step(*id).unit());
    let fixes = units
        .map(|id| runbook.step(id))
        .filter(|step| matches!(step.kind, Kind::Fix(_)));
    let risk = fixes.filter_map(Step::risk).map(|(risk, _)| risk).max();
    let demand = plan
        .policy
        .rules
        .demand(risk.unwrap_or_default(), changes.count());
    let others = confirm.approvers.unwrap_or(1).saturating_sub(1);
    let by_policy = demand.rule.approvals.clone();
    let approvals = match (by_policy, others) {
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
    Needed {
        risk: demand.risk,
        raised: demand.raised,
        answered_by: match approvals {
            Some(_) => AnsweredBy::Name,
            None => demand.answered_by,
        },
        approvals: approvals.filter(|approvals| approvals.count > 0),
    }
}
