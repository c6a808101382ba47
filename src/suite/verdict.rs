//! What a case came to, and where that is not what its author expects. Pure: nothing is run here.

mod diff;
mod rows;

use std::time::Duration;

use super::document::Case;
use crate::base::source::Source;
use crate::base::words;
use crate::engine::event::{Event, EventKind};
use crate::engine::outcome::Outcome;
use crate::runbook::check::Proved;
use crate::runbook::data::Rows;
use crate::sql::ident::TableName;
use crate::step::text::Name;
use diff::Part;

/// As many lines of a text as tell what it is.
const FEW: usize = 6;

/// A line that is as much like another may be what was meant.
const LIKE: f64 = 0.5;

/// A shorter value may be in a text by chance.
const SECRET: usize = 6;

/// What a case came to.
#[derive(Clone, Debug, Default)]
pub struct Came {
    /// How the run ended; nothing when it was refused before its first step.
    pub outcome: Option<Outcome>,
    /// All that it said, as a person reads it, without colours and without a limit of width.
    pub said: String,
    /// Its events.
    pub events: Vec<Event>,
    /// The answers to the questions of the case's `rows`, in their order; or what the server said.
    pub rows: Vec<Result<Rows, String>>,
    /// All tables, as `table` or `schema.table`, the journal's left out.
    pub tables: Vec<String>,
    /// Those whose rows differ from before the run.
    pub changed: Vec<String>,
    /// Of a case that is undone: the tables that differ from before the run then, or why it was not undone.
    pub undone: Option<Result<Vec<String>, String>>,
    /// Why the case could not be played as it is written: a session, a fault or a statement of its own failed.
    pub trouble: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Something that is not as the author expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: the key of the case that says otherwise.
    pub key: &'static str,
    /// What was expected and what came, a line each.
    pub lines: Vec<String>,
}

/// A case that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// The runbook.
    pub runbook: String,
    /// The file of the case, as messages show it.
    pub file: String,
    /// The line of the case there, from 1.
    pub line: usize,
    /// The case's name.
    pub case: String,
    /// What it came to.
    pub came: Came,
    /// Where that is not as expected.
    pub differences: Vec<Difference>,
}

impl Played {
    /// Judges what a case came to; `source` is the file that it stands in.
    pub fn new(source: &Source, case: &Case, proved: &Proved, came: Came) -> Self {
        Self {
            runbook: proved.runbook.name.clone(),
            file: source.name().to_owned(),
            line: source.position(case.case.span().start).line,
            case: case.case.text().to_owned(),
            differences: judge(case, proved, &came),
            came,
        }
    }

    /// Returns whether all is as the author expects.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.came.trouble.is_none()
    }
}

/// Compares what a case came to with what its author expects.
pub fn judge(case: &Case, proved: &Proved, came: &Came) -> Vec<Difference> {
    if let Some(trouble) = &came.trouble {
        // What is not played as it is written cannot be judged.
        return vec![difference(
            "trouble",
            trouble.lines().map(str::to_owned).collect(),
        )];
    }
    let mut found = Vec::new();
    found.extend(outcome(case, came));
    found.extend(path(case, came));
    found.extend(says(case, came));
    found.extend(says_not(case, proved, came));
    found.extend(rows(case, came));
    found.extend(unchanged(case, came));
    found.extend(undo(case, came));
    found
}

/// Returns the steps that ran, in order: each once, however often a loop or a retry began it.
pub fn path_of(events: &[Event]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for event in events {
        let (EventKind::StepStarted { step, .. } | EventKind::AtomicStarted { step, .. }) =
            &event.kind
        else {
            continue;
        };
        if !names.contains(&step.name) {
            names.push(step.name.clone());
        }
    }
    names
}

fn difference(key: &'static str, lines: Vec<String>) -> Difference {
    Difference { key, lines }
}

fn outcome(case: &Case, came: &Came) -> Option<Difference> {
    let expected = case.outcome.outcome();
    if expected == came.outcome {
        return None;
    }
    let word = |outcome: Option<Outcome>| outcome.map_or("refused", word);
    let mut lines = vec![
        format!("- {}", word(expected)),
        format!("+ {}", word(came.outcome)),
    ];
    lines.extend(reason(came).into_iter().map(|line| format!("  {line}")));
    Some(difference("outcome", lines))
}

/// Returns the word of an outcome, as a case writes it.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Nothing => "nothing",
        Outcome::Failed => "failed",
        Outcome::RolledBack => "rolled_back",
        Outcome::Declined => "declined",
        Outcome::Stopped => "stopped",
        Outcome::Unknown => "unknown",
        Outcome::Cancelled => "cancelled",
        Outcome::Waiting => "waiting",
        Outcome::Expired => "expired",
        Outcome::Withdrawn => "withdrawn",
        Outcome::Contradicted => "contradicted",
    }
}

/// Returns why a run ended as it did, in its own words.
fn reason(came: &Came) -> Vec<String> {
    let failed = came
        .events
        .iter()
        .rev()
        .find_map(|event| match &event.kind {
            EventKind::StepFailed { step, failure, .. } => {
                Some(format!("`{}`: {}", step.name, failure.message))
            }
            _ => None,
        });
    let ended = came
        .events
        .iter()
        .rev()
        .find_map(|event| match &event.kind {
            EventKind::RunFinished(finished) if !finished.says.trim().is_empty() => {
                Some(finished.says.clone())
            }
            _ => None,
        });
    let refused = || {
        let said = came.said.lines().filter(|line| !line.trim().is_empty());
        said.take(FEW)
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    match (ended, failed) {
        (None, None) => refused(),
        (Some(ended), Some(failed)) if ended.contains(&failed) => lines(&ended),
        (Some(ended), Some(failed)) => [lines(&ended), lines(&failed)].concat(),
        (Some(one), None) | (None, Some(one)) => lines(&one),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().take(FEW).map(str::to_owned).collect()
}

fn path(case: &Case, came: &Came) -> Option<Difference> {
    let expected: Vec<&str> = case.path.as_ref()?.iter().map(Name::text).collect();
    let steps = path_of(&came.events);
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    if expected == steps {
        return None;
    }
    let parts: Vec<Part<&str>> = diff::align(&expected, &steps)
        .into_iter()
        .map(|part| match part {
            Part::Both(name) => Part::Both(*name),
            Part::Expected(name) => Part::Expected(*name),
            Part::Came(name) => Part::Came(*name),
        })
        .collect();
    Some(difference("path", diff::lines(&parts, "step")))
}

/// Returns a text with all white space as one blank: where lines break does not matter.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(case: &Case, came: &Came) -> Vec<Difference> {
    let said = plain(&came.said);
    let texts = case.says.iter().flat_map(|texts| &texts.0);
    let missing = texts.filter(|text| !said.contains(&plain(text.text())));
    missing
        .map(|text| {
            let mut lines = vec![format!("- {}", plain(text.text()))];
            lines.push(match nearest(text.text(), &came.said) {
                Some(near) => format!("+ {near}"),
                None => "  it says nothing like it".to_owned(),
            });
            difference("says", lines)
        })
        .collect()
}

/// Returns the line that is most like a text.
fn nearest(text: &str, said: &str) -> Option<String> {
    let text = plain(text);
    let mut best: Option<(f64, String)> = None;
    for line in said.lines().map(plain).filter(|line| !line.is_empty()) {
        let like = strsim::normalized_damerau_levenshtein(&text, &line);
        if like > LIKE && best.as_ref().is_none_or(|(known, _)| like > *known) {
            best = Some((like, line));
        }
    }
    best.map(|(_, line)| line)
}

fn says_not(case: &Case, proved: &Proved, came: &Came) -> Vec<Difference> {
    let mut found = Vec::new();
    let said = plain(&came.said);
    for text in case.says_not.iter().flat_map(|texts| &texts.0) {
        let text = plain(text.text());
        if said.contains(&text) {
            let lines: Vec<String> = came.said.lines().map(plain).collect();
            let line = lines.into_iter().find(|line| line.contains(&text));
            found.push(difference(
                "says_not",
                vec![format!("+ {}", line.unwrap_or(text))],
            ));
        }
    }
    found.extend(secrets(case, proved, &came.said));
    found
}

/// A secret parameter must not be said, whether or not a case says so.
fn secrets(case: &Case, proved: &Proved, said: &str) -> Option<Difference> {
    let is_secret = |name: &str| {
        let mut params = proved.runbook.params().iter();
        params.any(|(known, param)| known == name && param.secret)
    };
    let told: Vec<&str> = case
        .params
        .0
        .iter()
        .filter(|(name, _)| is_secret(name.as_str()))
        .filter(|(_, value)| {
            let text = value.0.as_str().unwrap_or_default();
            text.len() >= SECRET && said.contains(text)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    (!told.is_empty()).then(|| {
        let names = words::quoted(&told);
        difference(
            "says_not",
            vec![format!("+ the value of the secret {names}")],
        )
    })
}

fn rows(case: &Case, came: &Came) -> Vec<Difference> {
    let mut found = Vec::new();
    for (index, expected) in case.rows.iter().enumerate() {
        let lines = match came.rows.get(index) {
            Some(Ok(rows)) => rows::compare(expected, rows),
            Some(Err(why)) => Some(why.lines().map(|line| format!("+ {line}")).collect()),
            None => Some(vec!["+ nobody asked for them".to_owned()]),
        };
        if let Some(mut lines) = lines {
            lines.insert(0, format!("  {}", plain(expected.sql.text())));
            found.push(difference("rows", lines));
        }
    }
    found
}

fn unchanged(case: &Case, came: &Came) -> Option<Difference> {
    let tables = &case.unchanged.as_ref()?.0;
    let mut lines = Vec::new();
    for table in tables {
        if table.text() == "all" {
            lines.extend(
                came.changed
                    .iter()
                    .map(|table| format!("+ {table} was changed")),
            );
            continue;
        }
        let same = |other: &&String| same_table(table.text(), other);
        if came.changed.iter().any(|other| same(&other)) {
            lines.push(format!("+ {} was changed", table.text()));
        } else if !came.tables.iter().any(|other| same(&other)) {
            let known = came.tables.iter().map(String::as_str);
            let meant = words::did_you_mean(table.text(), known);
            let meant = meant.map_or_else(String::new, |meant| format!(": {meant}"));
            lines.push(format!("- there is no table `{}`{meant}", table.text()));
        }
    }
    (!lines.is_empty()).then(|| difference("unchanged", lines))
}

/// Returns whether two names mean one table; without a schema it is that of `public`.
fn same_table(a: &str, b: &str) -> bool {
    let name = |text: &str| {
        let name = TableName::parse(text);
        name.map(|name| (name.schema.filter(|schema| schema != "public"), name.name))
    };
    a == b || name(a).is_some_and(|a| Some(a) == name(b))
}

fn undo(case: &Case, came: &Came) -> Option<Difference> {
    if !case.undo {
        return None;
    }
    let lines = match &came.undone {
        Some(Ok(tables)) if tables.is_empty() => return None,
        Some(Ok(tables)) => tables
            .iter()
            .map(|table| format!("+ {table} is not as before the run"))
            .collect(),
        Some(Err(why)) => why.lines().map(|line| format!("+ {line}")).collect(),
        None => vec!["+ there was nothing to undo".to_owned()],
    };
    Some(difference("undo", lines))
}
