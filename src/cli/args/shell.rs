//! Completion by the program itself: the shell asks it, so that runbooks and their parameters are known.

use std::ffi::OsString;

use clap_complete::env::Shells;
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use crate::cli::catalogue::Catalogue;
use crate::cli::error::CliError;
use crate::cli::invocation::Invocation;

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
    let command = super::command(named.as_ref().map(|proved| &proved.runbook));
    ["run", "plan", "show", "check"]
        .into_iter()
        .fold(command, |command, sub| {
            let offers = offers.clone();
            let id = if sub == "check" { "what" } else { "name" };
            command.mut_subcommand(sub, |command| {
                command.mut_arg(id, |arg| arg.add(candidates(offers)))
            })
        })
}

fn title(name: &str, catalogue: &Catalogue) -> Option<String> {
    let source = catalogue.library(name)?;
    let document = crate::runbook::document::parse(&source).ok()?;
    Some(document.head.title.text().to_owned())
}

fn candidates(names: Vec<(String, Option<String>)>) -> ArgValueCandidates {
    ArgValueCandidates::new(move || {
        names
            .iter()
            .map(|(name, title)| CompletionCandidate::new(name).help(title.clone().map(Into::into)))
            .collect()
    })
}
