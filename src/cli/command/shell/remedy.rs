//! What to use instead where somebody wants to change something in the shell: the runbooks that do.

use crate::cli::Context;
use crate::cli::command::check::check_all;
use crate::cli::command::show::example;
use crate::cli::finder::{Finder, Topic};
use crate::runbook::model::Runbook;
use crate::runbook::touches::Touches;
use crate::sql::statement::Statement;

/// How many runbooks are named.
const MOST: usize = 3;

/// Names the runbooks that change what these words are about.
pub(super) fn of_words(context: &Context<'_>, words: &str) -> Vec<String> {
    let runbooks = fixing(context);
    let topics: Vec<Topic> = runbooks.iter().map(topic).collect();
    let found = match words {
        "" => Vec::new(),
        words => Finder::new(&topics).find(words),
    };
    let found = found.into_iter().filter_map(|index| runbooks.get(index));
    let named = named(found);
    if named.is_empty() {
        let help = "what changes data is a runbook: \\fix WORDS names it, `runbook find WORDS` too";
        return vec![help.to_owned()];
    }
    named
}

/// Names the runbooks that change the tables that a statement would change.
pub(super) fn of_statement(context: &Context<'_>, statement: &Statement) -> Vec<String> {
    let tables = statement.tables().iter().filter(|table| table.written);
    let tables: Vec<String> = tables.map(|table| table.name.to_string()).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let runbooks = fixing(context);
    let found = runbooks.iter().filter_map(|runbook| {
        let writes = Touches::of(runbook).writes;
        let is_meant = tables.iter().any(|table| writes.contains(table));
        is_meant.then_some((writes.len(), runbook))
    });
    // What is made for these tables comes before what goes through all.
    let mut found: Vec<(usize, &Runbook)> = found.collect();
    found.sort_by_key(|(count, _)| *count);
    named(found.into_iter().map(|(_, runbook)| runbook))
}

fn named<'a>(runbooks: impl Iterator<Item = &'a Runbook>) -> Vec<String> {
    let lines = runbooks.map(|runbook| {
        let title = runbook.title.text().trim();
        format!("{title}: {}", example(runbook))
    });
    lines.take(MOST).collect()
}

/// Returns the runbooks that change something.
fn fixing(context: &Context<'_>) -> Vec<Runbook> {
    let checked = check_all(context.catalogue.all(), context.catalogue, |_, outcome| {
        outcome.proved.map(|proved| proved.runbook)
    });
    let fixes = |runbook: &Runbook| runbook.steps.iter().any(|step| step.risk().is_some());
    checked.into_iter().flatten().filter(fixes).collect()
}

fn topic(runbook: &Runbook) -> Topic {
    let about = runbook.about.as_ref().map_or("", |about| about.text());
    Topic {
        names: format!(
            "{} {} {}",
            runbook.name,
            runbook.title.text(),
            runbook.tags.join(" ")
        ),
        about: about.to_owned(),
    }
}
