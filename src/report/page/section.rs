//! A step on a page: what it was, what it came to, and what there is to see of it.

use serde::Serialize;

use super::block::{Block, changes, conflicts, rows};
use super::{PLAIN, time, word};
use crate::base::words;
use crate::engine::backup::BackedTable;
use crate::engine::event::{Approved, Blocker, Item, StepResult};
use crate::report::line::legible;
use crate::report::look::Mark;
use crate::report::step::{self, Telling, Went};
use crate::report::story::{Aside, Passage, What};
use crate::report::undo::{Undoing, Undone};
use crate::report::{amount, approval, backup, ending, impact};
use crate::runbook::data::{Column, Rows, oid};
use crate::step::query::Show;

/// How many digests of approved changes are named.
const MOST_DIGESTS: usize = 10;

/// A step on a page.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Section {
    /// The word of how it went.
    pub(in crate::report) mark: &'static str,
    /// The sign of how it went.
    pub(in crate::report) glyph: &'static str,
    pub(in crate::report) name: String,
    /// The kind of step.
    pub(in crate::report) kind: String,
    /// Which item of a `for_each` it worked on.
    pub(in crate::report) item: String,
    pub(in crate::report) about: String,
    /// What it came to.
    pub(in crate::report) summary: String,
    pub(in crate::report) at: String,
    pub(in crate::report) took: String,
    /// How long that was of the longest step, in percent.
    pub(in crate::report) share: f64,
    #[serde(skip)]
    took_ms: f64,
    pub(in crate::report) blocks: Vec<Block>,
    /// The steps of an atomic.
    pub(in crate::report) inner: Vec<Section>,
}

/// Makes the sections of what happened.
pub(super) fn sections(passages: &[Passage], dry_run: bool) -> Vec<Section> {
    let mut sections: Vec<Section> = passages
        .iter()
        .map(|passage| section(passage, dry_run))
        .collect();
    let longest = sections
        .iter()
        .map(|section| section.took_ms)
        .fold(0.0, f64::max);
    if longest > 0.0 {
        for section in &mut sections {
            section.share = (section.took_ms / longest * 100.0).round();
        }
    }
    sections
}

/// What a passage came to, in words.
struct Came {
    mark: Mark,
    summary: String,
    blocks: Vec<Block>,
}

impl Came {
    fn new(mark: Mark, summary: impl Into<String>) -> Self {
        Self {
            mark,
            summary: summary.into(),
            blocks: Vec::new(),
        }
    }

    fn with(mut self, blocks: Vec<Block>) -> Self {
        self.blocks = blocks;
        self
    }
}

/// Returns whether other people are asked, or said something.
fn is_about_others(aside: &Aside) -> bool {
    matches!(aside, Aside::OthersAsked(..) | Aside::Said(_))
}

fn section(passage: &Passage, dry_run: bool) -> Section {
    let telling = Telling {
        dry_run,
        changes: true,
        went: Went::On,
    };
    let came = came(&passage.what, telling);
    // What the steps of an atomic say is not said again in sum.
    let said = passage.inner.iter().map(fixed).sum::<u64>();
    let came = match passage.what {
        What::Committed(found) if found.count() == said => Came {
            blocks: Vec::new(),
            ..came
        },
        What::Open if passage.asides.iter().any(is_about_others) => {
            Came::new(Mark::Asks, "waits for other people")
        }
        _ => came,
    };
    let mut blocks: Vec<Block> = passage
        .asides
        .iter()
        .flat_map(|aside| told(aside, passage))
        .collect();
    blocks.extend(came.blocks);
    let (name, kind) = match (passage.step, &passage.what) {
        (Some(step), _) => (step.name.as_str(), step.kind.as_str()),
        (None, What::Undone(..) | What::Undoing(_)) => ("undo", ""),
        (None, _) => ("run", ""),
    };
    Section {
        mark: word(came.mark),
        glyph: came.mark.glyph(PLAIN.glyphs()),
        name: legible(name),
        kind: legible(kind),
        item: passage.item.map_or_else(String::new, item),
        about: legible(passage.about.unwrap_or_default().trim_end()),
        summary: legible(&came.summary),
        at: time(passage.at),
        took: passage.took_ms.map_or_else(String::new, amount::duration),
        share: 0.0,
        took_ms: passage.took_ms.unwrap_or_default(),
        blocks,
        inner: sections(&passage.inner, dry_run),
    }
}

/// Returns how many rows a fix changed that are shown with it.
fn fixed(passage: &Passage) -> u64 {
    match passage.what {
        What::Result(StepResult::Fix { changes, .. }, ..) => changes.count(),
        _ => 0,
    }
}

/// Returns "2 of 3: Acme".
fn item(item: &Item) -> String {
    legible(&format!(
        "{} of {}: {}",
        item.index + 1,
        item.of,
        item.label
    ))
}

fn came(what: &What, telling: Telling) -> Came {
    match what {
        What::Open => Came::new(Mark::Warning, "did not come to its end"),
        What::Result(result, _, went) => {
            let telling = Telling {
                went: *went,
                ..telling
            };
            let told = step::told(result, telling, PLAIN);
            Came::new(told.mark, told.summary.to_string()).with(seen(result))
        }
        What::Failed(failure) => {
            Came::new(Mark::Failed, "failed").with(vec![Block::failure(failure)])
        }
        What::Skipped => Came::new(Mark::Skipped, "skipped"),
        What::Committed(found) => {
            let words = step::changed(found.count(), true, telling);
            Came::new(Mark::Passed, words).with(changes(found))
        }
        What::RolledBack => Came::new(Mark::Failed, NOTHING_REMAINS),
        What::Looped(items, count, failed) => looped(*items, *count, *failed),
        What::Undone(undoing, undone) => undo(undoing, undone, telling.dry_run),
        What::Undoing(undoing) => {
            let words = format!("{}: did not come to its end", undoing.names());
            Came::new(Mark::Warning, words).with(vec![Block::text(&undoing.why)])
        }
        What::Ended(finished) => {
            let words = ending::first(finished, PLAIN).to_string();
            let remains = ending::remains(finished);
            let blocks = remains.iter().map(|text| Block::text(text)).collect();
            Came::new(Mark::Warning, words).with(blocks)
        }
        What::Resumed(actor) => Came::new(Mark::Again, format!("resumed by {actor}")),
        What::Noticed(message) => Came::new(Mark::Passed, format!("notice: {message}")),
    }
}

const NOTHING_REMAINS: &str = "rolled back, nothing of it remains";

fn looped(items: u64, count: u64, failed: u64) -> Came {
    let mut words = words::count(items, "item");
    if count > 0 {
        words = format!("{words}, {}", amount::rows(count));
    }
    if failed == 0 {
        return Came::new(Mark::Passed, words);
    }
    Came::new(Mark::Warning, format!("{words}, {failed} failed"))
}

fn undo(undoing: &Undoing, undone: &Undone, dry_run: bool) -> Came {
    let names = undoing.names();
    let words = undone.words(dry_run);
    let words = if names.is_empty() {
        words
    } else {
        format!("{names}: {words}")
    };
    let why = (!undoing.why.trim().is_empty()).then(|| Block::text(&undoing.why));
    let mut blocks: Vec<Block> = why.into_iter().collect();
    blocks.extend(changes(undone.changes));
    blocks.extend(conflicts(undone.conflicts));
    blocks.extend(undone.failure.map(Block::failure));
    Came::new(undone.mark(), words).with(blocks)
}

/// Makes what there is to see of a result.
fn seen(result: &StepResult) -> Vec<Block> {
    match result {
        StepResult::Query {
            rows: found, show, ..
        } => rows(found, *show).into_iter().collect(),
        StepResult::Check {
            passed,
            items,
            otherwise,
            ..
        } => {
            let help = otherwise.as_deref().filter(|_| !passed);
            let list = Block::assertions(items);
            list.into_iter().chain(help.map(Block::help)).collect()
        }
        StepResult::Confirm { approved, .. } => holds(approved).into_iter().collect(),
        StepResult::Fix {
            rows: returned,
            changes: found,
            ..
        } => {
            let returned = rows(returned, Show::Table);
            returned.into_iter().chain(changes(found)).collect()
        }
        StepResult::Rollback {
            changes: found,
            conflicts: left,
            ..
        } => changes(found).into_iter().chain(conflicts(left)).collect(),
        StepResult::Command { stdout, stderr, .. } => {
            let texts = [stdout, stderr].into_iter();
            texts.filter_map(|text| Block::output(text)).collect()
        }
        StepResult::Backup(backed) => {
            let manifest = format!("SHA-256 of its manifest: {}", backed.sha256);
            let gone = (!backed.pruned.is_empty()).then(|| backup::gone(&backed.pruned));
            let texts = [Some(manifest), gone].into_iter().flatten();
            let tables = saved(&backed.tables).into_iter();
            tables.chain(texts.map(|text| Block::text(&text))).collect()
        }
        StepResult::Restored(restored) => {
            let aside = restored.aside.as_ref();
            let kept = aside.map(|name| format!("What was there before is kept as {name}."));
            let tables = saved(&restored.tables).into_iter();
            tables.chain(kept.map(|text| Block::text(&text))).collect()
        }
        StepResult::WouldRun => Vec::new(),
    }
}

/// Makes a list of the tables of a backup.
fn saved(tables: &[BackedTable]) -> Option<Block> {
    let column = |name: &str, kind: &str, oid| Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        oid,
        ..Column::default()
    };
    let row = |table: &BackedTable| vec![Some(table.table.clone()), Some(table.rows.to_string())];
    let found = Rows {
        columns: vec![
            column("table", "text", oid::TEXT),
            column("rows", "int8", oid::INT8),
        ],
        rows: tables.iter().map(row).collect(),
        count: amount::long(tables.len()),
    };
    rows(&found, Show::Table)
}

/// Tells which changes a yes holds for.
fn holds(approved: &[Approved]) -> Option<Block> {
    let shown = approved.iter().take(MOST_DIGESTS);
    let mut digests: Vec<String> = shown.map(|approved| approved.digest.clone()).collect();
    let more = approved.len().saturating_sub(MOST_DIGESTS);
    if more > 0 {
        digests.push(format!("{more} more"));
    }
    let words = format!("The yes holds for changes {}.", words::list(&digests));
    (!digests.is_empty()).then(|| Block::text(&words))
}

/// Makes what happened while a step ran.
fn told(aside: &Aside, passage: &Passage) -> Vec<Block> {
    match aside {
        Aside::Waited(blockers) => blockers.iter().map(blocked).collect(),
        Aside::Noticed(message) => vec![Block::text(&format!("notice: {message}"))],
        Aside::Retried(failure, retry, of) => {
            let words = format!("retry {retry} of {of}: {}", failure.message);
            vec![Block::text(&words)]
        }
        Aside::Rehearsed(of, found) => {
            let words = format!("Rehearsed: {}", words::list(of));
            let first = [Block::text(&words)].into_iter();
            first.chain(changes(found)).collect()
        }
        Aside::AtStake(found) => {
            let lines = impact::lines(found).into_iter();
            lines
                .map(|line| Block::text(&format!("{}: {}", line.label, line.text)))
                .collect()
        }
        Aside::Asked(question, typed, show) => {
            let shown = show.and_then(|found| rows(found, Show::Table));
            let asked = Block::Question {
                text: legible(question.trim_end()),
            };
            let typed = typed.map(|text| Block::text(&format!("To be typed for a yes: {text}")));
            shown.into_iter().chain([asked]).chain(typed).collect()
        }
        Aside::OthersAsked(request, until) => vec![Block::text(&approval::asked(request, *until))],
        Aside::Said(standing) => {
            let said = standing.verdicts.iter().map(approval::said);
            said.map(|text| Block::text(&text)).collect()
        }
        // A batch that came to its end says the same by its result.
        Aside::Batch(..) if !passage.is_open() => Vec::new(),
        Aside::Batch(so_far, of) => {
            let words = format!("{so_far} of {} were committed.", amount::rows(*of));
            vec![Block::text(&words)]
        }
        Aside::Committing(transaction) => {
            let words = match (transaction, passage.is_open()) {
                (Some(id), false) => format!("Transaction {id}."),
                (Some(id), true) => format!("COMMIT of transaction {id} was about to be sent."),
                (None, true) => "COMMIT was about to be sent.".to_owned(),
                (None, false) => return Vec::new(),
            };
            vec![Block::text(&words)]
        }
        Aside::RolledBack => vec![Block::text(NOTHING_REMAINS)],
    }
}

fn blocked(blocker: &Blocker) -> Block {
    Block::text(&format!(
        "waited for a lock held by pid {} (user {}): {}",
        blocker.pid,
        blocker.user,
        blocker.query.trim()
    ))
}
