//! What there is to put back of a run, and how.

use crate::engine::backup::FromBackup;
use crate::engine::failure::Failure;
use crate::engine::journal::{Entry, Unit};
use crate::engine::perform::{bind, template};
use crate::engine::plan::Plan;
use crate::engine::port::Bound;
use crate::engine::scope::{self, Current, Surroundings};
use crate::engine::state::State;
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;

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
    /// What else the journal gets where no row conflicts: units that are put back with it, though not by their
    /// own images.
    pub covers: Vec<Entry>,
}

/// How some of a unit's fixes are put back.
#[derive(Clone, Debug)]
pub enum Way {
    /// By the images of the rows, of these fixes or of all.
    Images(Option<Vec<StepId>>),
    /// By the statements of a fix's `undo`.
    Statements(StepId, Vec<Bound>),
    /// By a row backup.
    Backup(FromBackup),
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
    pub(super) fn of(run: &str, unit: Unit, recorded: Unit, step: &Step) -> Self {
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
            covers: Vec::new(),
        }
    }

    /// Returns what the journal knows it by that this is put back.
    pub(super) fn undoing(&self) -> Entry {
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
    let items = crate::engine::item::items(plan, state, surroundings, step)?;
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
        let images = !fix.is_never_undone() && !fix.is_final();
        return Ok(images.then(|| Way::Images(Some(vec![step.id]))));
    }
    let seen = state.seen_by(unit, of);
    let context = scope::context(plan, &seen, surroundings, step, current).map_err(template)?;
    let statements = step.undo.iter().map(|sql| bind(&context, sql));
    Ok(Some(Way::Statements(
        step.id,
        statements.collect::<Result<_, _>>()?,
    )))
}
