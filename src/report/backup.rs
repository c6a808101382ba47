//! Tells of backups that were made, and of what was restored from one.

use super::amount;
use super::line::{Line, prose};
use super::look::{Look, Mark, Tone};
use super::places::Places;
use super::step::{SUMMARY, Told};
use super::terminal::INDENT;
use crate::base::words;
use crate::engine::backup::{Backed, BackedTable, RestoredInto};
use crate::step::backup::Verify;

/// Draws "5 rows of 3 tables → backups/7f3k-before (2.1 kB, verified)".
pub(super) fn made(backed: &Backed, places: &Places, look: Look) -> Told {
    let path = places.shown(&backed.path);
    let arrow = format!(" {} ", look.glyphs().arrow);
    let facts = [
        words::bytes(backed.bytes),
        match backed.verified {
            Verify::Checksum => "verified".to_owned(),
            Verify::Restore => "restored on trial".to_owned(),
        },
    ];
    let encrypted = backed.encrypted.then(|| "encrypted".to_owned());
    let facts: Vec<String> = facts.into_iter().chain(encrypted).collect();
    let facts = format!(" ({})", facts.join(", "));
    let what = look.line().plain(&holds(backed));
    let to = look.line().dim(&arrow).plain(&path);
    let summary = what.clone().then(&to).dim(&facts);
    let pruned = deleted(&backed.pruned, look);
    let (summary, body) = if fits(&summary, look) {
        (summary, pruned)
    } else {
        let to = look.line().dim(arrow.trim_start()).plain(&path);
        (what.dim(&facts), [vec![to], pruned].concat())
    };
    Told {
        brief: look.line().plain(&amount::rows(backed.rows)),
        body,
        ..Told::new(Mark::Passed, summary)
    }
}

/// Draws what was restored, and where it is.
pub(super) fn restored(restored: &RestoredInto, look: Look) -> Told {
    let arrow = format!(" {} ", look.glyphs().arrow);
    let what = look.line().plain(&came(restored));
    let to = look.line().dim(&arrow).plain(&restored.into);
    let summary = what.clone().then(&to);
    let aside = restored.aside.as_ref();
    let kept = aside.map(|name| {
        look.line()
            .dim("what was there before is kept as ")
            .plain(name)
    });
    let (summary, to) = if fits(&summary, look) {
        (summary, None)
    } else {
        let to = look.line().dim(arrow.trim_start()).plain(&restored.into);
        (what, Some(to))
    };
    Told {
        body: to.into_iter().chain(kept).collect(),
        ..Told::new(Mark::Passed, summary)
    }
}

/// Returns what was restored; that it is of the table that it went to need not be said.
fn came(restored: &RestoredInto) -> String {
    match restored.tables.as_slice() {
        [only] if restored.into.ends_with(&only.table) => amount::rows(restored.rows),
        tables => rows(restored.rows, tables),
    }
}

/// Returns whether a summary has room on the line of its step, with how long it took.
fn fits(summary: &Line, look: Look) -> bool {
    const TOOK: usize = 10;
    look.width
        .is_none_or(|width| summary.width() + TOOK + SUMMARY <= width + INDENT)
}

/// Returns what a backup holds, in words.
fn holds(backed: &Backed) -> String {
    let rows = rows(backed.rows, &backed.tables);
    match backed.holds.as_str() {
        "database" => format!("the database, {rows}"),
        "schema" => "the structure of the database".to_owned(),
        "data" => format!("the data of the database, {rows}"),
        _ => rows,
    }
}

/// Returns "5 rows of 3 tables", "5 rows of users".
fn rows(count: u64, tables: &[BackedTable]) -> String {
    let rows = amount::rows(count);
    match tables {
        [] => rows,
        [only] => format!("{rows} of {}", only.table),
        several => format!(
            "{rows} of {}",
            words::count(amount::long(several.len()), "table")
        ),
    }
}

/// Returns which older ones are gone.
pub(super) fn gone(pruned: &[String]) -> String {
    format!(
        "{} deleted, as `keep` says: {}",
        words::count(amount::long(pruned.len()), "older one"),
        words::list(pruned)
    )
}

fn deleted(pruned: &[String], look: Look) -> Vec<Line> {
    if pruned.is_empty() {
        return Vec::new();
    }
    prose(&look.line(), Tone::Dim, &gone(pruned))
}
