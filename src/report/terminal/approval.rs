//! How it is told that other people are asked, and what they said.

use std::io;

use jiff::Timestamp;

use super::{INDENT, Terminal};
use crate::engine::approval::{Request, Standing};
use crate::engine::event::StepRef;
use crate::report::approval::{asked, said};

impl Terminal {
    pub(super) fn approval_asked(
        &mut self,
        step: &StepRef,
        request: &Request,
        expires_at: Timestamp,
    ) -> io::Result<()> {
        self.ask(step)?;
        let line = self.look.line().plain(&asked(request, expires_at));
        self.print(&[line], INDENT)
    }

    pub(super) fn approval_seen(&mut self, step: &StepRef, standing: &Standing) -> io::Result<()> {
        self.ask(step)?;
        let lines = standing.verdicts.iter().map(said);
        let lines: Vec<_> = lines.map(|text| self.look.line().plain(&text)).collect();
        self.print(&lines, INDENT)
    }
}
