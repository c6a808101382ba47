//! The policy of a run: what its target demands, who runs it there, and whether the glass is broken.

use jiff::{SignedDuration, Timestamp};

use super::error::CliError;
use super::project::Project;
use super::{Context, connection};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::session::Session;
use crate::policy::check::{self, Known, Runner};
use crate::policy::lack::{Here, Lack};
use crate::policy::reach;
use crate::policy::rules::{Policy, Rules};
use crate::policy::target::Target;
use crate::policy::words::{approvals, roles};
use crate::runbook::check::Proved;
use crate::runbook::model::{Runbook, Step};
use crate::sql::risk::Risk;

/// How much the clocks of the server and of this machine may differ.
const APART: SignedDuration = SignedDuration::from_secs(60);

/// Returns the policy of a run on the target that the command names, as it is now; `risk` is that of what it may change.
/// `broken` is the reason to go on without what it demands.
///
/// # Errors
/// It can never be met; the clocks differ; the login may not break the glass.
pub(super) async fn of(
    context: &Context<'_>,
    session: &Session,
    risk: Option<Risk>,
    broken: Option<&str>,
) -> Result<Policy, CliError> {
    let broken = broken.map(reason).transpose()?;
    let Some((target, project)) = connection::target(context)? else {
        return match broken {
            None => Ok(Policy::default()),
            Some(_) => Err(nothing_to_break(
                "the database is no target of runbook.yaml",
            )),
        };
    };
    let rules = target.rules.clone();
    let named: Vec<&str> = rules.roles().into_iter().collect();
    let found = session.roles(&named).await?;
    let known = found.iter().map(|(name, role)| {
        let known = Known {
            exists: role.exists,
            logins: role.logins.clone(),
        };
        (name.clone(), known)
    });
    let login = &session.target().user;
    let risks = risk.map_or_else(Vec::new, |risk| rules.risks_from(risk));
    let runner = Runner {
        login,
        risks: &risks,
    };
    let diagnostics = check::check(&project.targets.source, &target, &known.collect(), &runner);
    // What the glass lifts need not be possible.
    if broken.is_none() {
        refuse(context, &project, diagnostics)?;
    }
    if rules.needs_clock() {
        same_time(session).await?;
    }
    let members = found.iter().filter(|(_, role)| role.member);
    let policy = Policy {
        member_of: members.map(|(name, _)| name.clone()).collect(),
        rules,
        broken,
    };
    if policy.broken.is_some() {
        may_break(&policy, &target, login)?;
    }
    Ok(policy)
}

/// Returns the highest risk of what a runbook changes; nothing where it only reads.
pub(super) fn risk_of(runbook: &Runbook) -> Option<Risk> {
    let risks = runbook.steps.iter().filter_map(Step::risk);
    risks.map(|(risk, _)| risk).max()
}

/// Refuses a runbook that can never meet the policy: a fix that other people must approve, and that nobody is asked
/// about.
///
/// # Errors
/// Which fix, and what to write.
pub(super) fn refuse_unasked(
    policy: &Policy,
    proved: &Proved,
    target: &str,
    dry_run: bool,
) -> Result<(), CliError> {
    if dry_run || policy.broken.is_some() {
        return Ok(());
    }
    let unasked = reach::unasked(proved, &policy.rules);
    let diagnostics: Vec<Diagnostic> = unasked
        .iter()
        .map(|unasked| {
            let step = proved.runbook.step(unasked.fix);
            let unit = step
                .atomic
                .map_or(step, |atomic| proved.runbook.step(atomic));
            let title = format!(
                "`{}` can never run on `{target}`: nobody asks for its approvals",
                step.title
            );
            Diagnostic::error("policy", title)
                .at(
                    step.span,
                    format!(
                        "{} risk, which needs {}",
                        unasked.risk,
                        approvals(&unasked.needs)
                    ),
                )
                .help(format!(
                    "put a `confirm` with `of: {}` before it on every way that leads here",
                    unit.name
                ))
        })
        .collect();
    if diagnostics.is_empty() {
        return Ok(());
    }
    Err(CliError::Diagnostics {
        source_text: proved.runbook.source.clone(),
        diagnostics,
    })
}

/// Holds a restore in place of what is there to the policy: it is of high risk. Returns why the glass is broken and
/// without what it goes on, where it is. A backup it does not need: it is made from one, and what is replaced is kept.
///
/// # Errors
/// What the policy demands that is not there; and as [`of`].
pub(super) async fn of_restore(
    context: &Context<'_>,
    session: &Session,
    broken: Option<&str>,
) -> Result<Option<(String, Vec<String>)>, CliError> {
    let policy = of(context, session, Some(Risk::High), broken).await?;
    let rule = policy.rules.rule(Risk::High);
    let here = Here {
        member_of: &policy.member_of,
        now: if rule.windows.is_empty() {
            None
        } else {
            Some(session.now().await?)
        },
        backup: None,
    };
    let mut lacks = rule.lacks(&here);
    lacks.extend(rule.others().map(|needs| Lack::Approvals {
        needs: needs.clone(),
        given: 0,
    }));
    if let Some(reason) = policy.broken {
        return Ok(Some((reason, lacks.iter().map(Lack::to_string).collect())));
    }
    let Some((first, others)) = lacks.split_first() else {
        return Ok(None);
    };
    let name = &session.target().name;
    let mut error = CliError::invalid(format!("{name}, high risk: {first}"));
    for lack in others {
        error = error.note(lack.to_string());
    }
    error = error
        .note("a restore in place of what is there is asked of one person: nothing was restored")
        .help("restore it into a new database, which replaces nothing: leave `--in-place` out");
    if !policy.rules.break_glass.is_empty() {
        error = error.help(format!(
            "in an emergency a member of {} goes on with --break-glass REASON",
            roles(&policy.rules.break_glass)
        ));
    }
    Err(error)
}

fn refuse(
    context: &Context<'_>,
    project: &Project,
    diagnostics: Vec<Diagnostic>,
) -> Result<(), CliError> {
    let source = &project.targets.source;
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    if diagnostics.iter().any(is_error) {
        return Err(CliError::Diagnostics {
            source_text: source.clone(),
            diagnostics,
        });
    }
    for warning in &diagnostics {
        let text = warning.render(source, context.look.color_err);
        context.invocation.eprint(&format!("{text}\n\n"));
    }
    Ok(())
}

/// A reason that says nothing is none.
fn reason(given: &str) -> Result<String, CliError> {
    let reason = given.split_whitespace().collect::<Vec<_>>();
    if reason.len() < 2 {
        return Err(CliError::usage(
            "`--break-glass` needs a reason of more than one word: others read it in the record",
        )
        .help("--break-glass 'customers cannot log in, ticket 4711'"));
    }
    Ok(reason.join(" "))
}

fn nothing_to_break(why: &str) -> CliError {
    CliError::invalid(format!("there is no glass to break: {why}"))
        .help("leave `--break-glass` out")
}

fn may_break(policy: &Policy, target: &Target, login: &str) -> Result<(), CliError> {
    let Policy {
        rules, member_of, ..
    } = policy;
    if demands_nothing(rules) {
        let why = format!("`{}` demands nothing that it could lift", target.name);
        return Err(nothing_to_break(&why));
    }
    if rules.break_glass.is_empty() {
        return Err(CliError::invalid(format!(
            "nobody may break the glass on `{}`: its policy names no roles for that",
            target.name
        ))
        .help("`break_glass:` of the policy in runbook.yaml names them"));
    }
    if rules
        .break_glass
        .iter()
        .any(|role| member_of.contains(role))
    {
        return Ok(());
    }
    Err(CliError::invalid(format!(
        "`{login}` may not break the glass on `{}`",
        target.name
    ))
    .note(format!("only members of {} may", roles(&rules.break_glass)))
    .help("have one of them run it"))
}

/// Returns whether breaking the glass would lift nothing: a person at the terminal it never lifts.
fn demands_nothing(rules: &Rules) -> bool {
    rules.rules.iter().all(|rule| {
        rule.run.is_none()
            && rule.others().is_none()
            && rule.windows.is_empty()
            && rule.backup.is_none()
    })
}

/// Refuses to work where the server's clock and this machine's differ: times of the record, of windows and of
/// approvals would contradict each other.
async fn same_time(session: &Session) -> Result<(), CliError> {
    let before = Timestamp::now();
    let server = session.now().await?;
    let after = Timestamp::now();
    match apart(server, before, after) {
        None => Ok(()),
        Some(failure) => Err(failure.into()),
    }
}

/// Returns why clocks differ too much: `server` was told between the other two.
fn apart(server: Timestamp, before: Timestamp, after: Timestamp) -> Option<Failure> {
    let ahead = server.duration_since(after);
    let behind = before.duration_since(server);
    let apart = ahead.max(behind);
    if apart <= APART {
        return None;
    }
    let shown = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let which = if ahead > behind { "ahead of" } else { "behind" };
    let seconds = apart.as_secs();
    Some(
        Failure::new(
            FailureKind::Target,
            format!(
                "the server's clock is {} {which} this machine's",
                words::count(seconds, "second")
            ),
        )
        .note(format!("the server says {}", shown(server)))
        .note(format!("this machine says {}", shown(after)))
        .note("windows, backups and approvals are held to the time: nothing was run")
        .help("set the clock that is wrong, by NTP for instance"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap_or_default()
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        for server in [-60, 0, 30, 65] {
            assert_eq!(apart(at(server), at(0), at(5)), None, "{server}");
        }
        let failure = apart(at(66), at(0), at(5)).unwrap();
        assert_eq!(
            failure.message,
            "the server's clock is 61 seconds ahead of this machine's"
        );
        assert_eq!(failure.notes[0], "the server says 2027-01-15 08:01:06 UTC");
        let failure = apart(at(-61), at(0), at(5)).unwrap();
        assert_eq!(
            failure.message,
            "the server's clock is 61 seconds behind this machine's"
        );
    }

    #[test]
    fn a_reason_has_more_than_one_word() {
        assert!(reason("").is_err() && reason("  ").is_err() && reason("outage").is_err());
        assert_eq!(
            reason(" nobody  can\nlog in ").unwrap(),
            "nobody can log in"
        );
    }
}
