//! Watches what a run tells: whether anything was committed, and whether anybody still sees it.

use std::cell::Cell;
use std::rc::Rc;

use crate::engine::backup::Progressing;
use crate::engine::cancel::Canceller;
use crate::engine::event::{Event, EventKind, Sink, StepResult};

/// Remembers whether anything was committed, whether that could be told or not; and cancels the run when its
/// terminal is gone: then it ends as it does by Ctrl-C, told to the record alone.
pub(super) struct Watching {
    pub(super) committed: Rc<Cell<bool>>,
    pub(super) canceller: Rc<Canceller>,
    pub(super) terminal: bool,
    pub(super) gone: bool,
    pub(super) sink: Box<dyn Sink>,
}

impl Watching {
    fn pass_on(&mut self, event: &Event) -> std::io::Result<()> {
        if self.gone {
            return Ok(());
        }
        match self.sink.take(event) {
            Err(error) if self.terminal && is_hung_up(&error) => {
                self.gone = true;
                self.canceller.cancel();
                Ok(())
            }
            taken => taken,
        }
    }
}

/// Returns whether an error says that the terminal is gone.
fn is_hung_up(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
}

impl Sink for Watching {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        let committed = match &event.kind {
            EventKind::AtomicCommitted { .. } | EventKind::BatchCommitted { .. } => true,
            EventKind::StepFinished {
                result: StepResult::Fix { committed, .. },
                ..
            } => *committed,
            _ => false,
        };
        self.committed.set(self.committed.get() || committed);
        self.pass_on(event)
    }

    fn progress(&mut self, progressing: &Progressing) {
        if !self.gone {
            self.sink.progress(progressing);
        }
    }
}
