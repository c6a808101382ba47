//! Fixes that could not be put back, looked up in the catalog before a run starts.

use super::session::Session;
use crate::engine::failure::Failure;
use crate::engine::journal::{Terms, Undo};
use crate::runbook::model::{Runbook, Step};
use crate::step::Kind;
use crate::step::fix::{Fix, TransactionMode};
use crate::step::text::Template;

/// Refuses a runbook of which a fix could not be put back though it must be, or of which row-level security
/// may hide rows. Tables that are not there yet are looked at when the fix runs.
///
/// # Errors
/// Every fix with the reason and the way out; or the server's word.
pub async fn refuse(session: &mut Session, runbook: &Runbook) -> Result<(), Vec<Failure>> {
    let mut failures = Vec::new();
    for step in &runbook.steps {
        let Kind::Fix(fix) = &step.kind else {
            continue;
        };
        if fix.command.is_some() || fix.transaction == TransactionMode::None {
            continue;
        }
        let terms = terms(step, fix);
        for sql in &step.sql {
            let why = session
                .why_not_undoable(&sql.statement, &terms)
                .await
                .map_err(|failure| vec![failure])?;
            failures.extend(why.map(|failure| Failure {
                message: format!("`{}`: {}", step.title, failure.message),
                ..failure
            }));
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures)
    }
}

/// Returns what a fix is held to, as far as no value has to be known for it.
fn terms(step: &Step, fix: &Fix) -> Terms {
    let names = fix.tables.iter().flatten().map(Template::text);
    Terms {
        step: step.id,
        undo: match (fix.is_never_undone(), step.undo.is_empty()) {
            (true, _) => Undo::Never,
            (false, true) => Undo::Images,
            (false, false) => Undo::Statements,
        },
        tables: fix.tables.is_some().then(|| {
            names
                .filter(|name| !name.contains("{{"))
                .map(str::to_owned)
                .collect()
        }),
        ignore: Vec::new(),
        row_security: fix.row_security,
    }
}
