//! The text of a file: UTF-8, with or without a byte order mark, of a size that a person writes.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::base::source::Source;
use crate::cli::error::CliError;

/// Past this, a file is not even read: what is smaller is refused by the parser, with its size.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads a text; `shown` is what messages call it.
///
/// # Errors
/// [`CliError::Invalid`] when it cannot be read, is too large or is not UTF-8.
pub(in crate::cli) fn read(path: &Path, shown: &str) -> Result<Source, CliError> {
    let failed = |error: &std::io::Error| {
        CliError::invalid(CliError::io(&format!("cannot read `{shown}`"), error).to_string())
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let facts = file.metadata().map_err(|error| failed(&error))?;
    if !facts.is_file() {
        return Err(CliError::invalid(format!("`{shown}` is not a file")));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("`{shown}` has more than 64 MB: that is no runbook");
        return Err(CliError::invalid(message));
    }
    match String::from_utf8(bytes) {
        // A byte order mark is no part of the text: editors of some systems write it.
        Ok(text) => Ok(Source::new(
            shown,
            text.strip_prefix('\u{feff}').unwrap_or(&text),
        )),
        Err(error) => Err(not_utf8(&error, shown)),
    }
}

fn not_utf8(error: &std::string::FromUtf8Error, shown: &str) -> CliError {
    let good = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
    let line = before.matches('\n').count() + 1;
    let column = before.lines().last().map_or(0, |last| {
        if before.ends_with('\n') {
            0
        } else {
            last.chars().count()
        }
    }) + 1;
    CliError::invalid(format!("{shown}:{line}:{column}: the text is not UTF-8"))
        .help("save the file as UTF-8")
}
