//! The command line: one enum of all commands, and the flags of the runbook that is named.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::error::CliError;
use super::look::When;

mod authoring;
mod backup;
mod parameters;
mod past;
mod scan;
mod shell;
mod target;
mod tool;

pub use authoring::{
    CheckArgs, Coverage, FindArgs, Format, GraphFormat, ListArgs, ListOutput, NewArgs, ShowArgs,
    Template, TestArgs,
};
pub(super) use backup::keep;
pub use backup::{
    BackupArgs, BackupCommand, BackupListArgs, BackupShowArgs, Conflicts, CreateArgs, How,
    OfDatabase, OpenArgs, PinArgs, PruneArgs, RestoreArgs, UnpinArgs, VerifyArgs,
};
pub(super) use parameters::literal;
pub use parameters::{facts, flag, flag_of};
pub use past::{
    AuditArgs, AuditWhat, HistoryArgs, InitArgs, ReportArgs, ReportFormat, ResumeArgs, UndoArgs,
};
pub(super) use scan::{Scan, scan};
pub use shell::complete;
pub(super) use shell::script;
pub use target::{ApproveArgs, AuditExport, CancelArgs, DoctorArgs, TargetsArgs};
pub use tool::{CompletionsArgs, HelpArgs, ManArgs, SchemaArgs, SchemaOf};

/// Runs runbooks on PostgreSQL: what they will do is shown, rehearsed, asked about and checked.
#[derive(Debug, Parser)]
#[command(
    name = "runbook",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "`runbook help exit-codes` says what exit codes mean. To try it without a database of your own: runbook demo"
)]
pub struct Cli {
    /// The flags that every command has.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags that every command has.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// A folder of runbooks, searched before all others (repeatable)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options", value_hint = clap::ValueHint::DirPath)]
    pub runbooks: Vec<PathBuf>,
    /// The database: the name of a target in runbook.yaml (see `runbook targets`), or a connection URL
    #[arg(
        long,
        global = true,
        value_name = "TARGET",
        help_heading = "Global options"
    )]
    pub target: Option<String>,
    /// The database: a connection URL; without it `$DATABASE_URL`, then runbook.yaml, then libpq's variables
    #[arg(
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "target",
        help_heading = "Global options"
    )]
    pub database_url: Option<String>,
    /// The folder of the records of runs; without it `$RUNBOOK_STATE`, then the user's state folder
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options", value_hint = clap::ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// Whether output has colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    pub color: When,
}

impl Global {
    /// Returns whether the command line names a database.
    pub fn names_database(&self) -> bool {
        self.target.is_some() || self.database_url.is_some()
    }

    /// Returns the same flags for a target by its name.
    #[must_use]
    pub fn of_target(&self, name: &str) -> Self {
        Self {
            target: Some(name.to_owned()),
            database_url: None,
            ..self.clone()
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a runbook
    Run(RunArgs),
    /// Shows what a run would do, without a connection
    Plan(PlanArgs),
    /// Checks runbooks: everything that can be proved without a database
    Check(CheckArgs),
    /// Runs the tests of runbooks, on scratch databases
    Test(TestArgs),
    /// Lists the runbooks: what to use for what
    List(ListArgs),
    /// Finds the runbook for a problem that is told in your own words
    Find(FindArgs),
    /// Shows a runbook: parameters, steps, risk, what it touches
    Show(ShowArgs),
    /// Writes a new runbook to begin with
    New(NewArgs),
    /// Answers one question in SQL; nothing can be changed by it
    Query(QueryArgs),
    /// Opens a shell for questions in SQL; nothing can be changed in it
    Shell(ShellArgs),
    /// Says whether the database is well, or why it cannot be reached
    Health(HealthArgs),
    /// Goes on with a run that was cut short
    Resume(ResumeArgs),
    /// Puts back the rows that a run changed
    Undo(UndoArgs),
    /// Makes backups, proves them, restores them, and deletes old ones
    Backup(BackupArgs),
    /// Lists past runs
    History(HistoryArgs),
    /// Tells a past run again: as text, Markdown, HTML or JSON
    Report(ReportArgs),
    /// Proves that the records of runs are whole and unaltered
    Audit(AuditArgs),
    /// Approves a run of another person that waits for it, or declines; without a run lists those that wait
    Approve(ApproveArgs),
    /// Ends a run that waits or was cut short: takes its request back, and puts back what it changed
    Cancel(CancelArgs),
    /// Lists the targets of runbook.yaml, and checks them
    Targets(TargetsArgs),
    /// Says what is missing to work safely on the target, and how to mend it
    Doctor(DoctorArgs),
    /// Creates the journal in a database, for logins that may not
    Init(InitArgs),
    /// Runs a guided demonstration on a private PostgreSQL with sample data
    Demo(DemoArgs),
    /// Prints the JSON schema of runbooks or of events
    Schema(SchemaArgs),
    /// Prints a script for completions, of runbooks and their parameters too
    Completions(CompletionsArgs),
    /// Prints the manual page
    Man(ManArgs),
    /// Shows help: of a command, or `exit-codes`
    Help(HelpArgs),
}

/// What a run prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Human,
    /// One event a line; `runbook schema event` describes them.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// How a run is told.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Told {
    /// What is printed: human, json (one event a line) or quiet
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "human",
        hide_possible_values = true
    )]
    pub output: Output,
    /// Prints errors only; the same as --output quiet
    #[arg(short, long, conflicts_with = "output")]
    pub quiet: bool,
}

impl Told {
    /// Returns whether nothing but errors is printed.
    pub(in crate::cli) fn is_quiet(self) -> bool {
        self.quiet || self.output == Output::Quiet
    }
}

/// Where the journal and the row images are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Journal {
    /// In the database's schema `runbook`.
    #[default]
    Database,
    /// Beside the run's record.
    Local,
}

/// What `run` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// The runbook: its name, or the path of a .yaml file
    pub name: Option<String>,
    /// Runs everything in one transaction, shows what would change, and takes it back
    #[arg(long)]
    pub dry_run: bool,
    /// Says yes to every confirm of low and medium risk, where the target is not protected
    #[arg(short, long)]
    pub yes: bool,
    /// The answer to one confirm: yes, no, or the text to type (repeatable)
    #[arg(long = "answer", value_name = "NAME=yes|no|TEXT", value_parser = pair)]
    pub answers: Vec<(String, String)>,
    /// In an emergency: goes on without what the target's policy demands, where it allows you to; the reason is recorded
    #[arg(long, value_name = "REASON", conflicts_with = "dry_run")]
    pub break_glass: Option<String>,
    /// A YAML or JSON file of parameters; `-` is standard input
    #[arg(long = "params", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub params_file: Option<PathBuf>,
    /// A parameter by its name (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// Where the journal and the row images are kept, where the target does not say it: database, or local where no
    /// schema may be created (default: database)
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    pub journal: Option<Journal>,
    /// How the run is told.
    #[command(flatten)]
    pub told: Told,
    /// The parameters that were given, by their names: flags and `--param` together.
    #[arg(skip)]
    pub params: BTreeMap<String, Vec<String>>,
}

/// What `plan` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    /// The runbook: its name, or the path of a .yaml file
    pub name: Option<String>,
    /// A YAML or JSON file of parameters; `-` is standard input
    #[arg(long = "params", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub params_file: Option<PathBuf>,
    /// A parameter by its name (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// The parameters that were given, by their names: flags and `--param` together.
    #[arg(skip)]
    pub params: BTreeMap<String, Vec<String>>,
}

/// What `query` is asked.
#[derive(Clone, Debug, Args)]
pub struct QueryArgs {
    /// The statement; `-` reads it from standard input
    pub sql: String,
    /// Shows at most this many rows, 1000 if not given; 0 shows all, which csv and jsonl do
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How rows are printed: human, json, csv or jsonl (one object a line)
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: QueryOutput,
}

/// How the rows of `query` are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum QueryOutput {
    /// For people.
    #[default]
    Human,
    /// A list of objects of texts.
    Json,
    /// RFC 4180, with a header.
    Csv,
    /// One object a line, by the types of the columns.
    Jsonl,
}

/// What `shell` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ShellArgs {
    /// Runs these lines one after the other, as if they were typed, and ends (repeatable)
    #[arg(short, long = "command", value_name = "LINE")]
    pub commands: Vec<String>,
}

/// What `health` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct HealthArgs {
    /// A limit by its name in `runbook show pg-health`, such as `long_transaction='1 hour'` (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// How it is printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `demo` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct DemoArgs {
    /// The runbook to run; without it the demonstration chooses
    pub name: Option<String>,
    /// Says yes to every confirm
    #[arg(short, long)]
    pub yes: bool,
}

fn rows(text: &str) -> Result<(String, String), String> {
    pair(text).map_err(|_| "expected TABLE=PREDICATE, as in `users=company_id = 42`".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Returns the command line; with a runbook, `run` and `plan` have its parameters as flags.
pub fn command(runbook: Option<&crate::runbook::model::Runbook>) -> clap::Command {
    let command = Cli::command().mut_subcommand("help", |help| help.disable_help_flag(true));
    match runbook {
        None => command,
        Some(runbook) => ["run", "plan"].into_iter().fold(command, |command, name| {
            command.mut_subcommand(name, |sub| parameters::add(sub, runbook))
        }),
    }
}

/// Parses the arguments with the flags of a runbook, where one is named.
///
/// # Errors
/// [`CliError::Clap`] with what clap says.
pub fn parse(
    args: &[std::ffi::OsString],
    runbook: Option<&crate::runbook::model::Runbook>,
) -> Result<Cli, CliError> {
    let matches = command(runbook).try_get_matches_from(args)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let (Some(runbook), Some((_, sub))) = (runbook, matches.subcommand()) else {
        collect(&mut cli.command, BTreeMap::new());
        return Ok(cli);
    };
    let flags = match &cli.command {
        Command::Run(_) | Command::Plan(_) => parameters::read(sub, runbook),
        _ => BTreeMap::new(),
    };
    collect(&mut cli.command, flags);
    Ok(cli)
}

fn collect(command: &mut Command, flags: BTreeMap<String, Vec<String>>) {
    let (named, params) = match command {
        Command::Run(run) => (&run.param, &mut run.params),
        Command::Plan(plan) => (&plan.param, &mut plan.params),
        _ => return,
    };
    *params = flags;
    for (name, value) in named {
        params.entry(name.clone()).or_default().push(value.clone());
    }
}
