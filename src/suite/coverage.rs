//! Which ways of a runbook's graph the cases of its tests take.
//!
//! A way is named `STEP.WAY`, and each is one, whatever moments of the graph it leads between:
//!
//! | way | a run takes it when |
//! |---|---|
//! | `next` | the step is done and the run goes on: after the last item of a loop, after the COMMIT of an atomic |
//! | `then`, `case.VALUE` | a check passes that has a `then`, a switch has this value; such a check has no `next` |
//! | `else` | a check, row guard or question says no, whether or not an `else` says where to go then |
//! | `skipped` | its `when` is not true |
//! | `error` | an error leads to its `on_error`, to that of its atomic or to the branch of `on_failure` |
//! | `cancel` | Ctrl-C leads to the branch of `on_cancel` |
//!
//! 100 % means that each of these is taken by a case, or listed in `untested` with its reason. What ends the
//! run with an error that nothing handles is no way of its own. Neither are ways that nothing can bring about:
//! the `error` and `cancel` that `on_failure` and `on_cancel` of the whole runbook give to a step that asks
//! nobody, such as a check of what is known already; and the `else` of a rollback that skips conflicts.
//! A check with `severity: warning` has an `else`: the one time that it warns.
//!
//! The ways of steps that come from a `use` are those of the runbook that is used, where that has tests of its
//! own: they are held to take them all. They are not counted again for each runbook that uses it.

mod trace;

use super::document::Suite;
use super::verdict::Played;
use crate::base::source::Source;
use crate::engine::event::Event;
use crate::runbook::check::Proved;
use crate::runbook::graph::{Moment, Way};
use crate::runbook::model::{Runbook, ScopeId, Step, StepId};
use crate::step::Kind;
use crate::step::rollback::OnConflict;
use trace::Trace;

/// What the cases of one file take of their runbook's graph.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The runbook.
    pub runbook: String,
    /// The file of its tests, as messages show it.
    pub file: String,
    /// Every way of its graph, in the order of its steps.
    pub ways: Vec<Covered>,
    /// Ways that a run took although the graph does not have them: a defect of the program.
    pub unknown: Vec<String>,
    /// How many ways more there are, in runbooks that it uses and that have tests of their own.
    pub elsewhere: usize,
}

/// The parts of a runbook that come from others which have tests of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere(Vec<ScopeId>);

impl Elsewhere {
    /// Finds them; `has_tests` says whether the runbook of a text has. What such a runbook uses in its turn is a
    /// matter of its tests too.
    pub fn of(runbook: &Runbook, has_tests: impl Fn(&Source) -> bool) -> Self {
        let mut elsewhere = Vec::new();
        // A scope comes after the one that it is used in.
        for (index, scope) in runbook.scopes.iter().enumerate() {
            let Some((outer, _)) = &scope.from else {
                continue;
            };
            if elsewhere.contains(outer) || has_tests(&scope.source) {
                elsewhere.push(ScopeId(index));
            }
        }
        Self(elsewhere)
    }

    fn has(&self, step: &Step) -> bool {
        self.0.contains(&step.scope)
    }
}

/// A way of the graph, and who takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Its name, `STEP.WAY`.
    pub way: String,
    /// The cases that take it.
    pub cases: Vec<String>,
    /// Why the file says that no case takes it, and the line where it does.
    pub untested: Option<(String, usize)>,
}

impl Coverage {
    /// Returns how the cases of a file, all of them played, cover its runbook.
    pub fn of(
        source: &Source,
        suite: &Suite,
        proved: &Proved,
        elsewhere: &Elsewhere,
        played: &[Played],
    ) -> Self {
        let mut coverage = Self {
            runbook: proved.runbook.name.clone(),
            file: source.name().to_owned(),
            ways: Vec::new(),
            unknown: Vec::new(),
            elsewhere: ways_elsewhere(proved, elsewhere).len(),
        };
        for way in ways(proved, elsewhere) {
            let untested = suite.untested.0.iter().find(|(name, _)| name.value == way);
            let reason = untested.map(|(name, reason)| {
                let line = source.position(name.span.start).line;
                (reason.text().to_owned(), line)
            });
            coverage.ways.push(Covered {
                way,
                cases: Vec::new(),
                untested: reason,
            });
        }
        let all = all(proved);
        for played in played {
            for way in taken(proved, &played.came.events) {
                coverage.count(&way, &played.case, &all);
            }
        }
        coverage
    }

    fn count(&mut self, way: &str, case: &str, all: &[String]) {
        match self.ways.iter_mut().find(|known| known.way == way) {
            Some(covered) => {
                if !covered.cases.iter().any(|known| known == case) {
                    covered.cases.push(case.to_owned());
                }
            }
            None if all.iter().any(|known| known == way) => {}
            None => {
                if !self.unknown.iter().any(|known| known == way) {
                    self.unknown.push(way.to_owned());
                }
            }
        }
    }

    /// Returns the ways that no case takes and that the file does not justify.
    pub fn missing(&self) -> impl Iterator<Item = &Covered> {
        self.ways
            .iter()
            .filter(|way| way.cases.is_empty() && way.untested.is_none())
    }

    /// Returns the ways that a case takes although the file says that none can: an error of the file.
    pub fn contradicted(&self) -> impl Iterator<Item = &Covered> {
        self.ways
            .iter()
            .filter(|way| !way.cases.is_empty() && way.untested.is_some())
    }

    /// Returns whether what the file says of its ways is so, and the graph has all that were taken.
    pub fn is_sound(&self) -> bool {
        self.contradicted().next().is_none() && self.unknown.is_empty()
    }

    /// Returns whether every way is taken, or justified.
    pub fn is_full(&self) -> bool {
        self.missing().next().is_none()
    }
}

/// Returns the names of the ways of a runbook that its tests should take, in the order of its steps.
pub fn ways(proved: &Proved, elsewhere: &Elsewhere) -> Vec<String> {
    named(proved, |step, way| {
        !elsewhere.has(step) && expected(&proved.runbook, step, way)
    })
}

/// Returns the names of those that the tests of the runbooks that it uses should take.
pub fn ways_elsewhere(proved: &Proved, elsewhere: &Elsewhere) -> Vec<String> {
    named(proved, |step, way| {
        elsewhere.has(step) && expected(&proved.runbook, step, way)
    })
}

/// Returns the names of all ways of a runbook, of those too that nothing can bring about.
fn all(proved: &Proved) -> Vec<String> {
    named(proved, |_, _| true)
}

/// Returns the names of the ways that a run took, in the order in which it did, each once.
pub fn taken(proved: &Proved, events: &[Event]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (id, way) in Trace::new(proved, events).ways() {
        let name = name(proved.runbook.step(id), &way);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn named(proved: &Proved, keep: impl Fn(&Step, &Way) -> bool) -> Vec<String> {
    let steps = proved.runbook.steps.iter();
    let ways = steps.flat_map(|step| {
        let ways = of_step(proved, step.id).into_iter();
        ways.filter(|way| keep(step, way))
            .map(|way| name(step, &way))
            .collect::<Vec<_>>()
    });
    ways.collect()
}

/// Returns the ways out of a step, each once.
pub(super) fn of_step(proved: &Proved, id: StepId) -> Vec<Way> {
    let graph = &proved.graph;
    let mut ways: Vec<Way> = Vec::new();
    for moment in [Moment::Done(id), Moment::Ran(id), Moment::Enter(id)] {
        let Some(node) = graph.find(moment) else {
            continue;
        };
        // Within a step the graph goes on by `next` as well.
        let inside = |way: &Way| *way == Way::Next && moment != Moment::Done(id);
        let edges = graph.moments.edges(node).map(|edge| edge.weight());
        let mut found: Vec<Way> = edges.filter(|way| !inside(way)).cloned().collect();
        found.reverse();
        for way in found {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    ways
}

/// Returns the name of a way, `STEP.WAY`.
fn name(step: &Step, way: &Way) -> String {
    let way = match way {
        Way::Next => "next",
        Way::Skipped => "skipped",
        Way::Then => "then",
        Way::Else => "else",
        Way::Case(value) => return format!("{}.case.{value}", step.title),
        Way::Error => "error",
        Way::Cancel => "cancel",
    };
    format!("{}.{way}", step.title)
}

/// Returns whether something can bring a way about.
fn expected(runbook: &Runbook, step: &Step, way: &Way) -> bool {
    match way {
        Way::Error => step.routes.on_error.is_some() || asks_somebody(runbook, step),
        Way::Cancel => asks_somebody(runbook, step),
        Way::Else => {
            !matches!(&step.kind, Kind::Rollback(rollback) if rollback.on_conflict == OnConflict::Skip)
        }
        _ => true,
    }
}

/// Returns whether a step waits for a server, a program or a person.
fn asks_somebody(runbook: &Runbook, step: &Step) -> bool {
    match &step.kind {
        Kind::Check(check) => {
            !step.sql.is_empty() || check.command.is_some() || check.database.is_some()
        }
        Kind::Atomic(_) => step
            .inner
            .iter()
            .any(|id| asks_somebody(runbook, runbook.step(*id))),
        _ => true,
    }
}
