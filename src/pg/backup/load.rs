//! The rows of a backup's table on their way back: from its own file, or out of a dump.

use std::io::Cursor;
use std::path::PathBuf;
use std::pin::pin;

use futures_util::SinkExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_postgres::Client;

use super::{Site, dump};
use crate::archive::manifest::Table;
use crate::archive::row::Tally;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::archive::table_file::TableReader;
use crate::archive::{damaged, io};
use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::sql::ident::quote_ident;

/// About how many bytes of lines are handed on at once.
const CHUNK: usize = 256 << 10;

/// How many chunks wait between who reads the file and who sends them.
const WAITING: usize = 4;

/// Lines on their way, or why there are no more.
type Chunk = Result<Vec<u8>, Failure>;

/// The rows of a backup's table, in whole lines of COPY's text format.
pub struct Lines {
    chunks: Receiver<Chunk>,
    chunk: Vec<u8>,
    /// What has come out of a dump; a file of its own is proved by its SHA-256.
    tally: Option<Tally>,
    wanted: Wanted,
}

/// What rows must be.
struct Wanted {
    tally: Tally,
    relation: String,
    folder: PathBuf,
}

impl Lines {
    /// Opens the rows of a table. Those that are in a dump are read by `pg_restore`.
    ///
    /// # Errors
    /// The backup is damaged, or the program for its dump is missing.
    pub async fn open(
        site: &Site,
        found: &Found,
        table: &Table,
        key: Option<&FileKey>,
    ) -> Result<Self, Failure> {
        let wanted = Wanted {
            tally: table.tally,
            relation: table.relation.clone(),
            folder: found.folder.clone(),
        };
        let (chunks, tally) = match &table.file {
            Some(file) => (read(found, file, key)?, None),
            None => (
                dump::rows(site, found, table, key).await?,
                Some(Tally::default()),
            ),
        };
        Ok(Self {
            chunks,
            chunk: Vec::new(),
            tally,
            wanted,
        })
    }

    /// Returns the next lines with their newlines, none at the end. What came before may only be kept when the
    /// end was reached: it proves that these are the lines that were compared with the server's when they were saved.
    ///
    /// # Errors
    /// The backup is damaged.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.chunk.clear();
        match self.take().await? {
            Some(chunk) => self.chunk = chunk,
            None => return Ok(None),
        }
        Ok(Some(&self.chunk))
    }

    /// Takes the next lines instead of lending them.
    async fn take(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(chunk) = self.chunks.recv().await else {
            return match self.tally {
                Some(tally) => self.wanted.prove(tally).map(|()| None),
                None => Ok(None),
            };
        };
        let chunk = chunk?;
        if let Some(tally) = &mut self.tally {
            tally.add_lines(&chunk);
        }
        Ok(Some(chunk))
    }
}

impl Wanted {
    /// Refuses rows that are not those that were saved.
    fn prove(&self, came: Tally) -> Result<(), Failure> {
        if came == self.tally {
            return Ok(());
        }
        let (relation, rows, wanted) = (&self.relation, came.rows, self.tally.rows);
        let why = if rows == wanted {
            format!("the rows of {relation} are not those that were saved")
        } else {
            format!("{relation} has {rows} rows there, and {wanted} were saved")
        };
        Err(damaged(&self.folder, why))
    }
}

/// Begins to read a file, in a thread of its own: it decompresses, decrypts and hashes while the server takes
/// what came before.
fn read(found: &Found, file: &str, key: Option<&FileKey>) -> Result<Receiver<Chunk>, Failure> {
    let fact = found.manifest.files.iter().find(|fact| fact.path == file);
    let fact = fact.ok_or_else(|| {
        let why = format!("its manifest says nothing of {file}");
        damaged(&found.folder, why)
    })?;
    let reader = TableReader::open(&found.folder, fact, key)?;
    let (sender, chunks) = channel(WAITING);
    std::thread::Builder::new()
        .name("runbook-read".to_owned())
        .spawn(move || {
            if let Err(failure) = hand_on(reader, &sender) {
                // Nobody takes what nobody waits for.
                let _ = sender.blocking_send(Err(failure));
            }
        })
        .map_err(|error| io("read", &found.folder.join(file), &error))?;
    Ok(chunks)
}

/// Hands on all lines of a file; its end proves them.
fn hand_on(mut reader: TableReader, to: &Sender<Chunk>) -> Result<(), Failure> {
    let mut chunk = Vec::new();
    while let Some(lines) = reader.lines()? {
        chunk.extend_from_slice(lines);
        if chunk.len() >= CHUNK && to.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        // As above: whoever is gone needs nothing.
        let _ = to.blocking_send(Ok(chunk));
    }
    Ok(())
}

/// How a table takes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As everywhere.
    Plain,
    /// Frozen: the transaction emptied the table itself.
    Frozen,
}

/// Copies all rows of a backup's table into a table of a database, by its saved columns, in the open
/// transaction, and returns what came: the caller compares it with what the server counts there.
///
/// # Errors
/// As [`Lines::open`]; the server's word.
pub async fn copy_into(
    client: &Client,
    site: &Site,
    found: &Found,
    table: &Table,
    key: Option<&FileKey>,
    relation: &str,
) -> Result<Tally, Failure> {
    let lines = Lines::open(site, found, table, key).await?;
    copy(client, lines, table, relation, Way::Plain, &mut |_| ()).await
}

/// Does the same with lines that are open; `sent` is told how many bytes were sent.
///
/// # Errors
/// As [`copy_into`].
pub(super) async fn copy(
    client: &Client,
    mut lines: Lines,
    table: &Table,
    relation: &str,
    way: Way,
    sent: &mut dyn FnMut(u64),
) -> Result<Tally, Failure> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| quote_ident(column))
        .collect();
    let columns = if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", columns.join(", "))
    };
    let options = match way {
        Way::Plain => "",
        Way::Frozen => ", FREEZE",
    };
    let text =
        format!("COPY {relation}{columns} FROM STDIN WITH (FORMAT text, ENCODING 'UTF8'{options})");
    let wrong =
        |error| failure::of(&error, "", 0).note(format!("while the rows of {relation} came"));
    let sink = client.copy_in(&text).await.map_err(wrong)?;
    let mut sink = pin!(sink);
    loop {
        // An open COPY that is let go is taken back by the server.
        let Some(chunk) = lines.take().await? else {
            break;
        };
        sent(chunk.len() as u64);
        sink.send(Cursor::new(chunk)).await.map_err(wrong)?;
    }
    let rows = sink.finish().await.map_err(wrong)?;
    Ok(Tally {
        rows,
        hash: lines.wanted.tally.hash,
    })
}
