//! A runbook as a picture: its steps and ends as boxes, the ways between them as arrows. Drawing it is a
//! matter of one pure function a format.

use petgraph::visit::EdgeRef as _;

use self::walk::Fate;
use super::check::Proved;
use super::graph::{Graph, Moment, Way};
use super::model::{Ending, OnFailure, Runbook, Step, StepId, Target};
use crate::step::Kind;
use crate::step::text::Template;

pub mod dot;
pub mod mermaid;
pub mod svg;
pub mod text;
pub mod walk;

/// The boxes and arrows of a runbook.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The runbook's title.
    pub title: String,
    /// The boxes: first the steps in the order of the file, then the ends.
    pub boxes: Vec<Box>,
    /// The arrows.
    pub arrows: Vec<Arrow>,
    /// The names of the transactions that hold several boxes.
    pub frames: Vec<String>,
    /// Whether the way of a run is marked in it.
    pub walked: bool,
}

/// A step or an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Box {
    /// What it is.
    pub kind: BoxKind,
    /// The step's name, or what the end says.
    pub label: String,
    /// The frame that it is in, as an index.
    pub frame: Option<usize>,
    /// The branch that it is in.
    pub branch: Option<String>,
    /// Whether a run came to it.
    pub reached: bool,
    /// What became of it there.
    pub fate: Option<Fate>,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxKind {
    /// A step, by the word of its kind.
    Step(&'static str),
    /// A good end.
    Success,
    /// A bad end.
    Failure,
}

/// A way from one box to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The index of the box that it leaves.
    pub from: usize,
    /// The index of the box that it comes to.
    pub to: usize,
    /// Why a run goes it; empty for step after step.
    pub label: String,
    /// Whether it is gone after an error.
    pub error: bool,
    /// Whether a run went it.
    pub taken: bool,
}

impl Picture {
    /// Returns the picture of a runbook. The end of a run that fails where nothing else is said is left out.
    pub fn new(proved: &Proved) -> Self {
        Painter::paint(proved).picture
    }
}

struct Painter<'a> {
    runbook: &'a Runbook,
    graph: &'a Graph,
    picture: Picture,
    /// The box of each step; an `atomic` has none.
    places: Vec<Option<usize>>,
}

impl<'a> Painter<'a> {
    fn paint(proved: &'a Proved) -> Self {
        let mut painter = Self {
            runbook: &proved.runbook,
            graph: &proved.graph,
            picture: Picture {
                title: proved.runbook.title.text().to_owned(),
                ..Picture::default()
            },
            places: vec![None; proved.runbook.steps.len()],
        };
        painter.steps();
        painter.arrows();
        painter
    }
}

impl Painter<'_> {
    fn steps(&mut self) {
        for step in &self.runbook.steps {
            if !step.inner.is_empty() {
                self.picture.frames.push(step.title.clone());
                continue;
            }
            let frame = step.atomic.map(|id| &self.runbook.step(id).title);
            let frame =
                frame.and_then(|title| self.picture.frames.iter().position(|known| known == title));
            self.places[step.id.0] = Some(self.picture.boxes.len());
            self.picture.boxes.push(Box {
                kind: BoxKind::Step(step.kind.word()),
                label: step.title.clone(),
                frame,
                branch: step.branch.clone(),
                reached: false,
                fate: None,
            });
        }
    }

    fn arrows(&mut self) {
        for step in &self.runbook.steps {
            let next = next_label(step);
            let is_switch = !step.routes.cases.is_empty();
            let passed = step.routes.then.is_some() || is_switch;
            let inner_switch = !step.inner.is_empty();
            if !passed && !inner_switch {
                self.arrow(step, &step.routes.next, next, true);
            }
            if let Some(then) = &step.routes.then {
                self.arrow(step, then, "yes", true);
            }
            for (value, target) in &step.routes.cases {
                self.arrow(step, target, value, true);
            }
            if let Some(otherwise) = &step.routes.otherwise {
                let word = if is_switch { "else" } else { "no" };
                self.arrow(step, otherwise, word, false);
            }
            if let Some(target) = &step.routes.on_error {
                self.arrow(step, target, "error", false);
            }
            if step.common.when.is_some() && passed {
                self.arrow(step, &step.routes.next, "skipped", true);
            }
        }
        self.failures();
    }

    /// A branch that the whole runbook goes to after an error is drawn once, from its first step.
    fn failures(&mut self) {
        let ways = [
            (&self.runbook.on_failure, "any error"),
            (&self.runbook.on_cancel, "Ctrl-C"),
        ];
        let runbook = self.runbook;
        for (way, label) in ways {
            if let OnFailure::Go(target) = way {
                self.arrow(runbook.step(runbook.entry), target, label, false);
            }
        }
    }

    fn arrow(&mut self, step: &Step, target: &Target, label: &str, well: bool) {
        // What leaves an atomic leaves its last step.
        let from = self.places[last(step).0];
        let to = self.place(step, target, well);
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        let error = label.contains("error");
        let known = self
            .picture
            .arrows
            .iter_mut()
            .find(|known| (known.from, known.to, known.error) == (from, to, error));
        match known {
            Some(known) if known.label != label => {
                known.label = format!("{}, {label}", known.label);
            }
            Some(_) => {}
            None => self.picture.arrows.push(Arrow {
                from,
                to,
                label: label.to_owned(),
                error,
                taken: false,
            }),
        }
    }

    fn place(&mut self, step: &Step, target: &Target, well: bool) -> Option<usize> {
        match target {
            Target::Step(id) => {
                let first = self.runbook.step(*id).inner.first().copied().unwrap_or(*id);
                self.places[first.0]
            }
            Target::Commit(id) => {
                let atomic = self.runbook.step(*id);
                self.place(atomic, &atomic.routes.next, well)
            }
            Target::End(ending) => {
                let (kind, label) = self.end(step, ending, well);
                Some(self.end_box(kind, label))
            }
        }
    }

    fn end(&self, step: &Step, ending: &Ending, well: bool) -> (BoxKind, String) {
        match ending {
            Ending::Done(text) | Ending::Stop(text) => (BoxKind::Success, says(text)),
            Ending::Fail(text) => (BoxKind::Failure, says(text)),
            Ending::OffEnd if well && self.ends_well(step) => (BoxKind::Success, "done".to_owned()),
            Ending::OffEnd => (BoxKind::Failure, "failed".to_owned()),
        }
    }

    /// The graph knows how the end of a branch counts.
    fn ends_well(&self, step: &Step) -> bool {
        let Some(done) = self.graph.find(Moment::Done(step.id)) else {
            return false;
        };
        self.graph.moments.edges(done).any(|edge| {
            self.graph.moments[edge.target()] == Moment::Success && *edge.weight() != Way::Error
        })
    }

    fn end_box(&mut self, kind: BoxKind, label: String) -> usize {
        let boxes = &mut self.picture.boxes;
        let known = boxes
            .iter()
            .position(|known| known.kind == kind && known.label == label);
        known.unwrap_or_else(|| {
            boxes.push(Box {
                kind,
                label,
                frame: None,
                branch: None,
                reached: false,
                fate: None,
            });
            boxes.len() - 1
        })
    }
}

fn last(step: &Step) -> StepId {
    step.inner.last().copied().unwrap_or(step.id)
}

fn next_label(step: &Step) -> &'static str {
    match &step.kind {
        Kind::Check(_) | Kind::Confirm(_) if step.routes.otherwise.is_some() => "yes",
        _ => "",
    }
}

/// Returns the text of an end on one line.
fn says(text: &Template) -> String {
    text.text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts a text to a number of characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}

/// Breaks a text into lines of at most `width` characters where it has spaces.
fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines.iter().map(|line| short(line, width + 1)).collect()
}
