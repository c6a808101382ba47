//! The folder of all records: which runs there are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::RecordError;
use crate::base::words;

/// Returns the folder of a run.
pub fn folder(base: &Path, run: &str) -> PathBuf {
    base.join("runs").join(run)
}

/// Returns the ids of all runs, in the order of their letters.
///
/// # Errors
/// The folder cannot be read; where there is none there are no runs.
pub fn runs(base: &Path) -> Result<Vec<String>, RecordError> {
    let path = base.join("runs");
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(RecordError::io("read", &path))?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RecordError::io("read", &path))?;
        // A name with a dot is a record that is being made.
        if let Ok(name) = entry.file_name().into_string()
            && is_id(&name)
        {
            runs.push(name);
        }
    }
    runs.sort();
    Ok(runs)
}

/// Returns the id of the run that a person means: by all of its letters, or by the first, where no other run
/// begins like that.
///
/// # Errors
/// There is no such run, or there are several.
pub fn find(base: &Path, prefix: &str) -> Result<String, RecordError> {
    let mut all = runs(base)?;
    let prefix = prefix.trim().to_lowercase();
    if all.contains(&prefix) {
        return Ok(prefix);
    }
    let begins = |run: &String| !prefix.is_empty() && run.starts_with(&prefix);
    let found: Vec<String> = all.iter().filter(|run| begins(run)).cloned().collect();
    match <[String; 1]>::try_from(found) {
        Ok([run]) => Ok(run),
        Err(found) if found.is_empty() => {
            let near = words::nearest(&prefix, all.iter().map(String::as_str)).map(str::to_owned);
            Err(RecordError::Missing {
                run: prefix,
                folder: base.to_owned(),
                near,
            })
        }
        Err(_) => {
            all.retain(begins);
            Err(RecordError::Ambiguous { prefix, runs: all })
        }
    }
}

/// Returns whether a name can be that of a run: it cannot lead out of the folder.
pub(super) fn is_id(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
