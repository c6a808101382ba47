//! `runbook resume`: goes on with a run that was cut short.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::words;
use crate::cli::args::{Output, ResumeArgs, Told};
use crate::cli::command::backup;
use crate::cli::command::run::{connect, is_recorded, writer};
use crate::cli::error::CliError;
use crate::cli::notice::Notices;
use crate::cli::runner::{self, Answering};
use crate::cli::world::RealWorld;
use crate::cli::{Context, backups, connection, pace, past, policy, state};
use crate::engine::approval::{Came, Word};
use crate::engine::driver::{self, Past};
use crate::engine::event::{Decision, Event, EventKind, Sink, StepResult};
use crate::engine::failure::FailureKind;
use crate::engine::plan::Plan;
use crate::engine::state::{Position, State};
use crate::pg::session::Session;
use crate::pg::session::identity::other_target;
use crate::record::facts::Place;
use crate::record::log::Log;
use crate::record::run::{Opened, RunRecord};
use crate::record::store;

/// Goes on with a run, and returns the exit code of its outcome.
///
/// # Errors
/// Why it cannot go on: it is as it was then.
pub fn run(context: &Context<'_>, args: &ResumeArgs) -> Result<u8, CliError> {
    go_on(context, args, Aim::End)
}

/// Goes on with a run to end it: as if Ctrl-C had been pressed where it was cut short, or its request withdrawn.
///
/// # Errors
/// As [`run`].
pub(super) fn cancel(
    context: &Context<'_>,
    args: &ResumeArgs,
    reason: Option<&str>,
) -> Result<u8, CliError> {
    go_on(context, args, Aim::Cancel(reason))
}

/// What a run goes on for.
#[derive(Clone, Copy)]
enum Aim<'a> {
    /// To come to its end.
    End,
    /// To be cancelled, and why.
    Cancel(Option<&'a str>),
}

fn go_on(context: &Context<'_>, args: &ResumeArgs, aim: Aim<'_>) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    let run = store::find(&base, &args.run)?;
    let Opened { record, log } = RunRecord::open(&base, &run, &runner::person(context))?;
    if let Some(torn) = log.torn {
        context.invocation.eprint(&format!(
            "note: line {} of the record was cut off by a crash, and is left out: nothing was done because of it\n",
            torn.line
        ));
    }
    let global = connection::recorded(context, &log.facts.target)?;
    let context = &context.with_global(&global);
    let assume = assumptions(args)?;
    let past = Past::of(&log.events, runner::person(context), assume);
    if let Some(code) = over(context, &log, &past)? {
        return Ok(code);
    }
    let proved = past::unchanged(context, &log.facts)?;
    let plan = past::plan(context, &log.facts, proved, &args.param)?;
    refuse_unknown(&plan, &past)?;
    refuse_masked(&plan, &past)?;
    let resuming = Resuming {
        context,
        args,
        aim,
        plan,
        log,
    };
    connection::runtime()?.block_on(resuming.drive(record, past, &base))
}

fn assumptions(args: &ResumeArgs) -> Result<BTreeMap<String, bool>, CliError> {
    args.assume
        .iter()
        .map(|(step, what)| match what.as_str() {
            "done" => Ok((step.clone(), true)),
            "undone" => Ok((step.clone(), false)),
            _ => Err(CliError::usage(format!(
                "`--assume {step}={what}`: a step was done or undone"
            ))),
        })
        .collect()
}

/// An assumption about a step that does not exist is a slip of the pen.
fn refuse_unknown(plan: &Plan, past: &Past) -> Result<(), CliError> {
    let steps: Vec<&str> = plan
        .runbook()
        .steps
        .iter()
        .map(|step| step.title.as_str())
        .collect();
    match past
        .assume
        .keys()
        .find(|name| !steps.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => {
            let near = words::did_you_mean(name, steps.iter().copied());
            let help = near.unwrap_or_else(|| format!("the steps are {}", words::list(&steps)));
            let message = format!("`--assume {name}`: there is no step of that name");
            Err(CliError::usage(message).help(help))
        }
    }
}

/// Says how a run ended that cannot go on, and returns the exit code of that.
fn over(context: &Context<'_>, log: &Log, past: &Past) -> Result<Option<u8>, CliError> {
    if let Some(instead) = backup::instead_of_resuming(log) {
        return Err(instead);
    }
    let run = &log.facts.run;
    if let Some(of) = &log.facts.undo_of {
        return Err(CliError::usage(format!(
            "run `{run}` puts back run `{of}`: all of it or nothing, so that there is nothing to go on with"
        ))
        .help(format!("runbook undo {of}")));
    }
    if log.facts.dry_run || log.events.is_empty() {
        let what = if log.facts.dry_run {
            "was a dry run: nothing of it lasts"
        } else {
            "never began"
        };
        return Err(CliError::usage(format!("run `{run}` {what}"))
            .help(format!("runbook run {} …", log.facts.runbook)));
    }
    let Some(outcome) = past.over() else {
        return Ok(None);
    };
    context
        .invocation
        .eprint(&format!("run {run} is over: {outcome}\n"));
    if !past.state.units.is_empty() {
        context.invocation.eprint(&format!(
            "  = help: put back what it changed: runbook undo {run}\n"
        ));
    }
    Ok(Some(outcome.code()))
}

/// What a step returned is read by later ones; what of it was masked is not known any more.
fn refuse_masked(plan: &Plan, past: &Past) -> Result<(), CliError> {
    refuse_masked_place(plan, past)?;
    let masked = |result: &StepResult| match result {
        StepResult::Query { rows, .. } | StepResult::Fix { rows, .. } => {
            let mut cells = rows.rows.iter().flatten().flatten();
            cells.any(|cell| cell.contains(crate::report::secret::MASK))
        }
        StepResult::Command { stdout, .. } => stdout.contains(crate::report::secret::MASK),
        StepResult::Backup(backed) => backed.path.contains(crate::report::secret::MASK),
        _ => false,
    };
    let found = past
        .state
        .results
        .iter()
        .find(|(_, results)| results.iter().any(masked));
    match found {
        None => Ok(()),
        Some((id, _)) => {
            let step = &plan.runbook().step(*id).title;
            Err(masked_away(plan, &format!("`{step}` returned")))
        }
    }
}

fn masked_away(plan: &Plan, what: &str) -> CliError {
    CliError::invalid(format!(
        "{what} a secret, which the record does not hold: the run cannot go on"
    ))
    .help(format!(
        "put back what it changed: runbook undo {}; then run it again",
        plan.run
    ))
}

/// A batch goes on behind the key that it came to, and a `switch` where its value leads: a mask in their
/// place would leave rows out, or lead elsewhere.
fn refuse_masked_place(plan: &Plan, past: &Past) -> Result<(), CliError> {
    let State {
        batch, committing, ..
    } = &past.state;
    let done = batch.iter().map(|batch| (batch.unit, &batch.progress));
    let under_way = committing
        .iter()
        .filter_map(|pending| Some((pending.unit, pending.batch.as_ref()?)));
    let is_masked = |text: &String| text.contains(crate::report::secret::MASK);
    let place = done
        .chain(under_way)
        .find(|(_, progress)| progress.last.iter().any(is_masked))
        .map(|(unit, _)| ("how far", "has come", unit.step));
    let way = match &past.state.position {
        Position::After(id, Decision::Case(value)) if is_masked(value) => {
            Some(("what", "decided", *id))
        }
        _ => None,
    };
    match place.or(way) {
        None => Ok(()),
        Some((what, did, step)) => {
            let step = &plan.runbook().step(step).title;
            Err(masked_away(plan, &format!("{what} `{step}` {did} is")))
        }
    }
}

/// What was put back by hand in the meantime would be missing from what comes after it.
async fn refuse_put_back(
    session: &Session,
    plan: &Plan,
    past: &Past,
    journal: Place,
) -> Result<(), CliError> {
    let run = &plan.run;
    let mut undone = Vec::new();
    match journal {
        Place::Database => {
            let units = session.units(run).await?;
            undone.extend(units.into_iter().rev().filter_map(|unit| unit.undone));
        }
        Place::Local => {
            for unit in &past.state.units {
                let entry = past::undoing(plan, *unit);
                undone.extend(session.put_back_by(&entry).await?);
            }
        }
    }
    // What the run itself put back is part of what it goes on with.
    let own = format!("{run} ");
    match undone.into_iter().find(|by| !by.starts_with(&own)) {
        None => Ok(()),
        Some(by) => Err(CliError::usage(format!(
            "run `{run}` cannot go on: what it changed was put back by run {by}"
        ))
        .help(format!(
            "run it again: runbook run {} …",
            plan.runbook().name
        ))),
    }
}

struct Resuming<'a> {
    context: &'a Context<'a>,
    args: &'a ResumeArgs,
    aim: Aim<'a>,
    plan: Plan,
    log: Log,
}

impl Resuming<'_> {
    async fn drive(self, record: RunRecord, mut past: Past, base: &Path) -> Result<u8, CliError> {
        let Self {
            context,
            args,
            aim,
            mut plan,
            log,
        } = self;
        let application = format!("runbook/{}", plan.run);
        let mut session = tokio::select! {
            connected = connect(context, &application, plan.runbook()) => connected?,
            () = runner::interrupted() => return Err(CliError::Cancelled),
        };
        if let Some(other) = other_target(&log.facts.target, session.target(), args.new_timeline) {
            return Err(other.into());
        }
        connection::refuse_around(context, &log.facts.target, session.target())?;
        if log.facts.journal == Place::Database && is_recorded(plan.runbook()) {
            session.refuse_unrecordable().await?;
        }
        plan.pace = pace::of(base, plan.runbook(), session.target());
        session.set_writer(writer(&plan, log.facts.journal, base));
        refuse_put_back(&session, &plan, &past, log.facts.journal).await?;
        past.actor = runner::actor(context, &session);
        // The policy is as it is now; a run that broke the glass goes on so, by those who may.
        plan.policy = {
            let risk = policy::risk_of(plan.runbook());
            policy::of(context, &session, risk, broken(&log.events)).await?
        };
        policy::refuse_unasked(&plan.policy, &plan.proved, &session.target().name, false)?;
        if let Aim::Cancel(reason) = aim {
            past.is_ending = true;
            past.cancelled = !take_back(&mut session, &past, reason).await?;
        }
        session.inherit_leases();
        let answering = Answering {
            given: &args.answers,
            yes: args.yes,
            dry_run: false,
        };
        let world = RealWorld {
            folder: context.invocation.folder.clone(),
            site: backups::site(context, None)?,
            answers: runner::answers(context, &answering, past.actor.clone(), Some(&plan))?,
            sink: Notices::new(context, &plan.runbook().notify, session.settings())?.around(
                &log.events,
                told_so_far(runner::sink(context, args.told), args.told, &log.events)?,
            ),
            redactor: runner::redactor(&plan, &mut session),
            record: Some(record),
            session,
        };
        let run = plan.run.clone();
        let work = async |world: &mut RealWorld, cancel| {
            Box::pin(driver::resume(&plan, world, cancel, past)).await
        };
        Box::pin(runner::drive(context, &run, world, work)).await
    }
}

/// Returns the reason for which the glass was broken.
fn broken(events: &[Event]) -> Option<&str> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::BrokeGlass { reason, .. } => Some(reason.as_str()),
        _ => None,
    })
}

/// Takes back what other people are asked; returns whether the run ends by what became of that.
async fn take_back(
    session: &mut Session,
    past: &Past,
    reason: Option<&str>,
) -> Result<bool, CliError> {
    let Some(asked) = &past.state.asked else {
        return Ok(false);
    };
    let request = &asked.request;
    let said = session.say_of_request(request, Word::Withdraw, &past.actor, reason);
    match said.await {
        Ok(()) => Ok(true),
        // It was declined meanwhile, or is used: a run that used it is cut short, and no longer waits.
        Err(failure) if failure.kind == FailureKind::Policy => {
            let standing = session.approval_standing(request).await?;
            Ok(matches!(standing.came(&request.needs), Came::Refused(..)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// A person sees what was done so far; a program has read it already.
fn told_so_far(
    mut sink: Box<dyn Sink>,
    told: Told,
    events: &[Event],
) -> Result<Box<dyn Sink>, CliError> {
    let events = match (told.output, told.quiet) {
        (Output::Json, _) => &[],
        (Output::Human, false) => events,
        // Who says only what went wrong knows of what.
        _ => events.get(..1).unwrap_or_default(),
    };
    for event in events {
        sink.take(event)
            .map_err(|error| CliError::io("cannot write the output", &error))?;
    }
    Ok(sink)
}
