//! Puts back what units changed: newest first, in one transaction, or nothing of it.

mod request;
mod saved;
mod works;

pub use request::{Request, Words, run};
pub use works::{Way, Work, Works};

use super::change::Changes;
use super::conflict::{Conflict, Restored};
use super::failure::{Failure, FailureKind};
use super::journal::{Terms, Undo, Unit};
use super::port::{Close, Limits, World};
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

/// What putting back came to.
#[derive(Clone, Debug, Default)]
pub struct PutBack {
    /// The units that are put back, by this or before.
    pub undone: Vec<Unit>,
    /// How many rows were put back.
    pub restored: u64,
    /// The rows that were put back.
    pub changes: Changes,
    /// The rows that someone changed since, the first of them.
    pub conflicts: Vec<Conflict>,
    /// How many rows someone changed since.
    pub conflicting: u64,
    /// The units of which rows stay as they are.
    pub in_part: Vec<Unit>,
    /// Of what was only looked at: whether the server says that the transaction is aborted.
    pub aborted: Option<bool>,
}

/// How units are put back.
#[derive(Clone, Debug)]
struct How<'a> {
    on_conflict: OnConflict,
    lasting: Lasting<'a>,
    /// The units of which rows stay as they are: they are not recorded as put back, so that the rest can be put
    /// back later.
    in_part: Vec<Unit>,
}

/// Whether what is put back stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting<'a> {
    /// It is only looked at.
    No,
    /// It stays.
    Yes,
    /// It stays if the rows are those of this digest, which a person was shown.
    IfSame(&'a str),
}

/// Puts units back in one transaction. With conflicts, and unless they are to be skipped, nothing is.
///
/// # Errors
/// The server's word; nothing is put back then, unless it is [`FailureKind::InDoubt`].
pub async fn put_back<W: World>(
    world: &mut W,
    works: &[Work],
    on_conflict: OnConflict,
    lasting: Lasting<'_>,
    limits: &Limits,
) -> Result<PutBack, Failure> {
    let mut left: Vec<&Work> = works.iter().collect();
    let mut before = PutBack::default();
    let mut how = How {
        on_conflict,
        lasting,
        in_part: Vec::new(),
    };
    if on_conflict == OnConflict::Skip && lasting != Lasting::No {
        let look = How {
            lasting: Lasting::No,
            ..how
        };
        let looked = once(world, &left, &look, limits).await;
        // What fails here fails below as well, where it is told.
        how.in_part = looked.map_or_else(|_| Vec::new(), |looked| looked.in_part);
    }
    loop {
        let tried = once(world, &left, &how, limits).await;
        match tried {
            // It was put back before: by this very run before it was cut short, or by someone else. What a
            // transaction has recorded cannot be left out of it, so another one begins.
            Err((Some(index), failure)) if failure.kind == FailureKind::Recorded => {
                before.note(left.remove(index));
            }
            Err((_, failure)) => return Err(failure),
            Ok(done) => {
                before.undone.extend(done.undone);
                return Ok(PutBack {
                    undone: before.undone,
                    ..done
                });
            }
        }
    }
}

/// Puts units back in one transaction; an error comes with the index of the unit that it is about.
async fn once<W: World>(
    world: &mut W,
    works: &[&Work],
    how: &How<'_>,
    limits: &Limits,
) -> Result<PutBack, (Option<usize>, Failure)> {
    if works.is_empty() {
        return Ok(PutBack::default());
    }
    let whole = |failure| (None, failure);
    world.open(limits).await.map_err(whole)?;
    let mut done = PutBack::default();
    let mut result = all(world, works, how, limits, &mut done).await;
    let How {
        on_conflict,
        lasting,
        ..
    } = *how;
    if let (Ok(()), Lasting::IfSame(shown)) = (&result, lasting) {
        result = super::perform::same_as_approved(shown, &done.changes).map_err(whole);
    }
    let lasting = lasting != Lasting::No;
    let kept =
        result.is_ok() && lasting && (done.conflicts.is_empty() || on_conflict == OnConflict::Skip);
    if kept {
        world.close(Close::Commit, limits).await.map_err(whole)?;
        return Ok(done);
    }
    if lasting {
        let closed = world.close(Close::Rollback, limits).await;
        result?;
        closed.map_err(whole)?;
    } else {
        let aborted = world.abort().await;
        result?;
        done.aborted = Some(aborted.map_err(whole)?);
        if done.conflicts.is_empty() || on_conflict == OnConflict::Skip {
            return Ok(done);
        }
    }
    // What was put back before the conflict was found is taken back as well.
    Ok(PutBack {
        conflicts: done.conflicts,
        conflicting: done.conflicting,
        aborted: done.aborted,
        ..PutBack::default()
    })
}

/// Someone changed rows between the look and the work: what is left of the unit could not be put back later.
fn just_changed(run: &str) -> Failure {
    Failure::new(
        FailureKind::Serialization,
        "someone changed rows in the very moment in which they were to be put back",
    )
    .note("nothing was put back")
    .help(format!("try it again: runbook undo {run}"))
}

async fn all<W: World>(
    world: &mut W,
    works: &[&Work],
    how: &How<'_>,
    limits: &Limits,
    done: &mut PutBack,
) -> Result<(), (Option<usize>, Failure)> {
    for (index, work) in works.iter().enumerate() {
        let about = |failure| (Some(index), failure);
        // Also where it is only looked at: what was put back before is found out by this.
        let entry = work.undoing();
        let is_recorded = !how.in_part.contains(&entry.unit);
        if is_recorded {
            world.record(&entry, limits).await.map_err(about)?;
        }
        let before = done.conflicting;
        one(world, work, how.on_conflict, limits, done)
            .await
            .map_err(about)?;
        if done.conflicting == before {
            for covered in &work.covers {
                world.record(covered, limits).await.map_err(about)?;
            }
            done.note(work);
            continue;
        }
        done.in_part.push(entry.unit);
        if is_recorded && how.on_conflict == OnConflict::Skip && how.lasting != Lasting::No {
            return Err(about(just_changed(&entry.run)));
        }
    }
    let late = world
        .settle(limits)
        .await
        .map_err(|failure| (None, failure))?;
    done.changes.append(late);
    Ok(())
}

async fn one<W: World>(
    world: &mut W,
    work: &Work,
    on_conflict: OnConflict,
    limits: &Limits,
    done: &mut PutBack,
) -> Result<(), Failure> {
    for way in &work.ways {
        match way {
            Way::Images(fixes) => {
                let fixes = fixes.as_deref();
                let restored = world.restore(&work.entry, fixes, on_conflict, limits);
                done.add(restored.await?);
            }
            Way::Backup(source) => {
                let restored = world.restore_backup(&work.entry, source, on_conflict, limits);
                done.add(restored.await?);
            }
            Way::Statements(step, statements) => {
                for bound in statements {
                    let changed = world.change(bound, &terms(*step), limits).await?;
                    done.restored += changed.count;
                    done.changes.append(changed.changes);
                }
            }
        }
    }
    Ok(())
}

impl PutBack {
    /// A unit of which fixes are left as they are is not put back.
    fn note(&mut self, work: &Work) {
        if !work.in_part {
            self.undone.push(work.unit);
        }
    }

    fn add(&mut self, restored: Restored) {
        self.restored += restored.rows;
        self.changes.append(restored.changes);
        self.conflicting += restored.conflicting;
        self.conflicts.extend(restored.conflicts);
    }
}

/// The statements of an `undo` are the author's own business.
fn terms(step: StepId) -> Terms {
    Terms {
        step,
        undo: Undo::Never,
        tables: None,
        ignore: Vec::new(),
        row_security: false,
    }
}
