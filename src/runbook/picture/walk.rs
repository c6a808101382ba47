//! The way that a run took, marked in a picture: what became of each step, which arrows it went, and the end
//! that it came to.

use super::{Arrow, BoxKind, Painter, Picture};
use crate::runbook::check::Proved;
use crate::runbook::model::StepId;

/// What became of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It went well, or it is the end that the run came to.
    Done,
    /// It said no, and the run went on by another way.
    No,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
    /// What it had changed does not remain.
    Undone,
}

/// The way that a run took.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The steps in the order in which they were come to; the items of a loop are one.
    pub steps: Vec<Footstep>,
    /// The fixes and atomics whose changes were put back.
    pub undone: Vec<StepId>,
    /// Whether the run came to a good end; nothing where it came to none.
    pub end: Option<bool>,
}

/// A step of the way.
#[derive(Clone, Debug)]
pub struct Footstep {
    /// The step.
    pub step: StepId,
    /// What became of it; nothing where that is not known.
    pub fate: Option<Fate>,
    /// The word of the way that it chose, such as `yes` or the value of a `switch`.
    pub way: Option<String>,
}

impl Picture {
    /// Returns the picture of a runbook with the way of a run marked in it.
    pub fn walked(proved: &Proved, walk: &Walk) -> Self {
        let mut painter = Painter::paint(proved);
        let steps: Vec<(usize, &Footstep)> = walk
            .steps
            .iter()
            .flat_map(|step| {
                let boxes = painter.boxes_of(step.step);
                boxes.into_iter().map(move |index| (index, step))
            })
            .collect();
        let undone: Vec<usize> = walk
            .undone
            .iter()
            .flat_map(|id| painter.boxes_of(*id))
            .collect();
        let picture = &mut painter.picture;
        picture.walked = true;
        for (index, step) in &steps {
            if let Some(each) = picture.boxes.get_mut(*index) {
                each.fate = step.fate.or(each.fate);
                each.reached = true;
            }
        }
        for index in undone {
            if let Some(each) = picture.boxes.get_mut(index)
                && each.kind == BoxKind::Step("fix")
            {
                each.fate = Some(Fate::Undone);
                each.reached = true;
            }
        }
        for pair in steps.windows(2) {
            if let [(from, step), (to, _)] = pair {
                picture.go(*from, *to, step);
            }
        }
        if let (Some(well), Some((from, step))) = (walk.end, steps.last()) {
            picture.arrive(*from, well, step);
        }
        painter.picture
    }

    fn go(&mut self, from: usize, to: usize, step: &Footstep) {
        let error = step.fate == Some(Fate::Failed);
        let mut ways: Vec<&mut Arrow> = self
            .arrows
            .iter_mut()
            .filter(|arrow| (arrow.from, arrow.to) == (from, to))
            .collect();
        ways.sort_by_key(|arrow| arrow.error != error);
        if let Some(way) = ways.into_iter().next() {
            way.taken = true;
        }
    }

    /// Marks the end that a run came to from its last step.
    fn arrive(&mut self, from: usize, well: bool, step: &Footstep) {
        let kind = if well {
            BoxKind::Success
        } else {
            BoxKind::Failure
        };
        let boxes = &mut self.boxes;
        let mut ways: Vec<&mut Arrow> = self
            .arrows
            .iter_mut()
            .filter(|arrow| arrow.from == from && boxes[arrow.to].kind == kind)
            .collect();
        let says = |arrow: &Arrow| {
            let words = step.way.as_deref().unwrap_or_default();
            arrow.label.split(", ").any(|label| label == words)
        };
        ways.sort_by_key(|arrow| !says(arrow));
        if let Some(way) = ways.into_iter().next() {
            way.taken = true;
            let end = &mut boxes[way.to];
            end.reached = true;
            end.fate = Some(if well { Fate::Done } else { Fate::Failed });
        }
    }
}

impl Painter<'_> {
    /// Returns the boxes of a step: those of an `atomic` that was left out are all of its steps.
    fn boxes_of(&self, id: StepId) -> Vec<usize> {
        let Some(step) = self.runbook.steps.get(id.0) else {
            return Vec::new();
        };
        let ids = step.unit();
        ids.into_iter().filter_map(|id| self.places[id.0]).collect()
    }
}
