//! The parameters of a runbook as flags of `run` and `plan`.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::runbook::model::Runbook;
use crate::runbook::param::{Param, Scalar};
use crate::step::text::Template;

const HEADING: &str = "Parameters";

/// Returns a parameter's flag in kebab-case, without the dashes.
pub fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// Returns how a parameter is given on the command line of `run` or `plan`.
pub fn flag_of(name: &str) -> String {
    if is_taken(&super::command(None), name) {
        format!("--param {name}=…")
    } else {
        format!("--{}", flag(name))
    }
}

/// Adds the parameters to the command, and what the runbook does to its help.
pub(super) fn add(command: Command, runbook: &Runbook) -> Command {
    let taken = own_flags(&command);
    let about = match &runbook.about {
        Some(about) => format!("{}\n\n{}", runbook.title.text(), about.text().trim_end()),
        None => runbook.title.text().to_owned(),
    };
    let usage = format!("runbook {} {} [OPTIONS]", command.get_name(), runbook.name);
    let command = command
        .about(runbook.title.text().to_owned())
        .long_about(about)
        .override_usage(usage)
        // The usage has the name already.
        .mut_arg("name", |name| name.hide(true));
    runbook
        .params()
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| !clashes(&taken, name))
        .fold(command, |command, (index, (name, param))| {
            command.arg(argument(name, param).display_order(index))
        })
}

/// Returns the values given to the runbook's own flags.
pub(super) fn read(matches: &ArgMatches, runbook: &Runbook) -> BTreeMap<String, Vec<String>> {
    runbook
        .params()
        .iter()
        .filter_map(|(name, _)| {
            // A parameter without a flag of its own has no argument of its id.
            let values = matches.try_get_many::<String>(&id(name)).ok()??;
            Some((name.clone(), values.cloned().collect()))
        })
        .collect()
}

fn id(name: &str) -> String {
    format!("parameter {name}")
}

fn own_flags(command: &Command) -> BTreeSet<String> {
    let inherited = [
        "runbooks",
        "target",
        "database-url",
        "state-dir",
        "color",
        "help",
        "version",
    ];
    command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .chain(inherited)
        .map(str::to_owned)
        .collect()
}

fn clashes(taken: &BTreeSet<String>, name: &str) -> bool {
    taken.contains(&flag(name)) || taken.contains(name)
}

fn is_taken(command: &Command, name: &str) -> bool {
    command
        .find_subcommand("run")
        .is_some_and(|run| clashes(&own_flags(run), name))
}

fn argument(name: &str, param: &Param) -> Arg {
    let kebab = flag(name);
    let mut argument = Arg::new(id(name))
        .long(kebab.clone())
        .action(ArgAction::Append)
        .value_name(value_name(param))
        .help(help(param))
        .help_heading(HEADING)
        .allow_negative_numbers(true);
    if kebab != name {
        argument = argument.alias(name.to_owned());
    }
    if param.kind.scalar == Scalar::Bool && !param.kind.list {
        argument = argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true");
    }
    if let Some(values) = &param.values {
        let values: Vec<String> = values.iter().map(|value| value.text().to_owned()).collect();
        argument = argument.add(clap_complete::ArgValueCandidates::new(move || {
            values
                .iter()
                .map(clap_complete::CompletionCandidate::new)
                .collect()
        }));
    }
    argument
}

fn value_name(param: &Param) -> String {
    let scalar = param.kind.scalar.name().to_uppercase();
    if param.kind.list {
        format!("{scalar},…")
    } else {
        scalar
    }
}

/// Returns what `--help` says of a parameter: its words, then the facts in brackets.
fn help(param: &Param) -> String {
    let mut parts: Vec<String> = param
        .help
        .iter()
        .map(|help| help.text().trim_end().to_owned())
        .collect();
    parts.extend(facts(param).into_iter().map(|fact| format!("[{fact}]")));
    parts.join(" ")
}

/// Returns the facts of a parameter in words: its bounds, values, sources and default.
pub fn facts(param: &Param) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(values) = &param.values {
        facts.push(format!("one of {}", join(values)));
    }
    facts.extend(range("", param.min.as_ref(), param.max.as_ref()));
    facts.extend(range(
        " characters",
        param.min_length.as_ref(),
        param.max_length.as_ref(),
    ));
    if let Some(pattern) = &param.pattern {
        facts.push(format!("matches {}", pattern.text()));
    }
    if param.choices.is_some() {
        facts.push("chosen from the database".to_owned());
    }
    if let Some(env) = &param.env {
        facts.push(format!("env: {}", env.text()));
    }
    if param.secret {
        facts.push("secret".to_owned());
    }
    facts.push(match &param.default {
        Some(default) => format!("default: {}", literal(&default.0)),
        None => "required".to_owned(),
    });
    facts
}

/// Returns a JSON value as a person would write it.
pub(in crate::cli) fn literal(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) if items.is_empty() => "none".to_owned(),
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            items.join(",")
        }
        other => other.to_string(),
    }
}

fn join(values: &[Template]) -> String {
    let values: Vec<&str> = values.iter().map(Template::text).collect();
    values.join(", ")
}

trait Bound {
    fn words(&self) -> String;
}

impl Bound for Template {
    fn words(&self) -> String {
        self.text().to_owned()
    }
}

impl Bound for usize {
    fn words(&self) -> String {
        self.to_string()
    }
}

fn range<T: Bound>(unit: &str, least: Option<&T>, most: Option<&T>) -> Option<String> {
    match (least.map(Bound::words), most.map(Bound::words)) {
        (None, None) => None,
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
    }
}
