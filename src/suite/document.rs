//! A `NAME.test.yaml` as its author wrote it: every value with its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::diagnostic::Diagnostic;
use crate::base::shape::read;
use crate::base::source::{Source, Spanned};
use crate::base::yaml::{self, Value};
use crate::engine::outcome::Outcome;
use crate::runbook::param::Literal;
use crate::step::shape::{Entries, OneOrMany};
use crate::step::text::{Name, Sql, Template};

/// The tests of one runbook, beside it as `NAME.test.yaml`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// The runbook's name.
    pub test: Name,
    /// What makes the tables: SQL, or files of SQL beside this one, by paths that end in `.sql`.
    pub schema: Option<OneOrMany<Template>>,
    /// What fills them: the same.
    pub data: Option<OneOrMany<Template>>,
    /// A server of its own for every case, for what concerns the whole server: roles, settings, other databases.
    pub server: Option<Server>,
    /// The cases.
    pub cases: Vec<Case>,
    /// The ways of the graph that no case takes, as `STEP.WAY`, each with the reason.
    #[serde(default)]
    pub untested: Entries<Template>,
}

/// Reads a file of tests; every mistake of shape becomes a diagnostic.
///
/// # Errors
/// All of them, each with its place.
pub fn parse(source: &Source) -> Result<Suite, Vec<Diagnostic>> {
    let root = yaml::parse(source).map_err(|diagnostic| vec![*diagnostic])?;
    if !matches!(root.value, Value::Map(_)) {
        let title = format!(
            "a file of tests is a map of `test`, `cases` and more, not {}",
            root.kind()
        );
        return Err(vec![
            Diagnostic::error("shape", title)
                .at(root.span, "")
                .help("`runbook new NAME` writes one to begin with"),
        ]);
    }
    let mut diagnostics = Vec::new();
    read(&root, &mut diagnostics).ok_or(diagnostics)
}

/// Returns whether a text of `schema` or `data` is the path of a file beside the test, rather than SQL.
pub fn is_path(text: &str) -> bool {
    let text = text.trim();
    let end = std::path::Path::new(text).extension();
    end.is_some_and(|end| end == "sql") && !text.contains('\n')
}

/// A server of its own for every case.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Its settings, as in postgresql.conf.
    pub settings: Entries<Template>,
}

/// One case: a run of the runbook, and what must hold.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, in a few words.
    pub case: Template,
    /// What is different in its database: SQL that runs after that of the whole file.
    pub data: Option<OneOrMany<Template>>,
    /// The parameters.
    #[serde(default)]
    pub params: Entries<Literal>,
    /// The answers to confirms: `yes`, `no`, or the text to type. A confirm without one finds nobody there.
    #[serde(default)]
    pub answers: Entries<Template>,
    /// The role that the run logs in as, without which it is the superuser `postgres`.
    pub login: Option<Template>,
    /// Other sessions that are open while it runs.
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// What goes wrong on the way.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Whether it runs as `--dry-run`.
    #[serde(default)]
    pub dry_run: bool,
    /// How it ends.
    pub outcome: Expected,
    /// The steps that run, in order. What is skipped is not among them.
    pub path: Option<Vec<Name>>,
    /// Texts that the run says, as a person reads them.
    pub says: Option<OneOrMany<Template>>,
    /// Texts that it must not say, such as secrets.
    pub says_not: Option<OneOrMany<Template>>,
    /// What is in the database afterwards.
    #[serde(default)]
    pub rows: Vec<RowsAfter>,
    /// Tables that are as they were, or `all`.
    pub unchanged: Option<OneOrMany<Template>>,
    /// Undoes the run afterwards; then every table must be as it was before.
    #[serde(default)]
    pub undo: bool,
}

/// A session beside the run. It is open, with its transaction, until the case ends.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// What it calls itself: its `application_name`.
    pub session: Template,
    /// The role that it logs in as.
    pub login: Option<Template>,
    /// Statements that it runs before the run begins.
    pub sql: Option<OneOrMany<Sql>>,
    /// A statement that it sends then, and that may have to wait for others.
    pub waits: Option<Sql>,
}

/// Something that goes wrong, or that somebody else does, at a moment of the run.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When this step begins; of a confirm, before its rehearsal.
    pub before: Option<Name>,
    /// While this step is at work: of a confirm, while the question stands.
    pub during: Option<Name>,
    /// When this step is done.
    pub after: Option<Name>,
    /// What somebody else does then, in a session of their own, committed at once.
    pub sql: Option<OneOrMany<Sql>>,
    /// With `during`: the step fails with this error, a class of errors or a message of the server.
    pub error: Option<Template>,
    /// How often it fails so (default 1).
    #[schemars(range(min = 1))]
    pub times: Option<u32>,
    /// With `during`: Ctrl-C.
    #[serde(default)]
    pub cancel: bool,
}

/// A question about the database after the run, and its answer.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsAfter {
    /// A SELECT.
    pub sql: Sql,
    /// Its rows, each a list of values as PostgreSQL prints them; of one column, the values themselves.
    pub are: Vec<Spanned<Literal>>,
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// The work is done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// A step failed, and nothing remains of the run.
    Failed,
    /// What the run had changed was put back.
    RolledBack,
    /// A person said no, or nobody could be asked.
    Declined,
    /// It stopped, and changes stay in place.
    Stopped,
    /// Nobody can say what became of a COMMIT.
    Unknown,
    /// Ctrl-C, and nothing remains of the run.
    Cancelled,
    /// It waits for the approval of other people.
    Waiting,
    /// It was refused before its first step.
    Refused,
}

impl Expected {
    /// Returns the outcome of the run that it is; nothing for one that never began.
    pub fn outcome(self) -> Option<Outcome> {
        Some(match self {
            Self::Done => Outcome::Done,
            Self::Nothing => Outcome::Nothing,
            Self::Failed => Outcome::Failed,
            Self::RolledBack => Outcome::RolledBack,
            Self::Declined => Outcome::Declined,
            Self::Stopped => Outcome::Stopped,
            Self::Unknown => Outcome::Unknown,
            Self::Cancelled => Outcome::Cancelled,
            Self::Waiting => Outcome::Waiting,
            Self::Refused => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_sql() {
        for path in ["data.sql", " sample/data.sql\n", "../a b.sql"] {
            assert!(is_path(path), "{path}");
        }
        for sql in ["SELECT 1", "SELECT 1;\n-- data.sql", ""] {
            assert!(!is_path(sql), "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&Source::new("t", text));
        }

        #[test]
        fn any_keys_and_values_are_read_or_refused(
            keys in proptest::collection::vec(
                ("( {0,6}(- )?)(test|schema|data|server|cases|case|params|answers|faults|outcome|path|rows|are|undo|untested|x)", "(: |:)(\\[|\\{|-|\\||'|\"|done|true|1|null|a.b|)"),
                0..12,
            ),
        ) {
            let lines: Vec<String> = keys.into_iter().map(|(key, value)| key + &value).collect();
            let _ = parse(&Source::new("t", lines.join("\n")));
        }
    }
}
