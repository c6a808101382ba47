//! Deferred constraints and triggers: what they would do at COMMIT they do before it.

use super::Session;
use super::guard::{Allowed, Counters, indirect};
use super::image::Clock;
use super::reach::{Found, Reach, emptied};
use super::sweep;
use crate::engine::change::{Changes, Tally};
use crate::engine::failure::Failure;
use crate::engine::journal::Undo;
use crate::engine::port::Limits;

impl Session {
    /// Lets deferred constraints and triggers do now what they would do at COMMIT, and says what they
    /// changed: a person must see it before the yes, and it must be what was approved.
    ///
    /// # Errors
    /// The server's word, for a deferred constraint that is violated; what nobody declared.
    pub async fn settle(&mut self, limits: &Limits) -> Result<Changes, Failure> {
        if self.settled || self.depth == 0 || self.is_unsent() {
            return Ok(Changes::default());
        }
        let watch = self.watch_counters().await?;
        let reaches = std::mem::take(&mut self.reaches);
        let pending = self.take_pending();
        let mut swept = Vec::new();
        for facts in reaches.iter().flat_map(|reach| &reach.swept) {
            if !swept.contains(facts) {
                swept.push(std::sync::Arc::clone(facts));
            }
        }
        let declare = sweep::declare(&swept);
        let generated = std::mem::take(&mut self.generated);
        let work = async {
            let (sent, counted, snapshot, declared, done, after) = tokio::join!(biased;
                self.begin(&pending),
                self.counters(&watch.baseline),
                self.snapshot(!swept.is_empty()),
                self.begin(&declare),
                self.begin("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"),
                self.counters(&watch.counters)
            );
            sent?;
            let (counted, snapshot) = (counted?, snapshot?);
            declared?;
            done?;
            let after = after?;
            let ignored: Vec<String> = reaches
                .iter()
                .flat_map(|reach| reach.terms.ignore.iter().cloned())
                .collect();
            let clock = Clock {
                now: &counted.now,
                asked: false,
                generated: &generated,
                ignored: &ignored,
            };
            self.late(&reaches, &swept, &snapshot, &counted, &after, &clock)
                .await
        };
        let found = self.guarded(limits, Box::pin(work)).await;
        self.generated = generated;
        let found = found?;
        self.settled = true;
        if !swept.is_empty() {
            self.add_pending(&sweep::close(swept.len()));
        }
        found
            .pending
            .iter()
            .for_each(|update| self.add_pending(update));
        if found.tallies.is_empty() && found.unseen.is_empty() {
            return Ok(Changes::default());
        }
        Ok(Changes::of(found.tallies, found.unseen))
    }

    /// Holds what deferred triggers changed against what the statements before them may change.
    async fn late(
        &self,
        reaches: &[Reach],
        swept: &[std::sync::Arc<super::table::TableFacts>],
        snapshot: &str,
        before: &Counters,
        after: &Counters,
        clock: &Clock<'_>,
    ) -> Result<Found, Failure> {
        let changes = indirect(None, before, after, false);
        let refused = changes.iter().filter(|change| {
            !reaches
                .iter()
                .any(|reach| reach.allowed.admits(&change.table))
        });
        if !reaches.is_empty() {
            together(reaches).hold(refused, before, after, None)?;
        }
        let mut found = Found::default();
        let images = reaches
            .iter()
            .find(|reach| reach.terms.undo == Undo::Images);
        if let Some(reach) = images.or(reaches.first()) {
            found.unseen = emptied(&reach.terms, before, after)?;
        }
        for change in changes {
            let place = swept.iter().position(|facts| facts.root == change.table);
            let reach = reaches
                .iter()
                .find(|reach| reach.allowed.admits(&change.table));
            let (Some(index), Some(reach)) = (place, reach) else {
                found.tallies.push(Tally::new(change));
                continue;
            };
            let counted = [change.inserted, change.updated, change.deleted];
            let rows = self.sweep(index, &swept[index], snapshot, counted).await?;
            self.take_beside(&reach.terms, &swept[index], &rows, clock, &mut found)
                .await?;
        }
        Ok(found)
    }
}

/// Returns what any of the statements may change.
fn together(reaches: &[Reach]) -> Allowed {
    let mut names = Vec::new();
    for reach in reaches {
        match &reach.allowed {
            Allowed::All => return Allowed::All,
            Allowed::None => {}
            Allowed::Only(more) => names.extend(more.iter().cloned()),
        }
    }
    if names.is_empty() {
        Allowed::None
    } else {
        Allowed::Only(names)
    }
}
