//! `runbook report`: tells a past run again.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::Builder;

use crate::cli::args::{ReportArgs, ReportFormat};
use crate::cli::error::CliError;
use crate::cli::{Context, past, runner, state};
use crate::engine::outcome::exit;
use crate::record::facts::Facts;
use crate::record::log::Log;
use crate::record::run::RunRecord;
use crate::record::store;
use crate::record::summary::{self, Became, Begun};
use crate::report::html::{self, Graph};
use crate::report::page::Page;
use crate::report::terminal::TerminalOptions;
use crate::report::{graph, markdown, text};
use crate::runbook::check::Proved;

/// Tells a past run again.
///
/// # Errors
/// There is no such run, its record is damaged, or the report cannot be written.
pub fn run(context: &Context<'_>, args: &ReportArgs) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    let run = store::find(&base, &args.run)?;
    // Asked before the log is read: a run that ends meanwhile has told its end by then.
    let still_runs = is_running(&base, &run);
    let log = RunRecord::read(&base, &run)?;
    let report = match args.format {
        ReportFormat::Json => lines(&base, &run)?,
        ReportFormat::Text => {
            let (look, places) = (look(context, args), runner::places(context));
            text::draw(&log.events, still_runs, look, places)
                .map_err(|error| CliError::io("cannot tell the run", &error))?
        }
        ReportFormat::Markdown => markdown::draw(&Page::of(&log.events, still_runs)),
        ReportFormat::Html => page(&base, &log, still_runs)?,
    };
    match &args.out {
        None => context.invocation.print(&report)?,
        Some(file) => {
            let path = context.invocation.folder.join(file);
            write(&path, &report).map_err(|error| {
                CliError::io(&format!("cannot write `{}`", file.display()), &error)
            })?;
        }
    }
    Ok(exit::DONE)
}

fn is_running(base: &Path, run: &str) -> bool {
    let begun = Begun {
        run: run.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        what: None,
    };
    summary::became(base, &begun) == Became::Running
}

/// A file has no colours and no width.
fn look(context: &Context<'_>, args: &ReportArgs) -> TerminalOptions {
    let is_screen = args.out.is_none() && context.invocation.terminal.stdout;
    TerminalOptions {
        colors: args.out.is_none() && context.look.color_out,
        unicode: context.look.unicode,
        width: is_screen.then_some(context.look.width),
        live: false,
    }
}

/// Returns the lines of the log as they are, so that their chain can be followed; a part of a line that a
/// crash left is none.
fn lines(base: &Path, run: &str) -> Result<String, CliError> {
    let path = store::folder(base, run).join("events.jsonl");
    let failed =
        |error: io::Error| CliError::io(&format!("cannot read `{}`", path.display()), &error);
    let mut bytes = fs::read(&path).map_err(failed)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    bytes.truncate(whole.map_or(0, |end| end + 1));
    String::from_utf8(bytes).map_err(|error| failed(io::Error::other(error)))
}

fn page(base: &Path, log: &Log, still_runs: bool) -> Result<String, CliError> {
    let graph = match runbook(base, &log.facts) {
        Ok(proved) => Graph::Svg(graph::draw(&proved, &log.events)),
        Err(why) => Graph::Missing(why.to_owned()),
    };
    html::draw(&Page::of(&log.events, still_runs), &graph)
        .map_err(|error| CliError::Defect(format!("the page cannot be drawn: {error}")))
}

/// Returns the runbook as it was, or why it is not to be had. What an undo put back was done by the runbook
/// of the run before, whose record has its text.
fn runbook(base: &Path, facts: &Facts) -> Result<Proved, &'static str> {
    let before = facts.undo_of.as_ref().filter(|_| facts.texts.is_empty());
    let before = before.and_then(|run| RunRecord::read(base, run).ok());
    let facts = before.as_ref().map_or(facts, |log| &log.facts);
    if facts.texts.is_empty() {
        return Err("The record does not have the runbook's text: there is no picture of it.");
    }
    past::recorded(facts).map_err(
        |_| "This version of the program no longer accepts the runbook: there is no picture of it.",
    )
}

/// Writes a file as a whole: who reads it meanwhile has the old one or the new one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one, and a device or a pipe is written to.
    let path = match fs::canonicalize(path) {
        Ok(path) if !path.is_file() && !path.is_dir() => return fs::write(path, text),
        Ok(path) => path,
        Err(_) => PathBuf::from(path),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = Builder::new()
        .prefix(".report-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
