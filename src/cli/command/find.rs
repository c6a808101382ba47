//! `runbook find`: the runbook or the command for a problem that is told in one's own words.

use serde_json::{Value, json};

use super::check::pretty;
use super::show::example;
use crate::base::words;
use crate::cli::Context;
use crate::cli::args::{self, FindArgs, ListOutput};
use crate::cli::catalogue::Entry;
use crate::cli::error::CliError;
use crate::cli::finder::{Finder, Topic};
use crate::engine::outcome::exit;
use crate::runbook::document;

/// Finds, and prints the best first.
///
/// # Errors
/// Those of printing.
pub fn run(context: &Context<'_>, args: &FindArgs) -> Result<u8, CliError> {
    let candidates: Vec<Candidate<'_>> = runbooks(context).chain(commands()).collect();
    let topics: Vec<Topic> = candidates.iter().map(|each| each.topic.clone()).collect();
    let found = Finder::new(&topics).find(&args.words.join(" "));
    let found: Vec<&Candidate<'_>> = found
        .into_iter()
        .filter_map(|index| candidates.get(index))
        .take(args.limit)
        .collect();
    match args.output {
        ListOutput::Json => {
            let list: Value = found.iter().map(|each| each.json(context)).collect();
            context.invocation.print(&pretty(&list))?;
        }
        ListOutput::Human if found.is_empty() => {
            context
                .invocation
                .eprint("Nothing is about that.\n  = help: `runbook list` shows all runbooks\n");
        }
        ListOutput::Human => {
            let width = context.look.width;
            let shown: Vec<String> = found
                .iter()
                .map(|each| each.human(context, width))
                .collect();
            context.invocation.print(&shown.join("\n"))?;
        }
    }
    Ok(exit::DONE)
}

/// Something that may be what is looked for.
struct Candidate<'a> {
    /// The runbook; none for a command.
    entry: Option<&'a Entry>,
    /// How it is called: by its name, or as a command.
    name: String,
    title: String,
    /// The first sentences of its description.
    about: String,
    topic: Topic,
}

fn runbooks<'a>(context: &Context<'a>) -> impl Iterator<Item = Candidate<'a>> {
    let documents = context.catalogue.all().iter().filter_map(|entry| {
        let document = document::parse(&entry.read().ok()?).ok()?;
        Some((entry, document.head))
    });
    documents.map(|(entry, head)| {
        let title = head.title.text().trim().to_owned();
        let about = head.about.as_ref().map_or("", |about| about.text());
        let helps = head.params.0.iter();
        let helps = helps.filter_map(|(_, param)| Some(param.help.as_ref()?.text()));
        let helps: Vec<&str> = helps.collect();
        Candidate {
            topic: Topic {
                names: format!("{0} {0} {title} {1}", entry.name, head.tags.join(" ")),
                about: format!("{about} {}", helps.join(" ")),
            },
            entry: Some(entry),
            name: entry.name.clone(),
            title,
            about: first_paragraph(about),
        }
    })
}

/// Returns the commands of the program itself.
fn commands<'a>() -> impl Iterator<Item = Candidate<'a>> {
    let mut found = Vec::new();
    let root = args::command(None);
    for command in root.get_subcommands() {
        let parts = command.get_subcommands().map(|part| (command, Some(part)));
        found.extend(
            std::iter::once((command, None))
                .chain(parts)
                .map(|(command, part)| {
                    let of = part.unwrap_or(command);
                    let words = part.map_or(String::new(), |part| format!(" {}", part.get_name()));
                    let name = format!("runbook {}{words}", command.get_name());
                    let title = of.get_about().map(ToString::to_string).unwrap_or_default();
                    let help = of.get_after_help().map(ToString::to_string);
                    let helps = of.get_arguments().filter_map(clap::Arg::get_help);
                    let helps = helps.map(ToString::to_string).chain(help);
                    let about: Vec<String> = helps.collect();
                    Candidate {
                        entry: None,
                        topic: Topic {
                            names: format!("{name} {title}"),
                            about: about.join(" "),
                        },
                        name,
                        title,
                        about: String::new(),
                    }
                }),
        );
    }
    found.into_iter()
}

fn first_paragraph(about: &str) -> String {
    let first = about.trim().split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<&str>>().join(" ")
}

impl Candidate<'_> {
    /// Returns the command to type.
    fn command(&self, context: &Context<'_>) -> Option<String> {
        let Some(entry) = self.entry else {
            return Some(format!("{} --help", self.name));
        };
        let proved = context.catalogue.load(entry).ok()?;
        Some(example(&proved.runbook))
    }

    fn human(&self, context: &Context<'_>, width: usize) -> String {
        let mut lines = words::wrapped(&format!("{}: {}", self.name, self.title), width);
        let room = width.saturating_sub(2).max(20);
        let mut add = |text: &str| {
            let wrapped = words::wrapped(text, room).into_iter();
            lines.extend(wrapped.map(|line| format!("  {line}")));
        };
        if !self.about.is_empty() {
            add(&self.about);
        }
        match self.command(context) {
            Some(command) => add(&format!("$ {command}")),
            None => add(&format!(
                "It is not valid: `runbook check {}` says why.",
                self.name
            )),
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn json(&self, context: &Context<'_>) -> Value {
        json!({
            "name": self.name,
            "kind": if self.entry.is_some() { "runbook" } else { "command" },
            "title": self.title,
            "about": self.about,
            "command": self.command(context),
        })
    }
}
