//! What a statement changes beyond its own rows: held against what was declared, found row by row, and kept.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::Session;
use super::capture::{Subject, completed};
use super::capture_row::Capture;
use super::change::{Begun, Work};
use super::guard::{Allowed, Counters, indirect};
use super::image::{Clock, Direct, Pair, REMEMBERED, Remembered};
use super::spool;
use super::sweep::{Swept, too_many};
use super::table::TableFacts;
use crate::engine::change::{TableChange, Tally};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Terms, Undo};
use crate::pg::failure;

/// How many images go to the journal at once.
const CHUNK: usize = 5000;

/// What a statement may change, for what deferred triggers do after it.
pub(super) struct Reach {
    pub(super) terms: Terms,
    pub(super) allowed: Allowed,
    pub(super) swept: Vec<Arc<TableFacts>>,
}

/// What was found beyond a statement's own rows.
#[derive(Default)]
pub(super) struct Found {
    pub(super) tallies: Vec<Tally>,
    pub(super) unseen: Vec<String>,
    /// What completes the captures.
    pub(super) pending: Vec<String>,
}

impl Session {
    /// Finds what changed beside a statement's own rows, after it was held against what is declared.
    pub(super) async fn beyond(
        &self,
        work: &Work<'_>,
        subject: &Subject<'_>,
        begun: &Begun,
        direct: &mut Direct<'_>,
        after: &Counters,
    ) -> Result<Found, Failure> {
        let table = &direct.tally.table;
        let own = [table.inserted, table.updated, table.deleted];
        let root = subject.facts.root.as_str();
        let changes = if work.tree.is_empty() {
            indirect(Some((root, own)), &begun.counted, after, false)
        } else {
            beside_tree(&work.tree, root, own, &begun.counted, after)
        };
        work.allowed
            .hold(&changes, &begun.counted, after, Some(root))?;
        let mut found = Found {
            unseen: emptied(work.terms, &begun.counted, after)?,
            ..Found::default()
        };
        for (index, facts) in work.swept.iter().enumerate() {
            let counted = after.since(&begun.counted, &facts.root);
            let is_own = index < work.tree.len();
            if counted.iter().sum::<u64>() == 0
                || !(is_own || changes.iter().any(|change| change.table == facts.root))
            {
                continue;
            }
            let mut rows = self.sweep(index, facts, &begun.snapshot, counted).await?;
            if is_own {
                self.take_tree(work, subject, facts, rows, direct, &mut found)
                    .await?;
                continue;
            }
            if facts.root == subject.facts.root
                && let Some(remembered) = direct.remembered.take()
            {
                if remembered.len() > REMEMBERED {
                    return Err(too_many(facts));
                }
                rows = after_statement(rows, remembered);
            }
            self.take_beside(work.terms, facts, &rows, &direct.clock, &mut found)
                .await?;
        }
        let shown: Vec<String> = work.swept.iter().map(|facts| facts.root.clone()).collect();
        let counted = changes
            .into_iter()
            .filter(|change| !shown.contains(&change.table));
        found.tallies.extend(counted.map(Tally::new));
        Ok(found)
    }

    /// Takes the rows that a statement changed in a table that inherits from its own, or in its own.
    async fn take_tree(
        &self,
        work: &Work<'_>,
        subject: &Subject<'_>,
        facts: &TableFacts,
        rows: Vec<Swept>,
        direct: &Direct<'_>,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let clock = Clock {
            now: direct.clock.now,
            asked: direct.clock.asked,
            generated: direct.clock.generated,
            ignored: direct.clock.ignored,
        };
        let mut own = Direct::new(subject.target, facts, clock, false);
        for row in &rows {
            own.take(&row.pair());
        }
        let capture = Capture {
            changed: own.changed.iter().cloned().collect(),
            kept: own.kept.iter().cloned().collect(),
            ..spool::capture(facts, work.terms, true)
        };
        found
            .pending
            .extend(self.keep(facts, work.terms, capture, &rows).await?);
        found.tallies.push(own.tally);
        Ok(())
    }

    /// Takes the rows that triggers and cascades changed.
    pub(super) async fn take_beside(
        &self,
        terms: &Terms,
        facts: &TableFacts,
        rows: &[Swept],
        clock: &Clock<'_>,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let mut tally = Tally::empty(&facts.name, &facts.key, true);
        let mut changed = std::collections::BTreeSet::new();
        for row in rows {
            let change = Direct::beside(clock, facts, &row.pair());
            if row.before.is_some() && row.after.is_some() {
                changed.extend(change.columns.iter().map(|column| column.column.clone()));
            }
            tally.note(change);
        }
        let capture = Capture {
            changed: changed.into_iter().collect(),
            ..spool::capture(facts, terms, false)
        };
        found
            .pending
            .extend(self.keep(facts, terms, capture, rows).await?);
        found.tallies.push(tally);
        Ok(())
    }

    /// Keeps rows in the journal or its file, and returns what completes their capture.
    async fn keep(
        &self,
        facts: &TableFacts,
        terms: &Terms,
        capture: Capture,
        rows: &[Swept],
    ) -> Result<Option<String>, Failure> {
        if !rows.is_empty()
            && let Some(from) = self.begin_spool(self.spools_images(terms))?
        {
            for row in rows {
                self.spool_image(&row.key, row.before.as_deref(), row.after.as_deref())?;
            }
            self.end_spool(from, capture)?;
            return Ok(None);
        }
        if rows.is_empty() || !self.stores_images(terms) {
            return Ok(None);
        }
        let id = self.begin_capture(facts, terms, capture.direct).await?;
        let text = format!(
            "INSERT INTO runbook.image (capture, key, before, after) SELECT {id}, k, b, a \
             FROM unnest($1::text[], $2::text[], $3::text[]) AS u(k, b, a)"
        );
        for chunk in rows.chunks(CHUNK) {
            let keys: Vec<&str> = chunk.iter().map(|row| row.key.as_str()).collect();
            let before: Vec<Option<&str>> = chunk.iter().map(|row| row.before.as_deref()).collect();
            let after: Vec<Option<&str>> = chunk.iter().map(|row| row.after.as_deref()).collect();
            let kind = Type::TEXT_ARRAY;
            self.client
                .execute_typed(
                    &text,
                    &[
                        (&keys, kind.clone()),
                        (&before, kind.clone()),
                        (&after, kind),
                    ],
                )
                .await
                .map_err(|error| failure::of(&error, &text, 0))?;
        }
        let count = rows.len() as u64;
        Ok(Some(completed(&id, &capture.changed, &capture.kept, count)))
    }
}

impl Swept {
    fn pair(&self) -> Pair<'_> {
        Pair {
            key: &self.key,
            before: self.before.as_deref(),
            after: self.after.as_deref(),
            fresh: true,
        }
    }
}

/// Returns what was counted beyond the rows of a statement that reaches tables which inherit from its own.
fn beside_tree(
    tree: &[Arc<TableFacts>],
    root: &str,
    own: [u64; 3],
    before: &Counters,
    after: &Counters,
) -> Vec<TableChange> {
    let mut sum = [0; 3];
    for facts in tree {
        let counts = after.since(before, &facts.root);
        sum.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
    }
    let mut changes = indirect(None, before, after, false);
    changes.retain(|change| !tree.iter().any(|facts| facts.root == change.table));
    let beyond = [0, 1, 2].map(|at: usize| sum[at].saturating_sub(own[at]));
    if beyond.iter().sum::<u64>() > 0 {
        let mut tally = Tally::empty(root, &[], true);
        [
            tally.table.inserted,
            tally.table.updated,
            tally.table.deleted,
        ] = beyond;
        changes.push(tally.table);
    }
    changes
}

/// Says which tables were emptied by TRUNCATE or rewritten; that cannot be put back.
pub(super) fn emptied(
    terms: &Terms,
    before: &Counters,
    after: &Counters,
) -> Result<Vec<String>, Failure> {
    let seized: Vec<&String> = after.seized(before).collect();
    match seized.first() {
        Some(table) if terms.undo == Undo::Images => Err(Failure::new(
            FailureKind::Undeclared,
            format!("a trigger empties {table} by TRUNCATE, or alters it: that cannot be put back by row images"),
        )
        .note("nothing was changed")
        .help("say under `undo` how to put it back, or `undo: none` where nothing needs to")),
        _ => Ok(seized
            .iter()
            .map(|table| format!("{table}: emptied by TRUNCATE, or altered, by a trigger"))
            .collect()),
    }
}

/// PostgreSQL does not empty a table that a cursor reads, and says only that.
pub(super) fn explained(failure: Failure, swept: &[Arc<TableFacts>]) -> Failure {
    const IN_USE: &str = "55006";
    if swept.is_empty() || failure.sqlstate.as_deref() != Some(IN_USE) {
        return failure;
    }
    failure
        .note("the rows of the fix's `tables` are kept to put them back, and cannot be emptied or altered meanwhile")
        .help("say under `undo` how to put it back, or `undo: none` where nothing needs to")
}

/// Returns what became of rows after a statement left them as it did: of its own rows what a trigger did to
/// them later, of others everything.
fn after_statement(rows: Vec<Swept>, mut remembered: Remembered) -> Vec<Swept> {
    let mut later = Vec::new();
    for row in rows {
        let before = match remembered.remove(&row.key) {
            Some((_, left)) => left,
            None => row.before,
        };
        if before != row.after {
            later.push(Swept { before, ..row });
        }
    }
    // What is as it was before the statement, though the statement changed it, was changed back.
    for (key, (before, left)) in remembered {
        if before != left {
            later.push(Swept {
                key,
                before: left,
                after: before,
            });
        }
    }
    later
}
