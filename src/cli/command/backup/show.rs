//! `runbook backup show`: all that is known of a backup, and how to restore it.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;

use super::create::kept;
use crate::archive::manifest::{Encryption, Holds, Manifest, Table};
use crate::archive::store::Found;
use crate::base::words;
use crate::cli::args::{BackupShowArgs, ListOutput};
use crate::cli::backups::{self, Standing};
use crate::cli::error::CliError;
use crate::cli::table::{indent, table};
use crate::cli::{Context, command};
use crate::engine::outcome::exit;
use crate::step::backup::DatabaseBackup;

/// Shows a backup.
///
/// # Errors
/// There is none of that name, or it is damaged.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &BackupShowArgs,
) -> Result<u8, CliError> {
    let flag = backups::folder_flag(context, folder);
    let folder = backups::folder(context, folder)?;
    let found = backups::find(&folder, &args.backup)?;
    match args.output {
        ListOutput::Json => {
            let mut value = super::list::json(&found);
            if let Some(object) = value.as_object_mut() {
                object.insert("files".to_owned(), files_json(&found.manifest));
            }
            context.invocation.print(&format!("{value:#}\n"))?;
        }
        ListOutput::Human => {
            let page = page(context, &found, &flag);
            context
                .invocation
                .print(&command::show::ascii(page, context.look))?;
        }
    }
    Ok(exit::DONE)
}

fn files_json(manifest: &Manifest) -> serde_json::Value {
    serde_json::to_value(&manifest.files).unwrap_or_default()
}

fn page(context: &Context<'_>, found: &Found, flag: &str) -> String {
    let manifest = &found.manifest;
    let width = context.look.width.saturating_sub(2);
    let unicode = context.look.unicode;
    let mut page = format!(
        "{}\n{} · {}\n\n",
        manifest.id,
        backups::holds(manifest),
        words::bytes(found.bytes)
    );
    let facts = facts(context, found);
    page.push_str(&table(&["", ""], &facts, usize::MAX, unicode));
    if !manifest.tables.is_empty() {
        let drawn = tables(manifest, width, unicode);
        let _ = write!(page, "\nTables\n{}", indent(&drawn, 2));
    }
    let rows: Vec<Vec<String>> = manifest
        .files
        .iter()
        .map(|file| {
            vec![
                file.path.clone(),
                words::bytes(file.bytes),
                file.sha256.chars().take(16).collect(),
            ]
        })
        .collect();
    let drawn = table(&["FILE", "SIZE", "SHA-256"], &rows, width, unicode);
    let _ = write!(page, "\nFiles\n{}", indent(&drawn, 2));
    let _ = write!(
        page,
        "\nHow to restore it\n{}",
        indent(&how(manifest, flag, unicode), 2)
    );
    page
}

/// Lists the tables. What is in a dump has no file and no size of its own, and of structure alone there are no rows.
fn tables(manifest: &Manifest, width: usize, unicode: bool) -> String {
    let heads: &[&str] = match manifest.holds {
        Holds::Database(DatabaseBackup::Schema) => &["TABLE"],
        Holds::Database(_) => &["TABLE", "ROWS"],
        Holds::Rows | Holds::Tables => &["TABLE", "ROWS", "SIZE", "FILE"],
    };
    let row = |table: &Table| {
        let rows = match &table.predicate {
            Some(predicate) => format!("{} where {predicate}", table.tally.rows),
            None => table.tally.rows.to_string(),
        };
        let file = table.file.clone().unwrap_or_default();
        let cells = [
            table.relation.clone(),
            rows,
            words::bytes(table.bytes),
            file,
        ];
        cells.into_iter().take(heads.len()).collect()
    };
    let rows: Vec<Vec<String>> = manifest.tables.iter().map(row).collect();
    table(heads, &rows, width, unicode)
}

fn facts(context: &Context<'_>, found: &Found) -> Vec<Vec<String>> {
    let (manifest, notes) = (&found.manifest, &found.notes);
    let now = Timestamp::now();
    let ago = |at: Timestamp| format!("{}, {} ago", backups::moment(at), backups::age(at, now));
    let source = &manifest.source;
    let mut facts = vec![
        ("name", manifest.name.clone()),
        (
            "of",
            format!(
                "{}, PostgreSQL {}",
                backups::of_database(manifest),
                source.server_version
            ),
        ),
        ("taken", ago(manifest.taken_at)),
        ("made by", made_by(manifest)),
    ];
    let found_good = |at: Option<Timestamp>| at.map_or("never".to_owned(), ago);
    facts.push(("read in full", found_good(notes.read_at)));
    facts.push(("restored on trial", found_good(notes.restored_at)));
    if let Standing::Damaged(when, why) = Standing::of(manifest, notes) {
        facts.push(("damaged", format!("found {}: {why}", ago(when))));
    }
    facts.push(("encrypted", encrypted(manifest)));
    if let Some(why) = &notes.pinned {
        facts.push(("pinned", why.clone()));
    }
    if let Some(keep) = manifest.keep {
        facts.push(("its name keeps", kept(keep)));
    }
    if let Some(tool) = &manifest.tool {
        facts.push(("written by", tool.clone()));
    }
    facts.push(("folder", context.invocation.show(&found.folder)));
    let line = |(name, value): (&str, String)| vec![name.to_owned(), value];
    facts.into_iter().map(line).collect()
}

fn made_by(manifest: &Manifest) -> String {
    let by = &manifest.made_by;
    let mut text = by.actor.clone();
    if let Some(run) = &by.run {
        let _ = write!(text, ", run {run}");
    }
    match (&by.runbook, &by.step) {
        (Some(runbook), Some(step)) => {
            let _ = write!(text, " ({runbook}, step {step})");
        }
        (Some(runbook), None) => {
            let _ = write!(text, " ({runbook})");
        }
        _ => {}
    }
    text
}

fn encrypted(manifest: &Manifest) -> String {
    match &manifest.encryption {
        None => "no".to_owned(),
        Some(Encryption::Passphrase) => "with age, by a passphrase".to_owned(),
        Some(Encryption::Recipients(keys)) => format!("with age, for {}", words::list(keys)),
    }
}

/// Returns the commands that restore a backup, each with what it does.
fn how(manifest: &Manifest, flag: &str, unicode: bool) -> String {
    let restore = format!("runbook backup restore {}{flag}", manifest.id);
    let table_name = manifest.tables.first().map(|table| table.relation.clone());
    let new = format!(
        "into a new database, {}",
        super::restore::name_for(manifest)
    );
    let merge = "puts back single rows that differ or are gone";
    let in_place = "in place of what is there; asks for the database's name";
    let mut ways: Vec<(String, String)> = match manifest.holds {
        Holds::Rows => vec![(restore.clone(), merge.to_owned())],
        Holds::Tables | Holds::Database(DatabaseBackup::Full) => vec![
            (restore.clone(), new),
            (format!("{restore} --in-place"), in_place.to_owned()),
            (format!("{restore} --merge"), merge.to_owned()),
        ],
        Holds::Database(DatabaseBackup::Schema) => vec![(restore.clone(), new)],
        Holds::Database(DatabaseBackup::Data) => vec![
            (format!("{restore} --merge"), merge.to_owned()),
            (format!("{restore} --in-place"), in_place.to_owned()),
        ],
    };
    if let Some(name) = table_name
        && manifest.holds != Holds::Database(DatabaseBackup::Schema)
    {
        ways.push((
            format!("{restore} --table {name} --as NEW"),
            "one table, beside the live one".to_owned(),
        ));
    }
    if manifest.encryption.is_some() {
        let open = match &manifest.encryption {
            Some(Encryption::Passphrase) => "--passphrase-file FILE",
            _ => "--identity FILE",
        };
        ways = ways
            .into_iter()
            .map(|(command, what)| (format!("{command} {open}"), what))
            .collect();
    }
    let rows: Vec<Vec<String>> = ways
        .into_iter()
        .flat_map(|(command, what)| [vec![command], vec![format!("    {what}")]])
        .collect();
    table(&[""], &rows, usize::MAX, unicode)
}
