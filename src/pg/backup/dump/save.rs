//! Writes a dump, and counts and hashes every table under its snapshot.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::process::Command;

use super::opened::FOLDER;
use super::{Saved, files};
use crate::archive::folder::Draft;
use crate::archive::io;
use crate::archive::manifest::{Definition, Table};
use crate::archive::row::Tally;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::process::{self, Process};
use crate::pg::backup::progress::Meter;
use crate::pg::backup::snapshot::Snapshot;
use crate::pg::backup::tools::Tools;
use crate::pg::backup::{Site, Told, catalog, libpq, limit, refused, rows, space};
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::step::backup::DatabaseBackup;

/// How long `pg_dump` waits for tables that someone holds, in milliseconds.
const LOCK_WAIT: u32 = 30_000;

/// How often the size of the dump is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Writes the dump of a database into a backup that is being made, with what the server counts and hashes of
/// each table under the same snapshot.
///
/// # Errors
/// The tool is missing, too old or fails; the server's word; a limit.
pub(in crate::pg::backup) async fn save(
    session: &Session,
    site: &Site,
    draft: &Draft,
    scope: DatabaseBackup,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Saved, Failure> {
    let tools = Tools::find(&site.environment, &session.target().server_version)?;
    // What is emptied or dropped after the snapshot would be empty in it: everything is locked before.
    let listing = catalog::all(session.client());
    let known = session.guarded(limits, listing).await?;
    let locked: Vec<String> = known.iter().map(catalog::Saved::from).collect();
    let taking = Snapshot::take_of(session.settings(), &locked);
    let snapshot = limit::within(limits, None, taking)
        .await
        .map_err(rows::gone)?;
    let canceller = snapshot.canceller();
    let listing = catalog::all(snapshot.client());
    let tables = limit::within(limits, Some(&canceller), listing).await?;
    let holds_rows = scope != DatabaseBackup::Schema;
    let bytes = tables.iter().map(|table| table.bytes).sum();
    space::check(
        draft.folder(),
        if holds_rows {
            space::compressed(bytes)
        } else {
            0
        },
    )?;
    let order = Order {
        tools: &tools,
        site,
        settings: libpq::at_place(session.settings(), snapshot.place()),
        snapshot: &snapshot.id,
        scope,
        folder: draft.folder().join(FOLDER),
        limits,
    };
    let meter = Meter::new("dumping", None);
    let work = async {
        let counting = async {
            if holds_rows {
                order.tallies(&tables).await
            } else {
                Ok(vec![Tally::default(); tables.len()])
            }
        };
        tokio::try_join!(order.dump(), counting)
    };
    let ((), tallies) = meter
        .telling(told, watched(&meter, &order.folder, work))
        .await?;
    drop(order);
    limit::within(limits, Some(&canceller), snapshot.held()).await?;
    let taken_at = snapshot.taken_at;
    drop(snapshot);
    let files = files::settled(draft, site.jobs, limits, told).await?;
    Ok(Saved {
        tables: tables.into_iter().zip(tallies).map(entry).collect(),
        files,
        tool: tools.version,
        taken_at,
    })
}

/// Returns what the manifest says of a table.
fn entry((table, tally): (catalog::Saved, Tally)) -> Table {
    Table {
        relation: table.relation,
        columns: table.columns,
        fingerprint: table.fingerprint,
        key: table.key,
        predicate: None,
        tally,
        file: None,
        bytes: 0,
        definition: Definition::default(),
    }
}

/// Waits for work, and counts meanwhile what is in a folder.
async fn watched<T>(meter: &Meter, folder: &Path, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(LOOK) => meter.set(files::bytes_in(folder)),
        }
    }
}

/// A dump that is to be written.
struct Order<'a> {
    tools: &'a Tools,
    site: &'a Site,
    settings: ConnectSettings,
    snapshot: &'a str,
    scope: DatabaseBackup,
    folder: PathBuf,
    limits: &'a Limits,
}

impl Order<'_> {
    /// Has `pg_dump` write it, compressed by zstd where it can.
    async fn dump(&self) -> Result<(), Failure> {
        let zstd = self.tools.major >= 16;
        match self.dump_by(if zstd { "zstd:1" } else { "1" }).await {
            Err(failure) if zstd && lacks_zstd(&failure) => {
                if self.folder.exists() {
                    std::fs::remove_dir_all(&self.folder)
                        .map_err(|error| io("remove", &self.folder, &error))?;
                }
                self.dump_by("1").await?;
            }
            done => done?,
        }
        if self.folder.join("toc.dat").is_file() {
            return Ok(());
        }
        Err(refused(
            "pg_dump ended as if all were well, and wrote no dump",
        ))
    }

    async fn dump_by(&self, compress: &str) -> Result<(), Failure> {
        let mut command = process::command(&self.tools.dump, &self.site.environment);
        libpq::connect(&mut command, &self.settings, "");
        self.arguments(&mut command, compress);
        let password = libpq::password(&self.settings);
        let process = Process::start(command, "pg_dump", password)?;
        process.end(self.limits).await.map(drop)
    }

    fn arguments(&self, command: &mut Command, compress: &str) {
        command
            .args(["--format=directory", "--no-sync", "--no-password"])
            .arg(format!("--jobs={}", self.site.jobs.max(1)))
            .arg(format!("--snapshot={}", self.snapshot))
            .arg(format!("--lock-wait-timeout={LOCK_WAIT}"))
            .arg(format!("--compress={compress}"));
        let only = match self.scope {
            DatabaseBackup::Full => None,
            DatabaseBackup::Schema => Some("--schema-only"),
            DatabaseBackup::Data => Some("--data-only"),
        };
        command.args(only);
        command.arg("--file").arg(&self.folder);
    }

    /// Has the server count and hash the tables, the largest first, over several connections.
    async fn tallies(&self, tables: &[catalog::Saved]) -> Result<Vec<Tally>, Failure> {
        let mut order: Vec<usize> = (0..tables.len()).collect();
        order.sort_by_key(|index| tables.get(*index).map(|table| u64::MAX - table.bytes));
        let next = AtomicUsize::new(0);
        let worker = async || {
            let join = Snapshot::join(&self.settings, self.snapshot);
            let connected = limit::within(self.limits, None, join).await?;
            let mut done = Vec::new();
            while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(table) = tables.get(*index) else {
                    continue;
                };
                let counting = catalog::tally(&connected.client, table);
                let tally =
                    limit::within(self.limits, Some(&connected.canceller), counting).await?;
                done.push((*index, tally));
            }
            Ok::<_, Failure>(done)
        };
        let workers = self.site.jobs.clamp(1, tables.len().max(1));
        let done = try_join_all((0..workers).map(|_| worker())).await?;
        let mut tallies = vec![Tally::default(); tables.len()];
        for (index, tally) in done.into_iter().flatten() {
            if let Some(place) = tallies.get_mut(index) {
                *place = tally;
            }
        }
        Ok(tallies)
    }
}

/// Returns whether a build of `pg_dump` knows no zstd.
fn lacks_zstd(failure: &Failure) -> bool {
    failure
        .notes
        .iter()
        .any(|note| note.contains("zstd") && note.contains("compression"))
}
