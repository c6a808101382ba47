//! What the commands are asked that help to use the program.

use clap::{Args, ValueEnum};

/// What `schema` is asked.
#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {
    /// Of what: runbook, test, targets or event
    #[arg(value_enum, default_value = "runbook", hide_possible_values = true)]
    pub of: SchemaOf,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The files of runbooks.
    #[default]
    Runbook,
    /// The files of tests.
    Test,
    /// `runbook.yaml`, with the targets.
    Targets,
    /// The lines of `--output json`.
    Event,
}

/// What `completions` is asked.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// bash, zsh, fish, powershell or elvish
    pub shell: String,
}

/// What `man` is asked.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The command whose page it is, such as `run` or `backup create`; without it the program's
    pub command: Vec<String>,
}

/// What `help` is asked.
#[derive(Clone, Debug, Args)]
pub struct HelpArgs {
    /// A command, or exit-codes
    pub topic: Option<String>,
    /// The runbook of `help run NAME`, the command of `help backup NAME`
    #[arg(hide = true)]
    pub name: Option<String>,
}
