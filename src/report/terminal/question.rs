//! How a confirm is told: what would change, the question, and the answer.

use std::io;

use super::{INDENT, Terminal};
use crate::base::words;
use crate::engine::change::Changes;
use crate::engine::event::{EventKind, StepRef};
use crate::engine::impact::Impact;
use crate::report::line::prose;
use crate::report::look::{Mark, Tone};
use crate::report::step::Told;
use crate::report::{changes, impact, table};
use crate::step::query::Show;

/// What is at stake stands at this column.
const LABEL: usize = 15;

impl Terminal {
    pub(super) fn ask(&mut self, step: &StepRef) -> io::Result<()> {
        if !std::mem::replace(&mut self.asking, true) {
            self.step(&step.name, &Told::new(Mark::Asks, self.look.line()), None)?;
        }
        Ok(())
    }

    pub(super) fn rehearsed(
        &mut self,
        step: &StepRef,
        of: &[String],
        found: &Changes,
    ) -> io::Result<()> {
        self.ask(step)?;
        self.rehearsed.extend(of.iter().cloned());
        let verb = if of.len() == 1 { "changes" } else { "change" };
        let what = match (found.tables.as_slice(), found.unseen.as_slice()) {
            ([], []) => "nothing".to_owned(),
            ([], _) => "what cannot be shown in rows".to_owned(),
            _ => changes::summary(found),
        };
        let names = words::list(of);
        let text = if self.is_undo() {
            format!("putting back {names} changes {what}")
        } else {
            format!("{names} {verb} {what}")
        };
        self.print(&[self.look.line().plain(&text)], INDENT)?;
        let lines = changes::draw_full(found, self.look.inside(INDENT + 2));
        self.print(&lines, INDENT + 2)
    }

    /// Draws what is at stake.
    fn at_stake(&mut self, found: &Impact) -> io::Result<()> {
        let body = self.body();
        let lines = impact::lines(found).into_iter().flat_map(|line| {
            let label = body.line().dim(line.label).to(LABEL);
            let tone = if line.loud { Tone::Bad } else { Tone::Plain };
            prose(&label, tone, &line.text)
        });
        let lines: Vec<_> = lines.collect();
        self.print(&lines, INDENT)
    }

    pub(super) fn asked(&mut self, step: &StepRef, kind: &EventKind) -> io::Result<()> {
        let EventKind::Asked {
            question,
            show,
            impact,
            ..
        } = kind
        else {
            return Ok(());
        };
        self.ask(step)?;
        if let Some(rows) = show {
            let lines = table::draw(rows, Show::Table, table::MOST_ROWS, self.body());
            self.print(&lines, INDENT)?;
        }
        if let Some(found) = impact {
            self.at_stake(found)?;
        }
        self.print(&prose(&self.body().line(), Tone::Ask, question), INDENT)
    }
}
