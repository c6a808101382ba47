//! `runbook cancel`: ends a run that waits or was cut short. What waits is withdrawn; what was cut short goes on as if
//! Ctrl-C had been pressed there.

use crate::cli::args::{CancelArgs, ResumeArgs};
use crate::cli::command::resume;
use crate::cli::error::CliError;
use crate::cli::{Context, connection, runner, state};
use crate::engine::approval::Word;
use crate::engine::outcome::exit;
use crate::record::error::RecordError;
use crate::record::store;

/// Ends a run, and returns the exit code of its outcome.
///
/// # Errors
/// It is over, somebody works on it, or it cannot go on to its end.
pub fn run(context: &Context<'_>, args: &CancelArgs) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    match store::find(&base, &args.run) {
        Ok(_) => {}
        Err(missing @ RecordError::Missing { .. }) => {
            return connection::runtime()?.block_on(withdraw(context, args, missing));
        }
        Err(error) => return Err(error.into()),
    }
    let resuming = ResumeArgs {
        run: args.run.clone(),
        param: args.param.clone(),
        told: args.told,
        ..ResumeArgs::default()
    };
    resume::cancel(context, &resuming, args.reason.as_deref())
}

/// Withdraws the request of a run whose record is on another machine.
async fn withdraw(
    context: &Context<'_>,
    args: &CancelArgs,
    missing: RecordError,
) -> Result<u8, CliError> {
    let session = tokio::select! {
        connected = connection::connect(context, "runbook/cancel") => connected?,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    let kept = session.requested(&args.run).await?;
    let Some(kept) = kept.filter(|kept| kept.is_own) else {
        return Err(missing.into());
    };
    let actor = runner::actor(context, &session);
    let said = (Word::Withdraw, args.reason.as_deref());
    session
        .say_of(&args.run, &kept.digest, said, &actor)
        .await?;
    context.invocation.print(&format!(
        "The request of run {run} is withdrawn. Its record is on another machine: `runbook resume {run}` ends it there.\n",
        run = args.run
    ))?;
    Ok(exit::DONE)
}
