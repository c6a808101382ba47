//! A dump into an empty database. Owners and rights come along: a database that has lost them is no longer the
//! one that was saved.

use std::time::Duration;

use tokio_postgres::Client;

use super::opened::Opened;
use super::{tools_for, unreadable};
use crate::archive::manifest::Holds;
use crate::archive::seal::FileKey;
use crate::archive::store::Found;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::backup::maintenance::{self, field};
use crate::pg::backup::process::{self, Process};
use crate::pg::backup::progress::Meter;
use crate::pg::backup::tools::{self, Tools};
use crate::pg::backup::{Site, Told, libpq, limit, refused};
use crate::pg::settings::ConnectSettings;
use crate::step::backup::DatabaseBackup;

/// How often the size of the database is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What a restoring session does need not be on disk at once: the database has no name yet.
const OPTIONS: &str = "-c synchronous_commit=off";

/// Since version 14 a server notices during a long statement that nobody waits for it.
const NOTICING: &str = "-c client_connection_check_interval=2s";

/// Restores a dump into an empty database, by `pg_restore`, with its owners and rights. The caller compares and
/// analyzes.
///
/// # Errors
/// The tool is missing or fails; the dump holds the data alone; the server's word; a limit.
pub(in crate::pg::backup) async fn restore(
    to: &ConnectSettings,
    site: &Site,
    found: &Found,
    key: Option<&FileKey>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    if found.manifest.holds == Holds::Database(DatabaseBackup::Data) {
        return Err(refused(format!(
            "the backup {} holds the data alone: a new database would have no tables for it",
            found.manifest.id
        ))
        .help("restore its tables into a database that has them")
        .help("a backup with `database: full` can become a new database"));
    }
    let beside = limit::within(limits, None, maintenance::here(to)).await?;
    let server = version(&beside.client).await?;
    let tools = fitting(site, found, &server)?;
    let environment = &site.environment;
    let opened = Opened::new(environment, &found.folder, &found.manifest, key)?;
    let opened = opened.with(|_| true, limits).await?;
    let is_newer = Some(tools.major) > tools::major(&server);
    let settings = libpq::at_place(to, &beside.place);
    let mut command = process::command(&tools.restore, environment);
    let more = match tools::major(&server) {
        Some(14..) => format!("{OPTIONS} {NOTICING}"),
        _ => OPTIONS.to_owned(),
    };
    libpq::connect(&mut command, &settings, &more);
    command
        .arg("--no-password")
        .arg(format!("--jobs={}", site.jobs.max(1)))
        .arg(libpq::dbname(settings.database()));
    if !is_newer {
        command.arg("--exit-on-error");
    }
    command.arg(opened.folder());
    let process = Process::start(command, "pg_restore", libpq::password(&settings))?;
    let meter = Meter::new("restoring the dump", None);
    let ending = process.ended(limits);
    let (status, said) = meter
        .telling(told, watched(&meter, &beside.client, ending))
        .await?;
    if status.success() || (is_newer && only_unknown_settings(&said)) {
        return Ok(());
    }
    Err(explained(
        found,
        process::failed("pg_restore", status, &said),
    ))
}

/// Finds programs that read the dump, and that the server understands.
fn fitting(site: &Site, found: &Found, server: &str) -> Result<Tools, Failure> {
    let by_dump = tools_for(&site.environment, &found.manifest)?;
    if Some(by_dump.major) >= tools::major(server) {
        return Ok(by_dump);
    }
    Tools::find(&site.environment, server)
}

async fn version(client: &Client) -> Result<String, Failure> {
    let rows = maintenance::rows(client, "SELECT current_setting('server_version')", &[]).await?;
    match rows.first() {
        Some(row) => field(row, 0),
        None => Ok(String::new()),
    }
}

/// Waits for work, and looks meanwhile how large the database is.
async fn watched<T>(meter: &Meter, client: &Client, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(LOOK) => {}
        }
        let query = "SELECT pg_database_size(current_database())";
        let looked = maintenance::rows(client, query, &[]);
        tokio::select! {
            biased;
            done = &mut work => return done,
            // Only progress depends on it.
            rows = looked => if let Some(bytes) = rows.ok().and_then(|rows| field::<i64>(rows.first()?, 0).ok()) {
                meter.set(u64::try_from(bytes).unwrap_or_default());
            }
        }
    }
}

/// Returns whether all that a program of a newer version complained of are settings that the server does not
/// know: it sets what newer servers have.
fn only_unknown_settings(said: &str) -> bool {
    let mut errors = said
        .lines()
        .filter(|line| line.contains("error:"))
        .peekable();
    errors.peek().is_some()
        && !process::is_cut(said)
        && errors.all(|line| line.contains("unrecognized configuration parameter"))
}

/// Adds what can be done about a failure.
fn explained(found: &Found, failure: Failure) -> Failure {
    let says = |words: &str| failure.notes.iter().any(|note| note.contains(words));
    let missing = says("role \"") && says("does not exist");
    let may_not = says("must be member of role")
        || says("must be able to SET ROLE")
        || says("must be owner of")
        || says("permission denied");
    let is_read_wrong =
        says("could not read") || says("could not uncompress") || says("unexpected end");
    if missing {
        return failure
            .note("owners and rights are restored too, and the server lacks one of their roles")
            .help("make the role first: CREATE ROLE …");
    }
    if may_not {
        return failure
            .note("owners and rights are restored too, which this login may not do for all of them")
            .help("use a superuser, or a login that is a member of all owners");
    }
    if is_read_wrong && failure.kind == FailureKind::Backup {
        return unreadable(&found.folder, failure);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_program_may_set_what_an_older_server_does_not_know() {
        let unknown = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n\
            Command was: SET transaction_timeout = 0;\npg_restore: warning: errors ignored on restore: 1\n";
        assert!(only_unknown_settings(unknown));
        let other = format!("{unknown}pg_restore: error: could not execute query: ERROR:  no\n");
        assert!(!only_unknown_settings(&other));
        assert!(!only_unknown_settings(""));
    }
}
