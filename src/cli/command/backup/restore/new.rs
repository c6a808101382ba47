//! A restore beside what is there: into a new database, or as a new table.

use super::Restoring;
use super::done;
use super::way::Way;
use crate::archive::manifest::Holds;
use crate::archive::proof;
use crate::archive::store::Found;
use crate::cli::world::RealWorld;
use crate::engine::backup::{BackedTable, Progressing, RestoredInto, Run, Step};
use crate::engine::cancel::Cancel;
use crate::engine::driver::Untold;
use crate::engine::event::{RunFinished, RunStarted, StepResult};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::Outcome;
use crate::engine::port::Limits;
use crate::pg::backup::Site;
use crate::pg::backup::fresh::Fresh;
use crate::pg::backup::into;
use crate::step::check::Severity;

const RESTORE: Step<'static> = Step {
    name: "restore",
    kind: "restore",
    about: None,
};

/// Reads all of the backup, and says where it would go: nothing is restored.
pub(super) async fn rehearse(
    restoring: &Restoring<'_>,
    started: RunStarted,
    way: &Way,
    world: &mut RealWorld,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    let mut run = Run::begin(started, world, cancel)?;
    let read = Step {
        name: "read",
        kind: "check",
        about: None,
    };
    let work = async |world: &mut RealWorld, limits: &Limits| {
        prove(restoring.found, &world.site, &limits.cancel).await?;
        Ok(StepResult::Check {
            passed: true,
            items: Vec::new(),
            switch: None,
            severity: Severity::Error,
            otherwise: None,
        })
    };
    if run.step(read, false, work).await?.is_none() {
        return run.stop("nothing would be restored");
    }
    let to = way.words(&restoring.database);
    run.finish(
        Outcome::Done,
        format!("The backup is good: it was read in full.\nIt would be restored to {to}."),
    )
}

/// Reads the files of a dump in full before anything of it is restored: what it says of structure is in no count
/// and no hash.
pub(super) async fn prove_dump(found: &Found, site: &Site, cancel: &Cancel) -> Result<(), Failure> {
    match found.manifest.holds {
        Holds::Database(_) => prove(found, site, cancel).await,
        Holds::Rows | Holds::Tables => Ok(()),
    }
}

async fn prove(found: &Found, site: &Site, cancel: &Cancel) -> Result<(), Failure> {
    let (found, key) = (found.clone(), site.key(found)?);
    let cancel = cancel.clone();
    let read = move || {
        let told = |_| {
            if cancel.is_set() {
                return Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"));
            }
            Ok(())
        };
        proof::of(&found.folder, &found.manifest, key.as_ref(), &told)
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| {
            Err(Failure::new(
                FailureKind::Backup,
                format!("the backup could not be read: {error}"),
            ))
        })
}

/// Restores into a new database, which gets its name when all of it is there.
pub(super) async fn database(
    restoring: &Restoring<'_>,
    started: RunStarted,
    name: &str,
    world: &mut RealWorld,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    let mut run = Run::begin(started, world, cancel)?;
    let work = async |world: &mut RealWorld, limits: &Limits| {
        let (fresh, tables) = Box::pin(fill(restoring, world, limits)).await?;
        Box::pin(fresh.keep_as(name)).await?;
        Ok(restored(
            restoring,
            format!("database {name}"),
            tables,
            None,
        ))
    };
    match run.step(RESTORE, true, work).await? {
        Some(_) => run.finish(
            Outcome::Done,
            restoring.says(done::database(name, restoring.is_named())),
        ),
        None => run.stop("nothing was restored"),
    }
}

/// Fills a database that has no name yet; it is dropped again where that fails.
pub(super) async fn fill(
    restoring: &Restoring<'_>,
    world: &mut RealWorld,
    limits: &Limits,
) -> Result<(Fresh, Vec<BackedTable>), Failure> {
    world.flush()?;
    prove_dump(restoring.found, &world.site, &limits.cancel).await?;
    let RealWorld {
        session,
        site,
        sink,
        ..
    } = world;
    let key = site.key(restoring.found)?;
    let mut told = |progress: &Progressing| sink.progress(progress);
    let fresh = Box::pin(Fresh::create(session.settings())).await?;
    let filled = into::empty_database(
        fresh.settings(),
        site,
        restoring.found,
        key.as_ref(),
        limits,
        &mut told,
    );
    match Box::pin(filled).await {
        Ok(tables) => Ok((fresh, tables)),
        Err(failure) => Err(match Box::pin(fresh.discard()).await {
            Ok(()) => failure,
            Err(left) => failure.note(format!(
                "what was restored so far could not be dropped: {}; the next restore drops it",
                left.message
            )),
        }),
    }
}

/// Restores one table beside the live one.
pub(super) async fn table(
    restoring: &Restoring<'_>,
    started: RunStarted,
    (table, name): (&str, &str),
    world: &mut RealWorld,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    let mut run = Run::begin(started, world, cancel)?;
    let work = async |world: &mut RealWorld, limits: &Limits| {
        world.flush()?;
        prove_dump(restoring.found, &world.site, &limits.cancel).await?;
        let RealWorld { session, site, .. } = world;
        let found = restoring.found;
        let key = site.key(found)?;
        let made = into::new_table(session, site, found, key.as_ref(), (table, name), limits);
        let made = Box::pin(made).await?;
        let into = format!("table {}", made.table);
        Ok(restored(restoring, into, vec![made], None))
    };
    match run.step(RESTORE, true, work).await? {
        Some(_) => run.finish(Outcome::Done, restoring.says(done::table(table, name))),
        None => run.stop("nothing was restored"),
    }
}

/// Returns what a restore came to.
pub(super) fn restored(
    restoring: &Restoring<'_>,
    into: String,
    tables: Vec<BackedTable>,
    aside: Option<String>,
) -> StepResult {
    StepResult::Restored(Box::new(RestoredInto {
        backup: restoring.manifest().id.clone(),
        into,
        rows: tables.iter().map(|table| table.rows).sum(),
        tables,
        aside,
    }))
}
