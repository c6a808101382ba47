//! `runbook help`: of the program, of a command, of a runbook, and of exit codes.

use std::fmt::Write as _;

use crate::base::words;
use crate::cli::Context;
use crate::cli::args::{self, HelpArgs};
use crate::cli::error::CliError;
use crate::engine::outcome::exit;
use crate::runbook::check::Proved;

/// Prints the help.
///
/// # Errors
/// [`CliError::Usage`] for what there is no help of.
pub fn run(context: &Context<'_>, args: &HelpArgs, named: Option<&Proved>) -> Result<u8, CliError> {
    let text = match args.topic.as_deref() {
        Some("exit-codes") => exit_codes(),
        topic => of_command(context, topic, args.name.as_deref(), named)?,
    };
    context.invocation.print(&text)?;
    Ok(exit::DONE)
}

fn of_command(
    context: &Context<'_>,
    topic: Option<&str>,
    inner: Option<&str>,
    named: Option<&Proved>,
) -> Result<String, CliError> {
    let mut root = args::command(named.map(|proved| &proved.runbook));
    root.build();
    let mut command = match topic {
        None => root,
        Some(name) => root
            .find_subcommand(name)
            .ok_or_else(|| unknown(name, &root, &["exit-codes"]))?
            .clone(),
    };
    if let Some(name) = inner.filter(|_| command.has_subcommands()) {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| unknown(name, &command, &[]))?
            .clone();
    }
    let help = command.render_long_help();
    Ok(if context.look.color_out {
        help.ansi().to_string()
    } else {
        help.to_string()
    })
}

/// Returns the error for a command that there is not; `beside` is what there is beside commands.
pub(super) fn unknown(name: &str, root: &clap::Command, beside: &[&str]) -> CliError {
    let known: Vec<&str> = root
        .get_subcommands()
        .map(clap::Command::get_name)
        .chain(beside.iter().copied())
        .collect();
    CliError::usage(format!("there is no command `{name}`")).help(
        words::did_you_mean(name, known.iter().copied())
            .unwrap_or_else(|| format!("the commands are {}", known.join(", "))),
    )
}

fn exit_codes() -> String {
    exit::MEANINGS
        .iter()
        .fold("Exit codes\n\n".to_owned(), |mut text, (code, meaning)| {
            let _ = writeln!(text, "  {code:>3}  {meaning}");
            text
        })
}
