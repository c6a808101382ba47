//! `runbook undo`: a run of its own that puts back what another one changed.

use std::time::Instant;

use super::{Lasting, PutBack, Way, Works, put_back};
use crate::base::words;
use crate::engine::cancel::Cancel;
use crate::engine::clock::{Clock, millis};
use crate::engine::driver::Untold;
use crate::engine::event::StepResult;
use crate::engine::event::{EventKind, RunFinished, RunStarted, StepRef};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Unit;
use crate::engine::lease::release;
use crate::engine::outcome::Outcome;
use crate::engine::perform::ask;
use crate::engine::port::{Limits, Question, World};
use crate::policy::rules::AnsweredBy;
use crate::runbook::model::StepId;
use crate::step::rollback::OnConflict;

/// What is asked of an undo.
#[derive(Debug)]
pub struct Request {
    /// How it begins: `undo_of` says which run it puts back.
    pub started: RunStarted,
    /// What there is to put back.
    pub works: Works,
    /// What becomes of rows that someone changed since.
    pub on_conflict: OnConflict,
    /// Why there is nothing to put back, where there is nothing.
    pub nothing: String,
    /// What is said of it.
    pub words: Words,
}

/// What is said of putting back.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Why it is done.
    pub why: String,
    /// What to do about rows that someone changed since, to stand behind a sentence.
    pub way_out: String,
}

/// Puts back what a run changed: looks first, asks, and keeps it only if it is what was shown.
///
/// # Errors
/// An event could not be written; nothing is put back then, unless it was already committed.
pub async fn run<W: World>(
    request: Request,
    world: &mut W,
    cancel: Cancel,
) -> Result<RunFinished, Untold> {
    let mut undo = Undoing {
        request,
        world,
        limits: Limits {
            deadline: None,
            cancel,
        },
        clock: Clock::start(),
        waited_ms: 0.0,
    };
    let started = undo.request.started.clone();
    undo.tell(EventKind::RunStarted(Box::new(started)))?;
    undo.all().await
}

struct Undoing<'a, W> {
    request: Request,
    world: &'a mut W,
    limits: Limits,
    clock: Clock,
    waited_ms: f64,
}

impl<W: World> Undoing<'_, W> {
    async fn all(&mut self) -> Result<RunFinished, Untold> {
        if self.request.works.works.is_empty() {
            let never = &self.request.works.never;
            let (outcome, says) = if never.is_empty() {
                (Outcome::Nothing, self.request.nothing.clone())
            } else {
                (Outcome::Stopped, self.never())
            };
            return self.finish(outcome, says, &PutBack::default()).await;
        }
        let began = Instant::now();
        let looked = self.put_back(Lasting::No).await;
        let stops = match &looked {
            Ok(looked) => {
                !looked.conflicts.is_empty() && self.request.on_conflict == OnConflict::Stop
            }
            Err(_) => true,
        };
        if stops || self.request.started.dry_run {
            self.begin()?;
            return self.conclude(looked, began).await;
        }
        let shown = looked.unwrap_or_default();
        if self.is_restore() && shown.restored == 0 && shown.conflicts.is_empty() {
            let says = self.request.nothing.clone();
            return self
                .finish(Outcome::Nothing, says, &PutBack::default())
                .await;
        }
        // Rows that are back already are only noted as such: nobody needs to decide anything.
        let is_back =
            shown.restored == 0 && shown.changes.count() == 0 && shown.conflicts.is_empty();
        if !is_back && !self.asked(&shown).await? {
            let says = "nothing was put back".to_owned();
            return self
                .finish(Outcome::Declined, says, &PutBack::default())
                .await;
        }
        self.begin()?;
        let began = Instant::now();
        let done = self.put_back(Lasting::IfSame(&shown.changes.digest)).await;
        self.conclude(done, began).await
    }

    /// Returns whether rows of backups are put back, and nothing else: what does not differ needs no yes.
    fn is_restore(&self) -> bool {
        let mut ways = self.request.works.works.iter().flat_map(|work| &work.ways);
        ways.all(|way| matches!(way, Way::Backup(_)))
    }

    async fn put_back(&mut self, lasting: Lasting<'_>) -> Result<PutBack, Failure> {
        let Request {
            works, on_conflict, ..
        } = &self.request;
        put_back(
            self.world,
            &works.works,
            *on_conflict,
            lasting,
            &self.limits,
        )
        .await
    }

    /// Returns the names of those of the units that are put back by this.
    fn titles_of(&self, units: &[Unit]) -> Vec<String> {
        let works = self.request.works.works.iter();
        let found = works.filter(|work| units.contains(&work.undoing().unit));
        let mut titles: Vec<String> = found.map(|work| work.entry.name.clone()).collect();
        titles.dedup();
        titles
    }

    fn titles(&self) -> Vec<String> {
        let works = self.request.works.works.iter();
        let mut titles: Vec<String> = works.map(|work| work.entry.name.clone()).collect();
        titles.dedup();
        titles
    }

    fn begin(&mut self) -> Result<(), Untold> {
        let why = self.request.words.why.clone();
        let of = self.titles();
        self.tell(EventKind::UndoStarted { of, why })
    }

    /// Says what nothing can put back.
    fn never(&self) -> String {
        let works = &self.request.works;
        let why = works.why.map(|why| format!(": {why}"));
        format!(
            "nothing can put back {}{}",
            list(&works.never),
            why.unwrap_or_default()
        )
    }

    /// Shows what would be put back, and asks.
    async fn asked(&mut self, shown: &PutBack) -> Result<bool, Untold> {
        let step = StepRef {
            id: StepId(0),
            name: "go_ahead".to_owned(),
            kind: "confirm".to_owned(),
            atomic: None,
        };
        let mut text = vec![format!("Put back {}", words::count(shown.restored, "row"))];
        if !shown.conflicts.is_empty() {
            let left = words::count(shown.conflicting, "row");
            text.push(format!(", and leave {left} that someone changed since"));
        }
        text.push("?".to_owned());
        if !self.request.works.never.is_empty() {
            text.push(format!(" But {}.", self.never()));
        }
        let question = Question {
            name: step.name.clone(),
            text: text.concat(),
            typed: None,
            answered_by: if self.request.started.target.protected {
                AnsweredBy::Person
            } else {
                AnsweredBy::Flag
            },
            timeout: None,
        };
        self.tell(EventKind::StepStarted {
            step: step.clone(),
            about: None,
            item: None,
        })?;
        self.tell(EventKind::Rehearsed {
            step: step.clone(),
            of: self.titles(),
            changes: shown.changes.clone(),
        })?;
        self.tell(EventKind::Asked {
            step: step.clone(),
            question: question.text.clone(),
            typed: None,
            show: None,
            impact: None,
        })?;
        let began = Instant::now();
        let answer = ask(self.world, &question, Vec::new(), &self.limits.cancel).await;
        self.waited_ms += millis(began);
        match answer {
            Ok(performed) => {
                let yes = matches!(performed.result, StepResult::Confirm { yes: true, .. });
                self.tell(EventKind::StepFinished {
                    step,
                    result: performed.result,
                    decision: performed.decision,
                    took_ms: 0.0,
                })?;
                Ok(yes)
            }
            Err(failure) => {
                self.tell(EventKind::StepFailed {
                    step,
                    failure,
                    took_ms: 0.0,
                })?;
                Ok(false)
            }
        }
    }

    async fn conclude(
        &mut self,
        done: Result<PutBack, Failure>,
        began: Instant,
    ) -> Result<RunFinished, Untold> {
        let dry_run = self.request.started.dry_run;
        let (done, failure) = match done {
            Ok(done) => (done, None),
            Err(failure) => (PutBack::default(), Some(failure)),
        };
        let stopped = !done.conflicts.is_empty() && self.request.on_conflict == OnConflict::Stop;
        let (outcome, says) = match &failure {
            Some(failure) if failure.kind == FailureKind::InDoubt => {
                (Outcome::Unknown, failure.message.clone())
            }
            Some(failure) if failure.kind == FailureKind::Cancelled => {
                (Outcome::Cancelled, "nothing was put back".to_owned())
            }
            Some(failure) => (
                Outcome::Failed,
                format!("nothing was put back: {}", failure.message),
            ),
            None if stopped => (
                // What a run changed is left in place; of a backup there was nothing in place.
                if self.request.started.undo_of.is_some() {
                    Outcome::Stopped
                } else {
                    Outcome::Failed
                },
                format!(
                    "nothing was put back: someone changed {} since{}",
                    words::count(done.conflicting, "row"),
                    self.request.words.way_out
                ),
            ),
            None if !self.request.works.never.is_empty() => (Outcome::Stopped, self.never()),
            None if !done.conflicts.is_empty() => (
                Outcome::Stopped,
                format!(
                    "{} left as {}",
                    words::count(done.conflicting, "row"),
                    they_are(done.conflicting)
                ),
            ),
            None => (Outcome::Done, String::new()),
        };
        self.tell(EventKind::UndoFinished {
            undone: if dry_run {
                Vec::new()
            } else {
                done.undone.clone()
            },
            restored: done.restored,
            changes: done.changes.clone(),
            conflicts: done.conflicts.clone(),
            failure,
            took_ms: millis(began),
        })?;
        self.finish(outcome, says, &done).await
    }

    async fn finish(
        &mut self,
        outcome: Outcome,
        says: String,
        done: &PutBack,
    ) -> Result<RunFinished, Untold> {
        let dry_run = self.request.started.dry_run;
        // The run that was put back holds no lock any more.
        if matches!(outcome, Outcome::Done | Outcome::Nothing)
            && !dry_run
            && let Some(message) = release(self.world).await
        {
            self.tell(EventKind::Noticed { message })?;
        }
        let of = |units: &[Unit]| self.titles_of(units);
        let (undone, committed) = if dry_run {
            (Vec::new(), Vec::new())
        } else {
            (of(&done.undone), of(&done.in_part))
        };
        let finished = RunFinished {
            outcome,
            says,
            committed,
            undone,
            undoable: false,
            aborted: done.aborted.filter(|_| dry_run),
            changes: dry_run.then(|| done.changes.clone()),
            took_ms: self.clock.elapsed_ms(),
            waited_ms: self.waited_ms,
        };
        self.tell(EventKind::RunFinished(Box::new(finished.clone())))?;
        Ok(finished)
    }

    fn tell(&mut self, kind: EventKind) -> Result<(), Untold> {
        let event = self.clock.event(kind);
        Ok(self.world.tell(&event)?)
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    words::list(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn they_are(rows: u64) -> &'static str {
    if rows == 1 { "it is" } else { "they are" }
}
