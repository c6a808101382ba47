//! What the doctor finds: a line each, and how to mend what is wrong.

use serde::Serialize;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Nothing is to be done.
    Well,
    /// Work is possible, but not as safe as it could be; or nobody could look.
    Warning,
    /// Without it nobody works safely.
    Missing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What it is, in a word or two.
    pub(super) name: &'static str,
    /// How it stands.
    pub(super) state: State,
    /// What was seen.
    pub(super) says: String,
    /// What mends it, a step each; commands and SQL stand in backticks.
    pub(super) help: Vec<String>,
}

impl Finding {
    fn new(name: &'static str, state: State, says: impl Into<String>) -> Self {
        Self {
            name,
            state,
            says: says.into(),
            help: Vec::new(),
        }
    }

    /// Returns that it is well.
    pub(super) fn well(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, State::Well, says)
    }

    /// Returns that it is worth a look.
    pub(super) fn warning(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, State::Warning, says)
    }

    /// Returns that it is missing.
    pub(super) fn missing(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, State::Missing, says)
    }

    /// Returns that nobody could look, and why.
    pub(super) fn unseen(name: &'static str, why: impl std::fmt::Display) -> Self {
        Self::new(
            name,
            State::Warning,
            format!("could not be looked at: {why}"),
        )
    }

    /// Adds a step that mends it.
    #[must_use]
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds steps that mend it.
    #[must_use]
    pub(super) fn helps<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.help.extend(texts.into_iter().map(Into::into));
        self
    }
}

/// Findings about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Group {
    /// What they are about.
    pub(super) name: &'static str,
    /// The findings.
    pub(super) findings: Vec<Finding>,
}

impl Group {
    pub(super) fn new(name: &'static str, findings: Vec<Finding>) -> Self {
        Self { name, findings }
    }
}

/// Returns how many findings of all groups stand so.
pub(super) fn count(groups: &[Group], state: State) -> usize {
    let all = groups.iter().flat_map(|group| &group.findings);
    all.filter(|finding| finding.state == state).count()
}
