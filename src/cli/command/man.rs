//! `runbook man`: the manual page.

use clap_mangen::Man;

use crate::cli::Context;
use crate::cli::args::{self, ManArgs};
use crate::cli::error::CliError;
use crate::engine::outcome::exit;

/// Prints the page.
///
/// # Errors
/// [`CliError::Usage`] for an unknown command.
pub fn run(context: &Context<'_>, args: &ManArgs) -> Result<u8, CliError> {
    let mut root = args::command(None);
    root.build();
    let mut command = root;
    for name in &args.command {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| super::help::unknown(name, &command, &[]))?
            .clone();
    }
    let title = command.get_display_name().unwrap_or("runbook").to_owned();
    let mut page = Vec::new();
    Man::new(command)
        .title(title)
        .render(&mut page)
        .map_err(|error| CliError::io("cannot write the page", &error))?;
    let mut text = String::from_utf8_lossy(&page).into_owned();
    if args.command.is_empty() {
        text.push_str(&exit_status());
    }
    context.invocation.print(&text)?;
    Ok(exit::DONE)
}

fn exit_status() -> String {
    exit::MEANINGS.iter().fold(
        ".SH \"EXIT STATUS\"\n".to_owned(),
        |text, (code, meaning)| format!("{text}.TP\n{code}\n{meaning}\n"),
    )
}
