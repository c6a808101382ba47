//! Keeps what the run of a case tells: its words, and its events.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::event::{Event, Sink};

/// What a run says.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// Takes what was said up to now.
    pub(super) fn take(&self) -> String {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *said)).into_owned()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps the events that another one is told.
pub(super) struct Hearing {
    pub(super) events: Rc<RefCell<Vec<Event>>>,
    pub(super) sink: Box<dyn Sink>,
}

impl Sink for Hearing {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        self.events.borrow_mut().push(event.clone());
        self.sink.take(event)
    }
}
