//! The database of a command: found from its flags, connected, and given up when the command ends.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::Context;
use super::error::CliError;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::policy::target::Target;

/// The database that a command is about.
pub(super) struct Goal {
    /// Where it is, and how it is connected.
    pub(super) settings: ConnectSettings,
    /// What `runbook.yaml` says of it, where it is named there.
    pub(super) target: Option<Arc<Target>>,
}

/// Returns the database that the command's flags, `runbook.yaml` and the environment name.
///
/// # Errors
/// A setting is wrong, or there is no such target.
pub(super) fn goal(context: &Context<'_>) -> Result<Goal, CliError> {
    Ok(Goal {
        settings: settings(context)?,
        target: None,
    })
}

/// Returns where the command's flags and the environment say that the database is.
///
/// # Errors
/// A setting is wrong.
pub(super) fn settings(context: &Context<'_>) -> Result<ConnectSettings, CliError> {
    let settings =
        ConnectSettings::resolve(context.global.url()?, &context.invocation.environment)?;
    for warning in settings.warnings() {
        context.invocation.eprint(&format!("warning: {warning}\n"));
    }
    Ok(settings)
}

/// Connects; `application` is what other sessions see it as.
///
/// # Errors
/// There is no connection to be had.
pub(super) async fn connect(context: &Context<'_>, application: &str) -> Result<Session, CliError> {
    let settings = goal(context)?.settings.with_application_name(application);
    Ok(Session::connect(&settings, None).await?)
}

/// Returns what runs the futures of a command, on the one thread that it needs.
///
/// # Errors
/// The system has no resources left.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("cannot start", &error))
}
