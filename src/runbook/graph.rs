//! The runbook as a graph: every way that a run can take, for proofs and for pictures.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeFiltered, EdgeRef, NodeFiltered, Walker};

use super::model::{Ending, OnFailure, Runbook, Step, StepId, Target};
use crate::step::Kind;

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Before the first step.
    Start,
    /// A step is reached: its `when` is asked, and it may fail with an error from here on.
    Enter(StepId),
    /// It ran and has a result, though its check, guard or question may say no.
    Ran(StepId),
    /// It succeeded.
    Done(StepId),
    /// The run ends well.
    Success,
    /// The run ends otherwise.
    Failure,
}

/// Why a run goes from one moment to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Step by step.
    Next,
    /// Its `when` was not true.
    Skipped,
    /// A check passed.
    Then,
    /// A check, guard or question said no.
    Else,
    /// A `switch` had this value.
    Case(String),
    /// An error.
    Error,
    /// Ctrl-C.
    Cancel,
}

/// The graph of a runbook.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Moments and the ways between them.
    pub moments: DiGraph<Moment, Way>,
    nodes: HashMap<Moment, NodeIndex>,
}

impl Graph {
    /// Builds the graph of a runbook.
    pub fn new(runbook: &Runbook) -> Self {
        let mut graph = Self {
            moments: DiGraph::new(),
            nodes: HashMap::new(),
        };
        graph.way(Moment::Start, Moment::Enter(runbook.entry), Way::Next);
        for step in &runbook.steps {
            graph.add_step(runbook, step);
        }
        graph.add_cancel(runbook);
        for end in [Moment::Success, Moment::Failure] {
            graph.node(end);
        }
        graph
    }

    /// Returns the node of a moment, where a runbook has it.
    pub fn find(&self, moment: Moment) -> Option<NodeIndex> {
        self.nodes.get(&moment).copied()
    }

    fn node(&mut self, moment: Moment) -> NodeIndex {
        let moments = &mut self.moments;
        *self
            .nodes
            .entry(moment)
            .or_insert_with(|| moments.add_node(moment))
    }

    fn way(&mut self, from: Moment, to: Moment, way: Way) {
        let (from, to) = (self.node(from), self.node(to));
        self.moments.add_edge(from, to, way);
    }

    fn add_step(&mut self, runbook: &Runbook, step: &Step) {
        let (enter, ran, done) = (
            Moment::Enter(step.id),
            Moment::Ran(step.id),
            Moment::Done(step.id),
        );
        let routes = &step.routes;
        let next = moment(runbook, step, &routes.next, true);
        // What is in an atomic runs between its beginning and its end.
        match step.inner.first() {
            Some(first) => self.way(enter, Moment::Enter(*first), Way::Next),
            None => self.way(enter, ran, Way::Next),
        }
        // Of an empty list nothing that is in the atomic runs.
        if step.common.for_each.is_some() && !step.inner.is_empty() {
            self.way(enter, ran, Way::Next);
        }
        if step.common.when.is_some() {
            self.way(enter, next, Way::Skipped);
        }
        if let Some(target) = &routes.on_error {
            let to = moment(runbook, step, target, false);
            self.way(enter, to, Way::Error);
        } else if let (None, OnFailure::Go(target)) = (step.atomic, &runbook.on_failure)
            // What fails within the branch that handles failures is not handled by it again.
            && !matches!(target, Target::Step(id) if runbook.step(*id).branch == step.branch)
        {
            let to = moment(runbook, step, target, false);
            self.way(enter, to, Way::Error);
        }
        self.add_decision(runbook, step);
        match (&routes.then, routes.cases.is_empty()) {
            (Some(then), _) => {
                let to = moment(runbook, step, then, true);
                self.way(ran, done, Way::Next);
                self.way(done, to, Way::Then);
            }
            (None, true) => {
                self.way(ran, done, Way::Next);
                self.way(done, next, Way::Next);
            }
            (None, false) => {
                self.way(ran, done, Way::Next);
                for (value, target) in &routes.cases {
                    let to = moment(runbook, step, target, true);
                    self.way(done, to, Way::Case(value.clone()));
                }
            }
        }
    }

    /// Adds the ways of Ctrl-C, which may come in any step: but not in the branch that it leads to, nor in
    /// those that this one goes on to.
    fn add_cancel(&mut self, runbook: &Runbook) {
        let OnFailure::Go(Target::Step(first)) = &runbook.on_cancel else {
            return;
        };
        let to = self.node(Moment::Enter(*first));
        let after: Vec<Moment> = Dfs::new(&self.moments, to)
            .iter(&self.moments)
            .map(|node| self.moments[node])
            .collect();
        for step in &runbook.steps {
            let own = step.branch == runbook.step(*first).branch;
            let later = step.branch.is_some() && after.contains(&Moment::Enter(step.id));
            if !own && !later && step.atomic.is_none() {
                self.way(Moment::Enter(step.id), Moment::Enter(*first), Way::Cancel);
            }
        }
    }

    /// Adds the ways of a step that says no.
    fn add_decision(&mut self, runbook: &Runbook, step: &Step) {
        let ran = Moment::Ran(step.id);
        let otherwise = step.routes.otherwise.as_ref();
        match (&step.kind, otherwise) {
            (_, Some(target)) => {
                let to = moment(runbook, step, target, false);
                self.way(ran, to, Way::Else);
            }
            // A rollback says no to rows that someone changed since.
            (Kind::Check(_) | Kind::Confirm(_) | Kind::Rollback(_), None) => {
                self.way(ran, Moment::Failure, Way::Else);
            }
            // One that always returns its one row never says no.
            (Kind::Query(query), None)
                if query.rows.as_ref().is_some_and(|rows| {
                    let one = step.sql.iter().any(|sql| sql.statement.is_one_row());
                    !(one && rows.admits(1, None))
                }) =>
            {
                self.way(ran, Moment::Failure, Way::Else);
            }
            _ => {}
        }
    }

    /// Returns whether a run can come from one moment to another without passing a `barred` one.
    pub fn reaches(&self, from: Moment, to: Moment, barred: impl Fn(Moment) -> bool) -> bool {
        let (Some(from), Some(to)) = (self.find(from), self.find(to)) else {
            return false;
        };
        let open = NodeFiltered::from_fn(&self.moments, |node| !barred(self.moments[node]));
        Dfs::new(&open, from).iter(&open).any(|node| node == to)
    }

    /// Returns whether a run that does not skip a step can come from it to a moment without passing a
    /// `barred` one.
    pub fn misses(&self, step: StepId, to: Moment, barred: impl Fn(Moment) -> bool) -> bool {
        let enter = self.find(Moment::Enter(step));
        let (Some(from), Some(to)) = (enter, self.find(to)) else {
            return false;
        };
        let open = NodeFiltered::from_fn(&self.moments, |node| !barred(self.moments[node]));
        let taken = EdgeFiltered::from_fn(&open, |edge| {
            edge.source() != from || *edge.weight() != Way::Skipped
        });
        Dfs::new(&taken, from).iter(&taken).any(|node| node == to)
    }

    /// Returns the moments that a run can come to.
    pub fn reachable(&self) -> Vec<Moment> {
        let Some(start) = self.find(Moment::Start) else {
            return Vec::new();
        };
        Dfs::new(&self.moments, start)
            .iter(&self.moments)
            .map(|node| self.moments[node])
            .collect()
    }

    /// Returns steps that lead back to themselves, where there are any.
    pub fn cycle(&self) -> Option<Vec<StepId>> {
        let forward = EdgeFiltered::from_fn(&self.moments, |_| true);
        petgraph::algo::tarjan_scc(&forward)
            .into_iter()
            .find(|nodes| {
                nodes.len() > 1
                    || nodes
                        .iter()
                        .any(|node| self.moments.edges(*node).any(|edge| edge.target() == *node))
            })
            .map(|nodes| {
                let mut steps: Vec<StepId> = nodes
                    .into_iter()
                    .filter_map(|node| match self.moments[node] {
                        Moment::Enter(id) => Some(id),
                        _ => None,
                    })
                    .collect();
                steps.sort();
                steps
            })
    }
}

/// Returns the moment that a way leads to; `well` tells whether it is taken after success.
fn moment(runbook: &Runbook, step: &Step, target: &Target, well: bool) -> Moment {
    match target {
        Target::Step(id) => Moment::Enter(*id),
        Target::Commit(id) => Moment::Ran(*id),
        Target::End(Ending::Done(_) | Ending::Stop(_)) => Moment::Success,
        Target::End(Ending::Fail(_)) => Moment::Failure,
        Target::End(Ending::OffEnd) => {
            if well && (step.branch.is_none() || entered_well(runbook, step)) {
                Moment::Success
            } else {
                Moment::Failure
            }
        }
    }
}

/// Returns whether a step's branch can be entered by a way that is no failure.
fn entered_well(runbook: &Runbook, step: &Step) -> bool {
    runbook.steps.iter().any(|from| {
        let routes = &from.routes;
        let well = std::iter::once(&routes.next)
            .chain(&routes.then)
            .chain(routes.cases.iter().map(|(_, target)| target));
        from.branch != step.branch
            && well
                .filter_map(|target| match target {
                    Target::Step(id) => Some(runbook.step(*id)),
                    _ => None,
                })
                .any(|to| to.branch == step.branch)
    })
}
