//! Puts back what units changed: newest first, in one transaction, or nothing of it.

mod request;

pub use request::{Request, run};

use super::change::Changes;
use super::conflict::{Conflict, Restored};
use super::failure::{Failure, FailureKind};
use super::journal::{Entry, Terms, Undo, Unit};
use super::perform::bind;
use super::plan::Plan;
use super::port::{Bound, Close, Limits, World};
use super::scope::{self, Current, Surroundings};
use super::state::State;
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;
use crate::step::rollback::OnConflict;

/// How one unit is put back.
#[derive(Clone, Debug)]
pub struct Work {
    /// What the journal knows it by.
    pub entry: Entry,
    /// What it is recorded as when it is put back: the unit, or one fix of an atomic.
    pub unit: Unit,
    /// What is to be done, in order: the last fix first.
    pub ways: Vec<Way>,
    /// Whether some of its fixes are left as they are: nothing can put them back.
    pub in_part: bool,
}

/// How some of a unit's fixes are put back.
#[derive(Clone, Debug)]
pub enum Way {
    /// By the images of the rows, of these fixes or of all.
    Images(Option<Vec<StepId>>),
    /// By the statements of a fix's `undo`.
    Statements(StepId, Vec<Bound>),
}

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
    /// Of what was only looked at: whether the server says that the transaction is aborted.
    pub aborted: Option<bool>,
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

/// What there is to put back, and what nothing can.
#[derive(Clone, Debug, Default)]
pub struct Works {
    /// What can be put back, newest first.
    pub works: Vec<Work>,
    /// The fixes that nothing can put back.
    pub never: Vec<String>,
    /// Why not, where their runbook does not say so.
    pub why: Option<&'static str>,
}

impl Works {
    /// Finds how the units that a run committed are put back; with `of` only those of these fixes and atomics.
    ///
    /// # Errors
    /// A statement of an `undo` has no value for one of its names.
    pub fn of(
        plan: &Plan,
        state: &State,
        surroundings: &Surroundings,
        of: &[StepId],
    ) -> Result<Self, Failure> {
        let mut found = Self::default();
        let wanted = |id: StepId| of.is_empty() || of.contains(&id);
        for unit in state.units.iter().rev() {
            let step = plan.runbook().step(unit.step);
            let inner: Vec<&Step> = step
                .unit()
                .into_iter()
                .map(|id| plan.runbook().step(id))
                .filter(|inner| matches!(inner.kind, Kind::Fix(_)))
                .filter(|inner| state.ran(unit, inner))
                .collect();
            // Fixes of an atomic may have been put back by themselves.
            let rest: Vec<&Step> = inner
                .iter()
                .copied()
                .filter(|fix| !state.undone.contains(&unit.of(fix.id)))
                .collect();
            let asked: Vec<&Step> = rest
                .iter()
                .copied()
                .filter(|inner| wanted(step.id) || wanted(inner.id))
                .collect();
            if asked.is_empty() {
                continue;
            }
            let current = current(plan, state, surroundings, step, unit)?;
            let found_way = |fix| way(plan, state, surroundings, (unit, step), fix, &current);
            let ways = asked.iter().rev().map(|fix| Ok((*fix, found_way(fix)?)));
            let all = ways.collect::<Result<Vec<_>, Failure>>()?;
            let work = |of: StepId, name: &Step| Work::of(&plan.run, *unit, unit.of(of), name);
            if asked.len() < rest.len() {
                // Each is recorded by itself: the others can be put back later.
                found.each(all, |fix| work(fix.id, fix));
            } else {
                let whole = inner.len() == asked.len();
                found.together(all, work(unit.step, step), whole);
            }
        }
        Ok(found)
    }

    /// Puts fixes of an atomic back one by one.
    fn each(&mut self, fixes: Vec<(&Step, Option<Way>)>, work: impl Fn(&Step) -> Work) {
        for (fix, way) in fixes {
            let Some(way) = way else {
                self.never.push(fix.title.clone());
                continue;
            };
            let mut work = work(fix);
            work.add(way);
            self.works.push(work);
        }
    }

    /// Puts the fixes of a unit back that are left: `whole` says that these are all.
    fn together(&mut self, fixes: Vec<(&Step, Option<Way>)>, mut work: Work, whole: bool) {
        let count = fixes.len();
        for (fix, way) in fixes {
            match way {
                // They put back all parts of a batch at once.
                Some(Way::Statements(..)) if self.has_statements(fix.id, &work.unit) => {}
                Some(way) => work.add(way),
                None => {
                    self.never.push(fix.title.clone());
                    work.in_part = true;
                }
            }
        }
        if whole && work.ways.len() == 1 {
            // All of the unit by its images: also what an atomic did beside its fixes' own statements.
            if let Some(Way::Images(fixes)) = work.ways.first_mut()
                && fixes.as_ref().is_none_or(|fixes| fixes.len() == count)
            {
                *fixes = None;
            }
        }
        if !work.ways.is_empty() || !work.in_part {
            self.works.push(work);
        }
    }

    /// Returns whether a later part of the same batch has these statements already.
    fn has_statements(&self, fix: StepId, unit: &Unit) -> bool {
        let same = |work: &Work| work.unit.step == unit.step && work.unit.item == unit.item;
        let has = |way: &Way| matches!(way, Way::Statements(step, _) if *step == fix);
        self.works
            .iter()
            .any(|work| same(work) && work.ways.iter().any(has))
    }
}

impl Work {
    /// Returns the work on a unit, of which there is nothing to be done yet.
    fn of(run: &str, unit: Unit, recorded: Unit, step: &Step) -> Self {
        Self {
            entry: Entry {
                run: run.to_owned(),
                unit,
                name: step.title.clone(),
                undo: false,
            },
            unit: recorded,
            ways: Vec::new(),
            in_part: false,
        }
    }

    /// Returns what the journal knows it by that this is put back.
    fn undoing(&self) -> Entry {
        Entry {
            unit: self.unit,
            undo: true,
            ..self.entry.clone()
        }
    }

    /// Adds a way; images of fixes that follow each other are one.
    fn add(&mut self, way: Way) {
        match (self.ways.last_mut(), way) {
            (Some(Way::Images(Some(known))), Way::Images(Some(more))) => known.extend(more),
            (_, way) => self.ways.push(way),
        }
    }
}

/// Returns the item that a unit worked on.
fn current(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    step: &Step,
    unit: &Unit,
) -> Result<Vec<Current>, Failure> {
    let Some(index) = unit.item else {
        return Ok(Vec::new());
    };
    let items = super::item::items(plan, state, surroundings, step)?;
    Ok(items
        .into_iter()
        .flatten()
        .map(|(current, _)| current)
        .filter(|current| current.index == index)
        .collect())
}

fn way(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    (unit, of): (&Unit, &Step),
    step: &Step,
    current: &[Current],
) -> Result<Option<Way>, Failure> {
    let Kind::Fix(fix) = &step.kind else {
        return Ok(None);
    };
    if step.undo.is_empty() {
        let images = !fix.is_never_undone() && !super::perform::is_final(fix);
        return Ok(images.then(|| Way::Images(Some(vec![step.id]))));
    }
    let seen = state.seen_by(unit, of);
    let context = scope::context(plan, &seen, surroundings, step, current)
        .map_err(super::perform::template)?;
    let statements = step.undo.iter().map(|sql| bind(&context, sql));
    Ok(Some(Way::Statements(
        step.id,
        statements.collect::<Result<_, _>>()?,
    )))
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
    loop {
        let tried = once(world, &left, on_conflict, lasting, limits).await;
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
    on_conflict: OnConflict,
    lasting: Lasting<'_>,
    limits: &Limits,
) -> Result<PutBack, (Option<usize>, Failure)> {
    if works.is_empty() {
        return Ok(PutBack::default());
    }
    let whole = |failure| (None, failure);
    world.open(limits).await.map_err(whole)?;
    let mut done = PutBack::default();
    let mut result = all(world, works, on_conflict, limits, &mut done).await;
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

async fn all<W: World>(
    world: &mut W,
    works: &[&Work],
    on_conflict: OnConflict,
    limits: &Limits,
    done: &mut PutBack,
) -> Result<(), (Option<usize>, Failure)> {
    for (index, work) in works.iter().enumerate() {
        let about = |failure| (Some(index), failure);
        // Also where it is only looked at: what was put back before is found out by this.
        let entry = work.undoing();
        world.record(&entry, limits).await.map_err(about)?;
        one(world, work, on_conflict, limits, done)
            .await
            .map_err(about)?;
        done.note(work);
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
    }
}
