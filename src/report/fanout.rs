//! Tells several sinks of a run.

use std::io;

use crate::engine::event::{Event, Sink};

/// Sinks that all see every event, also when one of them fails.
pub struct Fanout(pub Vec<Box<dyn Sink>>);

impl Sink for Fanout {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let mut told = Ok(());
        for sink in &mut self.0 {
            told = told.and(sink.take(event));
        }
        told
    }
}
