//! The command line: reads what the process was given ([`invocation`]), finds runbooks ([`catalogue`]),
//! parses arguments ([`args`]) and parameters ([`params`]), and does one command ([`command`]).

pub mod answers;
pub mod args;
mod backups;
pub mod builtin;
pub mod catalogue;
mod choices;
pub mod command;
mod connection;
pub mod error;
mod finder;
mod findings;
pub mod invocation;
pub mod look;
mod newest;
mod notice;
mod pace;
pub mod params;
mod past;
mod policy;
mod previous;
pub mod program;
mod project;
mod prompt;
mod runner;
mod save;
pub mod state;
mod table;
mod trial;
pub mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use args::{Cli, Command};
use catalogue::Catalogue;
use error::CliError;
use invocation::Invocation;
use look::Look;

use crate::runbook::check::Proved;

/// What a command works with.
pub struct Context<'a> {
    /// What the process was given.
    pub invocation: &'a Invocation,
    /// The flags that every command has.
    pub global: &'a args::Global,
    /// The runbooks.
    pub catalogue: &'a Catalogue,
    /// How output looks.
    pub look: Look,
}

impl<'a> Context<'a> {
    /// Returns the same with other flags.
    #[must_use]
    pub fn with_global<'b>(&'b self, global: &'b args::Global) -> Context<'b>
    where
        'a: 'b,
    {
        Context { global, ..*self }
    }
}

/// Runs the program, and returns its exit code.
pub fn main(invocation: &Invocation) -> ExitCode {
    let place = remember_panics();
    let result =
        catch_unwind(AssertUnwindSafe(|| command_line(invocation))).unwrap_or_else(|payload| {
            let place = place.lock().unwrap_or_else(PoisonError::into_inner);
            Err(CliError::Defect(words_of(payload.as_ref()) + &place))
        });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let colored = color(invocation);
            let terminal = &invocation.terminal;
            let text = match terminal.width.filter(|_| terminal.stderr) {
                Some(width) => error.folded(colored, width),
                None => error.render(colored),
            };
            let text = crate::pg::secret::mask_passwords(&text);
            let code = error.code();
            // Help and the version are results.
            match &error {
                CliError::Clap(clap) if !clap.use_stderr() => {
                    // A reader that left early has all it wanted.
                    let _ = invocation.print(&text);
                }
                _ => invocation.eprint(&text),
            }
            ExitCode::from(code)
        }
    }
}

/// A panic is reported once, where it is caught, and without a backtrace, which means nothing to its reader.
/// Those that are caught elsewhere, as in the parser of SQL, are not reported.
fn remember_panics() -> Arc<Mutex<String>> {
    let place = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&place);
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let at = info
            .location()
            .map(|at| format!(" ({}:{})", at.file(), at.line()));
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = at.unwrap_or_default();
    }));
    place
}

fn words_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it stopped without a reason".to_owned())
}

/// Returns whether errors have colours: `--color` counts even where the rest of the line is wrong.
fn color(invocation: &Invocation) -> bool {
    let mut args = invocation.args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        let when = match arg.as_ref() {
            "--color" => args.next(),
            other => other
                .strip_prefix("--color=")
                .map(|when| when.to_owned().into()),
        };
        match when.as_deref() {
            Some("always") => return true,
            Some("never") => return false,
            _ => {}
        }
    }
    invocation.look().color_err
}

fn command_line(invocation: &Invocation) -> Result<u8, CliError> {
    if args::complete(invocation)? {
        return Ok(crate::engine::outcome::exit::DONE);
    }
    let words = invocation.args.get(1..).unwrap_or_default();
    let scan = args::scan(words);
    let catalogue =
        Catalogue::discover(&scan.runbooks, &invocation.environment, &invocation.folder)?;
    let named = named(&scan, &catalogue)?;
    let cli = args::parse(
        &invocation.args,
        named.as_ref().map(|proved| &proved.runbook),
    )?;
    let look = Look::new(
        &invocation.terminal,
        &invocation.environment,
        cli.global.color,
    );
    let Cli { global, command } = cli;
    let context = Context {
        invocation,
        global: &global,
        catalogue: &catalogue,
        look,
    };
    dispatch(&context, &command, named)
}

/// Returns the runbook that `run` or `plan` names. Of the words that may be its name, the first that is one
/// counts; when none is, the first is what was meant.
fn named(scan: &args::Scan, catalogue: &Catalogue) -> Result<Option<Proved>, CliError> {
    if !matches!(scan.command.as_deref(), Some("run" | "plan")) {
        return Ok(None);
    }
    let entry = match scan.names.iter().find_map(|name| catalogue.find(name).ok()) {
        Some(entry) => entry,
        None => match scan.names.first() {
            Some(name) => catalogue.find(name)?,
            None => return Ok(None),
        },
    };
    catalogue.load(&entry).map(Some)
}

fn dispatch(
    context: &Context<'_>,
    command: &Command,
    named: Option<Proved>,
) -> Result<u8, CliError> {
    match command {
        Command::Run(args) => command::run::run(context, args, named),
        Command::Plan(args) => command::plan::run(context, args, named),
        Command::Check(args) => command::check::run(context, args),
        Command::Test(args) => command::test::run(context, args),
        Command::List(args) => command::list::run(context, args),
        Command::Find(args) => command::find::run(context, args),
        Command::Show(args) => command::show::run(context, args),
        Command::New(args) => command::new::run(context, args),
        Command::Query(args) => command::query::run(context, args),
        Command::Shell(args) => command::shell::run(context, args),
        Command::Health(args) => command::health::run(context, args),
        Command::Resume(args) => command::resume::run(context, args),
        Command::Undo(args) => command::undo::run(context, args),
        Command::Backup(args) => command::backup::run(context, args),
        Command::History(args) => command::history::run(context, args),
        Command::Report(args) => command::report::run(context, args),
        Command::Audit(args) => command::audit::run(context, args),
        Command::Approve(args) => command::approve::run(context, args),
        Command::Cancel(args) => command::cancel::run(context, args),
        Command::Targets(args) => command::targets::run(context, args),
        Command::Doctor(args) => command::doctor::run(context, args),
        Command::Init(args) => command::init::run(context, args),
        Command::Demo(args) => command::demo::run(context, args),
        Command::Schema(args) => command::schema::run(context, args),
        Command::Completions(args) => command::completions::run(context, args),
        Command::Man(args) => command::man::run(context, args),
        Command::Help(args) => command::help::run(context, args, named.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_reported_as_a_defect_without_a_backtrace() {
        let error = catch_unwind(|| std::panic::panic_any("index out of bounds"))
            .map_err(|payload| CliError::Defect(words_of(payload.as_ref())))
            .unwrap_err();
        assert_eq!(error.code(), 70);
        assert_eq!(
            error.render(false),
            "error: a defect of runbook: index out of bounds\n  = help: please report it, with the command that you gave and this text\n"
        );
    }
}
