//! Reads all of a dump, and compares the rows of every table with what the server counted and hashed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::blocks::{Blocks, Name};
use super::entries::{Entry, list, use_list};
use super::opened::Opened;
use super::{in_thread, tools_for, unreadable};
use crate::archive::damaged;
use crate::archive::manifest::{Holds, Manifest, Table};
use crate::archive::row::Tally;
use crate::archive::seal::FileKey;
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::backup::process::{self, Process};
use crate::pg::backup::progress::Meter;
use crate::pg::backup::tools::Tools;
use crate::pg::backup::{Site, Told, refused};
use crate::step::backup::DatabaseBackup;

/// The tables that were read: their columns and what there is of them.
type Read = BTreeMap<Name, (Vec<String>, Tally)>;

/// Reads a dump in full through `pg_restore`, and compares the rows of every table with what the server counted
/// and hashed. Of the structure alone every table must be there.
///
/// # Errors
/// What is wrong, and where; a limit.
pub(in crate::pg::backup) async fn prove(
    site: &Site,
    folder: &Path,
    manifest: &Manifest,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let tools = tools_for(&site.environment, manifest)?;
    let opened = Opened::new(&site.environment, folder, manifest, key)?;
    let meter = Arc::new(Meter::new("reading the dump", None));
    let proof = Proof {
        site,
        tools: &tools,
        folder,
        manifest,
        limits,
        meter: Arc::clone(&meter),
    };
    let proving = async {
        let opened = opened.with(|_| true, limits).await?;
        match manifest.holds {
            Holds::Database(DatabaseBackup::Schema) => proof.structure(&opened).await,
            _ => proof.rows(&opened).await,
        }
    };
    meter.telling(told, proving).await
}

struct Proof<'a> {
    site: &'a Site,
    tools: &'a Tools,
    folder: &'a Path,
    manifest: &'a Manifest,
    limits: &'a Limits,
    meter: Arc<Meter>,
}

impl Proof<'_> {
    async fn list(&self, opened: &Opened, options: &[&str]) -> Result<Vec<Entry>, Failure> {
        let environment = &self.site.environment;
        list(
            self.tools,
            environment,
            &opened.folder(),
            options,
            self.limits,
        )
        .await
        .map_err(|failure| unreadable(self.folder, failure))
    }

    /// Reads the structure, and looks for every table.
    async fn structure(&self, opened: &Opened) -> Result<(), Failure> {
        let mut command = process::command(&self.tools.restore, &self.site.environment);
        command.arg("--file=/dev/null").arg(opened.folder());
        Process::start(command, "pg_restore", None)?
            .end(self.limits)
            .await
            .map_err(|failure| unreadable(self.folder, failure))?;
        let entries = self.list(opened, &[]).await?;
        for table in &self.manifest.tables {
            let name = self.name(table)?;
            if !entries.iter().any(|entry| entry.may_be("TABLE", &name)) {
                return Err(self.missing(table));
            }
        }
        Ok(())
    }

    /// Reads all rows, over several processes, and compares.
    async fn rows(&self, opened: &Opened) -> Result<(), Failure> {
        let entries = self.list(opened, &["--data-only"]).await?;
        let parts = parts(&entries, opened, self.site.jobs);
        let reading = parts.iter().map(|part| self.part(opened, part));
        let mut read = Read::new();
        for part in try_join_all(reading).await? {
            for (name, what) in part {
                if read.insert(name.clone(), what).is_some() {
                    let why = format!("{}.{} is in it twice", name.schema, name.table);
                    return Err(damaged(self.folder, why));
                }
            }
        }
        for table in &self.manifest.tables {
            let found = read.get(&self.name(table)?);
            let (columns, tally) = found.ok_or_else(|| self.missing(table))?;
            self.compare(table, columns, *tally)?;
        }
        Ok(())
    }

    /// Reads the rows of some entries.
    async fn part(&self, opened: &Opened, part: &[&Entry]) -> Result<Read, Failure> {
        let list = use_list(part.iter().copied())?;
        let mut command = process::command(&self.tools.restore, &self.site.environment);
        command
            .args(["--data-only", "--file=-"])
            .arg("--use-list")
            .arg(list.path())
            .arg(opened.folder())
            .stdout(Stdio::piped());
        let mut process = Process::start(command, "pg_restore", None)?;
        let output = process
            .output()
            .and_then(|output| output.into_owned_fd().ok())
            .ok_or_else(|| refused("pg_restore cannot be heard"))?;
        let (folder, meter) = (self.folder.to_owned(), Arc::clone(&self.meter));
        // It ends when the program does, whatever becomes of who waits for it.
        let reading = in_thread(move || read(std::fs::File::from(output), &folder, &meter));
        // Why the program failed says more than that its output ends.
        let (ended, read) = tokio::join!(process.end(self.limits), reading);
        ended.map_err(|failure| unreadable(self.folder, failure))?;
        read
    }

    fn name(&self, table: &Table) -> Result<Name, Failure> {
        Name::parse(&table.relation).ok_or_else(|| {
            let why = format!("its manifest names a table {}", table.relation);
            damaged(self.folder, why)
        })
    }

    fn missing(&self, table: &Table) -> Failure {
        damaged(self.folder, format!("{} is not in it", table.relation))
    }

    fn compare(&self, table: &Table, columns: &[String], came: Tally) -> Result<(), Failure> {
        let (relation, wanted) = (&table.relation, table.tally);
        let why = if columns != table.columns {
            format!("{relation} has other columns there than were saved")
        } else if came.rows != wanted.rows {
            format!(
                "{relation} has {} rows there, and the server counted {}",
                came.rows, wanted.rows
            )
        } else if came.hash != wanted.hash {
            format!("the rows of {relation} are not those that the server hashed")
        } else {
            return Ok(());
        };
        Err(damaged(self.folder, why))
    }
}

/// Splits the entries into parts of about the same size; what are no rows goes with the first.
fn parts<'a>(entries: &'a [Entry], opened: &Opened, jobs: usize) -> Vec<Vec<&'a Entry>> {
    let mut rows: Vec<(u64, &Entry)> = Vec::new();
    let mut parts: Vec<(u64, Vec<&Entry>)> = vec![(0, Vec::new()); jobs.max(1)];
    for entry in entries {
        if entry.is_rows() {
            rows.push((opened.bytes_of(&entry.id), entry));
        } else if let Some((_, first)) = parts.first_mut() {
            first.push(entry);
        }
    }
    rows.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    for (bytes, entry) in rows {
        if let Some((sum, part)) = parts.iter_mut().min_by_key(|(sum, _)| *sum) {
            // Even an empty one takes its time.
            *sum += bytes.max(1);
            part.push(entry);
        }
    }
    let parts = parts.into_iter().map(|(_, part)| part);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Counts and hashes all rows that a program prints.
fn read(from: std::fs::File, folder: &Path, meter: &Meter) -> Result<Read, Failure> {
    let wrong = |error: std::io::Error| damaged(folder, format!("its dump: {error}"));
    let mut blocks = Blocks::new(from);
    let mut read = Read::new();
    while let Some(header) = blocks.block().map_err(wrong)? {
        let mut tally = Tally::default();
        while let Some(lines) = blocks.lines().map_err(wrong)? {
            meter.add(lines.len() as u64);
            tally.add_lines(lines);
        }
        let table = format!("{}.{}", header.name.schema, header.name.table);
        if read.insert(header.name, (header.columns, tally)).is_some() {
            return Err(damaged(folder, format!("{table} is in it twice")));
        }
    }
    Ok(read)
}
