//! Several connections that work on the tables of a new database at once.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;
use tokio_postgres::Client;

use super::super::load::{self, Lines, Way};
use super::super::progress::Meter;
use super::super::{Site, Told, limit, refused};
use super::tasks::{Task, Tasks};
use super::{compare, connect, run};
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::settings::ConnectSettings;

/// How much memory all index builds together are given at least, in MB.
const BUILDING: usize = 512;

/// What the workers share.
pub(super) struct Crew {
    pub(super) to: ConnectSettings,
    pub(super) site: Site,
    pub(super) found: Found,
    pub(super) key: Option<FileKey>,
    pub(super) limits: Limits,
    /// Of each table whether it is partitioned.
    pub(super) partitioned: Vec<bool>,
}

struct Shared {
    crew: Crew,
    tasks: Mutex<Tasks>,
    /// Counts what is done, and wakes who waits for something to do.
    news: watch::Sender<u64>,
    failure: Mutex<Option<Failure>>,
    meter: Meter,
}

impl Crew {
    /// Does all tasks.
    ///
    /// # Errors
    /// The first failure: nobody goes on then.
    pub(super) async fn work(self, tasks: Tasks, told: Told<'_>) -> Result<(), Failure> {
        let tables = &self.found.manifest.tables;
        let bytes = tables.iter().map(|table| table.bytes).sum();
        let jobs = self.site.jobs.clamp(1, tables.len().max(1) * 2);
        let shared = Arc::new(Shared {
            tasks: Mutex::new(tasks),
            news: watch::channel(0).0,
            failure: Mutex::new(None),
            meter: Meter::new("restoring", Some(bytes)),
            crew: self,
        });
        // Whoever does not wait for the end has the workers stop.
        let guard = Guard(Arc::clone(&shared));
        let workers = start(&shared, jobs)?;
        let ended = async {
            let mut news = shared.news.subscribe();
            while !workers.iter().all(JoinHandle::is_finished) {
                let _ = tokio::time::timeout(PACE, news.changed()).await;
            }
        };
        shared.meter.telling(told, ended).await;
        for worker in workers {
            if worker.join().is_err() {
                shared.fail(refused("a worker ended by itself"));
            }
        }
        let failure = shared
            .failure
            .lock()
            .ok()
            .and_then(|mut first| first.take());
        drop(guard);
        failure.map_or(Ok(()), Err)
    }
}

/// How often the end of the workers is looked for.
const PACE: std::time::Duration = std::time::Duration::from_millis(20);

const ABANDONED: &str = "nobody waits for it any more";

struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0
            .fail(Failure::new(FailureKind::Unsupported, ABANDONED));
    }
}

fn start(shared: &Arc<Shared>, jobs: usize) -> Result<Vec<JoinHandle<()>>, Failure> {
    (0..jobs)
        .map(|_| {
            let shared = Arc::clone(shared);
            thread::Builder::new()
                .name("restore".to_owned())
                .spawn(move || {
                    if let Err(failure) = shared.run(jobs) {
                        shared.fail(failure);
                    }
                })
                .map_err(|error| refused(format!("no thread could be started: {error}")))
        })
        .collect()
}

impl Shared {
    /// Keeps the first failure, and wakes all.
    fn fail(&self, failure: Failure) {
        if let Ok(mut first) = self.failure.lock() {
            first.get_or_insert(failure);
        }
        self.news.send_modify(|count| *count += 1);
    }

    fn has_failed(&self) -> bool {
        self.failure.lock().map_or(true, |first| first.is_some())
    }

    /// Works until nothing is left to do.
    fn run(&self, jobs: usize) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| refused(format!("no worker could be started: {error}")))?;
        runtime.block_on(async {
            let mut news = self.news.subscribe();
            let connected = limit::within(&self.crew.limits, None, connect(&self.crew.to)).await?;
            let client = &connected.client;
            run(client, &settings(jobs)).await?;
            while let Some(task) = self.next(&mut news).await? {
                let mut halted = self.news.subscribe();
                tokio::select! {
                    biased;
                    done = self.work(client, &task) => done?,
                    failure = limit::reached(&self.crew.limits) => {
                        limit::cancel(&connected.canceller).await;
                        return Err(failure);
                    }
                    _ = halted.wait_for(|_| self.has_failed()) => {
                        limit::cancel(&connected.canceller).await;
                        return Ok(());
                    }
                }
                if let Ok(mut tasks) = self.tasks.lock() {
                    tasks.done(&task);
                }
                self.news.send_modify(|count| *count += 1);
            }
            Ok(())
        })
    }

    /// Waits for something to do; none when nothing will come.
    async fn next(&self, news: &mut watch::Receiver<u64>) -> Result<Option<Task>, Failure> {
        loop {
            if self.has_failed() {
                return Ok(None);
            }
            news.mark_unchanged();
            if let Ok(mut tasks) = self.tasks.lock() {
                if let Some(task) = tasks.take() {
                    return Ok(Some(task));
                }
                if tasks.is_over() {
                    return Ok(None);
                }
            }
            tokio::select! {
                _ = news.changed() => {}
                failure = limit::reached(&self.crew.limits) => return Err(failure),
            }
        }
    }

    async fn work(&self, client: &Client, task: &Task) -> Result<(), Failure> {
        let of = |index: usize| {
            let table = self.crew.found.manifest.tables.get(index);
            let partitioned = self.crew.partitioned.get(index).copied();
            table
                .zip(partitioned)
                .ok_or_else(|| refused("there is no such table"))
        };
        match task {
            Task::Rows(index) => {
                let (table, partitioned) = of(*index)?;
                self.meter.now(format!("restoring {}", table.relation));
                self.rows(client, *index, partitioned).await
            }
            Task::Keys(index) => {
                let (table, _) = of(*index)?;
                let statements = self
                    .tasks
                    .lock()
                    .map(|mut tasks| tasks.keys(*index))
                    .unwrap_or_default();
                self.meter
                    .now(format!("making the keys of {}", table.relation));
                for statement in statements {
                    run(client, &statement).await?;
                }
                Ok(())
            }
            Task::Index(index, statement) => {
                let (table, _) = of(*index)?;
                self.meter
                    .now(format!("building an index of {}", table.relation));
                run(client, statement).await
            }
            Task::Compare(index) => {
                let (table, partitioned) = of(*index)?;
                self.meter.now(format!("comparing {}", table.relation));
                compare(client, table, &table.relation, partitioned).await
            }
            Task::Analyze(index) => {
                let (table, _) = of(*index)?;
                run(client, &format!("ANALYZE {}", table.relation)).await
            }
            Task::Foreign(_, statement) => {
                self.meter.now("checking foreign keys".to_owned());
                run(client, statement).await
            }
        }
    }

    /// Has the rows of a table come. The transaction empties the table first: its rows can be frozen then, and
    /// nothing has to look at them again.
    async fn rows(&self, client: &Client, index: usize, partitioned: bool) -> Result<(), Failure> {
        let Crew {
            site, found, key, ..
        } = &self.crew;
        let Some(table) = found.manifest.tables.get(index) else {
            return Ok(());
        };
        let lines = Lines::open(site, found, table, key.as_ref()).await?;
        let relation = &table.relation;
        let (begin, way) = if partitioned {
            ("BEGIN".to_owned(), Way::Plain)
        } else {
            (format!("BEGIN; TRUNCATE ONLY {relation}"), Way::Frozen)
        };
        run(client, &begin).await?;
        let mut sent = |bytes| self.meter.add(bytes);
        load::copy(client, lines, table, relation, way, &mut sent).await?;
        run(client, "COMMIT").await
    }
}

/// What is known to hold for a database that nobody uses yet, and that is dropped if this does not end well.
fn settings(jobs: usize) -> String {
    let memory = BUILDING / jobs.max(1);
    format!(
        "SET lock_timeout = 0; SET synchronous_commit = off; SET check_function_bodies = off; \
         SELECT set_config('maintenance_work_mem', '{memory}MB', false) \
         WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('{memory}MB')"
    )
}
