//! `runbook run` on a group: on its targets one after the other, each a run of its own.

use super::start;
use crate::base::words;
use crate::cli::args::RunArgs;
use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::engine::outcome::exit;
use crate::pg::secret::mask_passwords;
use crate::runbook::check::Proved;

/// Runs the runbook on the targets in order, up to the first on which it does not end well, and returns the exit code
/// of that.
///
/// # Errors
/// What is wrong before anything is run on one of them.
pub(super) fn run(
    context: &Context<'_>,
    args: &RunArgs,
    proved: &Proved,
    names: &[String],
) -> Result<u8, CliError> {
    let say = |text: &str| context.invocation.eprint(text);
    let mut rest = names;
    while let [name, after @ ..] = rest {
        let number = names.len() - after.len();
        if !args.told.is_quiet() {
            say(&format!("{name} ({number} of {}):\n", names.len()));
        }
        let global = context.global.of_target(name);
        let context = context.with_global(&global);
        let runtime = connection::runtime()?;
        let came = runtime.block_on(start(&context, args, proved.clone()));
        let code = match came {
            Ok(exit::DONE) => {
                rest = after;
                continue;
            }
            Ok(code) => code,
            Err(error @ (CliError::BrokenPipe | CliError::Defect(_))) => return Err(error),
            Err(error) => {
                let text = error.folded(context.look.color_err, context.look.width);
                say(&mask_passwords(&text));
                error.code()
            }
        };
        say(&left(name, after));
        return Ok(code);
    }
    Ok(exit::DONE)
}

fn left(name: &str, after: &[String]) -> String {
    if after.is_empty() {
        return format!("It did not end well on {name}, the last of the group.\n");
    }
    format!(
        "It did not end well on {name}: nothing was run on {}.\n",
        words::list(after)
    )
}
