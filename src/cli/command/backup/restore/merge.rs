//! Single rows are put back, as an undo does it: shown first, asked about, and never over what someone changed since.

use super::Restoring;
use crate::cli::args::{Conflicts, RestoreArgs};
use crate::cli::error::CliError;
use crate::cli::{Context, connection, state};
use crate::engine::backup::FromBackup;
use crate::engine::event::RunStarted;
use crate::engine::journal::{Entry, Unit};
use crate::engine::undo::{Request, Way, Words, Work, Works};
use crate::pg::session::Session;
use crate::pg::session::journal::{Keeping, Writer};
use crate::record::facts::Place;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

/// Returns who writes the journal.
///
/// # Errors
/// There is no folder of records, or the target keeps its journal elsewhere than the command line says.
pub(super) fn writer(
    context: &Context<'_>,
    args: &RestoreArgs,
    started: &RunStarted,
    session: &Session,
) -> Result<Writer, CliError> {
    Ok(Writer {
        run: started.run.clone(),
        runbook: started.runbook.clone(),
        hash: started.hash.clone(),
        actor: started.actor.clone(),
        keeping: match connection::journal(session, args.journal)? {
            Place::Database => Keeping::Database,
            Place::Local => Keeping::Local(state::folder(context)?.join("runs")),
        },
    })
}

/// Returns what is asked of the undo that this is.
pub(super) fn request(
    restoring: &Restoring<'_>,
    started: RunStarted,
    tables: Option<Vec<String>>,
) -> Request {
    let manifest = restoring.manifest();
    let made_by = &manifest.made_by;
    let conflicts = restoring.args.on_conflict;
    let unit = Unit {
        step: StepId(0),
        item: None,
        part: 0,
    };
    let work = Work {
        entry: Entry {
            run: started.run.clone(),
            unit,
            name: "restore".to_owned(),
            undo: false,
        },
        unit,
        ways: vec![Way::Backup(FromBackup {
            path: restoring.found.folder.clone(),
            tables,
            // What the run of a runbook changed after its own backup is what the backup was made for.
            run: made_by.run.clone().filter(|_| made_by.step.is_some()),
            emptied: Vec::new(),
            overwrite: conflicts == Conflicts::Overwrite,
        })],
        in_part: false,
        covers: Vec::new(),
    };
    let again = again(restoring);
    Request {
        started,
        works: Works {
            works: vec![work],
            ..Works::default()
        },
        on_conflict: match conflicts {
            Conflicts::Skip => OnConflict::Skip,
            Conflicts::Stop | Conflicts::Overwrite => OnConflict::Stop,
        },
        nothing: "all rows are as they were saved".to_owned(),
        words: Words {
            why: format!("rows of the backup {} are put back", manifest.id),
            way_out: format!(
                ".\nTo leave what was changed, and put back the others: {again} --on-conflict skip\n\
                 To put all of them back: {again} --on-conflict overwrite"
            ),
        },
    }
}

/// Returns the command that was given, for another answer to the same question.
fn again(restoring: &Restoring<'_>) -> String {
    let args = restoring.args;
    let tables = args.tables.iter().map(|table| format!(" --table {table}"));
    let merge = if args.merge { " --merge" } else { "" };
    let tables: String = tables.collect();
    format!("{}{merge}{tables}", restoring.command())
}
