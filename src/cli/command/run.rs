//! `runbook run`: runs a runbook on a database.

mod group;

use std::collections::BTreeMap;

use crate::cli::args::RunArgs;
use crate::cli::error::CliError;
use crate::cli::notice::Notices;
use crate::cli::runner::{self, Answering};
use crate::cli::world::RealWorld;
use crate::cli::{
    Context, backups, choices, connection, pace, params, policy, previous, prompt, state,
};
use crate::engine::driver;
use crate::engine::plan::Plan;
use crate::pg::function::refuse_volatile;
use crate::pg::session::Session;
use crate::pg::session::journal::{Keeping, Writer};
use crate::pg::undoable;
use crate::record::facts::{Facts, Place, Text};
use crate::record::run::RunRecord;
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
    match connection::group(context)? {
        None => connection::runtime()?.block_on(start(context, args, proved)),
        Some(names) => group::run(context, args, &proved, &names),
    }
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

/// Other people are asked in the database's journal.
fn refuse_unasked(plan: &Plan) -> Result<(), CliError> {
    match plan.asks_others() {
        None => Ok(()),
        Some(why) => Err(CliError::invalid(format!(
            "`{}` cannot run with its journal beside its record: {why}",
            plan.runbook().name
        ))
        .note("they are asked, and approve, in the journal of the database")
        .help("run it without `--journal local`")),
    }
}

async fn start(context: &Context<'_>, args: &RunArgs, proved: Proved) -> Result<u8, CliError> {
    let (plan, world) = tokio::select! {
        prepared = Box::pin(prepare(context, args, proved)) => prepared?,
        // At a prompt it is the prompt that sees Ctrl-C; without this the process would be killed there.
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    let work =
        async |world: &mut RealWorld, cancel| Box::pin(driver::run(&plan, world, cancel)).await;
    Box::pin(runner::drive(context, &plan.run, world, work)).await
}

/// Connects, and refuses a runbook whose reads could write before any of them is sent, the choices of its
/// parameters included.
pub(super) async fn connect(
    context: &Context<'_>,
    application: &str,
    runbook: &Runbook,
) -> Result<Session, CliError> {
    let mut session = connection::connect(context, application).await?;
    if is_recorded(runbook) {
        session.refuse_replica()?;
    }
    let reads = runbook
        .steps
        .iter()
        .filter(|step| matches!(step.kind, Kind::Query(_) | Kind::Check(_) | Kind::Backup(_)));
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
    undoable::refuse(&mut session, runbook)
        .await
        .map_err(CliError::refused)?;
    Ok(session)
}

/// Whether a run may come to something that the journal records. What runs outside of transactions is not: a replica
/// lets sessions be ended, and settings be read again, and refuses the rest itself.
pub(super) fn is_recorded(runbook: &Runbook) -> bool {
    let changes = |step: &Step| match &step.kind {
        Kind::Fix(fix) => !fix.is_final(),
        kind => matches!(kind, Kind::Rollback(_)),
    };
    runbook.steps.iter().any(changes)
}

/// Does all that comes before the first step: what is wrong there is found before anything is run.
///
/// # Errors
/// What is wrong.
pub(in crate::cli) async fn prepare(
    context: &Context<'_>,
    args: &RunArgs,
    proved: Proved,
) -> Result<(Plan, RealWorld), CliError> {
    refuse_unsupported(&proved.runbook)?;
    let run = runner::new_id();
    let base = state::folder(context)?;
    let file = params::file(context.invocation, args.params_file.as_deref())?;
    let given = |ask| params::Sources {
        flags: &args.params,
        file: file.as_ref(),
        environment: &context.invocation.environment,
        ask,
    };
    let person = context.invocation.terminal.stdin && context.invocation.terminal.stderr;
    let application = format!("runbook/{run}");
    let connected = connect(context, &application, &proved.runbook);
    let (arguments, mut session) = if person {
        // The prompt offers what the database has.
        let mut session = connected.await?;
        let offered = offers(&mut session, &proved.runbook, args).await;
        let mut ask = |name: &str, param: &_| prompt::ask(name, param, &offered);
        (
            params::resolve(&proved.runbook, given(Some(&mut ask)))?,
            session,
        )
    } else {
        let arguments = params::resolve(&proved.runbook, given(None))?;
        (arguments, connected.await?)
    };
    let warnings = params::exposed(&proved.runbook, &args.params, &arguments);
    context.invocation.eprint(&warnings);
    choices::check(&mut session, &proved.runbook, &arguments).await?;
    let policy = policy::of(
        context,
        &session,
        policy::risk_of(&proved.runbook),
        args.break_glass.as_deref(),
    )
    .await?;
    policy::refuse_unasked(&policy, &proved, &session.target().name, args.dry_run)?;
    let plan = Plan {
        policy,
        salt: runner::salt()?,
        previous: previous::of(&base, &proved.runbook, session.target())?,
        pace: pace::of(&base, &proved.runbook, session.target()),
        hash: Plan::hash_of(&proved.runbook),
        proved,
        arguments,
        dry_run: args.dry_run,
        run,
        actor: runner::actor(context, &session),
    };
    let answering = Answering {
        given: &args.answers,
        yes: args.yes,
        dry_run: args.dry_run,
    };
    let place = connection::journal(&session, args.journal)?;
    if place == Place::Local && !plan.dry_run {
        refuse_unasked(&plan)?;
    }
    let world = RealWorld {
        folder: context.invocation.folder.clone(),
        site: backups::site(context, None)?,
        answers: runner::answers(context, &answering, plan.actor.clone(), Some(&plan))?,
        sink: Notices::new(context, &plan.runbook().notify, session.settings())?
            .around(&[], runner::sink(context, args.told)),
        redactor: runner::redactor(&plan, &mut session),
        record: Some(RunRecord::create(&base, &facts(&plan, &session, place))?),
        session: {
            session.set_writer(writer(&plan, place, &base));
            session
        },
    };
    Ok((plan, world))
}

/// Returns who writes the journal.
pub(super) fn writer(plan: &Plan, place: Place, base: &std::path::Path) -> Writer {
    Writer {
        run: plan.run.clone(),
        runbook: plan.runbook().name.clone(),
        hash: plan.hash.clone(),
        actor: plan.actor.clone(),
        keeping: match place {
            Place::Database => Keeping::Database,
            Place::Local => Keeping::Local(base.join("runs")),
        },
    }
}

/// Returns what resuming the run will need.
fn facts(plan: &Plan, session: &Session, journal: Place) -> Facts {
    let runbook = plan.runbook();
    let texts = runbook.texts().into_iter().map(|source| Text {
        path: source.name().to_owned(),
        hash: Plan::hash_of_text(source.text()),
        text: source.text().to_owned(),
    });
    let given = |secret: bool| {
        let params = runbook.params().iter();
        params.filter(move |(_, param)| param.secret == secret)
    };
    let value = |name: &String| {
        plan.arguments
            .get(name)
            .map(|argument| argument.given.clone())
    };
    Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: plan.run.clone(),
        runbook: runbook.name.clone(),
        texts: texts.collect(),
        params: given(false)
            .filter_map(|(name, _)| Some((name.clone(), value(name)?)))
            .collect(),
        secrets: given(true)
            .filter(|(name, _)| plan.arguments.contains_key(name))
            .map(|(name, _)| name.clone())
            .collect(),
        dry_run: plan.dry_run,
        journal,
        target: session.target().clone(),
        actor: plan.actor.clone(),
        previous: plan.previous.clone(),
        salt: plan.salt.clone(),
        undo_of: None,
    }
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
