//! What the recorded runs of `backup create` and `backup restore` have in common.

use std::collections::BTreeMap;

use crate::cli::error::CliError;
use crate::cli::{Context, pace, state};
use crate::engine::backup::Seal;
use crate::engine::event::{RunStarted, Shown};
use crate::engine::plan::Plan;
use crate::pg::session::Session;
use crate::record::facts::{Facts, Place};
use crate::record::run::RunRecord;
use crate::report::secret::Redactor;
use crate::sql::risk::Risk;

/// What the history calls a run that makes a backup.
pub(super) const CREATE: &str = "backup create";

/// What the history calls a run that restores one.
pub(super) const RESTORE: &str = pace::RESTORE;

/// How a run begins.
pub(super) struct Beginning<'a> {
    /// Its id.
    pub(super) run: &'a str,
    /// What the history calls it.
    pub(super) runbook: &'a str,
    /// Its title.
    pub(super) title: String,
    /// Whether nothing lasts.
    pub(super) dry_run: bool,
    /// What it was given.
    pub(super) params: Vec<Shown>,
}

/// Returns how a run begins, as it is told.
pub(super) fn started(beginning: &Beginning<'_>, session: &Session, actor: String) -> RunStarted {
    RunStarted {
        run: beginning.run.to_owned(),
        runbook: beginning.runbook.to_owned(),
        title: beginning.title.clone(),
        hash: Plan::hash_of_text(beginning.runbook),
        risk: if beginning.runbook == CREATE {
            Risk::Low
        } else {
            Risk::High
        },
        dry_run: beginning.dry_run,
        actor,
        target: session.target().clone(),
        params: beginning.params.clone(),
        undo_of: None,
        not_rehearsed: Vec::new(),
        glass: None,
    }
}

/// Begins the record of a run.
///
/// # Errors
/// It cannot be written.
pub(super) fn begin(context: &Context<'_>, started: &RunStarted) -> Result<RunRecord, CliError> {
    let facts = Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: started.run.clone(),
        runbook: started.runbook.clone(),
        texts: Vec::new(),
        params: BTreeMap::new(),
        secrets: Vec::new(),
        dry_run: started.dry_run,
        journal: Place::Database,
        target: started.target.clone(),
        actor: started.actor.clone(),
        previous: None,
        salt: String::new(),
        undo_of: None,
    };
    Ok(RunRecord::create(&state::folder(context)?, &facts)?)
}

/// Returns what masks the passphrase.
pub(super) fn redactor(seal: Option<&Seal>) -> Redactor {
    match seal {
        Some(Seal::Passphrase(passphrase)) => Redactor::new([passphrase.reveal().to_owned()]),
        _ => Redactor::default(),
    }
}
