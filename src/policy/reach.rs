//! What a policy means for a runbook, by the graph of all the ways that a run can take.

use super::rules::{Approvals, Rules};
use crate::runbook::check::Proved;
use crate::runbook::graph::Moment;
use crate::runbook::model::{Runbook, Step, StepId};
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::backup::DatabaseBackup;

/// A fix that can be reached without the question that its target's policy demands.
#[derive(Clone, Debug, PartialEq)]
pub struct Unasked {
    /// The fix.
    pub fix: StepId,
    /// Its risk.
    pub risk: Risk,
    /// Whose approval it needs.
    pub needs: Approvals,
}

/// Returns the fixes that other people must approve and that a run can come to without asking them: such a run can never
/// meet the policy.
pub fn unasked(proved: &Proved, rules: &Rules) -> Vec<Unasked> {
    let runbook = &proved.runbook;
    let unasked = runbook.steps.iter().filter_map(|step| {
        let (risk, _) = step.risk()?;
        let needs = rules.rule(risk).others()?;
        let barred =
            |moment: Moment| matches!(moment, Moment::Done(id) if names(runbook, id, step));
        let enter = Moment::Enter(step.id);
        let is_reached = proved.graph.reaches(Moment::Start, enter, barred);
        is_reached.then(|| Unasked {
            fix: step.id,
            risk,
            needs: needs.clone(),
        })
    });
    unasked.collect()
}

/// Returns the risks of the fixes that a confirm approves which names none: those after it that no other one names.
pub fn unasked_after(proved: &Proved, confirm: StepId) -> Vec<Risk> {
    let runbook = &proved.runbook;
    let after = runbook.steps.iter().filter_map(|step| {
        let (risk, _) = step.risk()?;
        let barred =
            |moment: Moment| matches!(moment, Moment::Done(id) if names(runbook, id, step));
        let is_reached =
            proved
                .graph
                .reaches(Moment::Done(confirm), Moment::Enter(step.id), barred);
        is_reached.then_some(risk)
    });
    after.collect()
}

/// Returns whether a run makes a backup of the whole database itself, before it comes to any fix.
pub fn backs_up(proved: &Proved) -> bool {
    let runbook = &proved.runbook;
    let is_full = |step: &Step| match &step.kind {
        Kind::Backup(backup) => backup.database == Some(DatabaseBackup::Full),
        _ => false,
    };
    let barred = |moment: Moment| matches!(moment, Moment::Done(id) if is_full(runbook.step(id)));
    let fixes = runbook.steps.iter().filter(|step| step.risk().is_some());
    let is_bare = |step: &Step| {
        proved
            .graph
            .reaches(Moment::Start, Moment::Enter(step.id), barred)
    };
    !fixes.into_iter().any(is_bare)
}

/// Returns whether a step is a confirm that names a fix, or the atomic that it is in.
fn names(runbook: &Runbook, confirm: StepId, fix: &Step) -> bool {
    let confirm = runbook.step(confirm);
    matches!(confirm.kind, Kind::Confirm(_)) && confirm.of.contains(&fix.atomic.unwrap_or(fix.id))
}
