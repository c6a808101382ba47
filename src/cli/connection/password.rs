//! The password that a program prints: `password_command` of a target.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::cli::error::CliError;
use crate::pg::secret::Secret;

/// How long the program may take: it may ask a person to unlock a store.
const MOST: Duration = Duration::from_mins(1);

/// How many lines of its errors are shown.
const MOST_LINES: usize = 10;

/// Runs the program without a shell, and takes the first line that it prints. What it prints is never shown.
///
/// # Errors
/// It cannot be started, fails, takes too long or prints nothing.
pub(super) async fn ask(target: &str, words: &[String], folder: &Path) -> Result<Secret, CliError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed(target, "it names no program"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().map_err(|error| {
        let why = crate::base::words::io(&error);
        failed(target, &format!("`{program}` cannot be started: {why}"))
    })?;
    let Ok(output) = tokio::time::timeout(MOST, child.wait_with_output()).await else {
        let why = format!("`{program}` took longer than {} s", MOST.as_secs());
        return Err(failed(target, &why));
    };
    let output = output.map_err(|error| CliError::io(&format!("`{program}`"), &error))?;
    if !output.status.success() {
        let why = match output.status.code() {
            Some(code) => format!("`{program}` ended with {code}"),
            None => format!("`{program}` was killed"),
        };
        return Err(said(failed(target, &why), &output.stderr));
    }
    let line = output.stdout.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(said(
            failed(target, &format!("`{program}` printed no password")),
            &output.stderr,
        )),
        Ok(password) => Ok(Secret::new(password)),
        Err(_) => Err(failed(
            target,
            &format!("what `{program}` printed is not UTF-8"),
        )),
    }
}

fn failed(target: &str, why: &str) -> CliError {
    CliError::unreachable(format!("there is no password for the target `{target}`"))
        .note(why)
        .help("its `password_command` is run without a shell; try it in one, in the folder of runbook.yaml")
}

fn said(error: CliError, stderr: &[u8]) -> CliError {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.take(MOST_LINES).fold(error, |error, line| {
        let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
        error.note(line)
    })
}
