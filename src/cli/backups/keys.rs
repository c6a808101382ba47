//! What encrypted backups are opened with: files of keys, and a passphrase from a file or a person.

use std::fs;
use std::path::Path;

use crate::archive::manifest::Encryption;
use crate::archive::seal::Keys;
use crate::archive::store::Found;
use crate::base::secret::Secret;
use crate::cli::Context;
use crate::cli::args::OpenArgs;
use crate::cli::error::CliError;
use crate::cli::prompt;

/// Returns what these backups are opened with. A person at the terminal is asked for a passphrase that one of them
/// needs and that no file has.
///
/// # Errors
/// A file cannot be read, or the person gives up.
pub(in crate::cli) fn keys_for(
    context: &Context<'_>,
    open: &OpenArgs,
    found: &[&Found],
) -> Result<Keys, CliError> {
    let mut keys = Keys::default();
    for path in &open.identities {
        keys.identities.extend(identities(context, path)?);
    }
    keys.passphrase = match &open.passphrase_file {
        Some(path) => Some(passphrase_of(context, path)?),
        None => None,
    };
    let by_passphrase =
        |found: &&&Found| matches!(found.manifest.encryption, Some(Encryption::Passphrase));
    if keys.passphrase.is_none()
        && let Some(found) = found.iter().find(by_passphrase)
        && is_person(context)
    {
        let what = format!("Passphrase of {}", found.manifest.id);
        keys.passphrase = Some(prompt::passphrase(&what)?);
    }
    Ok(keys)
}

fn is_person(context: &Context<'_>) -> bool {
    context.invocation.terminal.stdin && context.invocation.terminal.stderr
}

/// Reads a file of private keys: one a line, among comments.
fn identities(context: &Context<'_>, path: &Path) -> Result<Vec<Secret>, CliError> {
    let text = read(context, path)?;
    let keys: Vec<Secret> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-"))
        .map(Secret::new)
        .collect();
    if keys.is_empty() {
        return Err(CliError::usage(format!(
            "`{}` has no private key of age: a line that begins with AGE-SECRET-KEY-",
            context.invocation.show(path)
        ))
        .help(
            "`age-keygen -o FILE` makes one; the public key, age1…, is what `--recipient` takes",
        ));
    }
    Ok(keys)
}

/// Reads the passphrase that is the first line of a file.
///
/// # Errors
/// The file cannot be read, or is empty.
pub(in crate::cli) fn passphrase_of(
    context: &Context<'_>,
    path: &Path,
) -> Result<Secret, CliError> {
    let text = read(context, path)?;
    let line = text.lines().next().unwrap_or_default();
    if line.trim().is_empty() {
        return Err(CliError::usage(format!(
            "`{}` has no passphrase in its first line",
            context.invocation.show(path)
        )));
    }
    Ok(Secret::new(line))
}

fn read(context: &Context<'_>, path: &Path) -> Result<String, CliError> {
    let path = context.invocation.folder.join(path);
    fs::read_to_string(&path).map_err(|error| {
        CliError::usage(format!(
            "cannot read `{}`: {}",
            context.invocation.show(&path),
            crate::base::words::io(&error)
        ))
    })
}

/// Asks a person for the passphrase of a new backup, twice.
///
/// # Errors
/// There is no terminal, or the person gives up.
pub(in crate::cli) fn new_passphrase(context: &Context<'_>) -> Result<Secret, CliError> {
    if !is_person(context) {
        return Err(
            CliError::usage("there is no terminal to ask for the passphrase at")
                .help("--passphrase-file FILE names a file whose first line it is"),
        );
    }
    let first = prompt::passphrase("Passphrase (without it nobody can open the backup)")?;
    let second = prompt::passphrase("The same again")?;
    if first != second {
        return Err(CliError::usage(
            "the two passphrases differ: nothing was saved",
        ));
    }
    Ok(first)
}
