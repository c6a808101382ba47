//! `runbook history`: lists past runs.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::base::words;
use crate::cli::args::{HistoryArgs, ListOutput};
use crate::cli::error::CliError;
use crate::cli::{Context, state};
use crate::engine::outcome::{Outcome, exit};
use crate::record::summary::{self, Became, Begun, Start};
use crate::report::look::Look;
use crate::report::table;
use crate::runbook::data::{Column, Rows, oid};
use crate::step::query::Show;

/// Lists past runs, the newest first.
///
/// # Errors
/// The records cannot be read.
pub fn run(context: &Context<'_>, args: &HistoryArgs) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    let all = summary::all(&base)?;
    let undone = undone(&base, &all);
    let named = |begun: &&Begun| {
        let names = &args.names;
        let runbook = begun.what.as_ref().map(|what| &what.runbook);
        names.is_empty() || runbook.is_some_and(|runbook| names.contains(runbook))
    };
    let found: Vec<&Begun> = all.iter().filter(named).collect();
    let most = match args.limit {
        0 => found.len(),
        limit => limit,
    };
    let past: Vec<Past<'_>> = (found.iter().take(most))
        .map(|begun| Past::new(&base, begun, &undone))
        .collect::<Result<_, _>>()?;
    match args.output {
        ListOutput::Json => {
            let list: Value = past.iter().map(Past::json).collect();
            context.invocation.print(&format!("{list:#}\n"))?;
        }
        ListOutput::Human if past.is_empty() => none(context, args, &base, &all),
        ListOutput::Human => {
            context.invocation.print(&draw(context, &past))?;
            if past.len() < found.len() {
                context.invocation.eprint(&format!(
                    "The newest {} of {}; --limit 0 shows all.\n",
                    past.len(),
                    words::count(words::long(found.len()), "run")
                ));
            }
        }
    }
    Ok(exit::DONE)
}

fn none(context: &Context<'_>, args: &HistoryArgs, base: &Path, all: &[Begun]) {
    let folder = context.invocation.show(base);
    let said = if all.is_empty() {
        format!("No runs are recorded in `{folder}`.\n")
    } else {
        format!("No run of {} is recorded.\n", words::quoted(&args.names))
    };
    context.invocation.eprint(&said);
    let runbooks = all
        .iter()
        .filter_map(|begun| Some(begun.what.as_ref()?.runbook.as_str()));
    let near = (args.names.iter()).find_map(|name| words::did_you_mean(name, runbooks.clone()));
    let help = near.unwrap_or_else(|| "--state-dir names another folder".to_owned());
    context.invocation.eprint(&format!("  = help: {help}\n"));
}

/// Returns which runs were put back by which others.
fn undone<'a>(base: &Path, all: &'a [Begun]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut undone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for begun in all.iter().rev() {
        if let Some(Start {
            undo_of: Some(of),
            dry_run: false,
            ..
        }) = &begun.what
            && has_put_back(base, begun)
        {
            undone.entry(of).or_default().push(&begun.run);
        }
    }
    undone
}

/// Returns whether an undo has put rows back: one that left some as they are too.
fn has_put_back(base: &Path, begun: &Begun) -> bool {
    match summary::became(base, begun) {
        Became::Ended(Outcome::Done | Outcome::RolledBack) => true,
        Became::Ended(Outcome::Stopped) => {
            summary::rows(base, &begun.run).is_ok_and(|rows| rows > 0)
        }
        _ => false,
    }
}

/// A run of the past, as the list has it.
struct Past<'a> {
    begun: &'a Begun,
    became: Became,
    rows: Option<u64>,
    undone_by: Vec<&'a str>,
    /// Of one that waits: what for.
    waits: Option<String>,
}

impl<'a> Past<'a> {
    fn new(
        base: &Path,
        begun: &'a Begun,
        undone: &BTreeMap<&str, Vec<&'a str>>,
    ) -> Result<Self, CliError> {
        let became = summary::became(base, begun);
        let counted = !is_dry(begun) && became != Became::Damaged;
        Ok(Self {
            begun,
            became,
            waits: (became == Became::Ended(Outcome::Waiting))
                .then(|| summary::says(base, &begun.run))
                .flatten(),
            rows: counted
                .then(|| summary::rows(base, &begun.run))
                .transpose()?,
            undone_by: undone.get(begun.run.as_str()).cloned().unwrap_or_default(),
        })
    }

    /// Returns the value of a column.
    fn cell(&self, column: &str) -> String {
        let what = self.begun.what.as_ref();
        match column {
            "run" => self.begun.run.clone(),
            "when" => when(self.begun.at),
            "runbook" => what.map_or_else(String::new, |what| what.runbook.clone()),
            "who" => what.map_or_else(String::new, |what| what.actor.clone()),
            "target" => what.map_or_else(String::new, target),
            "outcome" => self.outcome(),
            "rows" => self.rows.map_or_else(String::new, |rows| rows.to_string()),
            _ => self.undone_by.join(", "),
        }
    }

    fn outcome(&self) -> String {
        let words = match self.became {
            Became::Ended(outcome) => match &self.waits {
                Some(waits) => format!("waiting: {waits}"),
                None => outcome.to_string(),
            },
            Became::Running => "running".to_owned(),
            Became::CutShort => "cut short".to_owned(),
            Became::Damaged => "damaged".to_owned(),
        };
        let undo_of = (self.begun.what.as_ref()).and_then(|what| what.undo_of.as_ref());
        let words = undo_of.map_or(words.clone(), |of| format!("undo of {of}: {words}"));
        let glass = (self.begun.what.as_ref()).and_then(|what| what.glass.as_ref());
        match glass {
            _ if is_dry(self.begun) => format!("dry run: {words}"),
            Some(_) => format!("GLASS BROKEN: {words}"),
            None => words,
        }
    }

    fn json(&self) -> Value {
        let what = self.begun.what.as_ref();
        let (state, outcome) = match self.became {
            Became::Ended(outcome) => ("ended", Some(outcome)),
            Became::Running => ("running", None),
            Became::CutShort => ("cut_short", None),
            Became::Damaged => ("damaged", None),
        };
        let mut told = json!({
            "run": self.begun.run,
            "runbook": what.map(|what| &what.runbook),
            "at": self.begun.at,
            "actor": what.map(|what| &what.actor),
            "target": what.map(|what| &what.target.name),
            "database": what.map(|what| &what.target.database),
            "dry_run": what.map(|what| what.dry_run),
            "state": state,
            "outcome": outcome,
            "rows": self.rows,
            "undo_of": what.and_then(|what| what.undo_of.as_ref()),
            "undone_by": self.undone_by,
            "glass": what.and_then(|what| what.glass.as_ref()),
        });
        if let (Some(waits), Some(told)) = (&self.waits, told.as_object_mut()) {
            told.insert("waits".to_owned(), json!(waits));
        }
        told
    }
}

fn is_dry(begun: &Begun) -> bool {
    begun.what.as_ref().is_some_and(|what| what.dry_run)
}

fn target(what: &Start) -> String {
    format!("{}/{}", what.target.name, what.target.database)
}

/// Returns a time without its seconds.
fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn draw(context: &Context<'_>, past: &[Past<'_>]) -> String {
    let look = Look {
        colors: context.look.color_out,
        unicode: context.look.unicode,
        width: context
            .invocation
            .terminal
            .stdout
            .then_some(context.look.width),
    };
    let undone = past.iter().any(|past| !past.undone_by.is_empty());
    let mut columns = vec!["run", "runbook", "outcome", "rows", "when", "who", "target"];
    if undone {
        columns.insert(4, "undone by");
    }
    // What is cut says nothing: a narrow terminal rather shows less, and the whole of it.
    for (name, width) in [("target", 130), ("who", 100)] {
        if look.width.is_some_and(|have| have < width) {
            columns.retain(|column| *column != name);
        }
    }
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        kind: String::new(),
        oid: if *name == "rows" {
            oid::INT8
        } else {
            oid::TEXT
        },
        ..Column::default()
    };
    let cells = |past: &Past<'_>| columns.iter().map(|name| Some(past.cell(name))).collect();
    let rows = Rows {
        columns: columns.iter().map(column).collect(),
        rows: past.iter().map(cells).collect(),
        count: words::long(past.len()),
    };
    let lines = table::draw(&rows, Show::Table, usize::MAX, look);
    lines.iter().map(|line| line.to_string() + "\n").collect()
}
