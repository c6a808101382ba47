//! Which steps can follow one another in a run, by the graph of its runbook.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef as _;

use crate::runbook::check::Proved;
use crate::runbook::graph::{Moment, Way};
use crate::runbook::model::{Step, StepId};

/// What can follow a step: other steps that run, or an end. What is skipped is passed over.
#[derive(Debug, Default)]
pub(super) struct Following {
    pub(super) steps: BTreeSet<StepId>,
    pub(super) ends_well: bool,
    pub(super) fails: bool,
}

/// Returns what can follow a step, or can be the first.
pub(super) fn following(proved: &Proved, step: Option<&Step>) -> Following {
    let mut walk = Walk {
        proved,
        following: Following::default(),
        seen: BTreeSet::new(),
    };
    match step {
        None => walk.edges(Moment::Start, |_| true),
        Some(step) => walk.from(step),
    }
    walk.following
}

struct Walk<'a> {
    proved: &'a Proved,
    following: Following,
    seen: BTreeSet<NodeIndex>,
}

impl Walk<'_> {
    fn from(&mut self, step: &Step) {
        let is_atomic = !step.inner.is_empty();
        if is_atomic {
            return self.edges(Moment::Enter(step.id), |way| *way != Way::Skipped);
        }
        // Otherwise `next` only leads to its own result.
        self.edges(Moment::Enter(step.id), leaves);
        self.edges(Moment::Ran(step.id), |_| true);
        let Some(atomic) = step.atomic else {
            return;
        };
        self.edges(Moment::Enter(atomic), leaves);
        let atomic = self.proved.runbook.step(atomic);
        if atomic.common.for_each.is_some() {
            // The next item begins again.
            self.following.steps.extend(&atomic.inner);
            self.edges(Moment::Ran(atomic.id), |_| true);
        }
    }

    fn edges(&mut self, from: Moment, takes: fn(&Way) -> bool) {
        let graph = &self.proved.graph;
        let Some(node) = graph.find(from) else {
            return;
        };
        for edge in graph
            .moments
            .edges(node)
            .filter(|edge| takes(edge.weight()))
        {
            let to = edge.target();
            match graph.moments.node_weight(to).copied() {
                Some(Moment::Enter(id)) => {
                    self.following.steps.insert(id);
                    if self.seen.insert(to) {
                        self.edges(Moment::Enter(id), |way| *way == Way::Skipped);
                        if self.proved.runbook.step(id).common.for_each.is_some() {
                            // Nothing of it runs where its list is empty.
                            self.edges(Moment::Done(id), |_| true);
                        }
                    }
                }
                Some(moment @ (Moment::Ran(_) | Moment::Done(_))) => {
                    if self.seen.insert(to) {
                        self.edges(moment, |_| true);
                    }
                }
                Some(Moment::Success) => self.following.ends_well = true,
                Some(Moment::Failure) => self.following.fails = true,
                Some(Moment::Start) | None => {}
            }
        }
    }
}

fn leaves(way: &Way) -> bool {
    matches!(way, Way::Error | Way::Cancel)
}
