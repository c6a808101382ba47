//! What the commands are asked that are about runs of the past, and about the journal.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{AuditExport, ListOutput, Told, pair};

/// What `resume` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ResumeArgs {
    /// The run: its id, or the first letters of it
    pub run: String,
    /// Says yes to every confirm of low and medium risk, where the target is not protected
    #[arg(short, long)]
    pub yes: bool,
    /// The answer to one confirm: yes, no, or the text to type (repeatable)
    #[arg(long = "answer", value_name = "NAME=yes|no|TEXT", value_parser = pair)]
    pub answers: Vec<(String, String)>,
    /// A secret parameter, since the record does not have it (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// What became of a step that nobody can ask for: a program, or what runs outside of transactions
    #[arg(long = "assume", value_name = "STEP=done|undone", value_parser = pair)]
    pub assume: Vec<(String, String)>,
    /// Goes on although the server is on another timeline: after a failover or a restore
    #[arg(long)]
    pub new_timeline: bool,
    /// How the run is told.
    #[command(flatten)]
    pub told: Told,
}

/// What `undo` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct UndoArgs {
    /// The run: its id, or the first letters of it
    pub run: String,
    /// Shows what would be put back, and takes that back
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Leaves rows that someone changed since, and puts the others back
    #[arg(long)]
    pub skip_conflicts: bool,
    /// A secret parameter, since the record does not have it (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// How the run is told.
    #[command(flatten)]
    pub told: Told,
}

/// What `history` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct HistoryArgs {
    /// Only runs of these runbooks
    pub names: Vec<String>,
    /// Shows at most this many runs; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `report` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// The run: its id, or the first letters of it
    pub run: String,
    /// As what: text, markdown, html or json
    #[arg(long, value_enum, default_value = "text", hide_possible_values = true)]
    pub format: ReportFormat,
    /// Writes it to a file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}

/// As what a run is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// As the run itself told it.
    #[default]
    Text,
    /// As Markdown.
    Markdown,
    /// As one HTML file with everything in it.
    Html,
    /// As its events, one a line.
    Json,
}

/// What `audit` is asked.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// What to do: verify or export
    #[arg(value_enum, hide_possible_values = true)]
    pub what: AuditWhat,
    /// As what they are exported: jsonl, one object an event, or csv
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "jsonl",
        hide_possible_values = true
    )]
    pub format: AuditExport,
    /// Writes the export to a file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// The runs: ids, or the first letters of them; without any, all
    pub runs: Vec<String>,
}

/// What can be done about records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditWhat {
    /// Proves that they are whole and unaltered.
    Verify,
    /// Writes them in a form that other programs read.
    Export,
}

/// What `init` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct InitArgs {
    /// A role that may run runbooks there from then on (repeatable)
    #[arg(long = "grant", value_name = "ROLE")]
    pub grant: Vec<String>,
    /// A role that may see there what runs ask of others, and approve it (repeatable)
    #[arg(long = "grant-approver", value_name = "ROLE")]
    pub grant_approver: Vec<String>,
}
