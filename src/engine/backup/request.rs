//! A run that is no runbook's: a few steps, one after the other, that make or restore backups. Told as every run
//! is, so that it is recorded, reported and listed like them.

use std::time::Instant;

use crate::engine::cancel::Cancel;
use crate::engine::clock::{Clock, millis};
use crate::engine::driver::Untold;
use crate::engine::event::{Decision, EventKind, RunFinished, RunStarted, StepRef, StepResult};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::Outcome;
use crate::engine::perform::ask;
use crate::engine::port::{Limits, Question, World};
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;

/// A question, and what to look at before it is answered.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The question.
    pub question: Question,
    /// Rows to look at beside.
    pub show: Option<Rows>,
}

/// A step that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its kind: "backup", "restore".
    pub kind: &'a str,
    /// What it is for.
    pub about: Option<&'a str>,
}

/// A run of a few steps that is under way.
pub struct Run<'a, W> {
    world: &'a mut W,
    limits: Limits,
    clock: Clock,
    steps: usize,
    waited_ms: f64,
    /// The steps whose changes are in place.
    committed: Vec<String>,
    /// Why it cannot go on.
    failure: Option<Failure>,
}

impl<'a, W: World> Run<'a, W> {
    /// Begins.
    ///
    /// # Errors
    /// The event could not be written.
    pub fn begin(started: RunStarted, world: &'a mut W, cancel: Cancel) -> Result<Self, Untold> {
        let mut run = Self {
            world,
            limits: Limits {
                deadline: None,
                cancel,
            },
            clock: Clock::start(),
            steps: 0,
            waited_ms: 0.0,
            committed: Vec::new(),
            failure: None,
        };
        run.tell(EventKind::RunStarted(Box::new(started)))?;
        Ok(run)
    }

    /// Says that it goes on without what the target's policy demands. Returns whether that is recorded: the run is over
    /// where it cannot be.
    ///
    /// # Errors
    /// The event could not be written.
    pub async fn breaks_glass(
        &mut self,
        reason: &str,
        by: &str,
        lifted: &[String],
    ) -> Result<bool, Untold> {
        if let Err(failure) = self.world.break_glass(reason, lifted).await {
            self.notice(failure.message.clone())?;
            self.failure = Some(failure);
            return Ok(false);
        }
        self.tell(EventKind::BrokeGlass {
            reason: reason.to_owned(),
            by: by.to_owned(),
            lifted: lifted.to_vec(),
        })?;
        Ok(true)
    }

    /// Asks. Only a clear yes is one.
    ///
    /// # Errors
    /// An event could not be written.
    pub async fn asks(&mut self, asking: Asking) -> Result<bool, Untold> {
        let Asking { question, show } = asking;
        let step = self.next(&Step {
            name: &question.name,
            kind: "confirm",
            about: None,
        });
        self.tell(EventKind::StepStarted {
            step: step.clone(),
            about: None,
            item: None,
        })?;
        self.tell(EventKind::Asked {
            step: step.clone(),
            question: question.text.clone(),
            typed: question.typed.clone(),
            show,
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
                self.fail(step, failure, 0.0)?;
                Ok(false)
            }
        }
    }

    /// Performs a step, and returns what it came to; nothing where it failed: the run is over then. What is
    /// true of the result by `lasts` says whether it changed a database.
    ///
    /// # Errors
    /// An event could not be written.
    pub async fn step(
        &mut self,
        step: Step<'_>,
        lasts: bool,
        work: impl AsyncFnOnce(&mut W, &Limits) -> Result<StepResult, Failure>,
    ) -> Result<Option<StepResult>, Untold> {
        let told = self.next(&step);
        self.tell(EventKind::StepStarted {
            step: told.clone(),
            about: step.about.map(str::to_owned),
            item: None,
        })?;
        let began = Instant::now();
        let came = if self.limits.cancel.is_set() {
            Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"))
        } else {
            work(self.world, &self.limits).await
        };
        for message in self.world.notices() {
            self.tell(EventKind::Noticed { message })?;
        }
        match came {
            Ok(result) => {
                self.tell(EventKind::StepFinished {
                    step: told,
                    result: result.clone(),
                    decision: Decision::Next,
                    took_ms: millis(began),
                })?;
                if lasts {
                    self.committed.push(step.name.to_owned());
                }
                Ok(Some(result))
            }
            Err(failure) => {
                self.fail(told, failure, millis(began))?;
                Ok(None)
            }
        }
    }

    /// Says something beside.
    ///
    /// # Errors
    /// The event could not be written.
    pub fn notice(&mut self, message: impl Into<String>) -> Result<(), Untold> {
        self.tell(EventKind::Noticed {
            message: message.into(),
        })
    }

    /// Ends after a question that was not answered with a yes, or after a step that failed. `nothing` says what
    /// was not done.
    ///
    /// # Errors
    /// The event could not be written.
    pub fn stop(self, nothing: &str) -> Result<RunFinished, Untold> {
        let (outcome, says) = match &self.failure {
            None => (Outcome::Declined, nothing.to_owned()),
            Some(failure) => match failure.kind {
                FailureKind::Cancelled => (Outcome::Cancelled, nothing.to_owned()),
                FailureKind::InDoubt => (Outcome::Unknown, failure.message.clone()),
                _ => (Outcome::Failed, format!("{nothing}: {}", failure.message)),
            },
        };
        self.finish(outcome, says)
    }

    /// Ends.
    ///
    /// # Errors
    /// The event could not be written.
    pub fn finish(mut self, outcome: Outcome, says: String) -> Result<RunFinished, Untold> {
        let finished = RunFinished {
            outcome,
            says,
            committed: std::mem::take(&mut self.committed),
            undone: Vec::new(),
            undoable: false,
            aborted: None,
            changes: None,
            took_ms: self.clock.elapsed_ms(),
            waited_ms: self.waited_ms,
        };
        self.tell(EventKind::RunFinished(Box::new(finished.clone())))?;
        Ok(finished)
    }

    fn fail(&mut self, step: StepRef, failure: Failure, took_ms: f64) -> Result<(), Untold> {
        self.failure = Some(failure.clone());
        self.tell(EventKind::StepFailed {
            step,
            failure,
            took_ms,
        })
    }

    fn next(&mut self, step: &Step<'_>) -> StepRef {
        let id = StepId(self.steps);
        self.steps += 1;
        StepRef {
            id,
            name: step.name.to_owned(),
            kind: step.kind.to_owned(),
            atomic: None,
        }
    }

    fn tell(&mut self, kind: EventKind) -> Result<(), Untold> {
        let event = self.clock.event(kind);
        Ok(self.world.tell(&event)?)
    }
}
