//! A restore in place of what is there: only after a typed yes, and so that there is a way back.

use std::path::Path;

use super::Restoring;
use super::done;
use super::new::{fill, prove_dump, restored};
use crate::archive::manifest::Encryption;
use crate::archive::name;
use crate::archive::store::Found;
use crate::cli::command::backup::create::{free_id, name_of};
use crate::cli::command::backup::record;
use crate::cli::world::RealWorld;
use crate::engine::backup::{Asking, MadeBy, Order, Progressing, Run, Seal, Step, What};
use crate::engine::cancel::Cancel;
use crate::engine::driver::Untold;
use crate::engine::event::{RunFinished, RunStarted, StepResult};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::Outcome;
use crate::engine::port::{Limits, World};
use crate::pg::backup::into::{self, Replacing};
use crate::pg::backup::swap;
use crate::pg::session::Session;
use crate::step::backup::Verify;

const RESTORE: Step<'static> = Step {
    name: "restore",
    kind: "restore",
    about: None,
};

/// Replaces all rows of tables, after those that are there were saved.
pub(super) async fn tables(
    restoring: &Restoring<'_>,
    started: RunStarted,
    asking: Option<Asking>,
    tables: &[String],
    world: &mut RealWorld,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    const NOTHING: &str = "nothing was restored";
    let before = before(restoring, &started, tables, world);
    let by = started.actor.clone();
    let mut run = Run::begin(started, world, cancel)?;
    if !restoring.broke_glass(&mut run, &by).await? || !confirmed(&mut run, asking).await? {
        return run.stop(NOTHING);
    }
    let saving = Step {
        name: "before",
        kind: "backup",
        about: Some("What is replaced is saved first."),
    };
    let save = async |world: &mut RealWorld, limits: &Limits| {
        let order = before?;
        prove_dump(restoring.found, &world.site, &limits.cancel).await?;
        let backed = world.backup(&order, limits).await?;
        Ok(StepResult::Backup(Box::new(backed)))
    };
    let Some(StepResult::Backup(saved)) = run.step(saving, false, save).await? else {
        return run.stop(NOTHING);
    };
    let replace = async |world: &mut RealWorld, limits: &Limits| {
        world.flush()?;
        let RealWorld {
            session,
            site,
            sink,
            ..
        } = world;
        let found = restoring.found;
        let key = site.key(found)?;
        let mut told = |progress: &Progressing| sink.progress(progress);
        let before = Found::open(Path::new(&saved.path))?;
        let by = Replacing {
            found,
            key: key.as_ref(),
            tables,
            saved: &before.manifest.tables,
        };
        let replaced = into::replace_tables(session, site, &by, limits, &mut told);
        let replaced = Box::pin(replaced).await?;
        let into = format!("database {}, in place", restoring.database);
        Ok(restored(restoring, into, replaced, None))
    };
    match run.step(RESTORE, true, replace).await? {
        Some(_) => run.finish(
            Outcome::Done,
            restoring.says(done::tables(&saved.id, &restoring.flag)),
        ),
        None => run.stop(NOTHING),
    }
}

/// Gives the restored database the name of the one that is there, which is kept under another.
pub(super) async fn database(
    restoring: &Restoring<'_>,
    started: RunStarted,
    asking: Option<Asking>,
    aside: &str,
    world: &mut RealWorld,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    const NOTHING: &str = "nothing was restored: the database is as it was";
    let database = restoring.database.clone();
    let by = started.actor.clone();
    let mut run = Run::begin(started, world, cancel)?;
    if !restoring.broke_glass(&mut run, &by).await? || !confirmed(&mut run, asking).await? {
        return run.stop(NOTHING);
    }
    let work = async |world: &mut RealWorld, limits: &Limits| {
        let (fresh, tables) = Box::pin(fill(restoring, world, limits)).await?;
        if limits.cancel.is_set() {
            Box::pin(fresh.discard()).await?;
            return Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"));
        }
        // The run's own session ends with all others of the database.
        let session =
            Session::connect(world.session.settings(), Some(&world.session.target().name))
                .await
                .map_err(|error| Failure::new(FailureKind::Connection, error.to_string()))?;
        Box::pin(swap::in_place(session, fresh, aside)).await?;
        let into = format!("database {database}, in place");
        Ok(restored(restoring, into, tables, Some(aside.to_owned())))
    };
    match run.step(RESTORE, true, work).await? {
        Some(_) => run.finish(
            Outcome::Done,
            restoring.says(done::swapped(&restoring.database, aside)),
        ),
        None => run.stop(NOTHING),
    }
}

impl Restoring<'_> {
    /// Says that the policy is not held to, where that is so. Returns whether it goes on.
    async fn broke_glass(&self, run: &mut Run<'_, RealWorld>, by: &str) -> Result<bool, Untold> {
        match &self.glass {
            None => Ok(true),
            Some((reason, lifted)) => run.breaks_glass(reason, by, lifted).await,
        }
    }
}

/// Without a question there is no yes.
async fn confirmed(run: &mut Run<'_, RealWorld>, asking: Option<Asking>) -> Result<bool, Untold> {
    match asking {
        Some(asking) => run.asks(asking).await,
        None => Ok(false),
    }
}

/// Returns the order of the backup of what is replaced. What was encrypted must not be saved in the clear.
fn before(
    restoring: &Restoring<'_>,
    started: &RunStarted,
    tables: &[String],
    world: &RealWorld,
) -> Result<Order, Failure> {
    let name = format!("{}-before-restore", name_of(&restoring.database));
    name::check(&name)?;
    let seal = match &restoring.manifest().encryption {
        None => None,
        Some(Encryption::Recipients(keys)) => Some(Seal::Recipients(keys.clone())),
        Some(Encryption::Passphrase) => world.site.keys.passphrase.clone().map(Seal::Passphrase),
    };
    Ok(Order {
        id: free_id(&world.site.folder, &name),
        name,
        what: What::Tables(tables.to_vec()),
        to: None,
        keep: None,
        verify: Verify::Checksum,
        seal,
        made_by: MadeBy {
            actor: started.actor.clone(),
            run: Some(started.run.clone()),
            runbook: Some(record::RESTORE.to_owned()),
            step: None,
        },
    })
}
