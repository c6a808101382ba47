//! `runbook.yaml`: where it is, which target it makes of the database, and whether its policy can be met there.

use std::path::Path;

use super::finding::Finding;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::source::Source;
use crate::base::words;
use crate::cli::connection::Goal;
use crate::cli::error::CliError;
use crate::cli::invocation::Invocation;
use crate::cli::project;
use crate::pg::session::Session;
use crate::policy::check::{self, Known, Runner};
use crate::policy::document::RISKS;
use crate::policy::target::Target;
use crate::sql::risk::Risk;

/// Looks at the file, and at which of its targets the database is. `goal` is nothing where nobody knows the database.
pub(super) fn look(invocation: &Invocation, goal: Option<&Goal>) -> Vec<Finding> {
    let found = match project::find(invocation) {
        Ok(Some(found)) => found,
        Ok(None) => return vec![none(invocation)],
        Err(error) => return unfit(&error),
    };
    let file = Path::new(found.targets.source.name()).display();
    let targets = words::count(words::long(found.targets.targets.len()), "target");
    let mut told = vec![Finding::well("runbook.yaml", format!("{file}, {targets}"))];
    if let Some(goal) = goal {
        told.push(match &goal.target {
            Some(target) => Finding::well("target", of(target)),
            None => Finding::warning(
                "target",
                "the database is given by its address: nothing that runbook.yaml says of targets holds",
            )
            .help("name a target: `--target NAME`; `runbook targets` lists them"),
        });
    }
    told
}

fn none(invocation: &Invocation) -> Finding {
    let says = "there is none: no target is protected, and nothing tells one database from another";
    Finding::warning("runbook.yaml", says)
        .help("`runbook targets` shows a small one to begin with")
        .help(format!(
            "it is looked for: {}",
            project::searched(invocation)
        ))
}

fn of(target: &Target) -> String {
    let protected = if target.rules.protected {
        "protected"
    } else {
        "not protected"
    };
    let policy = target.policy.as_ref().map_or_else(
        || "without a policy".to_owned(),
        |policy| format!("policy `{}`", policy.value),
    );
    format!("`{}`, {protected}, {policy}", target.name)
}

/// Tells an error as what is missing: each mistake of a text with its place.
pub(super) fn unfit(error: &CliError) -> Vec<Finding> {
    match error {
        CliError::Diagnostics {
            source_text,
            diagnostics,
        } => diagnostics
            .iter()
            .map(|diagnostic| mistake("runbook.yaml", diagnostic, source_text))
            .collect(),
        CliError::Elsewhere {
            source_text,
            diagnostic,
        } => vec![mistake("identity", diagnostic, source_text)],
        error => {
            let text = error.render(false);
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let first = lines.next().unwrap_or_default();
            let rest = lines.map(|line| line.trim_start_matches("= help: "));
            vec![Finding::missing("settings", first.trim_start_matches("error: ")).helps(rest)]
        }
    }
}

fn mistake(name: &'static str, diagnostic: &Diagnostic, source: &Source) -> Finding {
    let mut says = diagnostic.title.clone();
    let mut place = None;
    if let Some(label) = diagnostic.labels.first() {
        let at = source.position(label.span.start);
        if !label.text.is_empty() {
            says = format!("{says}: {}", label.text);
        }
        place = Some(format!("{}:{}:{}", source.name(), at.line, at.column));
    }
    let finding = match diagnostic.severity {
        Severity::Error => Finding::missing(name, says),
        Severity::Warning => Finding::warning(name, says),
    };
    finding.helps(place).helps(diagnostic.help.iter().cloned())
}

/// Looks at whether what the target demands can be met, and what of it the login may do.
pub(super) async fn policy(session: &Session, goal: &Goal) -> Vec<Finding> {
    let (Some(target), Some(project)) = (&goal.target, &goal.project) else {
        return Vec::new();
    };
    let rules = &target.rules;
    let named: Vec<&str> = rules.roles().into_iter().collect();
    let roles = match session.roles(&named).await {
        Ok(roles) => roles,
        Err(failure) => return vec![Finding::unseen("roles", failure.message)],
    };
    let known = roles.iter().map(|(name, role)| {
        let known = Known {
            exists: role.exists,
            logins: role.logins.clone(),
        };
        (name.clone(), known)
    });
    let source = &project.targets.source;
    let login = &session.target().user;
    let runner = Runner {
        login,
        risks: &RISKS,
    };
    let wrong = check::check(source, target, &known.collect(), &runner);
    let mut told: Vec<Finding> = wrong
        .iter()
        .map(|diagnostic| mistake("roles", diagnostic, source))
        .collect();
    if told.is_empty() && !named.is_empty() {
        told.push(Finding::well(
            "roles",
            "each exists, and has members enough",
        ));
    }
    let is_member = |role: &String| roles.get(role).is_some_and(|role| role.member);
    for risk in [Risk::Low, Risk::Medium, Risk::High] {
        if let Some(run) = &rules.rule(risk).run
            && !run.iter().any(is_member)
        {
            let says = format!(
                "{login} may not make changes of {risk} risk: only members of {} may",
                words::list(run)
            );
            told.push(Finding::well("who", says));
        }
    }
    told
}
