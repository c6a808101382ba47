//! Draws what a step came to: the words of each kind.

mod query;

use super::amount;
use super::line::{Line, flow, paragraph, prose};
use super::look::{Look, Mark, Tone};
use super::places::Places;
use super::table::{self, more_of};
use super::undo::{self, Undone};
use super::{backup, changes, database, failure};
use crate::base::words;
use crate::engine::change::Changes;
use crate::engine::event::{Assertion, EventKind, StepResult};
use crate::engine::failure::Failure;
use crate::engine::outcome::Outcome;
use crate::runbook::data::Rows;
use crate::step::check::Severity;
use crate::step::query::Show;

/// Summaries begin at this column, unless a name is longer.
pub(super) const SUMMARY: usize = 27;

/// How many lines of a program's output are shown.
const MOST_OUTPUT: usize = 20;

/// What a step came to, in words.
#[derive(Debug)]
pub(super) struct Told {
    /// How it went.
    pub(super) mark: Mark,
    /// What it came to.
    pub(super) summary: Line,
    /// The same where there is little room; empty where the mark says it all.
    pub(super) brief: Line,
    /// What there is to see.
    pub(super) body: Vec<Line>,
}

impl Told {
    /// Returns words with nothing more to see.
    pub(super) fn new(mark: Mark, summary: Line) -> Self {
        Self {
            mark,
            brief: summary.clone(),
            summary,
            body: Vec::new(),
        }
    }

    fn brief(mut self, brief: Line) -> Self {
        self.brief = brief;
        self
    }

    fn body(mut self, body: Vec<Line>) -> Self {
        self.body = body;
        self
    }

    fn remedy(mut self, text: Option<&str>, look: Look) -> Self {
        self.body.extend(remedy(text, look));
        self
    }
}

/// Draws the line of a step.
pub(super) fn line(
    mark: Mark,
    name: &str,
    summary: &Line,
    took_ms: Option<f64>,
    look: Look,
) -> Line {
    let tone = if mark == Mark::Skipped {
        Tone::Dim
    } else {
        Tone::Plain
    };
    let line = look.line().gap(2).mark(mark).gap(1).toned(tone, name);
    let line = if summary.is_empty() {
        line
    } else {
        line.gap(2).to(SUMMARY).then(summary)
    };
    let Some(took) = took_ms.map(amount::duration) else {
        return line;
    };
    let took = look.line().dim(&took);
    match look.width {
        Some(_) => line.ending(&took, look.edge()),
        None => line.gap(2).then(&took),
    }
}

/// Returns the line of a step, or two where one would run over the width: the summary on the second.
pub(super) fn within(
    line: Line,
    told: &Told,
    name: &str,
    took_ms: Option<f64>,
    look: Look,
) -> Vec<Line> {
    if look.width.is_none_or(|width| line.width() <= width) {
        return vec![line];
    }
    let first = self::line(told.mark, name, &look.line(), took_ms, look);
    vec![
        first,
        told.summary.clone().indented(super::terminal::INDENT),
    ]
}

/// How a result is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    /// Whether everything is rolled back at the end.
    pub(super) dry_run: bool,
    /// Whether changes are drawn: not when a person saw them before.
    pub(super) changes: bool,
    /// What became of the step.
    pub(super) went: Went,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// It went well.
    On,
    /// It said no, and the run goes on, or has come to a good end, by its `else`.
    Elsewhere,
    /// It said no, and the run failed by it.
    Wrong,
}

impl Went {
    /// Returns what became of a step that said no, by the event after it.
    pub(super) fn after_no(next: &EventKind) -> Self {
        match next {
            EventKind::AtomicRolledBack { .. } => Self::Wrong,
            EventKind::RunFinished(finished) => match finished.outcome {
                Outcome::Done | Outcome::Nothing => Self::Elsewhere,
                _ => Self::Wrong,
            },
            _ => Self::Elsewhere,
        }
    }
}

/// Draws what a step came to.
pub(super) fn told(result: &StepResult, telling: Telling, look: Look) -> Told {
    match result {
        StepResult::Query {
            rows,
            show,
            guard,
            saved,
        } => {
            let guard = guard.as_deref().filter(|_| telling.went == Went::Wrong);
            let told = query::told(rows, *show, guard, saved.as_deref(), look);
            match telling.went {
                Went::Elsewhere => Told {
                    mark: Mark::Leads,
                    ..told
                },
                Went::On | Went::Wrong => told,
            }
        }
        StepResult::Check {
            passed,
            items,
            switch,
            severity,
            otherwise,
        } => {
            let verdict = Verdict::new(*passed, *severity, telling.went);
            let told = match switch {
                Some(value) => switched(value, &verdict, look),
                None if items.is_empty() => checked(&verdict, look),
                None => asserted(items, &verdict, look),
            };
            told.remedy(otherwise.as_deref().filter(|_| !passed), look)
        }
        StepResult::Confirm { yes, by, why, .. } => answer(*yes, by, why.as_deref(), look),
        StepResult::Fix {
            count,
            rows,
            changes,
            committed,
        } => {
            let summary = changed(*count, *committed, telling);
            let shown = telling.changes.then_some(changes);
            fixed(&summary, rows, shown, look).brief(look.line().plain(&amount::rows(*count)))
        }
        StepResult::Command {
            code,
            stdout,
            stderr,
            passed,
        } => ran(*code, *passed, look).body([output(stdout, look), output(stderr, look)].concat()),
        StepResult::Rollback {
            restored,
            changes,
            conflicts,
            ..
        } => {
            let undone = Undone {
                restored: *restored,
                changes,
                conflicts,
                failure: None,
            };
            undo::told(&undone, telling.dry_run, look)
        }
        StepResult::Backup(backed) => backup::made(backed, &Places::default(), look),
        StepResult::Restored(restored) => backup::restored(restored, look),
        StepResult::WouldRun => Told::new(
            Mark::Skipped,
            look.line().dim("would run; a dry run cannot rehearse it"),
        ),
    }
}

/// Draws a failure of a step.
pub(super) fn failed(what: &Failure, look: Look) -> Told {
    Told::new(Mark::Failed, look.line().toned(Tone::Bad, "failed"))
        .brief(look.line())
        .body(failure::draw(what, look))
}

/// How a check went.
struct Verdict {
    passed: bool,
    mark: Mark,
    tone: Tone,
    word: &'static str,
}

impl Verdict {
    fn new(passed: bool, severity: Severity, went: Went) -> Self {
        let (mark, tone, word) = match (passed, severity) {
            (false, Severity::Error) if went == Went::Elsewhere => (Mark::Leads, Tone::Plain, "no"),
            (true, _) => (Mark::Passed, Tone::Plain, "passed"),
            (false, Severity::Error) => (Mark::Failed, Tone::Bad, "failed"),
            (false, Severity::Warning) => (Mark::Warning, Tone::Warn, "failed, a warning only"),
        };
        Self {
            passed,
            mark,
            tone,
            word,
        }
    }

    /// Returns the words; where there is little room, the mark says that it passed.
    fn tell(&self, summary: Line, look: Look) -> Told {
        let told = Told::new(self.mark, summary);
        if self.passed {
            told.brief(look.line())
        } else {
            told
        }
    }
}

fn checked(verdict: &Verdict, look: Look) -> Told {
    verdict.tell(look.line().toned(verdict.tone, verdict.word), look)
}

fn switched(value: &str, verdict: &Verdict, look: Look) -> Told {
    let line = look.line().toned(Tone::Strong, value);
    Told::new(
        verdict.mark,
        if verdict.passed {
            line
        } else {
            line.plain(", which no case names")
        },
    )
}

fn asserted(items: &[Assertion], verdict: &Verdict, look: Look) -> Told {
    let passed = items.iter().filter(|item| item.passed).count();
    let body = if items.iter().any(|item| item.group.is_some()) {
        database::draw(items, verdict.mark, verdict.tone, look)
    } else if verdict.mark == Mark::Warning {
        let runs = items.chunk_by(|one, next| one.passed && next.passed);
        runs.flat_map(|run| assertions(run, verdict, look))
            .collect()
    } else {
        assertions(items, verdict, look)
    };
    // The single condition of a check is no list of them.
    let summary = match items {
        [only] if only.group.is_none() => verdict.word.to_owned(),
        items => format!("{passed} of {} passed", items.len()),
    };
    verdict
        .tell(look.line().toned(verdict.tone, &summary), look)
        .body(body)
}

/// Draws assertions: those that passed side by side, then the others, each with what to do about it.
fn assertions(items: &[Assertion], verdict: &Verdict, look: Look) -> Vec<Line> {
    let line = |mark: Mark| look.line().mark(mark).gap(1);
    let passed = items.iter().filter(|item| item.passed);
    let passed: Vec<Line> = passed
        .map(|item| line(Mark::Passed).plain(&item.name))
        .collect();
    let mut body = flow(&passed, 3, look);
    for item in items.iter().filter(|item| !item.passed) {
        // Beside a mark that does not say no, the name alone would read as its opposite.
        let label = match verdict.mark {
            Mark::Failed => "",
            _ => "not so: ",
        };
        body.push(
            line(verdict.mark)
                .toned(verdict.tone, label)
                .plain(&item.name),
        );
        body.extend(remedy(item.otherwise.as_deref(), look));
    }
    body
}

fn remedy(text: Option<&str>, look: Look) -> Vec<Line> {
    text.map_or_else(Vec::new, |text| failure::help(text, look))
}

fn answer(yes: bool, by: &str, why: Option<&str>, look: Look) -> Told {
    let (mark, word) = if yes {
        (Mark::Passed, "yes")
    } else {
        (Mark::Failed, "no")
    };
    let dot = format!(" {} ", look.glyphs().dot);
    let put = |line: Line, fact: &str| line.dim(&dot).plain(fact);
    let line = look.line().toned(mark.tone(), word);
    let line = if by.is_empty() { line } else { put(line, by) };
    let Some(why) = why else {
        return Told::new(mark, line);
    };
    let whole = put(line.clone(), why);
    // Mark and gap are in front of it. What is too long for that stands below, broken between words.
    if look.width.is_some_and(|width| whole.width() + 3 > width) {
        return Told::new(mark, line).body(prose(&look.line().gap(2), Tone::Plain, why));
    }
    Told::new(mark, whole)
}

fn fixed(summary: &str, rows: &Rows, changes: Option<&Changes>, look: Look) -> Told {
    let mut body = table::draw(rows, Show::Table, table::MOST_ROWS, look);
    if let Some(changes) = changes {
        body.extend(changes::draw(changes, changes::MOST_LINES, look));
    }
    Told::new(Mark::Passed, look.line().plain(summary)).body(body)
}

/// Returns "5 rows changed, committed".
pub(super) fn changed(count: u64, committed: bool, telling: Telling) -> String {
    let rows = match count {
        0 => "no row".to_owned(),
        count => amount::rows(count),
    };
    let fate = match (telling.dry_run, committed) {
        (true, _) => ", to be rolled back",
        (false, true) => ", committed",
        (false, false) => "",
    };
    format!("{rows} changed{fate}")
}

fn ran(code: i32, passed: bool, look: Look) -> Told {
    let (mark, tone) = if passed {
        (Mark::Passed, Tone::Plain)
    } else {
        (Mark::Failed, Tone::Bad)
    };
    Told::new(mark, look.line().toned(tone, &format!("exit code {code}")))
}

fn output(text: &str, look: Look) -> Vec<Line> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut lines = paragraph(&look.line(), Tone::Dim, text);
    if lines.len() > MOST_OUTPUT {
        let more = amount::long(lines.len() - MOST_OUTPUT);
        lines.truncate(MOST_OUTPUT);
        lines.push(more_of(&words::count(more, "line"), look));
    }
    lines
}
