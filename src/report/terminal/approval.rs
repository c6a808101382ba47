//! How it is told that other people are asked, and what they said.

use std::io;

use super::{INDENT, Terminal};
use crate::engine::event::{EventKind, StepRef};
use crate::report::approval::{asked, said};

impl Terminal {
    pub(super) fn of_others(&mut self, step: &StepRef, kind: &EventKind) -> io::Result<()> {
        self.ask(step)?;
        let told: Vec<String> = match kind {
            EventKind::ApprovalAsked {
                request,
                expires_at,
                ..
            } => vec![asked(request, *expires_at)],
            EventKind::ApprovalSeen { standing, .. } => {
                standing.verdicts.iter().map(said).collect()
            }
            _ => Vec::new(),
        };
        let lines: Vec<_> = told
            .iter()
            .map(|text| self.look.line().plain(text))
            .collect();
        self.print(&lines, INDENT)
    }
}
