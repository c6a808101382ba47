//! What the commands are asked that are about targets, policies and the people who approve.

use clap::{Args, ValueEnum};

use super::ListOutput;

/// What `approve` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ApproveArgs {
    /// The run, by its id; without it those that wait are listed
    pub run: Option<String>,
    /// Declines it, instead of asking
    #[arg(long, conflicts_with = "digest")]
    pub decline: bool,
    /// Why; others read it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Approves without asking exactly what has this digest, as it was shown before
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// How it is printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `cancel` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct CancelArgs {
    /// The run: its id, or the first letters of it
    pub run: String,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A secret parameter, since the record does not have it (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = super::pair)]
    pub param: Vec<(String, String)>,
    /// How it is told.
    #[command(flatten)]
    pub told: super::Told,
}

/// What `targets` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetsArgs {
    /// Only these targets or groups
    pub names: Vec<String>,
    /// Connects to each: whether it is there, is the one that it should be, and what its identity is
    #[arg(long)]
    pub check: bool,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What `doctor` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// How it is printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// As what records are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AuditExport {
    /// One JSON object an event.
    #[default]
    Jsonl,
    /// One line an event, with a header.
    Csv,
}
