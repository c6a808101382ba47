//! What a policy demands and is not there, in words.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::rules::{Approvals, Rule};
use super::window::Window;
use super::words;

/// What is so when a policy is held against it.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Those of the policy's roles that the login is a member of.
    pub member_of: &'a BTreeSet<String>,
    /// The server's time, where it matters.
    pub now: Option<Timestamp>,
    /// When the newest verified backup of the whole database was made; nothing where that does not matter.
    pub backup: Option<Option<Timestamp>>,
}

/// What a policy demands and is not there.
#[derive(Clone, Debug, PartialEq)]
pub enum Lack {
    /// The login is no member of these roles.
    Role(Vec<String>),
    /// It is none of these times.
    Window {
        /// The times.
        windows: Vec<Window>,
        /// What time it is.
        now: Timestamp,
    },
    /// The newest backup is too old, or there is none.
    Backup {
        /// How old it may be.
        limit: Duration,
        /// How old it is.
        age: Option<Duration>,
    },
    /// Too few others approved.
    Approvals {
        /// Whose approval is needed.
        needs: Approvals,
        /// How many approved.
        given: usize,
    },
}

impl Rule {
    /// Returns the roles that the login is no member of, where the rule says who may run.
    pub fn lacks_role(&self, member_of: &BTreeSet<String>) -> Option<Lack> {
        let roles = self.run.as_ref()?;
        let is_member = roles.iter().any(|role| member_of.contains(role));
        (!is_member).then(|| Lack::Role(roles.clone()))
    }

    /// Returns what of the rule is not there; approvals are not looked at.
    pub fn lacks(&self, here: &Here<'_>) -> Vec<Lack> {
        let mut lacks: Vec<Lack> = self.lacks_role(here.member_of).into_iter().collect();
        let Some(now) = here.now else {
            return lacks;
        };
        if !self.windows.is_empty() && !self.windows.iter().any(|window| window.holds(now)) {
            lacks.push(Lack::Window {
                windows: self.windows.clone(),
                now,
            });
        }
        if let (Some(limit), Some(newest)) = (self.backup, here.backup) {
            // What is said to be of the future is of now: clocks differ a little.
            let age = newest.map(|newest| {
                Duration::try_from(now.duration_since(newest)).unwrap_or(Duration::ZERO)
            });
            if age.is_none_or(|age| age > limit) {
                lacks.push(Lack::Backup { limit, age });
            }
        }
        lacks
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(roles) => write!(
                f,
                "only members of {} may make such changes, and this login is none",
                words::roles(roles)
            ),
            Self::Window { windows, now } => write!(
                f,
                "such changes are made {} only, and it is {}",
                words::windows(windows),
                words::moment(*now, windows)
            ),
            Self::Backup { limit, age: None } => write!(
                f,
                "there must be a verified backup of the whole database that is not older than {}, and there is none",
                words::span(*limit)
            ),
            Self::Backup {
                limit,
                age: Some(age),
            } => write!(
                f,
                "the newest verified backup of the whole database is {} old, and may be {} at most",
                words::span(*age),
                words::span(*limit)
            ),
            Self::Approvals { needs, given } => {
                write!(f, "such changes need {}, and ", words::approvals(needs))?;
                match given {
                    0 => f.write_str("nobody approved them"),
                    given => write!(
                        f,
                        "there {} {given}",
                        if *given == 1 { "is" } else { "are" }
                    ),
                }
            }
        }
    }
}

impl Lack {
    /// What to do about missing approvals, where a question asks for them.
    pub const ASK: &'static str = "run it again: a question about the fix asks for them";

    /// Returns what to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Role(_) => "have one of them run it",
            Self::Window { .. } => "run it then",
            Self::Backup { .. } => "make one: runbook backup create",
            Self::Approvals { .. } => Self::ASK,
        }
    }
}
