//! What the approver's own `runbook.yaml` demands that was not asked for.

use crate::pg::session::approval::Kept;
use crate::policy::rules::{Approvals, Rules};

/// Returns what a policy demands that was not asked for: who asks may have a weaker one.
pub(super) fn more(rules: &Rules, kept: &Kept) -> Option<String> {
    let request = &kept.request;
    let impact = request.impact.as_ref().map(|impact| impact.risk);
    let risk = impact.map_or(request.risk, |risk| risk.max(request.risk));
    let demand = rules.demand(risk, request.changes.count());
    let own = demand.rule.others()?;
    weaker(own, &request.needs).map(|what| format!("{} risk: {what}", demand.risk))
}

fn weaker(own: &Approvals, asked: &Approvals) -> Option<String> {
    if asked.count < own.count {
        return Some(format!(
            "it needs {}, and {} was asked for",
            own.whom(own.count),
            asked.whom(asked.count)
        ));
    }
    let outside = asked.by.iter().any(|role| !own.by.contains(role));
    if !own.by.is_empty() && (asked.by.is_empty() || outside) {
        return Some(format!(
            "it needs {}, and {} would do for what was asked",
            own.whom(own.count),
            asked.whom(asked.count)
        ));
    }
    (asked.expire_seconds > own.expire_seconds).then(|| {
        format!(
            "an approval holds for {} seconds, and {} were asked for",
            own.expire_seconds, asked.expire_seconds
        )
    })
}
