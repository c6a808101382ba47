//! Changing rows: what they were, the statement, what they are, and what else the server counted.

use std::sync::Arc;

use super::Session;
use super::capture::{Keys, Subject, completed};
use super::capture_row::Capture;
use super::counter::Watch;
use super::guard::{Allowed, Counters, indirect};
use super::hidden::Hidden;
use super::image::{Clock, Direct};
use super::reach::{self, Reach};
use super::spool;
use super::sweep;
use super::table::TableFacts;
use super::undoable;
use crate::base::words;
use crate::engine::change::{Changes, Tally};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Terms, Undo};
use crate::engine::port::{Bound, Changed, Limits};
use crate::runbook::data::Rows;
use crate::sql::statement::Access;

/// A statement on its way, and what is known of it before it is sent.
pub(super) struct Work<'a> {
    pub(super) bound: &'a Bound,
    pub(super) terms: &'a Terms,
    pub(super) subject: Option<Subject<'a>>,
    /// The tables that may change beside the statement's own rows.
    pub(super) allowed: Allowed,
    /// The statement's own table and those that inherit from it, where it reaches them.
    pub(super) tree: Vec<Arc<TableFacts>>,
    /// The tables whose rows are looked for when the server counted more.
    pub(super) swept: Vec<Arc<TableFacts>>,
}

/// What the first flight told.
pub(super) struct Begun {
    pub(super) counted: Counters,
    pub(super) snapshot: String,
    pub(super) locked: Option<Keys>,
    /// The capture that the statement's own rows belong to.
    pub(super) capture: Option<String>,
}

impl Session {
    /// Runs a changing statement in the open transaction, and says which rows it changed.
    ///
    /// # Errors
    /// The server's word; [`FailureKind::Undeclared`] for what changes beyond what was declared, and for what
    /// cannot be put back though it must be.
    pub async fn change(
        &mut self,
        bound: &Bound,
        terms: &Terms,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        if self.depth == 0 {
            let message = "a changing statement was about to run outside of a transaction";
            return Err(Failure::new(FailureKind::Unsupported, message)
                .help("please report it: it is a defect"));
        }
        self.settled = false;
        let watch = self.watch_counters().await?;
        // Rows that row-level security hides are an error, never a part that is left out. What captures rows
        // is planned as if it were costly, and compiling it would take longer than running it.
        // A fix that is meant for the rows that it sees leaves the others alone.
        self.hidden = self.hidden.after(terms.row_security);
        let hidden = Hidden::default().after(terms.row_security).setting();
        self.add_pending(&format!("{hidden}; SET LOCAL jit = off"));
        let mut pending = self.take_pending_within(limits);
        if !self.local.is_empty() || self.depth > 1 {
            // What a table's name means may depend on the run's settings, and on what the transaction did.
            self.guarded(limits, self.begin(&pending)).await?;
            pending.clear();
        }
        let work = match self.work(bound, terms).await {
            Ok(work) => work,
            Err(failure) => {
                // A failure here must not lose what begins the transaction.
                self.pending = pending;
                return Err(failure);
            }
        };
        let begun = self
            .guarded(limits, Box::pin(self.first_flight(&work, &watch, &pending)))
            .await?;
        let changed = Box::pin(self.second_flight(&work, begun, &watch, limits)).await?;
        self.changed += changed.count;
        if !work.swept.is_empty() {
            self.add_pending(&sweep::close(work.swept.len()));
        }
        if bound.statement.access() == Access::Schema {
            self.forget();
        }
        self.reaches.push(Reach {
            terms: terms.clone(),
            allowed: work.allowed,
            swept: work.swept,
        });
        Ok(changed)
    }

    /// Learns of a statement what must be known before it is sent, and refuses what cannot be put back.
    async fn work<'a>(&mut self, bound: &'a Bound, terms: &'a Terms) -> Result<Work<'a>, Failure> {
        let target = bound
            .statement
            .target()
            .filter(|target| !target.where_current_of);
        let facts = match target {
            Some(target) => self.table(&target.table).await?,
            None => None,
        };
        let declared = self
            .declared(terms.tables.as_deref().unwrap_or_default())
            .await?;
        let subject = target
            .zip(facts)
            .map(|(target, facts)| Subject { target, facts });
        let mut tree = Vec::new();
        if let Some(subject) = subject.as_ref().filter(|subject| subject.is_tree()) {
            tree.push(Arc::clone(&subject.facts));
            tree.extend(self.declared(&subject.facts.children).await?);
        }
        let tables = subject.iter().map(|subject| &subject.facts);
        if !terms.row_security {
            undoable::refuse_hidden(tables.chain(&tree).chain(&declared))?;
        }
        if terms.undo == Undo::Images {
            undoable::refuse(&bound.statement, subject.as_ref(), &tree, &declared)?;
        }
        let allowed = match (&terms.tables, &subject) {
            (Some(_), _) => {
                Allowed::Only(declared.iter().map(|facts| facts.root.clone()).collect())
            }
            (None, Some(_)) => Allowed::None,
            (None, None) => Allowed::All,
        };
        if let Some(subject) = &subject
            && matches!(allowed, Allowed::Only(_))
            && !allowed.admits(&subject.facts.root)
        {
            return Err(undoable::own_table_is_missing(&subject.facts));
        }
        let swept = if terms.undo == Undo::Images {
            let beside = |facts: &&Arc<TableFacts>| {
                !tree.iter().any(|other| other.relation == facts.relation)
            };
            let declared = declared.iter().filter(beside);
            tree.iter().chain(declared).cloned().collect()
        } else {
            Vec::new()
        };
        Ok(Work {
            bound,
            terms,
            subject,
            allowed,
            tree,
            swept,
        })
    }

    /// Opens the transaction, declares what keeps the rows as they are, and locks those of the predicate; only
    /// then the statement is sent, so that it can never run outside of the transaction.
    async fn first_flight(
        &self,
        work: &Work<'_>,
        watch: &Watch,
        pending: &str,
    ) -> Result<Begun, Failure> {
        let declare = sweep::declare(&work.swept);
        let subject = work.subject.as_ref();
        let capture = async {
            let own = subject.filter(|subject| !subject.is_tree());
            match own.filter(|_| self.stores_images(work.terms)) {
                Some(own) => self
                    .begin_capture(&own.facts, work.terms, true)
                    .await
                    .map(Some),
                None => Ok(None),
            }
        };
        let (begun, counted, snapshot, declared, locked, capture) = tokio::join!(biased;
            self.begin(pending),
            self.counters(&watch.baseline),
            self.snapshot(!work.swept.is_empty()),
            self.begin(&declare),
            self.lock_rows(work.bound, subject),
            capture
        );
        begun?;
        let (counted, snapshot) = (counted?, snapshot?);
        declared?;
        Ok(Begun {
            counted,
            snapshot,
            locked: locked?,
            capture: capture?,
        })
    }

    /// Sends the statement, takes its rows as they come, and holds what the server counted against them.
    async fn second_flight(
        &mut self,
        work: &Work<'_>,
        begun: Begun,
        watch: &Watch,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        let Some(subject) = &work.subject else {
            return self.uncaptured(work, &begun, watch, limits).await;
        };
        let generated = std::mem::take(&mut self.generated);
        let clock = Clock {
            now: &begun.counted.now,
            asked: super::clock::is_asked(work.bound),
            generated: &generated,
            ignored: &work.terms.ignore,
        };
        let facts = &subject.facts;
        let again = |swept: &&Arc<TableFacts>| swept.root == facts.root && swept.key == facts.key;
        let remember = work.tree.is_empty() && work.swept.iter().any(|swept| again(&swept));
        let mut direct = Direct::new(subject.target, facts, clock, remember);
        let spooled = self.spools_images(work.terms) && work.tree.is_empty();
        let spooled = self.begin_spool(spooled)?;
        let flight = async {
            let (streamed, after) = tokio::join!(biased;
                self.stream(work, subject, &begun, &mut direct),
                self.counters(&watch.counters)
            );
            let streamed = streamed?;
            same_rows(subject, begun.locked, streamed.keys)?;
            let after = after?;
            if let Some(from) = spooled {
                let own = Capture {
                    changed: direct.changed.iter().cloned().collect(),
                    kept: direct.kept.iter().cloned().collect(),
                    ..spool::capture(&subject.facts, work.terms, true)
                };
                self.end_spool(from, own)?;
            }
            let found = self
                .beyond(work, subject, &begun, &mut direct, &after)
                .await?;
            Ok((streamed, after, found))
        };
        let (streamed, after, found) = match self.guarded(limits, flight).await {
            Ok(flown) => flown,
            Err(failure) => {
                drop(direct);
                self.generated = generated;
                return Err(reach::explained(failure, &work.swept));
            }
        };
        self.xid.clone_from(&after.xid);
        let mut unseen = Vec::new();
        if direct.blurred > 0 && (work.tree.is_empty() || work.swept.is_empty()) {
            let rows = words::count(direct.blurred, "updated row");
            unseen.push(format!(
                "{rows} of {}: what they were cannot be shown",
                facts.name
            ));
        }
        if let Some(capture) = &begun.capture {
            let update = completed(capture, &direct.changed, &direct.kept, streamed.keys.count);
            self.add_pending(&update);
        }
        found
            .pending
            .iter()
            .for_each(|update| self.add_pending(update));
        let fresh = std::mem::take(&mut direct.generated);
        let mut tallies = Vec::new();
        if work.tree.is_empty() || work.swept.is_empty() {
            tallies.push(direct.tally);
        }
        tallies.extend(found.tallies);
        unseen.extend(found.unseen);
        self.generated = generated;
        self.generated.extend(fresh);
        Ok(Changed {
            count: streamed.keys.count,
            rows: streamed.rows,
            changes: Changes::of(tallies, unseen),
        })
    }

    /// Runs a statement whose rows cannot be captured: the server's counters tell what it did.
    async fn uncaptured(
        &mut self,
        work: &Work<'_>,
        begun: &Begun,
        watch: &Watch,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        let flight = async {
            let (count, after) = tokio::join!(biased;
                self.execute(work.bound),
                self.counters(&watch.counters)
            );
            Ok((count?, after?))
        };
        let (count, after) = self.guarded(limits, flight).await?;
        self.xid.clone_from(&after.xid);
        let tables = indirect(None, &begun.counted, &after, true);
        work.allowed.hold(&tables, &begun.counted, &after, None)?;
        let verb = work.bound.statement.verb();
        Ok(Changed {
            count,
            rows: Rows::default(),
            changes: Changes::of(
                tables.into_iter().map(Tally::new).collect(),
                vec![format!("{verb}: its rows cannot be shown one by one")],
            ),
        })
    }
}

/// An UPDATE or DELETE changes exactly the rows that its predicate found just before.
fn same_rows(subject: &Subject, locked: Option<Keys>, changed: Keys) -> Result<(), Failure> {
    let Some(locked) = locked.filter(|locked| *locked != changed) else {
        return Ok(());
    };
    // A trigger that runs before may leave rows out: that does no harm.
    if subject.facts.has_triggers && changed.count < locked.count {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Changed,
        format!(
            "the statement changed other rows of {} than its predicate found just before",
            subject.facts.name
        ),
    )
    .note("the predicate gives other rows each time, or someone changed the data meanwhile; nothing was changed")
    .help("take random(), nextval() and other volatile functions out of the predicate, or run it again"))
}
