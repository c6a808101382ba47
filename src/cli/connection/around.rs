//! No way around what a target demands, for a run that began there.

use crate::cli::error::CliError;
use crate::cli::{Context, project};
use crate::engine::event::TargetFacts;

/// Refuses to go on with a run of a target that demands something where its name does not lead: by an address, or in a
/// folder that knows nothing of it, nothing would be demanded any more.
///
/// # Errors
/// The target is to be named; `runbook.yaml` cannot be used.
pub(in crate::cli) fn refuse_around(
    context: &Context<'_>,
    began: &TargetFacts,
    now: &TargetFacts,
) -> Result<(), CliError> {
    if now.name == began.name || now.protected {
        return Ok(());
    }
    let project = project::find(context.invocation)?;
    let known = project.as_ref();
    let known = known.and_then(|project| project.targets.find(&began.name));
    let demands = known.is_some_and(|target| target.rules.protected || target.policy.is_some());
    if !began.protected && !demands {
        return Ok(());
    }
    let name = &began.name;
    let error = CliError::invalid(format!(
        "the run began on the target `{name}`, which demands more than {} does",
        now.name
    ));
    Err(match known {
        Some(_) => error.help(format!("name it: --target {name}")),
        None => error
            .note(format!("no runbook.yaml here knows `{name}`"))
            .help("do it in the folder of that runbook.yaml"),
    })
}
