//! How what comes in between is told: waiting for a lock, notices, and retries.

use std::io;

use super::{INDENT, Terminal};
use crate::engine::event::{Blocker, StepRef};
use crate::engine::failure::Failure;
use crate::report::line::paragraph;
use crate::report::look::{Mark, Tone};
use crate::report::step::{self, Told};

impl Terminal {
    pub(super) fn lock_waited(&mut self, step: &StepRef, blockers: &[Blocker]) -> io::Result<()> {
        for blocker in blockers {
            let who = format!("pid {} (user {})", blocker.pid, blocker.user);
            let text = format!("waiting for a lock held by {who}: {}", blocker.query.trim());
            let line = self.look.line().toned(Tone::Warn, &text);
            let line = match self.look.width {
                Some(width) => line.shortened(width.saturating_sub(step::SUMMARY)),
                None => line,
            };
            self.step(&step.name, &Told::new(Mark::Warning, line), None)?;
        }
        Ok(())
    }

    pub(super) fn noticed(&mut self, message: &str) -> io::Result<()> {
        let label = self.look.line().dim("notice: ");
        self.print(&paragraph(&label, Tone::Dim, message), INDENT)
    }

    pub(super) fn retried(
        &mut self,
        step: &StepRef,
        failure: &Failure,
        words: &str,
    ) -> io::Result<()> {
        let text = format!("{words}: {}", failure.message);
        let summary = self.look.line().toned(Tone::Warn, &text);
        self.step(&step.name, &Told::new(Mark::Again, summary), None)
    }
}
