//! The real world: a session on a server, a person or flags that answer, programs, and those who listen.

use std::path::PathBuf;

use jiff::Timestamp;

use super::answers::Answers;
use super::{newest, program, save};
use crate::engine::approval::{Request, Standing, Word};
use crate::engine::backup::{Backed, FromBackup, Order, Progressing, What};
use crate::engine::cancel::Cancel;
use crate::engine::change::Changes;
use crate::engine::conflict::Restored;
use crate::engine::database::{Found, Wanted};
use crate::engine::event::{Blocker, Event, Saved, Sink, TargetFacts};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Entry, Terms};
use crate::engine::lock::TableLock;
use crate::engine::plan::Plan;
use crate::engine::port::{
    Answer, Bound, Changed, Close, Limits, Output, Part, Program, Question, World,
};
use crate::pg;
use crate::pg::backup::Site;
use crate::pg::session::Session;
use crate::record::run::RunRecord;
use crate::report::secret::Redactor;
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

/// What a run works with.
pub struct RealWorld {
    /// The database.
    pub session: Session,
    /// Who answers.
    pub answers: Answers,
    /// Who listens.
    pub sink: Box<dyn Sink>,
    /// The run's record: nothing happens that it cannot hold.
    pub record: Option<RunRecord>,
    /// Where backups are.
    pub site: Site,
    /// What relative paths are relative to: the current folder, in a test the folder of the case.
    pub folder: PathBuf,
    /// What masks secrets before anybody is told, or anything is written.
    pub redactor: Redactor,
}

impl RealWorld {
    /// Has the record be on disk, before anything is done that cannot be taken back; the journal gets its head.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        record.sync().map_err(|error| {
            Failure::new(
                FailureKind::Record,
                format!("the record of the run: {error}"),
            )
        })?;
        self.session.set_head(record.head());
        Ok(())
    }
}

impl World for RealWorld {
    fn target(&self) -> TargetFacts {
        self.session.target().clone()
    }

    async fn open(&mut self, _: &Limits) -> Result<(), Failure> {
        self.session.revive().await?;
        self.session.open();
        Ok(())
    }

    async fn close(&mut self, how: Close, limits: &Limits) -> Result<(), Failure> {
        if how == Close::Commit
            && let Err(failure) = self.flush()
        {
            let _ = Box::pin(self.session.close(Close::Rollback, limits)).await;
            return Err(failure);
        }
        Box::pin(self.session.close(how, limits)).await
    }

    async fn read(&mut self, bound: &Bound, keep: usize, limits: &Limits) -> Result<Rows, Failure> {
        self.session.revive().await?;
        self.session.read(bound, keep, limits).await
    }

    async fn audit(&mut self, wanted: &Wanted, limits: &Limits) -> Result<Vec<Found>, Failure> {
        self.session.revive().await?;
        Box::pin(self.session.audit(wanted, limits)).await
    }

    async fn save(
        &mut self,
        bound: &Bound,
        keep: usize,
        path: &str,
        limits: &Limits,
    ) -> Result<(Rows, Saved), Failure> {
        self.flush()?;
        self.session.revive().await?;
        let mut file = save::File::create(&self.folder, path)?;
        let rows = self
            .session
            .read_each(bound, keep, limits, &mut file)
            .await?;
        Ok((rows, file.finish()?))
    }

    async fn record(&mut self, entry: &Entry, limits: &Limits) -> Result<(), Failure> {
        self.session.record(entry, limits).await
    }

    fn transaction(&self) -> Option<String> {
        self.session.transaction()
    }

    async fn recorded(
        &mut self,
        entry: &Entry,
        transaction: Option<&str>,
        limits: &Limits,
    ) -> Result<bool, Failure> {
        self.session.recorded(entry, transaction, limits).await
    }

    async fn change(
        &mut self,
        bound: &Bound,
        terms: &Terms,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        Box::pin(self.session.change(bound, terms, limits)).await
    }

    async fn part(
        &mut self,
        bound: &Bound,
        after: Option<&[String]>,
        size: u32,
        limits: &Limits,
    ) -> Result<Part, Failure> {
        self.session.part(bound, after, size, limits).await
    }

    async fn restore(
        &mut self,
        entry: &Entry,
        fixes: Option<&[StepId]>,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        self.session
            .restore(entry, fixes, on_conflict, limits)
            .await
    }

    async fn backup(&mut self, order: &Order, limits: &Limits) -> Result<Backed, Failure> {
        self.flush()?;
        // The manifest is read by others.
        let mut order = self.site.completed(order.clone());
        if let Some(to) = &mut order.to {
            // Whoever puts back from it may be in another folder.
            *to = self.folder.join(&*to);
        }
        if let What::Rows(rows) = &mut order.what {
            for rows in rows {
                rows.shown = self.redactor.mask(&rows.shown);
            }
        }
        let sink = &mut self.sink;
        let mut told = |progress: &Progressing| sink.progress(progress);
        Box::pin(pg::backup::create(
            &mut self.session,
            &self.site,
            &order,
            limits,
            &mut told,
        ))
        .await
    }

    async fn restore_backup(
        &mut self,
        entry: &Entry,
        source: &FromBackup,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        Box::pin(
            self.session
                .restore_backup(entry, &self.site, source, on_conflict, limits),
        )
        .await
    }

    async fn release(&mut self) -> Result<(), Failure> {
        self.session.release().await
    }

    async fn settle(&mut self, limits: &Limits) -> Result<Changes, Failure> {
        Box::pin(self.session.settle(limits)).await
    }

    async fn act(&mut self, bound: &Bound, limits: &Limits) -> Result<(), Failure> {
        self.flush()?;
        self.session.act(bound, limits).await
    }

    async fn lock(&mut self, key: &str) -> Result<(), Failure> {
        let shown = self.redactor.mask(key);
        if shown == key {
            return self.session.lock(key).await;
        }
        // What others read, in the journal and in the server's own tables, keeps the secret: its hash stands for it.
        let hash = Plan::hash_of_text(key);
        let hash = hash.get(..16).unwrap_or_default();
        self.session.lock(&format!("{shown}#{hash}")).await
    }

    fn settings(&mut self, settings: Vec<(String, String)>) {
        self.session.set_local(settings);
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        self.session.reconnect().await
    }

    async fn abort(&mut self) -> Result<bool, Failure> {
        self.session.abort().await
    }

    fn blockers(&mut self) -> Vec<Blocker> {
        self.session.take_blockers()
    }

    fn notices(&mut self) -> Vec<String> {
        self.session.take_notices()
    }

    async fn recordable(&mut self) -> Result<(), Failure> {
        self.session.revive().await?;
        self.session.refuse_unrecordable().await
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        self.session.revive().await?;
        self.session.now().await
    }

    async fn newest_backup(&mut self) -> Result<Option<Timestamp>, Failure> {
        newest::of(&self.site.folder, self.session.target())
    }

    async fn locks(&mut self) -> Result<Vec<TableLock>, Failure> {
        self.session.table_locks().await
    }

    async fn break_glass(&mut self, reason: &str, lifted: &[String]) -> Result<(), Failure> {
        self.flush()?;
        self.session.revive().await?;
        let reason = self.redactor.mask(reason);
        self.session.break_glass(&reason, lifted).await
    }

    async fn request(&mut self, request: Request) -> Result<(Request, Standing), Failure> {
        self.flush()?;
        self.session.revive().await?;
        let request = self.redactor.request(request);
        Box::pin(self.session.request_approval(request)).await
    }

    async fn standing(&mut self, request: &Request) -> Result<Standing, Failure> {
        self.session.revive().await?;
        self.session.approval_standing(request).await
    }

    async fn verdict(
        &mut self,
        request: &Request,
        word: Word,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        self.session.revive().await?;
        let actor = self.answers.actor.clone();
        self.session
            .say_of_request(request, word, &actor, reason)
            .await
    }

    async fn ask(&mut self, question: &Question, cancel: &Cancel) -> Answer {
        let typed = question
            .typed
            .as_ref()
            .map(|typed| self.redactor.mask(typed));
        let hidden = typed.filter(|shown| question.typed.as_ref() != Some(shown));
        self.answers
            .answer(question, hidden.as_deref(), cancel)
            .await
    }

    async fn program(&mut self, program: &Program, limits: &Limits) -> Result<Output, Failure> {
        self.flush()?;
        let running = program::run(program, &self.folder, self.session.settings(), limits);
        tokio::select! {
            biased;
            failure = self.session.given_up() => Err(failure),
            done = running => done,
        }
    }

    fn tell(&mut self, event: &Event) -> std::io::Result<()> {
        let event = self.redactor.event(event);
        if let Some(record) = &mut self.record {
            record.append(&event)?;
        }
        self.sink.take(&event)
    }
}
