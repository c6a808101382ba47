//! Draws rows as bars: the first column names them, the last one is their length.

use super::line::Line;
use super::look::{Look, Tone};
use super::table::{GAP, cell};
use crate::runbook::data::Rows;

/// Longer bars tell no more.
const LONGEST_BAR: usize = 40;

/// Longer names leave no room for bars.
const LONGEST_NAME: usize = 32;

/// Draws at most `most` rows.
pub(super) fn draw(rows: &Rows, most: usize, look: Look) -> Vec<Line> {
    let shown = || rows.rows.iter().take(most);
    let name = |row: &Vec<Option<String>>| match row.first() {
        Some(name) if row.len() > 1 => {
            let name = cell(name.as_deref(), look);
            match look.width {
                Some(_) => name.shortened(LONGEST_NAME),
                None => name,
            }
        }
        _ => look.line(),
    };
    let value = |row: &Vec<Option<String>>| match row.last() {
        Some(value) => cell(value.as_deref(), look),
        None => look.line(),
    };
    let widest = |of: &dyn Fn(&Vec<Option<String>>) -> Line| {
        shown().map(|row| of(row).width()).fold(0, usize::max)
    };
    let (name_width, value_width) = (widest(&name), widest(&value));
    let longest = shown().filter_map(|row| length(row)).fold(0.0, f64::max);
    let room = look.width.map_or(LONGEST_BAR, |width| {
        width
            .saturating_sub(name_width + value_width + 2 * GAP)
            .min(LONGEST_BAR)
    });
    let draw = |row| {
        let (name, value) = (name(row), value(row));
        let start = if name_width == 0 { 0 } else { name_width + GAP };
        let line = look
            .line()
            .then(&name)
            .to(start + value_width - value.width());
        let line = line.then(&value).gap(GAP);
        match length(row) {
            Some(length) => line.toned(Tone::Ask, &bar(length / longest, room, look)),
            None => line,
        }
    };
    shown().map(draw).collect()
}

/// Returns the length of a row's bar, where it has one.
fn length(row: &[Option<String>]) -> Option<f64> {
    let value: f64 = row.last()?.as_deref()?.parse().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// Returns a bar that fills a share of the room.
fn bar(share: f64, room: usize, look: Look) -> String {
    let bars = look.glyphs().bars;
    let parts = bars.len();
    let most = room * parts;
    // The share is found by counting: exact at both ends, and no number can be out of range.
    let filled = (1..=most)
        .take_while(|part| fraction(*part, most) <= share + f64::EPSILON)
        .count()
        .max(1);
    let whole = bars[parts - 1].repeat(filled / parts);
    match filled % parts {
        0 => whole,
        rest => whole + bars[rest - 1],
    }
}

fn fraction(part: usize, whole: usize) -> f64 {
    let small = |number: usize| u32::try_from(number).map_or(f64::MAX, f64::from);
    small(part) / small(whole)
}
