//! What `run`, `resume` and `undo` share: who is told, who answers, what Ctrl-C does, and how it ends.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

mod signals;
mod watching;

use signals::interrupted_twice;
pub(super) use signals::{ended, interrupted};
use watching::Watching;

use super::Context;
use super::answers::{Answers, Flag, Otherwise};
use super::args::{Output, Told};
use super::error::CliError;
use super::world::RealWorld;
use crate::base::words;
use crate::engine::cancel::Cancel;
use crate::engine::change::hex;
use crate::engine::driver::{Came, Untold};
use crate::engine::event::Sink;
use crate::engine::outcome::exit;
use crate::engine::plan::Plan;
use crate::pg::session::Session;
use crate::report::json::Json;
use crate::report::look::Look;
use crate::report::places::Places;
use crate::report::quiet::Quiet;
use crate::report::secret::Redactor;
use crate::report::status::{NoStatus, Spinner, Status};
use crate::report::terminal::{Terminal, TerminalOptions};
use crate::runbook::argument;
use crate::runbook::model::Step;
use crate::step::Kind;

/// A run, and what is said of it when it is cut short.
pub(super) struct Going<'a> {
    /// Its id.
    pub(super) run: &'a str,
    /// What to do instead of going on with it, where nobody can.
    pub(super) again: Option<String>,
}

/// Drives a run to its end, and returns the exit code of its outcome. The first Ctrl-C cancels the run, the
/// second one ends the program.
///
/// # Errors
/// Nobody reads the output any more.
pub(super) async fn drive(
    context: &Context<'_>,
    run: &str,
    world: RealWorld,
    work: impl AsyncFnOnce(&mut RealWorld, Cancel) -> Came,
) -> Result<u8, CliError> {
    let going = Going { run, again: None };
    Box::pin(drive_to(context, &going, world, work)).await
}

/// Does the same for a run that nobody can go on with.
///
/// # Errors
/// As [`drive`].
pub(super) async fn drive_to(
    context: &Context<'_>,
    going: &Going<'_>,
    mut world: RealWorld,
    work: impl AsyncFnOnce(&mut RealWorld, Cancel) -> Came,
) -> Result<u8, CliError> {
    let (canceller, cancel) = Cancel::new();
    let committing = world.session.committing();
    let canceller = Rc::new(canceller);
    let committed = Rc::new(Cell::new(false));
    world.sink = Box::new(Watching {
        committed: Rc::clone(&committed),
        canceller: Rc::clone(&canceller),
        terminal: context.invocation.terminal.stdout || context.invocation.terminal.stderr,
        gone: false,
        sink: world.sink,
    });
    tokio::select! {
        came = work(&mut world, cancel) => match came {
            Ok(Ok(finished)) => Ok(finished.outcome.code()),
            Ok(Err(failure)) => Err(CliError::CutShort(Box::new(failure))),
            Err(error) if error.0.kind() == std::io::ErrorKind::BrokenPipe => Err(CliError::BrokenPipe),
            Err(error) => Ok(untold(context, going, &error, committed.get())),
        },
        // What is open is rolled back by the server when the connection goes.
        () = interrupted_twice(context, &canceller) => {
            let xid = committing.lock().ok().and_then(|xid| xid.clone());
            Ok(ended_at_once(context, going, xid))
        }
    }
}

/// What nobody could be told of is not undone by that.
fn untold(context: &Context<'_>, going: &Going<'_>, error: &Untold, committed: bool) -> u8 {
    let error = CliError::Io {
        message: error.to_string(),
    };
    context
        .invocation
        .eprint(&error.render(context.look.color_err));
    if !committed {
        return error.code();
    }
    let Going { run, again } = going;
    let help = again.clone().unwrap_or_else(|| {
        format!("go on with it: runbook resume {run}; or put it back: runbook undo {run}")
    });
    context.invocation.eprint(&format!(
        "  = note: what was committed before stays\n  = help: {help}\n"
    ));
    exit::STOPPED
}

fn ended_at_once(context: &Context<'_>, going: &Going<'_>, xid: Option<String>) -> u8 {
    let Going { run, again } = going;
    let Some(xid) = xid else {
        let help = again.clone().unwrap_or_else(|| {
            format!(
                "go on with it: runbook resume {run}; or put back what it changed: runbook undo {run}"
            )
        });
        context.invocation.eprint(&format!(
            "\nended at once: what was not committed is rolled back\n  = help: {help}\n"
        ));
        return exit::CANCELLED;
    };
    let help = match again {
        Some(again) => format!("look whether its rows are there, then {again}"),
        None => format!("find out and go on: runbook resume {run}"),
    };
    context.invocation.eprint(&format!(
        "\nended while COMMIT was under way (transaction {xid}): nobody knows yet what became of it\n  \
         = help: {help}\n"
    ));
    exit::UNKNOWN
}

/// Returns what masks a run's secrets: its secret parameters, the password where a program is handed it, and its
/// sensitive columns, which the session is told of.
pub(super) fn redactor(plan: &Plan, session: &mut Session) -> Redactor {
    let sensitive = session.set_sensitive(&plan.runbook().sensitive);
    let secrets = plan
        .runbook()
        .params()
        .iter()
        .filter(|(_, param)| param.secret);
    let secrets = secrets
        .filter_map(|(name, _)| plan.arguments.get(name))
        .flat_map(argument::texts);
    // A program that is handed the password may print it.
    let handed = plan.runbook().steps.iter().any(hands_over_password);
    let hosts = session.settings().hosts().iter().filter(|_| handed);
    let passwords = hosts.filter_map(|host| session.settings().password_for(host));
    let passwords = passwords.map(|secret| secret.reveal().to_owned());
    // So may it print the addresses of web hooks, which are in its environment.
    let hooks = plan.runbook().notify.iter().filter_map(|notify| {
        let name = notify.webhook.as_ref()?.value.trim().strip_prefix('$')?;
        std::env::var(name).ok()
    });
    Redactor::new(secrets.chain(passwords).chain(hooks)).with_sensitive(sensitive)
}

fn hands_over_password(step: &Step) -> bool {
    match &step.kind {
        Kind::Query(query) => query.pass_connection,
        Kind::Check(check) => check.pass_connection,
        Kind::Fix(fix) => fix.pass_connection,
        _ => false,
    }
}

/// Returns who is told of a run.
pub(super) fn sink(context: &Context<'_>, told: Told) -> Box<dyn Sink> {
    let look = &context.look;
    let terminal = &context.invocation.terminal;
    let out = context.invocation.writer();
    match (told.output, told.quiet) {
        (Output::Json, _) => Box::new(Json::new(out)),
        (Output::Quiet, _) | (_, true) => {
            let look = Look {
                colors: look.color_err,
                unicode: look.unicode,
                width: terminal.stderr.then_some(look.width),
            };
            Box::new(Quiet::new(look, context.invocation.error_writer()))
        }
        (Output::Human, false) => {
            let options = TerminalOptions {
                colors: look.color_out,
                unicode: look.unicode,
                width: terminal.stdout.then_some(look.width),
                live: terminal.stdout && terminal.stderr,
            };
            let status: Box<dyn Status> = if options.live {
                Box::new(Spinner::new(Look {
                    colors: options.colors,
                    unicode: options.unicode,
                    width: options.width,
                }))
            } else {
                Box::new(NoStatus)
            };
            Box::new(Terminal::new(options, out, status).at(places(context)))
        }
    }
}

/// Returns where the person is who reads what is told.
pub(super) fn places(context: &Context<'_>) -> Places {
    Places {
        folder: Some(context.invocation.folder.clone()),
        home: context.invocation.environment.home().map(Into::into),
    }
}

/// How questions are to be answered.
pub(super) struct Answering<'a> {
    /// Answers by the name of the question.
    pub(super) given: &'a [(String, String)],
    /// Whether `--yes` answers all others.
    pub(super) yes: bool,
    /// Whether nothing lasts.
    pub(super) dry_run: bool,
}

/// Returns who answers.
///
/// # Errors
/// An answer is given to a question that does not exist.
pub(super) fn answers(
    context: &Context<'_>,
    answering: &Answering<'_>,
    actor: String,
    plan: Option<&Plan>,
) -> Result<Answers, CliError> {
    let steps = plan.iter().flat_map(|plan| &plan.runbook().steps);
    let confirms: Vec<&str> = steps
        .filter(|step| matches!(step.kind, Kind::Confirm(_)))
        .map(|step| step.title.as_str())
        .collect();
    for (name, _) in answering.given {
        if !confirms.contains(&name.as_str()) {
            let near = words::did_you_mean(name, confirms.iter().copied());
            return Err(CliError::usage(format!(
                "`--answer {name}`: there is no confirm of that name"
            ))
            .help(near.unwrap_or_else(|| format!("the confirms are {}", words::list(&confirms)))));
        }
    }
    let terminal = &context.invocation.terminal;
    let person = terminal.stdin && terminal.stderr;
    Ok(Answers {
        given: answering.given.iter().cloned().collect(),
        otherwise: match (answering.dry_run, answering.yes) {
            (true, _) => Otherwise::Rehearsal,
            (false, true) => Otherwise::Yes,
            (false, false) => Otherwise::Person,
        },
        person,
        flag: if plan.is_some() {
            Flag::Answer
        } else {
            Flag::Yes
        },
        actor,
    })
}

/// Who runs it: the login, and the user of this machine.
pub(super) fn actor(context: &Context<'_>, session: &Session) -> String {
    format!("{} ({})", session.target().user, person(context))
}

/// The user of this machine.
pub(super) fn person(context: &Context<'_>) -> String {
    let user = context.invocation.environment.user().unwrap_or("unknown");
    let host = nix::unistd::gethostname().map_or_else(
        |_| "unknown".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    format!("{user}@{host}")
}

/// Returns what nobody can guess, for the record of a run.
///
/// # Errors
/// The machine gives nothing.
pub(super) fn salt() -> Result<String, CliError> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| CliError::io("cannot read /dev/urandom", &error))?;
    Ok(hex(&bytes))
}

/// Returns a new run's id: short enough to say, from letters and digits that cannot be mistaken.
pub(super) fn new_id() -> String {
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seed = format!("{} {}", now.as_nanos(), std::process::id());
    let digest = Sha256::digest(seed);
    digest
        .iter()
        .take(6)
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        let id = new_id();
        assert_eq!(id.len(), 6);
        assert!(
            id.chars()
                .all(|next| next.is_ascii_alphanumeric() && !"01ilo".contains(next)),
            "{id}"
        );
    }
}
