//! What the commands are asked that are about runbooks themselves.

use clap::{Args, ValueEnum};

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With the lines and carets.
    #[default]
    Human,
    /// A JSON list.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Commands for GitHub's workflows.
    Github,
}

/// What `check` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// Names, .yaml files or folders; without any, all runbooks outside of the program
    #[arg(value_name = "PATH|NAME")]
    pub what: Vec<String>,
    /// How findings are printed: human, json, sarif or github
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub format: Format,
    /// Warnings count as errors
    #[arg(long)]
    pub deny_warnings: bool,
    /// Prints the summary only when something is wrong
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `list` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// Words to search names, titles, abouts and tags for
    pub words: Vec<String>,
    /// Only those with this tag (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// As a table.
    #[default]
    Human,
    /// As a JSON list.
    Json,
}

/// What `show` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ShowArgs {
    /// The runbook: its name, or the path of a .yaml file
    pub name: String,
    /// Draws its steps and ways instead: text, mermaid, dot or svg
    #[arg(long, value_enum, hide_possible_values = true, value_name = "FORMAT")]
    pub graph: Option<GraphFormat>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// As an indented text.
    Text,
    /// As a Mermaid flowchart, for Markdown.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// As an SVG image.
    Svg,
}

/// What `new` is asked.
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// The runbook's name, in kebab-case
    pub name: String,
    /// What it begins as: query (only reads) or fix
    #[arg(long, value_enum, default_value = "fix", hide_possible_values = true)]
    pub template: Template,
    /// Writes a check of all that the database has now: tables, columns, constraints, triggers and more
    #[arg(long, conflicts_with = "template")]
    pub from_database: bool,
}

/// What `test` is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct TestArgs {
    /// Names, .yaml files or folders; without any, all runbooks outside of the program
    #[arg(value_name = "PATH|NAME")]
    pub what: Vec<String>,
    /// Only the cases whose runbook or name has this in it (repeatable)
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,
    /// Lists every way of the graphs with the cases that take it; with =full, one that no case takes and no
    /// file justifies is a failure
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "list",
        hide_possible_values = true
    )]
    pub coverage: Option<Coverage>,
    /// Writes the results as XML in JUnit's format, for CI
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub junit: Option<std::path::PathBuf>,
    /// How many cases run at a time; without it, one for each processor
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Runs again whenever a file changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Prints what a failing case's run said
    #[arg(long)]
    pub show_output: bool,
    /// How results are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What is done about the ways of the graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Coverage {
    /// They are listed.
    List,
    /// They are listed, and one that no case takes is a failure.
    Full,
}

/// What `find` is asked.
#[derive(Clone, Debug, Args)]
pub struct FindArgs {
    /// What is wrong, or what is to be done, in your own words
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Shows at most this many
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub limit: usize,
    /// How they are printed: human or json
    #[arg(long, value_enum, default_value = "human", hide_possible_values = true)]
    pub output: ListOutput,
}

/// What a new runbook begins as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// It only reads.
    Query,
    /// It finds something, asks, changes it and checks.
    #[default]
    Fix,
}
