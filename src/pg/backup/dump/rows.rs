//! The rows of one table out of a dump.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::blocks::{Blocks, Name};
use super::entries::{list, use_list};
use super::opened::Opened;
use super::{in_thread, tools_for, unreadable};
use crate::archive::damaged;
use crate::archive::manifest::Table;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::cancel::Cancel;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::process::{self, Process};
use crate::pg::backup::{Site, refused};

/// How many chunks of lines wait for whoever takes them.
const WAITING: usize = 4;

/// Whole lines, or why there are no more.
type Chunk = Result<Vec<u8>, Failure>;

/// Reads the rows of one table out of a dump: whole lines of COPY's text format, in chunks that wait for whoever
/// takes them. The channel ends where the rows do, or with what went wrong: who takes the rows counts and hashes
/// them. Of an encrypted dump only what is needed is decrypted.
///
/// # Errors
/// The tool is missing, or the dump is damaged.
pub(in crate::pg::backup) async fn rows(
    site: &Site,
    found: &Found,
    table: &Table,
    key: Option<&FileKey>,
) -> Result<Receiver<Chunk>, Failure> {
    // Whoever takes the rows has limits of its own: what is let go ends.
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    let manifest = &found.manifest;
    let tools = tools_for(&site.environment, manifest)?;
    let name = Name::parse(&table.relation).ok_or_else(|| {
        let why = format!("its manifest names a table {}", table.relation);
        damaged(&found.folder, why)
    })?;
    let opened = Opened::new(&site.environment, &found.folder, manifest, key)?;
    let opened = opened.with(|file| file == "toc.dat", &limits).await?;
    let options = ["--data-only"];
    let listed = list(
        &tools,
        &site.environment,
        &opened.folder(),
        &options,
        &limits,
    )
    .await;
    let mut entries = listed.map_err(|failure| unreadable(&found.folder, failure))?;
    entries.retain(|entry| entry.may_be("TABLE DATA", &name));
    let opened = opened
        .with(
            |file| {
                let of = file.split('.').next().unwrap_or_default();
                entries.iter().any(|entry| entry.id == of)
            },
            &limits,
        )
        .await?;
    let wanted = use_list(entries.iter())?;
    let mut command = process::command(&tools.restore, &site.environment);
    command
        .args(["--data-only", "--file=-"])
        .arg("--use-list")
        .arg(wanted.path())
        .arg(opened.folder())
        .stdout(Stdio::piped());
    let mut process = Process::start(command, "pg_restore", None)?;
    let output = process
        .output()
        .and_then(|output| output.into_owned_fd().ok())
        .ok_or_else(|| refused("pg_restore cannot be heard"))?;
    let (sender, chunks) = channel(WAITING);
    let folder = found.folder.clone();
    tokio::spawn(async move {
        let reader = Reader {
            name,
            folder: folder.clone(),
            to: sender.clone(),
        };
        let reading = in_thread(move || reader.read(std::fs::File::from(output)));
        let (ended, read) = tokio::join!(process.end(&limits), reading);
        // What the program reads must be there until it has ended.
        drop((opened, wanted));
        let ended = ended.map_err(|failure| unreadable(&folder, failure));
        let done = match read {
            // Nobody takes rows any more: the program could not go on.
            Ok(Taken::Half) => return,
            Ok(Taken::All) => ended.map(drop),
            Err(failure) => Err(ended.err().unwrap_or(failure)),
        };
        if let Err(failure) = done {
            let _ = sender.send(Err(failure)).await;
        }
    });
    Ok(chunks)
}

/// How much of the rows was taken.
enum Taken {
    All,
    Half,
}

/// Who reads what the program prints.
struct Reader {
    name: Name,
    folder: PathBuf,
    to: Sender<Chunk>,
}

impl Reader {
    fn read(&self, from: std::fs::File) -> Result<Taken, Failure> {
        let wrong = |error: std::io::Error| damaged(&self.folder, format!("its dump: {error}"));
        let mut blocks = Blocks::new(from);
        let mut came = false;
        while let Some(header) = blocks.block().map_err(wrong)? {
            let is_it = header.name == self.name;
            came |= is_it;
            while let Some(lines) = blocks.lines().map_err(wrong)? {
                if is_it && self.to.blocking_send(Ok(lines.to_vec())).is_err() {
                    return Ok(Taken::Half);
                }
            }
        }
        if came {
            return Ok(Taken::All);
        }
        let name = format!("{}.{}", self.name.schema, self.name.table);
        Err(damaged(&self.folder, format!("{name} is not in its dump")))
    }
}
