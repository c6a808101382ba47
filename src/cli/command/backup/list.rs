//! `runbook backup list`: which backups there are, and how good they are.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::store::{self, Found, Stored};
use crate::base::words;
use crate::cli::args::{BackupListArgs, ListOutput};
use crate::cli::backups::{self, Standing};
use crate::cli::error::CliError;
use crate::cli::table::{narrow, table};
use crate::cli::{Context, command};
use crate::engine::failure::Failure;
use crate::engine::outcome::exit;

/// Lists backups, the newest first.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &BackupListArgs,
) -> Result<u8, CliError> {
    let folder = backups::folder(context, folder)?;
    let mut stored = store::list(&folder)?;
    if !args.names.is_empty() {
        keep_named(&mut stored, &args.names);
    }
    let rows = rows(&stored);
    match args.output {
        ListOutput::Json => {
            let list: Value = rows.iter().map(Row::json).collect();
            context.invocation.print(&format!("{list:#}\n"))?;
        }
        ListOutput::Human if rows.is_empty() => none(context, args, &folder),
        ListOutput::Human => human(context, &rows, &stored)?,
    }
    Ok(exit::DONE)
}

fn keep_named(stored: &mut Stored, names: &[String]) {
    stored
        .found
        .retain(|found| names.contains(&found.manifest.name) || names.contains(&found.manifest.id));
    // Of these nobody knows the name but by their folder.
    let begins = |path: &PathBuf| {
        let folder = shown_name(path);
        names.iter().any(|name| folder.starts_with(name.as_str()))
    };
    stored.damaged.retain(|(path, _)| begins(path));
    stored.partial.retain(begins);
}

fn none(context: &Context<'_>, args: &BackupListArgs, folder: &Path) {
    let shown = context.invocation.show(folder);
    let said = if args.names.is_empty() {
        format!("There are no backups in `{shown}`.\n")
    } else {
        format!(
            "There is no backup of {} in `{shown}`.\n",
            words::quoted(&args.names)
        )
    };
    context.invocation.eprint(&said);
    let stored = store::list(folder).unwrap_or_default();
    let known = stored
        .found
        .iter()
        .map(|found| found.manifest.name.as_str());
    let near = (args.names.iter()).find_map(|name| words::did_you_mean(name, known.clone()));
    let help = near.unwrap_or_else(|| {
        "`runbook backup create` makes one; --folder names another folder".to_owned()
    });
    context.invocation.eprint(&format!("  = help: {help}\n"));
}

/// A line of the list.
enum Row<'a> {
    Good(&'a Found),
    Unreadable(&'a Path, &'a Failure),
    Unfinished(&'a Path),
}

fn rows(stored: &Stored) -> Vec<Row<'_>> {
    let found = stored.found.iter().map(Row::Good);
    let unreadable = stored
        .damaged
        .iter()
        .map(|(path, failure)| Row::Unreadable(path, failure));
    let unfinished = stored.partial.iter().map(|path| Row::Unfinished(path));
    found.chain(unreadable).chain(unfinished).collect()
}

fn human(context: &Context<'_>, rows: &[Row<'_>], stored: &Stored) -> Result<(), CliError> {
    let now = Timestamp::now();
    let look = context.look;
    let mut lines = vec![HEADS.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| row.cells(now)));
    narrow(&mut lines, &["DATABASE", "AGE", "RUN"], look.width);
    let text = table(&[], &lines, usize::MAX, look.unicode);
    context
        .invocation
        .print(&command::show::ascii(text, look))?;
    for found in &stored.found {
        if let Standing::Damaged(when, why) = Standing::of(&found.manifest, &found.notes) {
            context.invocation.eprint(&format!(
                "{} is damaged, as was found on {}: {why}\n",
                found.manifest.id,
                backups::moment(when)
            ));
        }
    }
    for (path, failure) in &stored.damaged {
        context
            .invocation
            .eprint(&format!("{}: {}\n", shown_name(path), failure.message));
    }
    if !stored.partial.is_empty() {
        context.invocation.eprint(
            "Unfinished ones are being written, or were cut short: the next `runbook backup create` removes those.\n",
        );
    }
    Ok(())
}

const HEADS: [&str; 7] = ["ID", "HOLDS", "DATABASE", "SIZE", "AGE", "STATE", "RUN"];

impl Row<'_> {
    fn cells(&self, now: Timestamp) -> Vec<String> {
        let found = match self {
            Self::Good(found) => found,
            Self::Unreadable(path, _) => return odd(path, "damaged"),
            Self::Unfinished(path) => return odd(path, "unfinished"),
        };
        let manifest = &found.manifest;
        let standing = Standing::of(manifest, &found.notes);
        let pinned = if found.notes.pinned.is_some() {
            ", pinned"
        } else {
            ""
        };
        let state = match standing {
            Standing::Damaged(..) => standing.word().to_owned(),
            _ => format!(
                "{} {} ago",
                standing.word(),
                backups::age(standing.when(), now)
            ),
        };
        vec![
            manifest.id.clone(),
            short(manifest),
            manifest.source.database.clone(),
            words::bytes(found.bytes),
            backups::age(manifest.taken_at, now),
            format!("{state}{pinned}"),
            manifest.made_by.run.clone().unwrap_or_default(),
        ]
    }

    fn json(&self) -> Value {
        match self {
            Self::Good(found) => json(found),
            Self::Unreadable(path, failure) => json!({
                "id": shown_name(path),
                "path": path,
                "state": "damaged",
                "why": failure.message,
            }),
            Self::Unfinished(path) => json!({
                "id": shown_name(path),
                "path": path,
                "state": "unfinished",
            }),
        }
    }
}

fn odd(path: &Path, state: &str) -> Vec<String> {
    let mut cells = vec![String::new(); 7];
    if let Some(cell) = cells.first_mut() {
        *cell = shown_name(path);
    }
    if let Some(cell) = cells.get_mut(5) {
        state.clone_into(cell);
    }
    cells
}

/// Returns what a folder that is no backup would be called: without the marks of what is not finished.
fn shown_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    name.trim_end_matches(".partial").to_owned()
}

/// Returns what a backup holds, in the room of a column.
fn short(manifest: &crate::archive::manifest::Manifest) -> String {
    let tables = words::long(manifest.tables.len());
    let rows: u64 = manifest.tables.iter().map(|table| table.tally.rows).sum();
    match backups::held(manifest.holds) {
        "rows" => words::count(rows, "row"),
        "tables" => words::count(tables, "table"),
        word => word.to_owned(),
    }
}

/// Returns a backup as JSON.
pub(super) fn json(found: &Found) -> Value {
    let manifest = &found.manifest;
    let standing = Standing::of(manifest, &found.notes);
    let tables: Vec<Value> = manifest
        .tables
        .iter()
        .map(|table| json!({ "table": table.relation, "rows": table.tally.rows }))
        .collect();
    let why = match &standing {
        Standing::Damaged(_, why) => Some(why),
        _ => None,
    };
    json!({
        "id": manifest.id,
        "name": manifest.name,
        "holds": backups::held(manifest.holds),
        "database": manifest.source.database,
        "source": manifest.source.name,
        "server_version": manifest.source.server_version,
        "rows": manifest.tables.iter().map(|table| table.tally.rows).sum::<u64>(),
        "tables": tables,
        "bytes": found.bytes,
        "taken_at": manifest.taken_at,
        "finished_at": manifest.finished_at,
        "state": standing.word(),
        "state_at": standing.when(),
        "why": why,
        "read_at": found.notes.read_at,
        "restored_at": found.notes.restored_at,
        "run": manifest.made_by.run,
        "runbook": manifest.made_by.runbook,
        "step": manifest.made_by.step,
        "actor": manifest.made_by.actor,
        "encrypted": manifest.encryption.is_some(),
        "pinned": found.notes.pinned,
        "path": found.folder,
    })
}
