//! Tells people and programs what a run does. Every reporter is a [`Sink`](crate::engine::event::Sink): it
//! consumes events, and knows neither the database nor the command line, so that a recorded run is told by
//! the same words as a live one.
//!
//! - [`terminal`] draws a run for a person: a line a step, tables, row changes, the ending.
//! - [`json`] writes one event a line; [`quiet`] says only how it ended and what went wrong.
//! - [`secret`] masks secrets before a sink can see them.
//! - [`page`] makes a past run a page, which [`markdown`] and [`html`] draw; [`graph`] marks its way in the
//!   picture of its runbook.
//! - [`export`] writes rows for other programs, as CSV and JSON lines.
//! - [`table`], [`changes`] and [`failure`] draw rows, row changes and failures, also for commands that run
//!   nothing.
//!
//! Everything drawn is made of [`line::Line`]s, and text becomes harmless when it enters one: whatever a
//! database holds, it can neither move the cursor nor colour the terminal.

mod amount;
pub mod approval;
mod backup;
pub mod changes;
mod chart;
mod compact;
mod database;
mod ending;
pub mod export;
pub mod failure;
mod glass;
pub mod graph;
mod header;
pub mod html;
mod impact;
pub mod json;
pub mod line;
pub mod look;
pub mod markdown;
mod mask;
pub mod page;
pub mod places;
pub mod quiet;
mod record;
pub mod secret;
pub mod status;
mod step;
pub mod story;
pub mod table;
pub mod terminal;
pub mod text;
mod undo;

#[cfg(test)]
mod tests;
