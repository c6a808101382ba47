//! `runbook run`: runs a runbook on a database.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::answers::{Answers, Otherwise};
use crate::cli::args::{Output, RunArgs};
use crate::cli::error::CliError;
use crate::cli::world::RealWorld;
use crate::cli::{Context, choices, connection, params, prompt};
use crate::engine::cancel::{Cancel, Canceller};
use crate::engine::change::hex;
use crate::engine::driver;
use crate::engine::event::{Event, EventKind, Sink, StepResult};
use crate::engine::outcome::exit;
use crate::engine::plan::Plan;
use crate::pg::function::refuse_volatile;
use crate::pg::session::Session;
use crate::report::json::Json;
use crate::report::look::Look;
use crate::report::quiet::Quiet;
use crate::report::secret::{Redacting, Redactor};
use crate::report::status::{NoStatus, Spinner, Status};
use crate::report::terminal::{Terminal, TerminalOptions};
use crate::runbook::check::Proved;
use crate::runbook::model::{Runbook, Step};
use crate::step::Kind;

/// Runs a runbook, and returns the exit code of its outcome.
///
/// # Errors
/// What is wrong before anything is run.
pub fn run(context: &Context<'_>, args: &RunArgs, named: Option<Proved>) -> Result<u8, CliError> {
    let Some(proved) = named else {
        return Err(CliError::usage("which runbook?").help("`runbook list` shows what there is"));
    };
    refuse_unsupported(&proved.runbook)?;
    connection::runtime()?.block_on(start(context, args, proved))
}

/// A run that could come to something that this version cannot do is refused before it starts.
fn refuse_unsupported(runbook: &Runbook) -> Result<(), CliError> {
    let unsupported = Plan::unsupported(runbook);
    if unsupported.is_empty() {
        return Ok(());
    }
    let error = CliError::invalid(format!(
        "`{}` could come to steps that this version cannot run",
        runbook.name
    ));
    Err(unsupported
        .into_iter()
        .fold(error, CliError::note)
        .help("nothing was run; take these steps out, or wait for the version that has them"))
}

async fn start(context: &Context<'_>, args: &RunArgs, proved: Proved) -> Result<u8, CliError> {
    let (plan, world) = tokio::select! {
        prepared = Box::pin(prepare(context, args, proved)) => prepared?,
        // At a prompt it is the prompt that sees Ctrl-C; without this the process would be killed there.
        () = interrupted() => return Err(CliError::Cancelled),
    };
    Box::pin(execute(context, &plan, world)).await
}

async fn interrupted() {
    match signal(SignalKind::interrupt()) {
        Ok(mut interrupt) => drop(interrupt.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Connects, and refuses a runbook whose reads could write before any of them is sent, the choices of its
/// parameters included.
async fn connect(
    context: &Context<'_>,
    application: &str,
    runbook: &Runbook,
) -> Result<Session, CliError> {
    let session = connection::connect(context, application).await?;
    let reads = runbook
        .steps
        .iter()
        .filter(|step| matches!(step.kind, Kind::Query(_) | Kind::Check(_)));
    let reads = reads.flat_map(|step| step.sql.iter().map(|sql| &sql.statement));
    let choices = choices::statements(runbook);
    refuse_volatile(&session, reads.chain(&choices))
        .await
        .map_err(|failure| {
            failure
                .help
                .into_iter()
                .fold(CliError::invalid(failure.message), CliError::help)
        })?;
    Ok(session)
}

/// Does all that comes before the first step: what is wrong there is found before anything is run.
async fn prepare(
    context: &Context<'_>,
    args: &RunArgs,
    proved: Proved,
) -> Result<(Plan, RealWorld), CliError> {
    let run = new_id();
    let file = params::file(context.invocation, args.params_file.as_deref())?;
    let given = |ask| params::Sources {
        flags: &args.params,
        file: file.as_ref(),
        environment: &context.invocation.environment,
        ask,
    };
    let person = context.invocation.terminal.stdin && context.invocation.terminal.stderr;
    let application = format!("runbook/{run}");
    let (arguments, mut session) = if person {
        // The prompt offers what the database has.
        let mut session = connect(context, &application, &proved.runbook).await?;
        let offered = offers(&mut session, &proved.runbook, args).await;
        let mut ask = |name: &str, param: &_| prompt::ask(name, param, &offered);
        (
            params::resolve(&proved.runbook, given(Some(&mut ask)))?,
            session,
        )
    } else {
        let arguments = params::resolve(&proved.runbook, given(None))?;
        (
            arguments,
            connect(context, &application, &proved.runbook).await?,
        )
    };
    choices::check(&mut session, &proved.runbook, &arguments).await?;
    let actor = actor(context, &session);
    let plan = Plan {
        hash: hex(&Sha256::digest(proved.runbook.source.text())),
        proved,
        arguments,
        dry_run: args.dry_run,
        run,
        actor: actor.clone(),
    };
    let answers = answers(context, args, actor, &plan)?;
    let sink = sink(context, args, &plan, &session);
    let world = RealWorld {
        session,
        answers,
        sink,
    };
    Ok((plan, world))
}

async fn offers(
    session: &mut Session,
    runbook: &Runbook,
    args: &RunArgs,
) -> BTreeMap<String, crate::runbook::data::Rows> {
    let mut offered = BTreeMap::new();
    for (name, param) in runbook.params() {
        if args.params.contains_key(name) {
            continue;
        }
        // Where nothing can be offered the value is typed.
        if let Ok(Some(rows)) = choices::offer(session, param, &runbook.source).await {
            offered.insert(name.clone(), rows);
        }
    }
    offered
}

async fn execute(context: &Context<'_>, plan: &Plan, mut world: RealWorld) -> Result<u8, CliError> {
    let (canceller, cancel) = Cancel::new();
    let committing = world.session.committing();
    let committed = Rc::new(Cell::new(false));
    world.sink = Box::new(Watching {
        committed: Rc::clone(&committed),
        sink: world.sink,
    });
    tokio::select! {
        finished = driver::run(plan, &mut world, cancel) => match finished {
            Ok(finished) => Ok(finished.outcome.code()),
            Err(error) if error.0.kind() == std::io::ErrorKind::BrokenPipe => Err(CliError::BrokenPipe),
            Err(error) => {
                let error = CliError::Io { message: error.to_string() };
                context.invocation.eprint(&error.render(context.look.color_err));
                // What nobody could be told of is not undone by that.
                Ok(if committed.get() { exit::STOPPED } else { error.code() })
            }
        },
        // What is open is rolled back by the server when the connection goes.
        () = interrupted_twice(context, &canceller) => {
            let xid = committing.lock().ok().and_then(|xid| xid.clone());
            let Some(xid) = xid else {
                context.invocation.eprint("\nended at once: what was not committed is rolled back\n");
                return Ok(exit::CANCELLED);
            };
            context.invocation.eprint(&format!(
                "\nended while COMMIT was under way: nobody knows yet what became of it\n  \
                 = help: ask the server: SELECT pg_xact_status('{xid}'::xid8)\n  \
                 = help: do not run it again before you know\n"
            ));
            Ok(exit::UNKNOWN)
        }
    }
}

/// Remembers whether anything was committed, whether that could be told or not.
struct Watching {
    committed: Rc<Cell<bool>>,
    sink: Box<dyn Sink>,
}

impl Sink for Watching {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        let committed = match &event.kind {
            EventKind::AtomicCommitted { .. } => true,
            EventKind::StepFinished {
                result: StepResult::Fix { committed, .. },
                ..
            } => *committed,
            _ => false,
        };
        self.committed.set(self.committed.get() || committed);
        self.sink.take(event)
    }
}

/// Cancels the run at the first Ctrl-C or SIGTERM; returns at the second.
async fn interrupted_twice(context: &Context<'_>, canceller: &Canceller) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    for first in [true, false] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if first {
            canceller.cancel();
            context
                .invocation
                .eprint("\ncancelling; once more ends it at once\n");
        }
    }
}

fn sink(context: &Context<'_>, args: &RunArgs, plan: &Plan, session: &Session) -> Box<dyn Sink> {
    let look = &context.look;
    let terminal = &context.invocation.terminal;
    let out = context.invocation.writer();
    let secrets = plan
        .runbook()
        .params()
        .iter()
        .filter(|(_, param)| param.secret);
    let secrets = secrets
        .filter_map(|(name, _)| plan.arguments.get(name))
        .map(|argument| argument.shown.clone());
    // A program that is handed the password may print it.
    let handed = plan.runbook().steps.iter().any(hands_over_password);
    let hosts = session.settings().hosts().iter().filter(|_| handed);
    let passwords = hosts.filter_map(|host| session.settings().password_for(host));
    let passwords = passwords.map(|secret| secret.reveal().to_owned());
    let redactor = Redactor::new(secrets.chain(passwords));
    match (args.told.output, args.told.quiet) {
        (Output::Json, _) => Box::new(Redacting::new(redactor, Json::new(out))),
        (Output::Quiet, _) | (_, true) => {
            let look = Look {
                colors: look.color_err,
                unicode: look.unicode,
                width: terminal.stderr.then_some(look.width),
            };
            Box::new(Redacting::new(
                redactor,
                Quiet::new(look, context.invocation.error_writer()),
            ))
        }
        (Output::Human, false) => {
            let options = TerminalOptions {
                colors: look.color_out,
                unicode: look.unicode,
                width: terminal.stdout.then_some(look.width),
                live: terminal.stdout && terminal.stderr,
            };
            let status: Box<dyn Status> = if options.live {
                let look = Look {
                    colors: options.colors,
                    unicode: options.unicode,
                    width: options.width,
                };
                Box::new(Spinner::new(look))
            } else {
                Box::new(NoStatus)
            };
            Box::new(Redacting::new(
                redactor,
                Terminal::new(options, out, status),
            ))
        }
    }
}

fn hands_over_password(step: &Step) -> bool {
    match &step.kind {
        Kind::Query(query) => query.pass_connection,
        Kind::Check(check) => check.pass_connection,
        Kind::Fix(fix) => fix.pass_connection,
        _ => false,
    }
}

fn answers(
    context: &Context<'_>,
    args: &RunArgs,
    actor: String,
    plan: &Plan,
) -> Result<Answers, CliError> {
    let confirms: Vec<&str> = plan
        .runbook()
        .steps
        .iter()
        .filter(|step| matches!(step.kind, Kind::Confirm(_)))
        .map(|step| step.title.as_str())
        .collect();
    for (name, _) in &args.answers {
        if !confirms.contains(&name.as_str()) {
            let near = crate::base::words::did_you_mean(name, confirms.iter().copied());
            return Err(CliError::usage(format!(
                "`--answer {name}`: there is no confirm of that name"
            ))
            .help(near.unwrap_or_else(|| {
                format!("the confirms are {}", crate::base::words::list(&confirms))
            })));
        }
    }
    let terminal = &context.invocation.terminal;
    let person = terminal.stdin && terminal.stderr;
    Ok(Answers {
        given: args.answers.iter().cloned().collect(),
        otherwise: match (args.yes, plan.dry_run, person) {
            (true, _, _) => Otherwise::Yes,
            (false, true, _) => Otherwise::Rehearsal,
            (false, false, true) => Otherwise::Person,
            (false, false, false) => Otherwise::Nobody,
        },
        actor,
    })
}

/// Who runs it: the login, and the user of this machine.
fn actor(context: &Context<'_>, session: &Session) -> String {
    let user = context.invocation.environment.user().unwrap_or("unknown");
    let host = nix::unistd::gethostname().map_or_else(
        |_| "unknown".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    format!("{} ({user}@{host})", session.target().user)
}

/// Returns a new run's id: short enough to say, from letters and digits that cannot be mistaken.
fn new_id() -> String {
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
