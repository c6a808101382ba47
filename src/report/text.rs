//! A past run as text: as the run itself told it.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::places::Places;
use super::status::NoStatus;
use super::story;
use super::terminal::{Terminal, TerminalOptions};
use crate::engine::event::{Event, Sink};

/// Tells a run, as far as it came.
///
/// # Errors
/// None that memory does not make.
pub fn draw(
    events: &[Event],
    still_runs: bool,
    options: TerminalOptions,
    places: Places,
) -> io::Result<String> {
    let paper = Paper::default();
    let terminal = Terminal::new(options, Box::new(paper.clone()), Box::new(NoStatus));
    let mut terminal = terminal.at(places);
    for event in events {
        terminal.take(event)?;
    }
    if !story::is_over(events) {
        terminal.cut_short(still_runs)?;
    }
    let bytes = paper.0.take();
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
