//! Writes a run as JSON: one event a line.

use std::io::{self, Write};

use crate::engine::event::{Event, Sink};

/// Writes events as JSON, each at once.
pub struct Json<W>(W);

impl<W: Write> Json<W> {
    /// Returns a sink that writes to `out`.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Sink for Json<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        self.0.flush()
    }
}
