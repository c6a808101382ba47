//! The address of a target: from its URL or service, with what it says of files and TLS.

use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::pg::environment::Environment;
use crate::pg::settings::Address;
use crate::policy::target::Target;

/// Returns where a target is.
///
/// # Errors
/// [`CliError::Usage`] when the variable that holds its URL is not set.
pub(super) fn of(
    target: &Target,
    project: &Project,
    environment: &Environment,
) -> Result<Address, CliError> {
    let connection = &target.connection;
    let folder = &project.folder;
    let path = |text: &String| {
        let path = expanded(text, folder, environment);
        path.to_string_lossy().into_owned()
    };
    let roots = connection
        .sslrootcert
        .as_ref()
        .map(|roots| match roots.as_str() {
            "system" => roots.clone(),
            _ => path(roots),
        });
    let settings = [
        ("service", connection.service.clone()),
        ("passfile", connection.passfile.as_ref().map(path)),
        ("sslmode", connection.sslmode.clone()),
        ("sslrootcert", roots),
    ];
    let settings = settings.into_iter();
    let settings = settings.filter_map(|(name, value)| Some((name, value?)));
    Ok(Address {
        text: text(target, environment)?,
        settings: settings.collect(),
        origin: format!("the target `{}`", target.name),
    })
}

fn text(target: &Target, environment: &Environment) -> Result<Option<(String, String)>, CliError> {
    let Some(url) = target.connection.url.as_deref() else {
        return Ok(None);
    };
    let name = &target.name;
    let Some(variable) = url.trim().strip_prefix('$') else {
        return Ok(Some((
            url.to_owned(),
            format!("`url` of the target `{name}`"),
        )));
    };
    let variable = variable.trim_start_matches('{').trim_end_matches('}');
    match environment.var(variable) {
        Some(url) => Ok(Some((url.to_owned(), format!("${variable}")))),
        None => Err(CliError::usage(format!(
            "${variable} is not set: it holds the connection URL of the target `{name}`"
        ))
        .help(format!(
            "export {variable}=postgres://user@host:port/database"
        ))),
    }
}

/// Returns the path of a file that `runbook.yaml` names: `~` is the user's home, and what is relative is so to the
/// folder of `runbook.yaml`.
pub(in crate::cli) fn expanded(text: &str, folder: &Path, environment: &Environment) -> PathBuf {
    let in_home = text
        .strip_prefix("~/")
        .and_then(|rest| Some(environment.home()?.join(rest)));
    in_home.unwrap_or_else(|| folder.join(text))
}
