//! Putting back what a transaction changed, by the images of its rows: on the server, set by set, and only
//! rows that nobody changed since.

mod apply;
mod check;
mod guard;
mod later;
mod order;
mod relation;
mod saved;
mod source;

use std::collections::HashMap;
use tokio_postgres::Row;

use futures_util::future::join_all;
use tokio_postgres::types::{ToSql, Type};

use super::Session;
use super::capture_row::Capture;
use super::counter::Watch;
use crate::engine::backup::FromBackup;
use crate::engine::change::{Changes, TableChange};
use crate::engine::conflict::Restored;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::engine::port::Limits;
use crate::pg::backup::Site;
use crate::pg::failure;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;
use apply::{Verb, Work};
use check::Found;
use relation::Relation;
use source::Source;

/// What each capture has images of.
type Deeds = HashMap<i64, Vec<Verb>>;

/// What is put back: where the images are, and of which tables.
struct Images {
    source: Source,
    relations: Vec<Relation>,
}

impl Session {
    /// Puts back, in the open transaction, what an entry's transaction changed: all of it, or what some of
    /// its fixes did. That the unit is put back is recorded before, by the caller: the journal knows units,
    /// not fixes, so of an atomic only one choice of fixes is ever put back.
    ///
    /// # Errors
    /// The server's word; the journal has it already; the tables have other columns now; what was put back
    /// did not stay, or changed more than it was to.
    pub async fn restore(
        &mut self,
        entry: &Entry,
        fixes: Option<&[StepId]>,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        let watch = self.watch_counters().await?;
        let pending = self.pending_to_restore(limits);
        let source = self
            .guarded(limits, async {
                let (begun, source) =
                    tokio::join!(biased; self.begin(&pending), self.source(entry, fixes));
                begun?;
                source
            })
            .await?;
        self.restore_from(source, on_conflict, limits, &watch).await
    }

    /// Puts back, in the open transaction, the rows of a row backup, or of tables of another one. A row that is
    /// as it was saved is let be; one that differs is put back where the run of `source` changed it last, and is a
    /// conflict otherwise; so is a row that is gone. Rows that came since stay.
    ///
    /// # Errors
    /// As [`Self::restore`]; the backup cannot be read, is of another database, or has no key.
    pub async fn restore_backup(
        &mut self,
        entry: &Entry,
        site: &Site,
        source: &FromBackup,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        let watch = self.watch_counters().await?;
        let pending = self.pending_to_restore(limits);
        let source = self
            .guarded(limits, async {
                self.begin(&pending).await?;
                self.of_backup(entry, site, source).await
            })
            .await?;
        self.restore_from(source, on_conflict, limits, &watch).await
    }

    /// Returns what is sent before anything is put back.
    fn pending_to_restore(&mut self, limits: &Limits) -> String {
        // Rows that row-level security hides would pass for rows that are gone: but what a fix of this run changed
        // under its policies it sees under them.
        self.add_pending(self.hidden.setting());
        self.settled = false;
        self.take_pending_within(limits)
    }

    /// Puts back what images say: finds out what became of the rows since, and does it unless there are conflicts.
    async fn restore_from(
        &mut self,
        source: Source,
        on_conflict: OnConflict,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Restored, Failure> {
        if source.captures.is_empty() {
            return Ok(Restored::default());
        }
        let images = self.guarded(limits, self.tables_of(source)).await?;
        let (mut found, deeds) = self
            .guarded(limits, async {
                let (found, deeds) = tokio::join!(biased; self.check(&images), self.deeds(&images));
                Ok((found?, deeds?))
            })
            .await?;
        let mut restored = check::told(&mut found, &images.relations);
        if restored.conflicting > 0 && on_conflict == OnConflict::Stop {
            restored.rows = 0;
            restored.changes = Changes::default();
            return Ok(restored);
        }
        let is_partial = found.iter().any(Found::is_partial);
        let (after, besides) = self
            .guarded(limits, async {
                if is_partial {
                    self.leave_out(&images).await?;
                }
                let works = order::works(&images, &deeds);
                self.put_back(&images, &found, works, is_partial, watch)
                    .await
            })
            .await?;
        if !besides.is_empty() {
            restored.changes.append(Changes::new(besides));
        }
        self.xid = after.or(self.xid.take());
        self.changed += restored.rows;
        Ok(restored)
    }

    /// Reads what must be known of the tables, and keeps their columns from changing.
    async fn tables_of(&self, source: Source) -> Result<Images, Failure> {
        let mut names: Vec<String> = Vec::new();
        for held in &source.captures {
            if !names.contains(&held.capture.relation) {
                names.push(held.capture.relation.clone());
            }
        }
        // Whoever may read a table may take this lock, and no column comes or goes under it.
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        let facts = relation::facts();
        let params: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
        let (locked, rows) = tokio::join!(biased;
            self.run(&lock),
            self.ask(&facts, &params)
        );
        locked?;
        let relations = rows?
            .iter()
            .map(|row| Relation::read(row, &source))
            .collect::<Result<_, _>>()?;
        Ok(Images { source, relations })
    }

    /// Locks the rows, and finds out what became of them since.
    async fn check(&self, images: &Images) -> Result<Vec<Found>, Failure> {
        let laters = self.laters(images).await?;
        // Whoever puts back the same tables locks them in the same order.
        let mut sorted: Vec<&Relation> = images.relations.iter().collect();
        sorted.sort_by_key(|relation| &relation.name);
        let source = &images.source;
        let locks: Vec<String> = sorted
            .iter()
            .map(|relation| check::lock(source, relation))
            .collect();
        let states: Vec<String> = images
            .relations
            .iter()
            .map(|relation| check::states(source, relation, &laters))
            .collect();
        let (locked, answers) = tokio::join!(biased;
            join_all(locks.iter().map(|text| self.run(text))),
            join_all(states.iter().map(|text| self.ask(text, &[])))
        );
        for locked in locked {
            locked?;
        }
        answers
            .into_iter()
            .zip(&images.relations)
            .map(|(rows, relation)| Ok(Found::read(&rows?, relation, &laters)))
            .collect()
    }

    /// Finds out what each capture has images of. What a capture has none of is not touched: the login may
    /// not have the right to. Nobody alters an image, and whoever added or lost one is found here.
    async fn deeds(&self, images: &Images) -> Result<Deeds, Failure> {
        let captures = &images.source.captures;
        let ids: Vec<i64> = captures.iter().map(|held| held.id).collect();
        let text = format!(
            "SELECT i.capture, bool_or(i.after IS NULL), bool_or(i.before IS NOT NULL AND i.after IS NOT NULL), bool_or(i.before IS NULL), count(*) \
             FROM {} i WHERE i.capture = ANY ($1) GROUP BY i.capture",
            images.source.table
        );
        let rows = self.ask(&text, &[(&ids, Type::INT8_ARRAY)]).await?;
        for held in captures.iter().filter(|_| images.source.is_counted) {
            let row = rows.iter().find(|row| row.get::<_, i64>(0) == held.id);
            let count = row.map_or(0, |row| row.get::<_, i64>(4));
            if u64::try_from(count) != Ok(held.capture.rows) {
                return Err(other_count(&held.capture, count));
            }
        }
        let verbs = |row: &Row| {
            let all = [Verb::Insert, Verb::Update, Verb::Delete];
            let has = all
                .into_iter()
                .zip(1..)
                .filter(|(_, index)| row.get(*index));
            (row.get(0), has.map(|(verb, _)| verb).collect())
        };
        Ok(rows.iter().map(verbs).collect())
    }

    /// Notes which rows are left as they are: those that someone changed, and those that are back already.
    async fn leave_out(&self, images: &Images) -> Result<(), Failure> {
        let laters = self.laters(images).await?;
        self.run(check::LEFT_OUT).await?;
        for (index, relation) in images.relations.iter().enumerate() {
            let text = check::leave_out(&images.source, relation, index, &laters);
            self.run(&text).await?;
        }
        Ok(())
    }

    /// Puts the rows back, newest statement first, reads them again, and looks at what else it changed: all
    /// in one flight. Returns the transaction's id, and what triggers
    /// changed besides.
    async fn put_back(
        &self,
        images: &Images,
        found: &[Found],
        works: Vec<Work>,
        is_partial: bool,
        watch: &Watch,
    ) -> Result<(Option<String>, Vec<TableChange>), Failure> {
        let texts: Vec<String> = works
            .iter()
            .map(|work| apply::statement(images, work, is_partial))
            .collect();
        let again: Vec<String> = (0..images.relations.len())
            .map(|index| apply::again(images, index, is_partial))
            .collect();
        let named = guard::names(images);
        let params: [(&(dyn ToSql + Sync), Type); 1] = [(&named, Type::TEXT_ARRAY)];
        let works_done = join_all(texts.iter().map(|text| self.run(text)));
        let read_again = join_all(again.iter().map(|text| self.ask(text, &[])));
        let (counted, done, wrong, allowed, after) = tokio::join!(biased;
            self.counters(&watch.baseline),
            works_done,
            read_again,
            self.ask(guard::ROOTS, &params),
            self.counters(&watch.counters)
        );
        let counted = counted?;
        let done: Vec<(Work, u64)> = works
            .into_iter()
            .zip(done)
            .map(|(work, done)| Ok((work, done?)))
            .collect::<Result<_, Failure>>()?;
        for (rows, relation) in wrong.into_iter().zip(&images.relations) {
            if let Some(row) = rows?.first() {
                return Err(apply::not_back(row, relation));
            }
        }
        let allowed: Vec<String> = allowed?
            .iter()
            .filter_map(|row| row.get::<_, Option<String>>(0))
            .collect();
        let after = after?;
        let besides = guard::nothing_else(images, found, &done, &allowed, &counted, &after)?;
        if matches!(images.source.table, source::FILE) {
            self.run(&format!("DROP TABLE {}", source::FILE)).await?;
        }
        if is_partial {
            self.run(&format!("DROP TABLE {}", check::LEFT)).await?;
        }
        Ok((after.xid, besides))
    }

    /// Runs a statement of our own and returns how many rows it changed.
    async fn run(&self, text: &str) -> Result<u64, Failure> {
        self.client
            .execute_typed(text, &[])
            .await
            .map_err(|error| failure::of(&error, text, text.len()))
    }

    /// Asks the server something of our own.
    async fn ask(
        &self,
        text: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        self.client
            .query_typed(text, params)
            .await
            .map_err(|error| failure::of(&error, text, text.len()))
    }
}

/// Returns a failure that says why rows cannot be put back.
fn conflict(message: String) -> Failure {
    Failure::new(FailureKind::Conflict, message)
}

/// Says that the images of a capture are not those that were kept with it.
fn other_count(capture: &Capture, count: i64) -> Failure {
    let rows = capture.rows;
    conflict(format!(
        "the journal has {count} row images of {}, where {rows} were kept",
        capture.relation
    ))
    .note("images were added or lost since: nothing was put back")
    .help("restore the journal, the schema `runbook`, or the table from a backup")
}

fn text(row: &Row, index: usize) -> Option<String> {
    row.get::<_, Option<String>>(index)
}
