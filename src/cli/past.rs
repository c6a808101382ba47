//! A run of the past: its record, its runbook, and the values that it was given.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::CliError;
use super::{Context, params, prompt};
use crate::base::source::Source;
use crate::engine::journal::{Entry, Unit};
use crate::engine::pace::Pace;
use crate::engine::plan::Plan;
use crate::policy::rules::Policy;
use crate::record::facts::Facts;
use crate::runbook::argument::Argument;
use crate::runbook::check::{Proved, check};
use crate::runbook::data::Rows;

/// Returns the runbook of a run from its record: as it was then.
///
/// # Errors
/// This version no longer accepts it.
pub(super) fn recorded(facts: &Facts) -> Result<Proved, CliError> {
    let source = |text: &crate::record::facts::Text| Source::new(&text.path, &text.text);
    let Some(own) = facts.texts.first().map(source) else {
        return Err(CliError::invalid(format!(
            "the record of run `{}` has no text of its runbook",
            facts.run
        )));
    };
    let library = |name: &str| {
        let named = |text: &&crate::record::facts::Text| {
            Path::new(&text.path)
                .file_stem()
                .is_some_and(|stem| stem == name)
        };
        facts.texts.iter().find(named).map(source)
    };
    check(&own, &library).map_err(|diagnostics| CliError::Diagnostics {
        source_text: own,
        diagnostics,
    })
}

/// Returns the runbook of a run as it is now.
///
/// # Errors
/// It is not what it was.
pub(super) fn unchanged(context: &Context<'_>, facts: &Facts) -> Result<Proved, CliError> {
    let help = [
        format!("put back what the run changed: runbook undo {}", facts.run),
        "or give the runbook its old text again".to_owned(),
    ];
    let refused = |error: CliError| help.iter().cloned().fold(error, CliError::help);
    let Some(then) = facts.texts.first() else {
        return recorded(facts);
    };
    let entry = context.catalogue.find(&facts.runbook).or_else(|missing| {
        let file = context.catalogue.file(Path::new(&then.path));
        file.map_err(|_| missing)
    });
    let entry = entry.map_err(refused)?;
    let now = entry.read()?;
    if now.text() != then.text {
        let error = CliError::invalid(format!(
            "the runbook `{}` was changed since run `{}` began: it cannot go on",
            facts.runbook, facts.run
        ));
        return Err(refused(error.note(difference(&then.text, now.text()))));
    }
    let proved = context.catalogue.load(&entry)?;
    for source in proved.runbook.texts() {
        let then = facts.texts.iter().find(|text| text.path == source.name());
        match then {
            Some(then) if then.text != source.text() => {
                let error = CliError::invalid(format!(
                    "`{}`, which `{}` uses, was changed since run `{}` began: it cannot go on",
                    source.name(),
                    facts.runbook,
                    facts.run
                ));
                return Err(refused(error.note(difference(&then.text, source.text()))));
            }
            _ => {}
        }
    }
    Ok(proved)
}

/// Says where two texts differ first.
fn difference(then: &str, now: &str) -> String {
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    let (then, now) = (lines(then), lines(now));
    let at = then
        .iter()
        .zip(&now)
        .position(|(then, now)| then != now)
        .unwrap_or(then.len().min(now.len()));
    let line = |lines: &[String]| match lines.get(at) {
        Some(line) => format!("`{}`", line.trim()),
        None => "the end".to_owned(),
    };
    format!("line {} was {}, and is {}", at + 1, line(&then), line(&now))
}

/// Returns the values that a run was given; those that are secret must be given again.
///
/// # Errors
/// A secret has no value.
pub(super) fn arguments(
    context: &Context<'_>,
    facts: &Facts,
    proved: &Proved,
    given: &[(String, String)],
) -> Result<BTreeMap<String, Argument>, CliError> {
    let text = serde_json::to_string(&facts.params).unwrap_or_default();
    let known = Source::new("the record", &text);
    let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in given {
        if !facts.secrets.contains(name) {
            return Err(CliError::usage(format!(
                "`--param {name}`: the record has the value of it already"
            ))
            .help("only secret parameters are given again"));
        }
        flags.entry(name.clone()).or_default().push(value.clone());
    }
    let person = context.invocation.terminal.stdin && context.invocation.terminal.stderr;
    let nothing: BTreeMap<String, Rows> = BTreeMap::new();
    let mut ask = |name: &str, param: &_| {
        if facts.secrets.iter().any(|secret| secret == name) {
            prompt::ask(name, param, &nothing)
        } else {
            Ok(None)
        }
    };
    let sources = params::Sources {
        flags: &flags,
        file: Some(&known),
        environment: &context.invocation.environment,
        ask: if person { Some(&mut ask) } else { None },
    };
    let arguments = params::resolve(&proved.runbook, sources)?;
    let warnings = params::exposed(&proved.runbook, &flags, &arguments);
    context.invocation.eprint(&warnings);
    Ok(arguments)
}

/// Makes the plan of a run of the past.
///
/// # Errors
/// As [`arguments`].
pub(super) fn plan(
    context: &Context<'_>,
    facts: &Facts,
    proved: Proved,
    given: &[(String, String)],
) -> Result<Plan, CliError> {
    Ok(Plan {
        arguments: arguments(context, facts, &proved, given)?,
        hash: Plan::hash_of(&proved.runbook),
        proved,
        dry_run: facts.dry_run,
        run: facts.run.clone(),
        actor: facts.actor.clone(),
        pace: Pace::default(),
        policy: Policy::default(),
        previous: facts.previous.clone(),
        salt: facts.salt.clone(),
    })
}

/// Returns the entry of putting a unit of a run back.
pub(super) fn undoing(plan: &Plan, unit: Unit) -> Entry {
    Entry {
        run: plan.run.clone(),
        unit,
        name: plan.runbook().step(unit.step).title.clone(),
        undo: true,
    }
}
