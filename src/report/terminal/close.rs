//! How a run ends, and what is told of one that did not come to its end.

use std::io;

use super::Terminal;
use crate::engine::event::RunFinished;
use crate::report::ending;
use crate::report::look::{Mark, Tone};
use crate::report::step::Told;

impl Terminal {
    /// Tells what was under way and did not come to its end.
    fn unfinished(&mut self) -> io::Result<()> {
        if let Some(atomic) = self.atomic.take() {
            let summary = self
                .look
                .line()
                .toned(Tone::Warn, "did not come to its end");
            let body = atomic.body(self.body());
            let told = Told {
                body,
                ..Told::new(Mark::Warning, summary)
            };
            self.step(&atomic.name, &told, None)?;
        }
        self.leave_loop()
    }

    pub(super) fn run_finished(&mut self, finished: &RunFinished) -> io::Result<()> {
        self.unfinished()?;
        self.print(&[self.look.line()], 0)?;
        self.print(&ending::draw(finished, self.begun.as_ref(), self.look), 0)
    }

    /// Tells that the run ends here although it did not come to its end.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn cut_short(&mut self, still_runs: bool) -> io::Result<()> {
        self.pause();
        self.unfinished()?;
        let blank = self.look.line();
        let words = if still_runs {
            self.look.line().toned(Tone::Warn, "It still runs.")
        } else {
            let line = self.look.line().toned(Tone::Warn, "It was cut short here.");
            match self.begun.as_ref().and_then(ending::go_on) {
                Some(command) => line.gap(1).plain(&command),
                None => line,
            }
        };
        self.print(&[blank, words], 0)?;
        self.out.flush()
    }
}
