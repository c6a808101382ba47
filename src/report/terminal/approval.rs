//! How it is told that other people are asked, and what they said.

use std::io;

use super::{INDENT, Terminal};
use crate::engine::event::EventKind;
use crate::report::approval::{asked, said};
use crate::report::line::prose;
use crate::report::look::Tone;

impl Terminal {
    pub(super) fn others(&mut self, kind: &EventKind) -> io::Result<()> {
        let (step, told): (_, Vec<String>) = match kind {
            EventKind::ApprovalAsked {
                step,
                request,
                expires_at,
            } => (step, vec![asked(request, *expires_at)]),
            EventKind::ApprovalSeen { step, standing } => {
                (step, standing.verdicts.iter().map(said).collect())
            }
            _ => return Ok(()),
        };
        self.ask(step)?;
        let label = self.body().line();
        let lines: Vec<_> = told
            .iter()
            .flat_map(|text| prose(&label, Tone::Plain, text))
            .collect();
        self.print(&lines, INDENT)
    }
}
