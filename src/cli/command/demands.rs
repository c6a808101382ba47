//! What a run needs on a target, for `plan` and `show`: told without a connection.

use std::fmt::Write as _;

use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::policy::words::{raised, roles, rule};
use crate::policy::{reach, rules::Rules};
use crate::runbook::check::Proved;
use crate::runbook::model::Step;
use crate::sql::risk::Risk;

/// Returns the section of what a run needs on the target that the command names; nothing where it names none, or where
/// that demands nothing.
///
/// # Errors
/// There is no such target.
pub(super) fn section(context: &Context<'_>, proved: &Proved) -> Result<String, CliError> {
    let Some((target, _)) = connection::target(context)? else {
        return Ok(String::new());
    };
    let lines = lines(&target.rules, proved);
    if lines.is_empty() {
        return Ok(String::new());
    }
    let mut text = format!("\nOn {}\n", target.name);
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    Ok(text)
}

fn lines(rules: &Rules, proved: &Proved) -> Vec<String> {
    if rules.is_empty() {
        return Vec::new();
    }
    let steps = proved.runbook.steps.iter();
    let risks = steps.filter_map(Step::risk).map(|(risk, _)| risk);
    let Some(risk) = risks.max() else {
        return vec!["it changes nothing: nothing is demanded".to_owned()];
    };
    let say = |risk: Risk| {
        let needs = rule(rules, risk);
        if needs.is_empty() {
            format!("{risk} risk: nothing is demanded")
        } else {
            format!("{risk} risk: {}", needs.join("; "))
        }
    };
    let mut lines = vec![say(risk)];
    lines.extend(raised(rules, risk));
    let higher = rules.risks_from(risk).into_iter().skip(1);
    lines.extend(higher.map(say));
    lines.extend(reach::unasked(proved, rules).iter().map(|unasked| {
        let fix = &proved.runbook.step(unasked.fix).title;
        format!("it is refused there: no `confirm` with `of` asks for the approvals of `{fix}` on every way")
    }));
    if !rules.break_glass.is_empty() {
        lines.push(format!(
            "in an emergency {} may break the glass",
            roles(&rules.break_glass)
        ));
    }
    lines
}
