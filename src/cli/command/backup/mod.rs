//! `runbook backup`: its own commands, one a file.

mod after;
mod create;
mod list;
mod pin;
mod prune;
mod record;
mod restore;
mod show;
mod verify;

pub(in crate::cli) use after::{instead_of_resuming, instead_of_undoing};

use crate::cli::Context;
use crate::cli::args::{BackupArgs, BackupCommand};
use crate::cli::error::CliError;

/// Does one of its commands.
///
/// # Errors
/// Those of the command.
pub fn run(context: &Context<'_>, args: &BackupArgs) -> Result<u8, CliError> {
    let folder = args.folder.as_deref();
    match &args.command {
        BackupCommand::Create(args) => create::run(context, folder, args),
        BackupCommand::List(args) => list::run(context, folder, args),
        BackupCommand::Show(args) => show::run(context, folder, args),
        BackupCommand::Verify(args) => verify::run(context, folder, args),
        BackupCommand::Restore(args) => restore::run(context, folder, args),
        BackupCommand::Prune(args) => prune::run(context, folder, args),
        BackupCommand::Pin(args) => pin::pin(context, folder, args),
        BackupCommand::Unpin(args) => pin::unpin(context, folder, args),
    }
}
