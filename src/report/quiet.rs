//! Says only what went wrong, and what an author says at the end.

use std::io::{self, Write};

use super::line::Line;
use super::look::Look;
use super::{ending, failure, glass, undo};
use crate::engine::event::{Event, EventKind, RunStarted, Sink, StepResult};
use crate::engine::outcome::Outcome;

/// Says how a run ended; nothing when it went well and its author has nothing to say.
pub struct Quiet {
    look: Look,
    begun: Option<RunStarted>,
    out: Box<dyn Write>,
}

impl Quiet {
    /// Returns a sink that writes to `out`.
    pub fn new(look: Look, out: Box<dyn Write>) -> Self {
        Self {
            look,
            begun: None,
            out,
        }
    }
}

impl Sink for Quiet {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let lines: Vec<Line> = match &event.kind {
            EventKind::RunStarted(started) => {
                self.begun = Some(started.as_ref().clone());
                return Ok(());
            }
            EventKind::UndoFinished {
                conflicts, failure, ..
            } => {
                let mut lines = undo::conflicts(conflicts, self.look);
                if let Some(failure) = failure {
                    lines.extend(failure::draw(failure, self.look));
                }
                lines
            }
            EventKind::StepFinished {
                result: StepResult::Rollback { conflicts, .. },
                ..
            } => undo::conflicts(conflicts, self.look),
            EventKind::StepFailed { failure, .. } => failure::draw(failure, self.look),
            // That is never quiet.
            EventKind::BrokeGlass { reason, by, lifted } => {
                glass::draw(reason, by, lifted, self.look)
            }
            EventKind::RunFinished(finished) => match finished.outcome {
                Outcome::Done | Outcome::Nothing => ending::says(finished, self.look),
                _ => ending::draw(finished, self.begun.as_ref(), self.look),
            },
            _ => return Ok(()),
        };
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}
