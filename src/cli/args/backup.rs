//! What `backup` and its own commands are asked.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Journal, ListOutput, Told};
use crate::step::backup::{DatabaseBackup, Keep, Verify};

/// What `backup` is asked.
#[derive(Clone, Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct BackupArgs {
    /// The folder of all backups; without it `$RUNBOOK_BACKUPS`, then `backups` beside the records of runs
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// What is done.
    #[command(subcommand)]
    pub command: BackupCommand,
}

/// The commands about backups.
#[derive(Clone, Debug, Subcommand)]
pub enum BackupCommand {
    /// Saves the database, tables or rows, and reads all of it back before it counts
    Create(CreateArgs),
    /// Lists backups: what each holds, how old it is, and how good
    List(BackupListArgs),
    /// Shows all that is known of a backup, and how to restore it
    Show(BackupShowArgs),
    /// Proves again that backups are good, by reading or by restoring them
    Verify(VerifyArgs),
    /// Restores a backup: into a new database, unless something else is said
    Restore(RestoreArgs),
    /// Deletes old backups, after showing which and why
    Prune(PruneArgs),
    /// Has a backup be kept for ever
    Pin(PinArgs),
    /// Has a backup be kept no longer than others
    Unpin(UnpinArgs),
}

/// What `backup create` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct CreateArgs {
    /// The name that it shares with earlier and later ones; without it the name of the database
    pub name: Option<String>,
    /// A table to save, all of it (repeatable)
    #[arg(long = "table", value_name = "TABLE", conflicts_with_all = ["rows", "database"])]
    pub tables: Vec<String>,
    /// Rows to save: a table, and a predicate that finds them (repeatable)
    #[arg(long, value_name = "TABLE=PREDICATE", value_parser = super::rows, conflicts_with = "database")]
    pub rows: Vec<(String, String)>,
    /// What of the database to save: full, schema or data; full where nothing else is said
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    pub database: Option<OfDatabase>,
    /// How it is verified: by checksum, which reads all of it back, or by restore, on trial as well
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value = "checksum",
        hide_possible_values = true
    )]
    pub verify: How,
    /// Keeps this many of the newest good ones of its name, and deletes older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_last: Option<u32>,
    /// Keeps those of its name that are younger, in days, and deletes older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_days: Option<u32>,
    /// How many connections work at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Encrypts it for who has the private key to this public one, age1… (repeatable)
    #[arg(long = "recipient", value_name = "age1…", conflicts_with_all = ["passphrase", "passphrase_file"])]
    pub recipients: Vec<String>,
    /// Encrypts it by a passphrase, which is asked for
    #[arg(long, conflicts_with = "passphrase_file")]
    pub passphrase: bool,
    /// Encrypts it by the passphrase that is the first line of a file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Has it be kept for ever, and says why
    #[arg(long, value_name = "WHY")]
    pub pin: Option<String>,
    /// How it is told.
    #[command(flatten)]
    pub told: Told,
}

/// What of a database is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OfDatabase {
    /// Structure and data.
    Full,
    /// The structure alone.
    Schema,
    /// The data alone.
    Data,
}

impl From<OfDatabase> for DatabaseBackup {
    fn from(of: OfDatabase) -> Self {
        match of {
            OfDatabase::Full => Self::Full,
            OfDatabase::Schema => Self::Schema,
            OfDatabase::Data => Self::Data,
        }
    }
}

/// How a backup is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// By reading all of it back.
    #[default]
    Checksum,
    /// By restoring it on trial.
    Restore,
}

impl From<How> for Verify {
    fn from(how: How) -> Self {
        match how {
            How::Checksum => Self::Checksum,
            How::Restore => Self::Restore,
        }
    }
}

/// Returns how long backups are kept, where that is said.
pub(in crate::cli) fn keep(last: Option<u32>, days: Option<u32>) -> Option<Keep> {
    (last.is_some() || days.is_some()).then_some(Keep { last, days })
}

/// What opens encrypted backups.
#[derive(Clone, Debug, Default, Args)]
pub struct OpenArgs {
    /// A file of private keys of age, for what is encrypted (repeatable)
    #[arg(long = "identity", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub identities: Vec<PathBuf>,
    /// A file whose first line is the passphrase of what is encrypted by one
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
}

/// What `backup list` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupListArgs {
    /// Only backups of these names
    pub names: Vec<String>,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `backup show` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupShowArgs {
    /// The backup: its id, the first letters of it, or its name for the newest good one
    pub backup: String,
    /// How it is printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `backup verify` is asked.
#[derive(Clone, Debug, Default, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct VerifyArgs {
    /// The backups: ids, the first letters of them, or names for the newest good ones
    #[arg(group = "which")]
    pub backups: Vec<String>,
    /// Verifies all backups
    #[arg(long, group = "which")]
    pub all: bool,
    /// Restores them on trial as well, where that harms nobody, and compares
    #[arg(long)]
    pub restore: bool,
    /// What opens them.
    #[command(flatten)]
    pub open: OpenArgs,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `backup restore` is asked.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Clone, Debug, Default, Args)]
#[command(group = ArgGroup::new("where").args(["into", "in_place", "as_name", "merge"]))]
pub struct RestoreArgs {
    /// The backup: its id, the first letters of it, or its name for the newest good one
    pub backup: String,
    /// Restores into a new database of this name; without it `DATABASE_restored_DATE`
    #[arg(long, value_name = "DATABASE")]
    pub into: Option<String>,
    /// Replaces what is there: the tables, or the whole database, after the database's name is typed
    #[arg(long)]
    pub in_place: bool,
    /// Only this table (repeatable)
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Restores the one table beside the live one, as a new table of this name
    #[arg(long = "as", value_name = "NAME", requires = "tables")]
    pub as_name: Option<String>,
    /// Puts single rows back that differ or are gone, after showing them
    #[arg(long)]
    pub merge: bool,
    /// What becomes of rows that someone changed since: stop, skip or overwrite
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "stop",
        hide_possible_values = true
    )]
    pub on_conflict: Conflicts,
    /// Shows what would be restored, and leaves everything as it is
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask, where a yes is enough: never in place
    #[arg(short, long)]
    pub yes: bool,
    /// Confirms --in-place ahead: the name of the database whose contents are replaced
    #[arg(long, value_name = "DATABASE", requires = "in_place")]
    pub confirm: Option<String>,
    /// In an emergency: goes on without what the target's policy demands, where it allows you to; the reason is recorded
    #[arg(
        long,
        value_name = "REASON",
        requires = "in_place",
        conflicts_with = "dry_run"
    )]
    pub break_glass: Option<String>,
    /// How many connections work at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Where it is noted that rows were put back, where the target does not say it: database, or local where no schema
    /// may be created (default: database)
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    pub journal: Option<Journal>,
    /// What opens it.
    #[command(flatten)]
    pub open: OpenArgs,
    /// How it is told.
    #[command(flatten)]
    pub told: Told,
}

/// What becomes of rows that someone changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Conflicts {
    /// Nothing is put back.
    #[default]
    Stop,
    /// They are left as they are, and the others put back.
    Skip,
    /// They are put back as well.
    Overwrite,
}

/// What `backup prune` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct PruneArgs {
    /// Only backups of this name, or only the one of this id
    pub backup: Option<String>,
    /// Keeps this many of the newest good ones of each name
    #[arg(long, value_name = "N")]
    pub keep_last: Option<u32>,
    /// Keeps those that are younger, in days
    #[arg(long, value_name = "N")]
    pub keep_days: Option<u32>,
    /// Shows which would be deleted, and deletes none
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Also deletes the one that is named by its id where it is the only good one of its name, after that id is
    /// typed
    #[arg(long, requires = "backup")]
    pub even_the_last: bool,
    /// Confirms --even-the-last ahead: the id of the backup
    #[arg(long, value_name = "ID", requires = "even_the_last")]
    pub confirm: Option<String>,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `backup pin` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct PinArgs {
    /// The backup: its id, the first letters of it, or its name for the newest good one
    #[arg(index = 1)]
    pub backup: String,
    /// Why it is kept
    #[arg(index = 2)]
    pub why: Vec<String>,
}

/// What `backup unpin` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct UnpinArgs {
    /// The backup: its id, or the first letters of it
    pub backup: String,
}
