//! Which account the server runs as: ours, unless we are root.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

use super::ScratchError;

/// The account that the server's programs run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// Whether it is another one than ours, because PostgreSQL refuses to run as root.
    pub(super) is_other: bool,
}

impl Account {
    /// Returns our own account or, for root, `postgres` or else `nobody`.
    pub(super) fn for_server() -> Result<Self, ScratchError> {
        if !Uid::effective().is_root() {
            return Ok(Self {
                uid: Uid::effective(),
                gid: Gid::effective(),
                is_other: false,
            });
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .filter(|user| !user.uid.is_root())
            .map(|user| Self {
                uid: user.uid,
                gid: user.gid,
                is_other: true,
            })
            .ok_or(ScratchError::NoAccount)
    }

    /// Returns a command that runs as this account, deaf to our variables: `PGPORT`, `PGDATA`, `LC_ALL` and others
    /// would reach into the server.
    pub(super) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("PG") || name_text.starts_with("LC_") || name_text == "LANG" {
                command.env_remove(&name);
            }
        }
        // Also keeps macOS from making the server multi-threaded while it looks the locale up.
        command.env("LC_ALL", "C");
        if self.is_other {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }
}
