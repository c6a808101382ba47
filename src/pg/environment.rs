//! The variables and the user that a process was started with, read once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a process is given from outside, as plain data that tests can make up.
#[derive(Clone, Default)]
pub struct Environment {
    vars: BTreeMap<String, String>,
    home: Option<PathBuf>,
    user: Option<String>,
}

impl Environment {
    /// Returns an environment without variables, home folder or user.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns this process's own environment. Variables that are not UTF-8 are left out. The home folder is
    /// `$HOME`, or what the system's accounts say where that is unset.
    pub fn from_process() -> Self {
        let account = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
            .ok()
            .flatten();
        let vars: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let home = vars
            .get("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        Self {
            home: home.or_else(|| account.as_ref().map(|account| account.dir.clone())),
            user: account.map(|account| account.name),
            vars,
        }
    }

    /// Returns this environment with one variable more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Returns this environment with another home folder.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Returns this environment with another operating-system user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Returns a variable's value; one that is set to nothing counts as unset.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the user's home folder.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Returns the operating-system user's name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl fmt::Debug for Environment {
    /// Shows the variables' names only: their values hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("vars", &self.vars.keys())
            .field("home", &self.home)
            .field("user", &self.user)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown_and_nothing_counts_as_unset() {
        let environment = Environment::empty()
            .with("PGPASSWORD", "hunter2")
            .with("PGHOST", "");
        assert!(!format!("{environment:?}").contains("hunter2"));
        assert_eq!(environment.var("PGHOST"), None);
        assert_eq!(environment.var("PGPASSWORD"), Some("hunter2"));
    }
}
