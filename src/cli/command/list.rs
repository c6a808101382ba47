//! `runbook list`: the catalogue, and the search in it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::check::{Outcome, check_all, pretty};
use crate::cli::Context;
use crate::cli::args::{ListArgs, ListOutput};
use crate::cli::catalogue::Entry;
use crate::cli::error::CliError;
use crate::cli::table::{narrow, table};
use crate::engine::outcome::exit;
use crate::runbook::document;
use crate::sql::risk::Risk;

/// Lists the runbooks that the arguments ask for.
///
/// # Errors
/// Those of printing.
pub fn run(context: &Context<'_>, args: &ListArgs) -> Result<u8, CliError> {
    let entries = context.catalogue.all();
    let rows = check_all(entries, context.catalogue, Row::new);
    let mut rows: Vec<(usize, Row)> = rows
        .into_iter()
        .filter(|row| args.tags.iter().all(|tag| row.has_tag(tag)))
        .filter_map(|row| Some((row.score(&args.words)?, row)))
        .collect();
    rows.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.name.cmp(&second.name)));
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    match args.output {
        ListOutput::Json => {
            let list: Value = rows.iter().map(Row::json).collect();
            context.invocation.print(&pretty(&list))?;
        }
        ListOutput::Human => human(context, args, &rows)?,
    }
    Ok(exit::DONE)
}

fn human(context: &Context<'_>, args: &ListArgs, rows: &[Row]) -> Result<(), CliError> {
    let invocation = context.invocation;
    if rows.is_empty() {
        invocation.eprint("No runbook is about that.\n");
        invocation.eprint("  = help: `runbook list` without words shows all\n");
        return Ok(());
    }
    let cells = if args.words.is_empty() {
        grouped(rows)
    } else {
        rows.iter().map(Row::cells).collect()
    };
    let heads = ["NAME", "TITLE", "RISK", "TAGS"];
    let mut lines = vec![heads.map(ToOwned::to_owned).to_vec()];
    lines.extend(cells);
    let width = context.look.width;
    if invocation.terminal.stdout {
        narrow(&mut lines, &["TAGS"], width);
    }
    invocation.print(&table(&[], &lines, width, context.look.unicode))?;
    for row in rows.iter().filter(|row| row.risk.is_none()) {
        invocation.eprint(&format!(
            "{} is not valid: `runbook check {}` says why\n",
            row.name, row.shown
        ));
    }
    if args.words.is_empty() {
        for refused in context.catalogue.refused() {
            invocation.eprint(&format!("not listed: {refused}\n"));
        }
    }
    Ok(())
}

/// Returns the lines of a list by its folders: those of no folder first.
fn grouped(rows: &[Row]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.group).or_default().push(row.cells());
    }
    let mut lines = Vec::new();
    for (group, cells) in groups {
        if !group.is_empty() {
            lines.extend([Vec::new(), vec![format!("{group}/")]]);
        }
        lines.extend(cells);
    }
    lines
}

/// One runbook, as the list has it.
struct Row {
    group: String,
    name: String,
    title: String,
    about: String,
    /// Its risk; nothing of one that is not valid.
    risk: Option<Risk>,
    tags: Vec<String>,
    shown: String,
    origin: &'static str,
}

impl Row {
    fn new(entry: &Entry, outcome: Outcome) -> Self {
        let mut row = Self {
            group: entry.group.clone(),
            name: entry.name.clone(),
            title: String::new(),
            about: String::new(),
            risk: None,
            tags: Vec::new(),
            shown: entry.shown.clone(),
            origin: entry.origin.words(),
        };
        let source = outcome.checked.source;
        if let Some(proved) = outcome.proved {
            let runbook = proved.runbook;
            row.risk = Some(runbook.risk);
            runbook.title.text().clone_into(&mut row.title);
            row.about = words_of(runbook.about.as_ref());
            row.tags = runbook.tags;
        } else if let Some(Ok(document)) = source.as_ref().map(document::parse) {
            document.head.title.text().clone_into(&mut row.title);
            row.about = words_of(document.head.about.as_ref());
            row.tags = document.head.tags;
        }
        row
    }

    fn has_tag(&self, tag: &str) -> bool {
        self.tags
            .iter()
            .any(|known| known.eq_ignore_ascii_case(tag))
    }

    /// Returns how well a runbook fits: every word must be in it, and one in its name says more than one in
    /// its description.
    fn score(&self, words: &[String]) -> Option<usize> {
        words
            .iter()
            .flat_map(|word| word.split_whitespace())
            .map(|word| self.word(&word.to_lowercase()))
            .sum()
    }

    fn word(&self, word: &str) -> Option<usize> {
        let has = |text: &str| text.to_lowercase().contains(word);
        let scores = [
            (8, has(&self.name)),
            (6, self.has_tag(word)),
            (4, has(&self.title)),
            (2, self.tags.iter().any(|tag| has(tag))),
            (1, has(&self.about)),
        ];
        let score: usize = scores
            .iter()
            .filter(|(_, found)| *found)
            .map(|(score, _)| score)
            .sum();
        (score > 0).then_some(score)
    }

    fn cells(&self) -> Vec<String> {
        let risk = self
            .risk
            .map_or("not valid".to_owned(), |risk| risk.to_string());
        vec![
            self.name.clone(),
            self.title.clone(),
            risk,
            self.tags.join(", "),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "group": self.group,
            "title": self.title,
            "about": self.about,
            "risk": self.risk,
            "tags": self.tags,
            "valid": self.risk.is_some(),
            "path": self.shown,
            "from": self.origin,
        })
    }
}

fn words_of(text: Option<&crate::step::text::Template>) -> String {
    text.map(|text| text.text().trim_end().to_owned())
        .unwrap_or_default()
}
