//! The world of a case: the real one, in which faults happen at the moments that their author names.

use jiff::Timestamp;

use super::fault::{Doing, Faults};
use crate::cli::world::RealWorld;
use crate::engine::approval::{Request, Standing, Word};
use crate::engine::backup::{Backed, FromBackup, Order};
use crate::engine::cancel::Cancel;
use crate::engine::change::Changes;
use crate::engine::conflict::Restored;
use crate::engine::database::{Found, Wanted};
use crate::engine::event::{Blocker, Event, Saved, TargetFacts};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Entry, Terms};
use crate::engine::lock::TableLock;
use crate::engine::port::{
    Answer, Bound, Changed, Close, Limits, Output, Part, Program, Question, World,
};
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

/// The real world, and what goes wrong in it.
pub(super) struct Stage<'a> {
    pub(super) real: RealWorld,
    pub(super) faults: Faults<'a>,
}

impl Stage<'_> {
    async fn before(&mut self, doing: Doing) -> Result<(), Failure> {
        let pid = self.real.session.pid();
        Box::pin(self.faults.before(doing, pid)).await
    }

    async fn work(&mut self) -> Result<(), Failure> {
        self.before(Doing::Work(FailureKind::Statement)).await
    }
}

impl World for Stage<'_> {
    fn target(&self) -> TargetFacts {
        self.real.target()
    }

    async fn open(&mut self, limits: &Limits) -> Result<(), Failure> {
        self.before(Doing::Other).await?;
        self.real.open(limits).await
    }

    async fn record(&mut self, entry: &Entry, limits: &Limits) -> Result<(), Failure> {
        self.before(Doing::Other).await?;
        self.real.record(entry, limits).await
    }

    fn transaction(&self) -> Option<String> {
        self.real.transaction()
    }

    async fn recorded(
        &mut self,
        entry: &Entry,
        transaction: Option<&str>,
        limits: &Limits,
    ) -> Result<bool, Failure> {
        self.real.recorded(entry, transaction, limits).await
    }

    async fn close(&mut self, how: Close, limits: &Limits) -> Result<(), Failure> {
        self.before(Doing::Other).await?;
        self.real.close(how, limits).await
    }

    async fn read(&mut self, bound: &Bound, keep: usize, limits: &Limits) -> Result<Rows, Failure> {
        self.work().await?;
        self.real.read(bound, keep, limits).await
    }

    async fn audit(&mut self, wanted: &Wanted, limits: &Limits) -> Result<Vec<Found>, Failure> {
        self.work().await?;
        self.real.audit(wanted, limits).await
    }

    async fn save(
        &mut self,
        bound: &Bound,
        keep: usize,
        path: &str,
        limits: &Limits,
    ) -> Result<(Rows, Saved), Failure> {
        self.work().await?;
        self.real.save(bound, keep, path, limits).await
    }

    async fn change(
        &mut self,
        bound: &Bound,
        terms: &Terms,
        limits: &Limits,
    ) -> Result<Changed, Failure> {
        self.work().await?;
        self.real.change(bound, terms, limits).await
    }

    async fn part(
        &mut self,
        bound: &Bound,
        after: Option<&[String]>,
        size: u32,
        limits: &Limits,
    ) -> Result<Part, Failure> {
        self.work().await?;
        self.real.part(bound, after, size, limits).await
    }

    async fn restore(
        &mut self,
        entry: &Entry,
        fixes: Option<&[StepId]>,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        self.work().await?;
        self.real.restore(entry, fixes, on_conflict, limits).await
    }

    async fn backup(&mut self, order: &Order, limits: &Limits) -> Result<Backed, Failure> {
        self.before(Doing::Work(FailureKind::Backup)).await?;
        self.real.backup(order, limits).await
    }

    async fn restore_backup(
        &mut self,
        entry: &Entry,
        source: &FromBackup,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> Result<Restored, Failure> {
        self.work().await?;
        let restored = self.real.restore_backup(entry, source, on_conflict, limits);
        restored.await
    }

    async fn settle(&mut self, limits: &Limits) -> Result<Changes, Failure> {
        self.before(Doing::Other).await?;
        self.real.settle(limits).await
    }

    async fn act(&mut self, bound: &Bound, limits: &Limits) -> Result<(), Failure> {
        self.work().await?;
        self.real.act(bound, limits).await
    }

    async fn lock(&mut self, key: &str) -> Result<(), Failure> {
        self.before(Doing::Other).await?;
        self.real.lock(key).await
    }

    async fn release(&mut self) -> Result<(), Failure> {
        self.before(Doing::Other).await?;
        self.real.release().await
    }

    fn settings(&mut self, settings: Vec<(String, String)>) {
        self.real.settings(settings);
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        self.real.reconnect().await
    }

    async fn abort(&mut self) -> Result<bool, Failure> {
        self.before(Doing::Other).await?;
        self.real.abort().await
    }

    fn blockers(&mut self) -> Vec<Blocker> {
        self.real.blockers()
    }

    fn notices(&mut self) -> Vec<String> {
        self.real.notices()
    }

    async fn recordable(&mut self) -> Result<(), Failure> {
        self.real.recordable().await
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        self.real.now().await
    }

    async fn newest_backup(&mut self) -> Result<Option<Timestamp>, Failure> {
        self.real.newest_backup().await
    }

    async fn locks(&mut self) -> Result<Vec<TableLock>, Failure> {
        self.real.locks().await
    }

    async fn break_glass(&mut self, reason: &str, lifted: &[String]) -> Result<(), Failure> {
        self.real.break_glass(reason, lifted).await
    }

    async fn request(&mut self, request: Request) -> Result<(Request, Standing), Failure> {
        self.real.request(request).await
    }

    async fn standing(&mut self, request: &Request) -> Result<Standing, Failure> {
        self.real.standing(request).await
    }

    async fn verdict(
        &mut self,
        request: &Request,
        word: Word,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        self.real.verdict(request, word, reason).await
    }

    async fn ask(&mut self, question: &Question, cancel: &Cancel) -> Answer {
        if Box::pin(self.faults.asked()).await {
            return Answer::Cancelled;
        }
        self.real.ask(question, cancel).await
    }

    async fn program(&mut self, program: &Program, limits: &Limits) -> Result<Output, Failure> {
        self.before(Doing::Work(FailureKind::Command)).await?;
        self.real.program(program, limits).await
    }

    fn tell(&mut self, event: &Event) -> std::io::Result<()> {
        self.faults.hear(event);
        self.real.tell(event)
    }
}
