//! `runbook health`: the runbook `pg-health` with a compact face, and why there is no connection where there is none.

pub(super) mod diagnosis;
mod face;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::json;

use super::check::pretty;
use super::run;
use crate::base::words;
use crate::cli::args::{HealthArgs, ListOutput};
use crate::cli::error::CliError;
use crate::cli::world::RealWorld;
use crate::cli::{Context, answers, backups, connection, params, runner};
use crate::engine::driver;
use crate::engine::outcome::{Outcome, exit};
use crate::engine::pace::Pace;
use crate::engine::plan::Plan;
use crate::pg::session::Session;
use crate::policy::rules::Policy;
use crate::runbook::check::Proved;
use crate::runbook::model::Step;
use crate::step::Kind;
use face::{Face, Found};

/// The runbook that looks: a project may have one of its own.
const RUNBOOK: &str = "pg-health";

/// Looks, and says what deserves attention. The exit code is 10 where something does.
///
/// # Errors
/// There is no connection: why, and what to try.
pub fn run(context: &Context<'_>, args: &HealthArgs) -> Result<u8, CliError> {
    let proved = context.catalogue.load(&context.catalogue.find(RUNBOOK)?)?;
    let reads = |step: &Step| matches!(step.kind, Kind::Query(_) | Kind::Check(_));
    if let Some(step) = proved.runbook.steps.iter().find(|step| !reads(step)) {
        // Nothing of it is recorded: so nothing may be changed by it.
        let message = format!(
            "`{RUNBOOK}` has the {} `{}`: what looks at the health of a database only reads",
            step.kind.word(),
            step.title
        );
        return Err(CliError::invalid(message)
            .help("keep queries and checks in it, and run the rest as a runbook of its own"));
    }
    connection::runtime()?.block_on(look(context, args, proved))
}

async fn look(context: &Context<'_>, args: &HealthArgs, proved: Proved) -> Result<u8, CliError> {
    let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &args.param {
        flags.entry(name.clone()).or_default().push(value.clone());
    }
    let given = params::Sources {
        flags: &flags,
        file: None,
        environment: &context.invocation.environment,
        ask: None,
    };
    let arguments = params::resolve(&proved.runbook, given)?;
    let session = match run::connect(context, "runbook/health", &proved.runbook).await {
        Ok(session) => session,
        Err(CliError::Connect(error)) => {
            let tries = diagnosis::of(context, &error).await;
            let error = CliError::Connect(error);
            let width = context.look.width;
            let mut text = error.folded(context.look.color_err, width);
            text.push_str("\nWhat to try, in this order:\n");
            for (number, step) in (1..).zip(tries) {
                let lines = words::wrapped(&step, width.saturating_sub(5).max(20));
                let lines = lines.join("\n     ");
                // A string takes everything.
                let _ = writeln!(text, "  {number}. {lines}");
            }
            context.invocation.eprint(&text);
            return Ok(error.code());
        }
        Err(error) => return Err(error),
    };
    let plan = Plan {
        pace: Pace::default(),
        policy: Policy::default(),
        previous: None,
        salt: String::new(),
        hash: Plan::hash_of(&proved.runbook),
        proved,
        arguments,
        dry_run: false,
        run: runner::new_id(),
        actor: runner::actor(context, &session),
    };
    let found = Rc::new(RefCell::new(Found::default()));
    let outcome = play(context, &plan, session, &found).await?;
    let found = found.take();
    print(context, args.output, &found)?;
    Ok(match (outcome, found.is_well()) {
        (Outcome::Done | Outcome::Nothing, true) => exit::DONE,
        (Outcome::Done | Outcome::Nothing, false) => exit::FAILED,
        (outcome, _) => outcome.code(),
    })
}

/// Plays the runbook. Nothing of it is recorded: it must work on a machine whose disk is full, too.
async fn play(
    context: &Context<'_>,
    plan: &Plan,
    mut session: Session,
    found: &Rc<RefCell<Found>>,
) -> Result<Outcome, CliError> {
    let world = RealWorld {
        folder: context.invocation.folder.clone(),
        site: backups::reading(context, None)?,
        answers: answers::Answers {
            given: BTreeMap::new(),
            otherwise: answers::Otherwise::Person,
            person: false,
            flag: answers::Flag::Answer,
            actor: plan.actor.clone(),
        },
        sink: Box::new(Face::new(Rc::clone(found))),
        redactor: runner::redactor(plan, &mut session),
        record: None,
        session,
    };
    let mut outcome = Outcome::Failed;
    let work = async |world: &mut RealWorld, cancel| {
        let came = Box::pin(driver::run(plan, world, cancel)).await;
        if let Ok(Ok(finished)) = &came {
            outcome = finished.outcome;
        }
        came
    };
    Box::pin(runner::drive(context, &plan.run, world, work)).await?;
    Ok(outcome)
}

fn print(context: &Context<'_>, output: ListOutput, found: &Found) -> Result<(), CliError> {
    if output == ListOutput::Json {
        let text = pretty(&json!({
            "target": found.target,
            "well": found.is_well(),
            "checks": found.checks,
            "failure": found.failure,
        }));
        return context.invocation.print(&text);
    }
    let look = crate::report::look::Look {
        colors: context.look.color_out,
        unicode: context.look.unicode,
        width: Some(context.look.width),
    };
    context.invocation.print(&face::page(found, look))?;
    let runbooks = found.checks.iter().flat_map(|check| &check.items);
    if runbooks.filter(|item| !item.passed).count() > 0 {
        let hint = words::wrapped(
            "`runbook run pg-health` shows the numbers.",
            context.look.width,
        );
        context.invocation.eprint(&format!("{}\n", hint.join("\n")));
    }
    Ok(())
}
