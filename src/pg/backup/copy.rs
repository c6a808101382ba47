//! Whole tables: several connections copy, hash and compress at once under one snapshot.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use futures_util::TryStreamExt;
use tokio::sync::{mpsc, watch};
use tokio_postgres::Client;

use super::catalog::{self, Saved};
use super::progress::Meter;
use super::snapshot::Snapshot;
use super::{Told, limit, refused};
use crate::archive::manifest::{Definition, FileFact, Table};
use crate::archive::row::Tally;
use crate::archive::seal::FileKey;
use crate::archive::table_file::TableWriter;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::failure;
use crate::pg::settings::ConnectSettings;

/// How many bytes of text go to the file at once.
const BATCH: usize = 256 << 10;

/// What is to be copied, by whom and where to.
pub(super) struct Order {
    pub(super) settings: ConnectSettings,
    /// The snapshot, by which connections import it.
    pub(super) snapshot: String,
    pub(super) tables: Vec<Saved>,
    /// The backup's folder.
    pub(super) folder: PathBuf,
    pub(super) key: Option<FileKey>,
    /// How many connections work at once.
    pub(super) jobs: usize,
    pub(super) limits: Limits,
}

/// A table that is on disk.
pub(super) struct Copied {
    pub(super) file: FileFact,
    /// How many bytes of text it is.
    pub(super) bytes: u64,
    /// What the server counted and hashed.
    pub(super) tally: Tally,
}

/// Returns what the manifest calls the file of the nth table, from 1.
pub(super) fn file_name(number: usize, sealed: bool) -> String {
    let age = if sealed { ".age" } else { "" };
    format!("tables/{number:04}.copy.zst{age}")
}

/// Returns what the manifest says of a table, and of its file.
pub(super) fn entry(
    table: Saved,
    copied: Copied,
    predicate: Option<String>,
    definition: Definition,
) -> (Table, FileFact) {
    let entry = Table {
        relation: table.relation,
        columns: table.columns,
        fingerprint: table.fingerprint,
        key: table.key,
        predicate,
        tally: copied.tally,
        file: Some(copied.file.path.clone()),
        bytes: copied.bytes,
        definition,
    };
    (entry, copied.file)
}

/// Copies tables; returns them in their order.
///
/// # Errors
/// The server's word, a full disk, a limit: nobody works on any more then.
pub(super) async fn save(order: Order, told: Told<'_>) -> Result<Vec<Copied>, Failure> {
    let meter = Arc::new(Meter::new(
        "copying",
        Some(order.tables.iter().map(|table| table.bytes).sum()),
    ));
    let (halt, halted) = watch::channel(false);
    let (sender, mut answers) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        jobs: Mutex::new(jobs(&order.tables)),
        order,
        meter: Arc::clone(&meter),
        halted,
    });
    // Whoever does not wait for the end has the workers stop.
    let halt = Halt(halt);
    let workers = start(&shared, &sender)?;
    drop(sender);
    let mut parts: Vec<Parts> = shared
        .order
        .tables
        .iter()
        .map(|_| Parts::default())
        .collect();
    let mut failure = None;
    let all = async {
        while let Some(answer) = answers.recv().await {
            match answer {
                Ok((index, part)) => {
                    if let Some(parts) = parts.get_mut(index) {
                        parts.take(part);
                    }
                }
                Err(next) => {
                    halt.now();
                    failure.get_or_insert(next);
                }
            }
        }
    };
    meter.telling(told, all).await;
    for worker in workers {
        if worker.join().is_err() {
            failure.get_or_insert_with(|| refused("a worker ended by itself"));
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => shared
            .order
            .tables
            .iter()
            .zip(parts)
            .map(|(table, parts)| parts.whole(table))
            .collect(),
    }
}

/// Has the workers stop when it is dropped.
struct Halt(watch::Sender<bool>);

impl Halt {
    fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        self.now();
    }
}

/// What the workers share.
struct Shared {
    order: Order,
    jobs: Mutex<VecDeque<Job>>,
    meter: Arc<Meter>,
    halted: watch::Receiver<bool>,
}

/// What one worker does at a time: of the table of an index.
#[derive(Clone, Copy)]
enum Job {
    Copy(usize),
    /// Counting is work of its own, so that one large table keeps two workers busy.
    Count(usize),
}

/// What a job came to.
enum Part {
    File(FileFact, u64),
    Tally(Tally),
}

/// What is known of a table so far.
#[derive(Default)]
struct Parts {
    file: Option<(FileFact, u64)>,
    tally: Option<Tally>,
}

impl Parts {
    fn take(&mut self, part: Part) {
        match part {
            Part::File(file, bytes) => self.file = Some((file, bytes)),
            Part::Tally(tally) => self.tally = Some(tally),
        }
    }

    fn whole(self, table: &Saved) -> Result<Copied, Failure> {
        match (self.file, self.tally) {
            (Some((file, bytes)), Some(tally)) => Ok(Copied { file, bytes, tally }),
            _ => Err(refused(format!("nobody copied {}", table.relation))),
        }
    }
}

/// Returns what is to be done, the largest tables first: the small ones then fill what is left.
fn jobs(tables: &[Saved]) -> VecDeque<Job> {
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(tables.get(*index).map(|table| table.bytes)));
    order
        .into_iter()
        .flat_map(|index| [Job::Copy(index), Job::Count(index)])
        .collect()
}

type Answers = mpsc::UnboundedSender<Result<(usize, Part), Failure>>;

fn start(shared: &Arc<Shared>, answers: &Answers) -> Result<Vec<JoinHandle<()>>, Failure> {
    let most = shared.order.tables.len() * 2;
    (0..shared.order.jobs.clamp(1, most.max(1)))
        .map(|_| {
            let (shared, answers) = (Arc::clone(shared), answers.clone());
            thread::Builder::new()
                .name("backup".to_owned())
                .spawn(move || {
                    if let Err(failure) = run(&shared, &answers) {
                        // Nobody may listen any more.
                        let _ = answers.send(Err(failure));
                    }
                })
                .map_err(|error| refused(format!("no thread could be started: {error}")))
        })
        .collect()
}

/// Works until nothing is left to do.
fn run(shared: &Shared, answers: &Answers) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(format!("no worker could be started: {error}")))?;
    runtime.block_on(async {
        let order = &shared.order;
        let joining = Snapshot::join(&order.settings, &order.snapshot);
        let connected = tokio::select! {
            biased;
            connected = joining => connected?,
            failure = shared.stopped() => return Err(failure),
        };
        while let Some(job) = shared.next() {
            let done = tokio::select! {
                biased;
                done = shared.work(&connected.client, job) => done?,
                failure = shared.stopped() => {
                    limit::cancel(&connected.canceller).await;
                    return Err(failure);
                }
            };
            // Nobody may listen any more.
            let _ = answers.send(Ok(done));
        }
        Ok(())
    })
}

impl Shared {
    fn next(&self) -> Option<Job> {
        self.jobs.lock().ok()?.pop_front()
    }

    /// Waits until the work must stop, and says why.
    async fn stopped(&self) -> Failure {
        let mut halted = self.halted.clone();
        tokio::select! {
            failure = limit::reached(&self.order.limits) => failure,
            _ = halted.wait_for(|halted| *halted) => {
                Failure::new(FailureKind::Cancelled, "another table could not be copied")
            }
        }
    }

    async fn work(&self, client: &Client, job: Job) -> Result<(usize, Part), Failure> {
        let (Job::Copy(index) | Job::Count(index)) = job;
        let table = self
            .order
            .tables
            .get(index)
            .ok_or_else(|| refused("there is no such table"))?;
        let part = match job {
            Job::Copy(_) => {
                self.meter.now(format!("copying {}", table.relation));
                self.copy(client, table, index + 1).await
            }
            Job::Count(_) => catalog::tally(client, table).await.map(Part::Tally),
        };
        let part = part.map_err(|failure| of_table(failure, table))?;
        Ok((index, part))
    }

    async fn copy(&self, client: &Client, table: &Saved, number: usize) -> Result<Part, Failure> {
        let order = &self.order;
        let name = file_name(number, order.key.is_some());
        let mut writer = TableWriter::create(&order.folder, &name, order.key.as_ref())?;
        let wrong = |error| failure::of(&error, "", 0);
        let stream = client.copy_out(&statement(table)).await.map_err(wrong)?;
        let mut stream = std::pin::pin!(stream);
        // One message of the server is one row: they are written together.
        let mut batch: Vec<u8> = Vec::with_capacity(BATCH);
        while let Some(row) = stream.try_next().await.map_err(wrong)? {
            batch.extend_from_slice(&row);
            if batch.len() >= BATCH {
                writer.write(&batch)?;
                self.meter
                    .add(u64::try_from(batch.len()).unwrap_or_default());
                batch.clear();
                batch.shrink_to(BATCH);
            }
        }
        writer.write(&batch)?;
        let bytes = writer.written();
        Ok(Part::File(writer.finish()?, bytes))
    }
}

/// Returns the statement by which the server sends a table: COPY of a table itself is the fastest, but knows
/// neither partitioned ones nor those without columns.
fn statement(table: &Saved) -> String {
    let columns = table.list();
    if table.partitioned || columns.is_empty() {
        return format!("COPY (SELECT {columns} FROM {}) TO STDOUT", table.from());
    }
    format!("COPY {} ({columns}) TO STDOUT", table.relation)
}

/// Says of which table a failure is.
fn of_table(failure: Failure, table: &Saved) -> Failure {
    failure.note(format!("while {} was copied", table.relation))
}
