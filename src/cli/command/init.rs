//! `runbook init`: makes the journal in a database, and lets roles use it.

use crate::cli::args::InitArgs;
use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::exit;
use crate::report::failure;
use crate::report::look::Look;

/// Makes the journal.
///
/// # Errors
/// There is no connection.
pub fn run(context: &Context<'_>, args: &InitArgs) -> Result<u8, CliError> {
    connection::runtime()?.block_on(init(context, args))
}

async fn init(context: &Context<'_>, args: &InitArgs) -> Result<u8, CliError> {
    let mut session = connection::connect(context, "runbook/init").await?;
    match session
        .init_journal(&args.grant, &args.grant_approver)
        .await
    {
        Ok(done) => {
            let lines: Vec<String> = done.iter().map(|line| format!("{line}\n")).collect();
            context.invocation.print(&lines.concat())?;
            Ok(exit::DONE)
        }
        Err(failure) => Ok(refuse(context, &failure)),
    }
}

fn refuse(context: &Context<'_>, failure: &Failure) -> u8 {
    let look = Look {
        colors: context.look.color_err,
        unicode: context.look.unicode,
        width: context
            .invocation
            .terminal
            .stderr
            .then_some(context.look.width),
    };
    for line in failure::draw(failure, look) {
        context.invocation.eprint(&format!("{line}\n"));
    }
    match failure.kind {
        FailureKind::Target => exit::UNREACHABLE,
        _ => exit::FAILED,
    }
}
