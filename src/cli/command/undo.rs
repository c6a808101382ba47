//! `runbook undo`: puts back the rows that a run changed.

use std::path::Path;

use crate::cli::args::UndoArgs;
use crate::cli::command::backup;
use crate::cli::error::CliError;
use crate::cli::notice::Notices;
use crate::cli::runner::{self, Answering};
use crate::cli::world::RealWorld;
use crate::cli::{Context, backups, connection, past, state};
use crate::engine::cancel::Cancel;
use crate::engine::driver::Past;
use crate::engine::event::RunStarted;
use crate::engine::journal::{Entry, Unit};
use crate::engine::plan::Plan;
use crate::engine::port::Limits;
use crate::engine::scope::Surroundings;
use crate::engine::undo::{self, Request, Way, Words, Work, Works};
use crate::pg::session::Session;
use crate::pg::session::identity::other_target;
use crate::pg::session::journal::{Keeping, Writer};
use crate::pg::session::units::Recorded;
use crate::record::error::RecordError;
use crate::record::facts::{Facts, Place};
use crate::record::run::{Opened, RunRecord};
use crate::record::store;
use crate::report::secret::Redactor;
use crate::runbook::model::StepId;
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::rollback::OnConflict;

/// Puts a run back, and returns the exit code of what came of it.
///
/// # Errors
/// What is wrong before anything is put back.
pub fn run(context: &Context<'_>, args: &UndoArgs) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    let log = store::find(&base, &args.run).and_then(|run| RunRecord::read(&base, &run));
    let global = match log {
        Ok(log) => connection::recorded(context, &log.facts.target)?,
        Err(_) => context.global.clone(),
    };
    let context = context.with_global(&global);
    connection::runtime()?.block_on(start(&context, args, &base))
}

/// What is known of the run that is put back.
struct Target {
    run: String,
    runbook: String,
    title: String,
    hash: String,
    risk: Risk,
    journal: Place,
    works: Works,
    nothing: String,
    redactor: Redactor,
}

/// Puts a run back whose record is in the folder `base`.
///
/// # Errors
/// As [`run`].
pub(in crate::cli) async fn start(
    context: &Context<'_>,
    args: &UndoArgs,
    base: &Path,
) -> Result<u8, CliError> {
    let id = runner::new_id();
    let application = format!("runbook/{id}");
    let mut session = tokio::select! {
        connected = connection::connect(context, &application) => connected?,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    session.refuse_replica()?;
    // Nobody goes on with the run, and nobody else puts it back, as long as its record is held.
    let (target, held) = match store::find(base, &args.run) {
        Ok(run) => {
            let opened = RunRecord::open(base, &run, &runner::person(context))?;
            if let Some(instead) = backup::instead_of_undoing(&opened.log) {
                return Err(instead);
            }
            // After a failover the journal and the images say themselves what is there.
            let began = &opened.log.facts.target;
            if let Some(other) = other_target(began, session.target(), true) {
                return Err(other.into());
            }
            connection::refuse_around(context, began, session.target())?;
            if !args.dry_run && opened.log.facts.journal == Place::Database {
                session.refuse_unrecordable().await?;
            }
            let target = local(context, args, &mut session, &opened, base).await?;
            (target, Some(opened.record))
        }
        Err(missing @ RecordError::Missing { .. }) => {
            (remote(&session, &args.run, missing).await?, None)
        }
        Err(error) => return Err(error.into()),
    };
    let actor = runner::actor(context, &session);
    let started = RunStarted {
        run: id.clone(),
        runbook: target.runbook.clone(),
        title: target.title,
        hash: target.hash.clone(),
        risk: target.risk,
        dry_run: args.dry_run,
        actor: actor.clone(),
        target: session.target().clone(),
        params: Vec::new(),
        undo_of: Some(target.run.clone()),
        not_rehearsed: Vec::new(),
        glass: None,
    };
    session.set_writer(Writer {
        run: id.clone(),
        runbook: target.runbook,
        hash: target.hash,
        actor: actor.clone(),
        keeping: match target.journal {
            Place::Database => Keeping::Database,
            Place::Local => Keeping::Local(base.join("runs")),
        },
    });
    // The run that is put back is over then, whatever became of it.
    session.inherit(&target.run);
    session.inherit_leases();
    let answering = Answering {
        given: &[],
        yes: args.yes,
        dry_run: args.dry_run,
    };
    let facts = facts(&started, target.journal);
    let world = RealWorld {
        folder: context.invocation.folder.clone(),
        site: backups::site(context, None)?,
        answers: runner::answers(context, &answering, actor, None)?,
        sink: Notices::new(context, &[], session.settings())?
            .around(&[], runner::sink(context, args.told)),
        redactor: target.redactor,
        record: Some(RunRecord::create(base, &facts)?),
        session,
    };
    let request = Request {
        started,
        works: target.works,
        on_conflict: if args.skip_conflicts {
            OnConflict::Skip
        } else {
            OnConflict::Stop
        },
        nothing: target.nothing,
        words: Words {
            why: format!("what run {} changed is put back", target.run),
            way_out: format!(
                "; runbook undo {} --skip-conflicts leaves what was changed, and puts back the others",
                target.run
            ),
        },
    };
    let work = async |world: &mut RealWorld, cancel| {
        Box::pin(undo::run(request, world, cancel)).await.map(Ok)
    };
    let code = Box::pin(runner::drive(context, &id, world, work)).await;
    drop(held);
    code
}

fn facts(started: &RunStarted, journal: Place) -> Facts {
    Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: started.run.clone(),
        runbook: started.runbook.clone(),
        texts: Vec::new(),
        params: std::collections::BTreeMap::new(),
        secrets: Vec::new(),
        dry_run: started.dry_run,
        journal,
        target: started.target.clone(),
        actor: started.actor.clone(),
        previous: None,
        salt: String::new(),
        undo_of: started.undo_of.clone(),
    }
}

/// Finds what a run changed that is recorded here.
async fn local(
    context: &Context<'_>,
    args: &UndoArgs,
    session: &mut Session,
    opened: &Opened,
    base: &Path,
) -> Result<Target, CliError> {
    let facts = &opened.log.facts;
    let run = facts.run.clone();
    if facts.undo_of.is_some() || facts.dry_run {
        let what = if facts.dry_run {
            "was a dry run: nothing of it lasts"
        } else {
            "itself put a run back: run the runbook again to have its changes"
        };
        return Err(CliError::usage(format!("run `{run}` {what}")));
    }
    let plan = past::plan(context, facts, past::recorded(facts)?, &args.param)?;
    let mut past = Past::of(
        &opened.log.events,
        String::new(),
        std::collections::BTreeMap::new(),
    );
    session.set_writer(super::run::writer(&plan, facts.journal, base));
    let mut undone = None;
    match facts.journal {
        Place::Database => {
            // The journal knows better than the record what was committed.
            let known = session.units(&run).await?;
            past.state.undone = session.undone(&run).await?;
            undone = correct(&plan, &mut past.state.units, &known);
        }
        Place::Local => {
            if let Some(pending) = &past.state.committing {
                let entry = Entry {
                    run: run.clone(),
                    unit: pending.unit,
                    name: pending.step.name.clone(),
                    undo: false,
                };
                let limits = Limits {
                    deadline: None,
                    cancel: Cancel::never(),
                };
                let transaction = pending.transaction.as_deref();
                if session.recorded(&entry, transaction, &limits).await? {
                    past.state.units.push(pending.unit);
                }
            }
            let mut left = Vec::new();
            for unit in std::mem::take(&mut past.state.units) {
                match session.put_back_by(&past::undoing(&plan, unit)).await? {
                    None => left.push(unit),
                    by => undone = by,
                }
                for fix in plan.runbook().step(unit.step).unit() {
                    let part = unit.of(fix);
                    if session
                        .put_back_by(&past::undoing(&plan, part))
                        .await?
                        .is_some()
                    {
                        past.state.undone.push(part);
                    }
                }
            }
            past.state.units = left;
        }
    }
    let surroundings = Surroundings {
        target: session.target().clone(),
        started_at: past.started_at.clone(),
    };
    let works = Works::of(&plan, &past.state, &surroundings, &[])?;
    Ok(Target {
        nothing: nothing(&run, undone),
        runbook: facts.runbook.clone(),
        title: plan.runbook().title.text().to_owned(),
        hash: plan.hash.clone(),
        risk: plan.runbook().risk,
        journal: facts.journal,
        redactor: runner::redactor(&plan, session),
        works,
        run,
    })
}

/// Corrects what the record says is in place by what the journal says. Returns who put back what is not.
fn correct(plan: &Plan, units: &mut Vec<Unit>, known: &[Recorded]) -> Option<String> {
    let in_place = |unit: &Unit| {
        let recorded = known.iter().find(|recorded| recorded.entry.unit == *unit);
        recorded.is_some_and(|recorded| recorded.undone.is_none())
    };
    units.retain(|unit| !is_journaled(plan, unit.step) || in_place(unit));
    let missing = known
        .iter()
        .filter(|recorded| recorded.undone.is_none())
        .map(|recorded| recorded.entry.unit);
    for unit in missing {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    known
        .iter()
        .rev()
        .find_map(|recorded| recorded.undone.clone())
}

/// Returns whether the journal has what a step commits: not what programs do.
fn is_journaled(plan: &Plan, step: StepId) -> bool {
    match &plan.runbook().step(step).kind {
        Kind::Fix(fix) => !fix.is_final(),
        _ => true,
    }
}

/// Says why there is nothing to put back.
fn nothing(run: &str, by: Option<String>) -> String {
    match by {
        Some(by) => format!("what run {run} changed was put back already: by run {by}"),
        None => format!("run {run} changed nothing that is still in place"),
    }
}

/// Why some of what is recorded elsewhere stays.
const ELSEWHERE: &str = "there are no row images; the record of the run may know statements for it, on the machine where it ran";

/// Finds what a run changed that is recorded elsewhere, in the database's journal.
async fn remote(session: &Session, run: &str, missing: RecordError) -> Result<Target, CliError> {
    let known = session.units(run).await?;
    let Some(last) = known.last().cloned() else {
        return Err(missing.into());
    };
    let undone = session.undone(run).await?;
    // Fixes of an atomic may have been put back by themselves.
    let fixes = |recorded: &Recorded| {
        let is_left = |fix: &StepId| !undone.contains(&recorded.entry.unit.of(*fix));
        let left: Vec<StepId> = recorded.fixes.iter().copied().filter(is_left).collect();
        (left.len() < recorded.fixes.len()).then_some(left)
    };
    let work = |recorded: &Recorded| Work {
        entry: recorded.entry.clone(),
        unit: recorded.entry.unit,
        ways: vec![Way::Images(fixes(recorded))],
        in_part: false,
        covers: Vec::new(),
    };
    let mut works = Works {
        why: Some(ELSEWHERE),
        ..Works::default()
    };
    for recorded in known.iter().rev().filter(|unit| unit.undone.is_none()) {
        if recorded.has_images {
            works.works.push(work(recorded));
        } else {
            works.never.push(recorded.entry.name.clone());
        }
    }
    let by = known
        .iter()
        .rev()
        .find_map(|recorded| recorded.undone.clone());
    Ok(Target {
        run: run.to_owned(),
        title: last.runbook.clone(),
        runbook: last.runbook,
        hash: last.hash,
        risk: Risk::Medium,
        journal: Place::Database,
        works,
        nothing: nothing(run, by),
        redactor: Redactor::default(),
    })
}
