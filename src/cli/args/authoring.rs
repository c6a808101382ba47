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
