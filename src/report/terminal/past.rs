//! How it is told that a run goes on, how far a batch is, and what was put back.

use std::io;
use std::time::{Duration, Instant};

use super::Terminal;
use crate::engine::backup::Progressing;
use crate::engine::change::Changes;
use crate::report::look::Mark;
use crate::report::status::{Progress, Unit};
use crate::report::step::Told;
use crate::report::undo::{self, Undoing, Undone};

/// How long it is at least between two pictures of how far work is.
const PAUSE: Duration = Duration::from_millis(200);

impl Terminal {
    /// Tells that a run goes on. What was under way when it was cut short begins again, or is found done.
    pub(super) fn resumed(&mut self, actor: &str) -> io::Result<()> {
        self.asking = false;
        self.undoing = None;
        let words = self.look.line().plain("resumed by ").plain(actor);
        let line = self.look.line().gap(2).mark(Mark::Again).gap(1);
        self.print(&[line.then(&words)], 0)
    }

    pub(super) fn advanced(&mut self, count: u64, so_far: u64, of: u64) {
        let from = match &self.progress {
            Some(progress) => progress.from,
            None => so_far.saturating_sub(count),
        };
        self.progress = Some(Progress {
            what: String::new(),
            from,
            so_far,
            of: Some(of),
            unit: Unit::Rows,
        });
    }

    /// Shows how far long work is; not each time, since that would take longer than the work.
    pub(super) fn works(&mut self, progressing: &Progressing) {
        let now = Instant::now();
        let is_soon = |shown: Instant| now.duration_since(shown) < PAUSE;
        let Some(running) = self.running.as_ref().filter(|_| self.live) else {
            return;
        };
        if self.worked_at.is_some_and(is_soon) {
            return;
        }
        self.worked_at = Some(now);
        let line = self.look.line().plain(&progressing.what);
        let progress = Progress {
            what: line.shortened(self.look.edge() / 3).to_string(),
            from: 0,
            so_far: progressing.done,
            of: progressing.of,
            unit: Unit::Bytes,
        };
        self.status.progress(running, &progress);
    }

    pub(super) fn undo_started(&mut self, of: &[String], why: &str) -> io::Result<()> {
        self.leave_loop()?;
        let undoing = Undoing::new(of, why);
        let line = self
            .look
            .line()
            .plain("undo")
            .gap(2)
            .plain(&undoing.names());
        self.running = Some(line.shortened(self.look.edge() / 2).to_string());
        self.undoing = Some(undoing);
        Ok(())
    }

    pub(super) fn undo_finished(&mut self, undone: &Undone, took_ms: f64) -> io::Result<()> {
        let undoing = self.undoing.take().unwrap_or_default();
        // Whoever approved an undo saw its rows then.
        let seen = undoing.of.iter().any(|name| self.rehearsed.contains(name));
        let nothing = Changes::default();
        let changes = if seen && self.is_undo() {
            &nothing
        } else {
            undone.changes
        };
        let undone = Undone { changes, ..*undone };
        let told = undo::told(&undone, self.is_dry(), self.body());
        let names = undoing.names();
        let summary = if names.is_empty() {
            told.summary
        } else {
            self.look
                .line()
                .plain(&names)
                .plain(": ")
                .then(&told.summary)
        };
        let mut body = undo::why(&undoing.why, self.body());
        body.extend(told.body);
        let told = Told {
            summary,
            body,
            ..Told::new(told.mark, told.brief)
        };
        self.step("undo", &told, Some(took_ms))
    }
}
