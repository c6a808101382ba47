//! Why a record cannot be written or read, in words, with what to do next.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::Holder;
use crate::base::words;

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system refuses to read or write.
    #[error("cannot {what} `{}`: {}", .path.display(), words::io(.source))]
    Io {
        /// What could not be done, such as "write".
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// There is a run of that id already.
    #[error("there is a record of a run `{run}` already")]
    Exists {
        /// The run.
        run: String,
    },
    /// Another process works on it.
    #[error("{}", held(.run, .holder.as_ref()))]
    Held {
        /// The run.
        run: String,
        /// Who, where that can be read.
        holder: Option<Holder>,
    },
    /// There is no such run.
    #[error("there is no run `{run}` in `{}`", .folder.display())]
    Missing {
        /// What was asked for.
        run: String,
        /// The folder of state.
        folder: PathBuf,
        /// A run that may have been meant.
        near: Option<String>,
    },
    /// Several begin like this.
    #[error("several runs begin with `{prefix}`: {}", words::quoted(.runs))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The runs.
        runs: Vec<String>,
    },
    /// Its format is newer than this program.
    #[error("the record of run `{run}` was written by a newer version of runbook ({program})")]
    Newer {
        /// The run.
        run: String,
        /// The version that wrote it.
        program: String,
    },
    /// It is not as it was written.
    #[error("the record of run `{run}` is damaged: {}:{line}: {what}", .path.display())]
    Damaged {
        /// The run.
        run: String,
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

impl RecordError {
    /// Makes the error of the system's word about a file or folder.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }

    /// Returns what to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("nothing is changed; {}", io_help(source)),
            Self::Exists { .. } => "nothing is changed; run it again".to_owned(),
            Self::Held { .. } => {
                "nothing is changed; wait until that one has ended, or end it".to_owned()
            }
            Self::Missing {
                near: Some(near), ..
            } => format!("did you mean `{near}`? `runbook history` lists the runs"),
            Self::Missing { .. } => {
                "`runbook history` lists the runs; --state-dir names another folder".to_owned()
            }
            Self::Ambiguous { .. } => "write more of its letters".to_owned(),
            Self::Newer { .. } => "use that version, or a newer one".to_owned(),
            Self::Damaged { run, .. } => format!(
                "what the run did to the database is in its schema `runbook`: \
                 SELECT * FROM runbook.entry WHERE by_run = '{run}'"
            ),
        }
    }
}

/// Returns what to do when the system refuses to read or write a record.
pub(super) fn io_help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::WriteZero => "free space, or name another folder by --state-dir",
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "get the right to it, or name another folder by --state-dir"
        }
        io::ErrorKind::NotFound => "a part of the record was taken away",
        _ => "--state-dir names another folder",
    }
}

fn held(run: &str, holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, actor, since }) => {
            format!("{actor} works on run `{run}`, as process {pid} since {since}")
        }
        None => format!("another process works on run `{run}`"),
    }
}
