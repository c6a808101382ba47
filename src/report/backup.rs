//! Tells of backups that were made, and of what was restored from one.

use super::amount;
use super::line::Line;
use super::look::{Look, Mark};
use super::places::Places;
use super::step::Told;
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
    let summary = look
        .line()
        .plain(&holds(backed))
        .dim(&arrow)
        .plain(&path)
        .dim(&format!(" ({})", facts.join(", ")));
    let pruned = (!backed.pruned.is_empty()).then(|| deleted(&backed.pruned, look));
    Told {
        brief: look.line().plain(&amount::rows(backed.rows)),
        body: pruned.into_iter().collect(),
        ..Told::new(Mark::Passed, summary)
    }
}

/// Draws what was restored, and where it is.
pub(super) fn restored(restored: &RestoredInto, look: Look) -> Told {
    let arrow = format!(" {} ", look.glyphs().arrow);
    let summary = look
        .line()
        .plain(&rows(restored.rows, &restored.tables))
        .dim(&arrow)
        .plain(&restored.into);
    let aside = restored.aside.as_ref();
    let kept = aside.map(|name| {
        look.line()
            .dim("what was there before is kept as ")
            .plain(name)
    });
    Told {
        body: kept.into_iter().collect(),
        ..Told::new(Mark::Passed, summary)
    }
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

fn deleted(pruned: &[String], look: Look) -> Line {
    look.line().dim(&gone(pruned))
}
