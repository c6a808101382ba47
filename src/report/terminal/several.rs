//! How steps are told together: those of an atomic, and the items of a loop.

use std::io;

use super::{INDENT, Terminal};
use crate::base::words;
use crate::engine::change::Changes;
use crate::engine::event::{Item, StepRef};
use crate::report::compact::Compact;
use crate::report::look::{Mark, Tone};
use crate::report::step::{self, Told};
use crate::report::{amount, changes};

impl Terminal {
    /// Adds an item to its loop.
    pub(super) fn worked(
        &mut self,
        name: &str,
        item: &Item,
        told: &Told,
        took_ms: f64,
        changes: Option<&Changes>,
    ) {
        let looped = self
            .looped
            .get_or_insert_with(|| Compact::new(name, Some(item.clone())));
        looped.add(&item.label, told, self.look);
        looped.took_ms += took_ms;
        if let Some(changes) = changes {
            looped.changes.append(changes.clone());
        }
    }

    pub(super) fn committed(
        &mut self,
        step: &StepRef,
        changes: &Changes,
        took_ms: f64,
    ) -> io::Result<()> {
        let Some(atomic) = self.atomic.take() else {
            return Ok(());
        };
        let telling = self.telling(&step.name);
        let text = step::changed(changes.count(), true, telling);
        let summary = self.look.line().plain(&text);
        let mut told = Told::new(Mark::Passed, summary);
        if let Some(item) = &atomic.item {
            told.brief = self.look.line().plain(&amount::rows(changes.count()));
            self.worked(&step.name, item, &told, took_ms, Some(changes));
            return Ok(());
        }
        told.body = atomic.body(self.body());
        if telling.changes {
            let lines = changes::draw(changes, changes::MOST_LINES, self.body());
            told.body.extend(lines);
        }
        self.step(&step.name, &told, Some(took_ms))
    }

    pub(super) fn rolled_back(&mut self, step: &StepRef) -> io::Result<()> {
        let Some(atomic) = self.atomic.take() else {
            // Its failure was told already.
            let line = self.look.line().plain("rolled back, nothing of it remains");
            return self.print(&[line], INDENT);
        };
        let text = match atomic.failed() {
            Some(name) => format!("`{name}` failed: rolled back, nothing of it remains"),
            None => "rolled back, nothing of it remains".to_owned(),
        };
        let told = Told {
            mark: Mark::Failed,
            summary: self.look.line().toned(Tone::Bad, &text),
            brief: self.look.line().toned(Tone::Bad, "rolled back"),
            body: atomic.body(self.body()),
        };
        match &atomic.item {
            Some(item) => {
                self.worked(&step.name, item, &told, 0.0, None);
                Ok(())
            }
            None => self.step(&step.name, &told, None),
        }
    }

    /// Tells of a loop what was done of it.
    fn close_loop(&mut self, mark: Mark, summary: &str) -> io::Result<()> {
        let Some(looped) = self.looped.take() else {
            return Ok(());
        };
        let mut body = looped.body(self.body());
        if self.telling(&looped.name).changes {
            let lines = changes::draw(&looped.changes, changes::MOST_LINES, self.body());
            body.extend(lines);
        }
        let told = Told {
            body,
            ..Told::new(mark, self.look.line().plain(summary))
        };
        self.step(&looped.name, &told, Some(looped.took_ms))
    }

    /// Tells of a loop that did not come to its end.
    pub(super) fn leave_loop(&mut self) -> io::Result<()> {
        let Some(looped) = &self.looped else {
            return Ok(());
        };
        let of = looped.item.as_ref().map_or(looped.count, |item| item.of);
        let text = format!("{} of {of} items", looped.count);
        let mark = if looped.failed().is_some() {
            Mark::Failed
        } else {
            Mark::Warning
        };
        self.close_loop(mark, &text)
    }

    pub(super) fn loop_finished(
        &mut self,
        step: &StepRef,
        items: u64,
        count: u64,
        failed: u64,
    ) -> io::Result<()> {
        let mut text = words::count(items, "item");
        if count > 0 {
            text = format!("{text}, {}", amount::rows(count));
        }
        let mut mark = Mark::Passed;
        if failed > 0 {
            text = format!("{text}, {failed} failed");
            mark = Mark::Warning;
        }
        self.looped
            .get_or_insert_with(|| Compact::new(&step.name, None));
        self.close_loop(mark, &text)
    }
}
