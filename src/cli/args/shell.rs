//! Completion by the program itself: the shell asks it, so that runbooks and their parameters are known.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap_complete::engine::{PathCompleter, ValueCompleter};
use clap_complete::env::Shells;
use clap_complete::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::archive::store;
use crate::cli::catalogue::{Catalogue, is_path};
use crate::cli::error::CliError;
use crate::cli::invocation::Invocation;
use crate::cli::{project, state};
use crate::runbook::check::Proved;
use crate::step::Kind;

/// The variable by which the shell's script asks for completions.
const VARIABLE: &str = "RUNBOOK_COMPLETE";

/// Answers a shell that asks for completions; returns whether one did.
///
/// # Errors
/// [`CliError::Usage`] for an unknown shell; those of printing.
pub fn complete(invocation: &Invocation) -> Result<bool, CliError> {
    let Some(shell) = invocation.environment.var(VARIABLE) else {
        return Ok(false);
    };
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| unknown(shell))?;
    // Before `--` stands the program, after it the words of the line.
    let words: Vec<OsString> = invocation
        .args
        .iter()
        .skip_while(|arg| *arg != "--")
        .skip(1)
        .cloned()
        .collect();
    let line = words.get(1..).unwrap_or_default();
    let mut command = with_names(invocation, line);
    command.build();
    let mut text = Vec::new();
    completer
        .write_complete(&mut command, words, Some(&invocation.folder), &mut text)
        .map_err(|error| CliError::io("cannot complete", &error))?;
    invocation.print(&String::from_utf8_lossy(&text))?;
    Ok(true)
}

/// Returns the script that makes a shell ask.
///
/// # Errors
/// [`CliError::Usage`] for an unknown shell.
pub(in crate::cli) fn script(shell: &str) -> Result<String, CliError> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| unknown(shell))?;
    let mut text = Vec::new();
    completer
        .write_registration(VARIABLE, "runbook", "runbook", "runbook", &mut text)
        .map_err(|error| CliError::io("cannot write the script", &error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn unknown(shell: &str) -> CliError {
    CliError::usage(format!("there are no completions for `{shell}`"))
        .help("they are there for bash, zsh, fish, powershell and elvish")
}

fn with_names(invocation: &Invocation, line: &[OsString]) -> clap::Command {
    let scan = super::scan(line);
    let catalogue =
        Catalogue::discover(&scan.runbooks, &invocation.environment, &invocation.folder)
            .unwrap_or_default();
    let named = scan
        .names
        .iter()
        .find_map(|name| catalogue.find(name).ok())
        .and_then(|entry| catalogue.load(&entry).ok());
    let offers: Vec<(String, Option<String>)> = catalogue
        .all()
        .iter()
        .map(|entry| (entry.name.clone(), title(&entry.name, &catalogue)))
        .collect();
    let targets = project::find(invocation).ok().flatten();
    let targets = targets.iter().flat_map(|project| project.targets.names());
    let targets: Vec<String> = targets.map(str::to_owned).collect();
    let command = super::command(named.as_ref().map(|proved| &proved.runbook))
        .mut_arg("target", |arg| arg.add(words(targets.clone())))
        .mut_subcommand("targets", |command| {
            command.mut_arg("names", |arg| arg.add(words(targets)))
        });
    ["run", "plan", "show", "check"]
        .into_iter()
        .fold(command, |command, sub| {
            let offers = offers.clone();
            let id = if sub == "check" { "what" } else { "name" };
            command.mut_subcommand(sub, |command| {
                command.mut_arg(id, |arg| {
                    arg.add(names_and_paths(offers, &invocation.folder))
                })
            })
        })
        .mut_subcommand("run", |command| {
            command.mut_arg("answers", |arg| arg.add(words(answers(named.as_ref()))))
        })
        .mut_subcommand("backup", |command| with_backups(command, invocation, line))
        .mut_subcommand("list", |command| {
            command.mut_arg("tags", |arg| arg.add(words(tags(&catalogue))))
        })
}

/// Offers the names and ids of backups where a backup is named.
fn with_backups(
    command: clap::Command,
    invocation: &Invocation,
    line: &[OsString],
) -> clap::Command {
    let stored = backups_folder(invocation, line)
        .and_then(|folder| store::list(&folder).ok())
        .unwrap_or_default();
    let manifests = stored.found.iter().map(|found| &found.manifest);
    let mut names: Vec<String> = manifests.clone().map(|one| one.name.clone()).collect();
    names.sort();
    names.dedup();
    let ids: Vec<String> = manifests.map(|one| one.id.clone()).collect();
    let all = [names.clone(), ids].concat();
    [
        ("create", "name", &names),
        ("list", "names", &names),
        ("show", "backup", &all),
        ("verify", "backups", &all),
        ("restore", "backup", &all),
        ("prune", "backup", &all),
        ("pin", "backup", &all),
        ("unpin", "backup", &all),
    ]
    .into_iter()
    .fold(command, |command, (sub, id, offers)| {
        command.mut_subcommand(sub, |command| {
            command.mut_arg(id, |arg| arg.add(words(offers.clone())))
        })
    })
}

/// Returns the folder of backups as far as the line and the variables tell.
fn backups_folder(invocation: &Invocation, line: &[OsString]) -> Option<PathBuf> {
    let named = |flag: &str| {
        let mut words = line.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            if word == flag {
                return words.next().map(|value| PathBuf::from(value.as_ref()));
            }
            if let Some(value) = word
                .strip_prefix(flag)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return Some(PathBuf::from(value));
            }
        }
        None
    };
    let environment = &invocation.environment;
    let folder = named("--folder")
        .or_else(|| environment.var("RUNBOOK_BACKUPS").map(PathBuf::from))
        .or_else(|| {
            let state = state::of(named("--state-dir"), environment)?;
            Some(state.join("backups"))
        })?;
    Some(invocation.folder.join(folder))
}

/// Returns the answers that a runbook may ask for.
fn answers(named: Option<&Proved>) -> Vec<String> {
    let steps = named.iter().flat_map(|proved| &proved.runbook.steps);
    let confirms = steps.filter_map(|step| match &step.kind {
        Kind::Confirm(confirm) if confirm.typed.is_some() => Some(format!("{}=", step.title)),
        Kind::Confirm(_) => Some(format!("{}=yes", step.title)),
        _ => None,
    });
    confirms.collect()
}

fn tags(catalogue: &Catalogue) -> Vec<String> {
    let documents = catalogue
        .all()
        .iter()
        .filter_map(|entry| crate::runbook::document::parse(&entry.read().ok()?).ok());
    let tags: BTreeSet<String> = documents.flat_map(|document| document.head.tags).collect();
    tags.into_iter().collect()
}

fn words(words: Vec<String>) -> ArgValueCandidates {
    ArgValueCandidates::new(move || words.iter().map(CompletionCandidate::new).collect())
}

fn title(name: &str, catalogue: &Catalogue) -> Option<String> {
    let source = catalogue.text_of(name)?;
    let document = crate::runbook::document::parse(&source).ok()?;
    Some(document.head.title.text().to_owned())
}

/// Completes the names of runbooks, and the paths of files that could be one.
fn names_and_paths(names: Vec<(String, Option<String>)>, folder: &Path) -> ArgValueCompleter {
    let paths = PathCompleter::any()
        .current_dir(folder)
        .filter(|path| path.is_dir() || path.to_str().is_some_and(is_path));
    ArgValueCompleter::new(move |current: &OsStr| {
        let typed = current.to_string_lossy();
        let names = names
            .iter()
            .filter(|(name, _)| name.starts_with(typed.as_ref()))
            .map(|(name, title)| {
                CompletionCandidate::new(name).help(title.clone().map(Into::into))
            });
        names.chain(paths.complete(current)).collect()
    })
}
