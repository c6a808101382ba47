//! A run as a page: the words and tables that Markdown and HTML share. Every text of it is harmless already,
//! though not yet escaped.

mod block;
mod section;

use jiff::Timestamp;
use serde::Serialize;

use self::block::changes;
use self::section::sections;
use super::line::legible;
use super::look::{Look, Mark};
use super::story::{Aside, Passage, Story, What};
use super::{amount, ending, header};
use crate::engine::event::{Event, RunFinished, RunStarted, StepResult};
use crate::engine::outcome::Outcome;

pub(super) use self::block::{Block, Cell, Table};
pub(super) use self::section::Section;

/// Words are those of a terminal of any width without colours.
const PLAIN: Look = Look {
    colors: false,
    unicode: true,
    width: None,
};

/// A run as a page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// What the run did, in a few words.
    pub(super) title: String,
    /// How it ended.
    pub(super) ending: Ending,
    /// What is known of it.
    pub(super) facts: Vec<Fact>,
    /// Its parameters.
    pub(super) params: Vec<Fact>,
    /// What a dry run could not rehearse.
    pub(super) not_rehearsed: Vec<String>,
    /// Who answered what.
    pub(super) answers: Vec<Answer>,
    /// What happened.
    pub(super) sections: Vec<Section>,
}

/// A name and a value.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: String,
}

impl Fact {
    fn new(name: &str, value: &str) -> Self {
        Self {
            name: legible(name),
            value: legible(value),
        }
    }
}

/// How a run ended.
#[derive(Debug, Serialize)]
pub(super) struct Ending {
    /// Whether it went well: `good`, `bad` or `warn`.
    pub(super) tone: &'static str,
    /// "Done in 2.4 s."
    pub(super) words: String,
    /// What there is to say about it.
    pub(super) lines: Vec<String>,
    /// What a dry run would change.
    pub(super) blocks: Vec<Block>,
}

/// An answer of a person.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) step: String,
    pub(super) question: String,
    pub(super) said: &'static str,
    pub(super) by: String,
    pub(super) at: String,
}

impl Page {
    /// Makes the page of a run, as far as it came.
    pub fn of(events: &[Event], still_runs: bool) -> Self {
        let story = Story::of(events);
        let begun = story.begun.map(|(begun, _)| begun);
        let dry_run = begun.is_some_and(|begun| begun.dry_run);
        Self {
            title: legible(&begun.map(header::title).unwrap_or_default()),
            ending: match story.finished {
                Some((finished, _)) => ended(finished, begun),
                None => open(begun, still_runs),
            },
            facts: facts(&story),
            params: begun.map_or_else(Vec::new, |begun| {
                let params = begun.params.iter();
                params
                    .map(|param| Fact::new(&param.name, &param.value))
                    .collect()
            }),
            not_rehearsed: begun.map_or_else(Vec::new, |begun| {
                begun
                    .not_rehearsed
                    .iter()
                    .map(|what| legible(what))
                    .collect()
            }),
            answers: answers(&story.passages),
            sections: sections(&story.passages, dry_run),
        }
    }
}

fn facts(story: &Story) -> Vec<Fact> {
    let Some((begun, at)) = story.begun else {
        return Vec::new();
    };
    let target = &begun.target;
    let protected = if target.protected { " (protected)" } else { "" };
    let database = format!("{}/{}{protected}", target.name, target.database);
    let runbook = format!("{} (SHA-256 {})", begun.runbook, begun.hash);
    let risk = begun.risk.to_string();
    let mut facts = vec![
        Fact::new("Run", &begun.run),
        Fact::new("Runbook", &runbook),
        Fact::new("Risk", &risk),
        Fact::new("By", &begun.actor),
        Fact::new("Database", &database),
        Fact::new("Login", &target.user),
    ];
    facts.extend(target.role.as_ref().map(|role| Fact::new("Role", role)));
    if !target.server_version.is_empty() {
        let server = format!("PostgreSQL {}", target.server_version);
        facts.push(Fact::new("Server", &server));
    }
    let system = target.system_identifier.as_deref();
    facts.extend(system.map(|id| Fact::new("System identifier", id)));
    facts.extend(
        begun
            .undo_of
            .as_deref()
            .map(|run| Fact::new("Undo of", run)),
    );
    for (reason, by, lifted) in &story.glass {
        facts.push(Fact::new("Glass broken", &format!("{reason} ({by})")));
        facts.extend(lifted.iter().map(|what| Fact::new("Without", what)));
    }
    facts.push(Fact::new("Began", &time(at)));
    facts.extend(story.finished.map(|(finished, at)| {
        let took = amount::duration(finished.took_ms);
        let waited = amount::duration(finished.waited_ms);
        let words = if finished.waited_ms < 1.0 {
            format!("{} (took {took})", time(at))
        } else {
            format!(
                "{} (took {took}, {waited} of them waiting for people)",
                time(at)
            )
        };
        Fact::new("Ended", &words)
    }));
    facts.extend(
        begun
            .dry_run
            .then(|| Fact::new("Dry run", "everything was rolled back at its end")),
    );
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

/// Returns a time, to the second.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn ended(finished: &RunFinished, begun: Option<&RunStarted>) -> Ending {
    let tone = match finished.outcome {
        Outcome::Done | Outcome::Nothing => "good",
        Outcome::Failed | Outcome::Stopped | Outcome::Unknown => "bad",
        _ => "warn",
    };
    let says = Some(finished.says.trim()).filter(|says| !says.is_empty());
    let aborted = finished.aborted.map(|aborted| {
        if aborted {
            "Everything is rolled back, as the server confirms."
        } else {
            "Dry run: the server does not say that the transaction is aborted!"
        }
    });
    let sentence = |text: &str| format!("{}{}.", text[..1].to_uppercase(), &text[1..]);
    let lines = [
        says.map(str::to_owned),
        aborted.map(str::to_owned),
        ending::remains(finished),
        ending::next(finished).map(sentence),
    ];
    let command = ending::command(finished, begun);
    let command = command.iter().flat_map(|command| command.lines());
    let rehearsed = finished.changes.as_ref();
    Ending {
        tone,
        words: ending::first(finished, PLAIN).to_string(),
        lines: lines
            .iter()
            .flatten()
            .map(String::as_str)
            .chain(command)
            .map(legible)
            .collect(),
        blocks: rehearsed.map_or_else(Vec::new, changes),
    }
}

/// Tells of a run that has not come to its end.
fn open(begun: Option<&RunStarted>, still_runs: bool) -> Ending {
    let (words, next) = if still_runs {
        ("It still runs: this is how far it has come.", None)
    } else {
        let next = begun.and_then(ending::go_on);
        ("It was cut short: this is how far it came.", next)
    };
    Ending {
        tone: "warn",
        words: words.to_owned(),
        lines: next.into_iter().map(|line| legible(&line)).collect(),
        blocks: Vec::new(),
    }
}

fn answers(passages: &[Passage]) -> Vec<Answer> {
    let all = passages.iter().flat_map(|passage| {
        let inner = passage.inner.iter();
        [passage].into_iter().chain(inner)
    });
    let all: Vec<&Passage> = all.collect();
    let answers = all.iter().filter_map(|passage| answer(passage, &all));
    answers.collect()
}

/// Returns the question of a confirm: where it waited for other people, it was asked before.
fn question<'a>(passage: &Passage<'a>, all: &[&Passage<'a>]) -> Option<&'a str> {
    let asked = |passage: &Passage<'a>| {
        passage.asides.iter().find_map(|aside| match aside {
            Aside::Asked(question, ..) => Some(*question),
            _ => None,
        })
    };
    let mut before = all.iter().rev().filter(|other| other.step == passage.step);
    asked(passage).or_else(|| before.find_map(|other| asked(other)))
}

fn answer(passage: &Passage, all: &[&Passage]) -> Option<Answer> {
    let What::Result(StepResult::Confirm { yes, by, why, .. }, ..) = passage.what else {
        return None;
    };
    let question = question(passage, all);
    let by = match why {
        Some(why) if by.is_empty() => why.clone(),
        Some(why) => format!("{by} · {why}"),
        None => by.clone(),
    };
    Some(Answer {
        step: passage
            .step
            .map_or_else(String::new, |step| legible(&step.name)),
        question: legible(question.unwrap_or_default()),
        said: if *yes { "yes" } else { "no" },
        by: legible(&by),
        at: time(passage.at),
    })
}

/// Returns the word of a mark.
fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Passed => "passed",
        Mark::Failed => "failed",
        Mark::Asks => "asks",
        Mark::Warning => "warning",
        Mark::Skipped => "skipped",
        Mark::Again => "again",
        Mark::Leads => "leads",
        Mark::Undone => "undone",
    }
}
