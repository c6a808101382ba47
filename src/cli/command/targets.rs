//! `runbook targets`: the targets of `runbook.yaml`, and whether they are what they should be.

mod look;
mod page;

use std::sync::Arc;

use super::check::pretty;
use crate::base::words;
use crate::cli::Context;
use crate::cli::args::{ListOutput, TargetsArgs};
use crate::cli::connection::{self, Goal};
use crate::cli::error::CliError;
use crate::cli::project::{self, Project};
use crate::engine::outcome::exit;
use crate::policy::target::Target;
use look::Seen;

/// A target, and what there is to say of it.
struct Told {
    target: Target,
    /// Where it is, or why nobody knows.
    place: Result<String, String>,
    /// The groups that it is in.
    groups: Vec<String>,
    is_default: bool,
    /// What was seen there, where it was looked.
    seen: Option<Seen>,
}

/// Lists the targets, and checks them.
///
/// # Errors
/// `runbook.yaml` cannot be used, or names no such target.
pub fn run(context: &Context<'_>, args: &TargetsArgs) -> Result<u8, CliError> {
    let Some(project) = project::find(context.invocation)?.map(Arc::new) else {
        return without(context, args);
    };
    let names = names(&project, &args.names)?;
    let goals: Vec<(Target, Result<Goal, CliError>)> = project
        .targets
        .targets
        .iter()
        .filter(|target| names.contains(&target.name))
        .map(|target| {
            let goal = connection::of(context, &project, target.clone());
            (target.clone(), goal)
        })
        .collect();
    let seen = if args.check {
        connection::runtime()?.block_on(look::all(&goals))
    } else {
        Vec::new()
    };
    let mut seen = seen.into_iter();
    let told: Vec<Told> = goals
        .into_iter()
        .map(|(target, goal)| told(&project, target, &goal, seen.next()))
        .collect();
    match args.output {
        ListOutput::Json => context.invocation.print(&pretty(&page::json(&told)))?,
        ListOutput::Human => {
            let marks = if context.look.unicode {
                ("✓", "✗")
            } else {
                ("ok", "!!")
            };
            let terminal = &context.invocation.terminal;
            let width = terminal.stdout.then_some(context.look.width);
            let text = page::text(&told, marks, width);
            context.invocation.print(&text)?;
        }
    }
    let is_well = |told: &Told| told.seen.as_ref().is_none_or(Seen::is_well);
    if told.iter().all(is_well) {
        return Ok(exit::DONE);
    }
    let wrong: Vec<&str> = told
        .iter()
        .filter(|told| !is_well(told))
        .map(|told| told.target.name.as_str())
        .collect();
    let verb = if wrong.len() == 1 { "is" } else { "are" };
    let all = words::list(&wrong);
    context
        .invocation
        .eprint(&format!("{all} {verb} not as it should be\n"));
    Ok(exit::UNREACHABLE)
}

/// Says where there would be a file, and shows a small one.
fn without(context: &Context<'_>, args: &TargetsArgs) -> Result<u8, CliError> {
    let searched = project::searched(context.invocation);
    if let Some(name) = args.names.first() {
        let message = format!("there is no target `{name}`: there is no runbook.yaml");
        return Err(CliError::usage(message)
            .help(format!("it was looked for: {searched}"))
            .help("`runbook targets` shows a small one to begin with"));
    }
    context.invocation.eprint(&format!(
        "There is no runbook.yaml; it was looked for: {searched}.\nA small one to begin with:\n\n"
    ));
    if args.output == ListOutput::Json {
        context.invocation.print("[]\n")?;
    } else {
        context.invocation.print(project::SMALL)?;
    }
    Ok(if args.check { exit::USAGE } else { exit::DONE })
}

/// Returns the names of the targets that are asked for, groups taken apart; all where none is.
fn names(project: &Project, asked: &[String]) -> Result<Vec<String>, CliError> {
    let targets = &project.targets;
    if asked.is_empty() {
        let all = targets.targets.iter();
        return Ok(all.map(|target| target.name.clone()).collect());
    }
    let mut names = Vec::new();
    for name in asked {
        match targets.group(name) {
            Some(group) => names.extend(group.iter().cloned()),
            None => names.push(connection::one(targets, name)?.name.clone()),
        }
    }
    Ok(names)
}

fn told(
    project: &Project,
    target: Target,
    goal: &Result<Goal, CliError>,
    seen: Option<Seen>,
) -> Told {
    let targets = &project.targets;
    let groups = targets.groups.iter();
    let groups = groups.filter(|(_, members)| members.contains(&target.name));
    Told {
        place: match goal {
            Ok(goal) => Ok(goal.settings.describe()),
            Err(error) => Err(error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()),
        },
        groups: groups.map(|(name, _)| name.clone()).collect(),
        is_default: targets.default.as_ref() == Some(&target.name),
        target,
        seen,
    }
}
