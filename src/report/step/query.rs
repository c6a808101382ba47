//! Draws what a query came to.

use super::Told;
use crate::base::words;
use crate::engine::event::Saved;
use crate::report::look::{Look, Mark, Tone};
use crate::report::{amount, table};
use crate::runbook::data::Rows;
use crate::step::query::Show;

/// Draws rows, the guard that they missed, and the file that they are in.
pub(super) fn told(
    rows: &Rows,
    show: Show,
    missed: Option<&str>,
    saved: Option<&Saved>,
    look: Look,
) -> Told {
    let count = look.line().plain(&amount::rows(rows.count));
    let body = table::draw(rows, show, table::MOST_ROWS, look);
    let told = match missed {
        None => Told::new(Mark::Passed, count),
        Some(guard) => {
            let wanted = format!(", where `rows: {guard}` is wanted");
            Told::new(Mark::Failed, count.toned(Tone::Bad, &wanted))
        }
    };
    let mut told = told.body(body);
    if let Some(saved) = saved {
        told.summary = told.summary.plain(&written(saved, look));
    }
    told
}

/// Returns " → exports/users.csv (1.2 kB)".
fn written(saved: &Saved, look: Look) -> String {
    let size = match saved.sha256 {
        Some(_) => words::bytes(saved.bytes),
        None => "would be written".to_owned(),
    };
    format!(" {} {} ({size})", look.glyphs().arrow, saved.path)
}
