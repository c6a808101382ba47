//! Which results are of which transaction: what puts an item of a loop back must see what that item saw, and
//! leave alone what it left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::engine::journal::Unit;
use crate::runbook::model::{Step, StepId};

impl State {
    /// Notes where the results of an atomic's transaction begin.
    pub(super) fn begin_unit(&mut self) {
        let counts = self.results.iter().map(|(id, all)| (*id, all.len()));
        self.began = counts.collect();
    }

    /// Notes which results are of the transaction that committed.
    pub(super) fn end_unit(&mut self, unit: Unit) {
        let made = self.made_since();
        self.made.insert(unit, made);
    }

    /// Returns the last result of each step that has one since the transaction was opened.
    fn made_since(&self) -> BTreeMap<StepId, usize> {
        let last = |(id, all): (&StepId, &Arc<Vec<_>>)| {
            let began = self.began.get(id).copied().unwrap_or_default();
            (all.len() > began).then(|| (*id, all.len() - 1))
        };
        self.results.iter().filter_map(last).collect()
    }

    /// Returns the results of an atomic's transaction; nothing where there is no such transaction.
    fn made_by(&self, unit: &Unit) -> Option<BTreeMap<StepId, usize>> {
        // Of what was cut short in its COMMIT the journal may say that it committed.
        let is_open = self.open == Some((unit.step, unit.item));
        let open = || is_open.then(|| self.made_since());
        self.made.get(unit).cloned().or_else(open)
    }

    /// Returns whether a fix ran in the transaction of a unit that committed.
    pub fn ran(&self, unit: &Unit, fix: &Step) -> bool {
        fix.id == unit.step
            || self.made_by(unit).map_or_else(
                || self.results.contains_key(&fix.id),
                |made| made.contains_key(&fix.id),
            )
    }

    /// Returns what the templates of a unit saw: of the steps of its atomic the results of its own
    /// transaction.
    #[must_use]
    pub fn seen_by(&self, unit: &Unit, atomic: &Step) -> Self {
        let mut results = self.results.clone();
        if let Some(made) = self.made_by(unit) {
            for id in &atomic.inner {
                let own = made.get(id).and_then(|at| self.results.get(id)?.get(*at));
                match own {
                    Some(own) => results.insert(*id, Arc::new(vec![own.clone()])),
                    None => results.remove(id),
                };
            }
        }
        Self {
            results,
            counts: self.counts.clone(),
            atomics: self.atomics.clone(),
            ..Self::default()
        }
    }
}
