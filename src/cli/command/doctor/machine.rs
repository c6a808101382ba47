//! This machine: the program, its folders and the terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::finding::Finding;
use crate::base::words;
use crate::cli::error::CliError;
use crate::cli::{Context, state};

/// Looks at what needs no database. `backups` is the folder of backups.
pub(super) fn look(context: &Context<'_>, backups: Result<&Path, &CliError>) -> Vec<Finding> {
    let mut found = vec![Finding::well(
        "program",
        concat!("runbook ", env!("CARGO_PKG_VERSION")),
    )];
    found.push(match state::folder(context) {
        Ok(path) => records(&path),
        Err(error) => Finding::missing("records", error.to_string())
            .help("name a folder by `--state-dir DIR` or `$RUNBOOK_STATE`"),
    });
    match backups {
        Ok(path) => found.push(copies(path)),
        // What is wrong in runbook.yaml is said there.
        Err(CliError::Diagnostics { .. }) => {}
        Err(error) => found.push(
            Finding::missing("backups", error.to_string())
                .help("name a folder by `$RUNBOOK_BACKUPS`"),
        ),
    }
    found.push(terminal(context));
    found
}

/// How a folder stands that the program writes to.
enum Folder {
    /// It is there, with these rights of others.
    There { others: bool },
    /// It is made once it is needed.
    Later,
    /// Nobody can write there: why.
    Closed(String),
}

impl Folder {
    /// Looks, and writes nothing.
    fn of(path: &Path) -> Self {
        let there = path.ancestors().find(|part| fs::metadata(part).is_ok());
        let Some(there) = there else {
            return Self::Closed("no part of the path is there".to_owned());
        };
        let Ok(metadata) = fs::metadata(there) else {
            return Self::Closed(format!("{} cannot be looked at", there.display()));
        };
        if !metadata.is_dir() {
            return Self::Closed(format!("{} is not a folder", there.display()));
        }
        if let Err(errno) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
            let why = errno.desc().to_lowercase();
            return Self::Closed(format!("{} cannot be written to: {why}", there.display()));
        }
        if there == path {
            Self::There {
                others: metadata.permissions().mode() & 0o077 != 0,
            }
        } else {
            Self::Later
        }
    }
}

fn records(path: &Path) -> Finding {
    let shown = path.display();
    match Folder::of(path) {
        Folder::There { others: false } => {
            Finding::well("records", format!("{shown}, for you alone"))
        }
        Folder::There { others: true } => Finding::warning(
            "records",
            format!("{shown} is open to others: they may see what runs changed"),
        )
        .help(format!("`chmod 700 {shown}`")),
        Folder::Later => Finding::well("records", format!("{shown}, made with the first run")),
        Folder::Closed(why) => Finding::missing("records", format!("no run can be recorded: {why}"))
            .help("give yourself the right to write there, or name another folder by `--state-dir DIR` or `$RUNBOOK_STATE`"),
    }
}

fn copies(path: &Path) -> Finding {
    let shown = path.display();
    match Folder::of(path) {
        Folder::Closed(why) => Finding::missing("backups", format!("no backup can be written: {why}"))
            .help("give yourself the right to write there, or name another folder by `--folder DIR` or `$RUNBOOK_BACKUPS`"),
        Folder::There { others: true } => Finding::warning(
            "backups",
            format!("{shown} is open to others: they may read what is in backups"),
        )
        .help(format!("`chmod 700 {shown}`")),
        Folder::There { others: false } | Folder::Later => {
            let room = free(path).map_or(String::new(), |bytes| format!(", {} free", words::bytes(bytes)));
            Finding::well("backups", format!("{shown}{room}"))
        }
    }
}

/// Returns how many bytes are free where a folder is, or will be.
pub(super) fn free(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|part| part.exists())?;
    let found = statvfs(there).ok()?;
    // Their types differ between systems.
    let free = u128::from(found.blocks_available()) * u128::from(found.fragment_size());
    Some(u64::try_from(free).unwrap_or(u64::MAX))
}

fn terminal(context: &Context<'_>) -> Finding {
    let terminal = &context.invocation.terminal;
    if terminal.stdin && terminal.stderr {
        Finding::well("terminal", "there is one: questions are asked here")
    } else {
        Finding::warning("terminal", "there is none: nobody is asked, and what is asked is refused")
            .help("on a protected target a person answers: run it in a terminal (`ssh -t`, `docker exec -it`)")
            .help("elsewhere questions are answered by `--answer NAME=…`")
    }
}
