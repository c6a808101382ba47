//! Tells a run to a person, a line a step, while it happens.

mod approval;
mod close;
mod past;
mod question;
mod several;
mod trouble;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Instant;

use super::compact::Compact;
use super::line::Line;
use super::look::{Look, Mark};
use super::places::Places;
use super::status::{Progress, Status};
use super::step::{self, Telling, Told, Went};
use super::undo::{Undoing, Undone};
use super::{amount, backup, glass, header};
use crate::engine::backup::Progressing;
use crate::engine::change::Changes;
use crate::engine::event::{
    Decision, Event, EventKind, Item, RunStarted, Sink, StepRef, StepResult,
};
use crate::engine::failure::Failure;

/// How output looks, and whether it is alive.
#[derive(Clone, Copy, Debug)]
pub struct TerminalOptions {
    /// Whether there are colours.
    pub colors: bool,
    /// Whether there is more than ASCII.
    pub unicode: bool,
    /// How many columns there are; none for a file or a pipe.
    pub width: Option<usize>,
    /// Whether a status line shows what runs right now.
    pub live: bool,
}

/// Tells a run to a person.
pub struct Terminal {
    look: Look,
    places: Places,
    live: bool,
    out: Box<dyn Write>,
    status: Box<dyn Status>,
    /// How the run began, once that is told.
    begun: Option<RunStarted>,
    /// What the status line says while it is not interrupted.
    running: Option<String>,
    /// How far a batch is.
    progress: Option<Progress>,
    /// When it was shown last how far long work is.
    worked_at: Option<Instant>,
    /// What is being put back, and why.
    undoing: Option<Undoing>,
    /// The item that the running step works on.
    item: Option<Item>,
    /// Whether the line of the running confirm is there already.
    asking: bool,
    atomic: Option<Compact>,
    looped: Option<Compact>,
    /// A step that said no: what comes next tells whether the run failed by it.
    held: Option<Held>,
    /// The fixes and atomics whose changes were shown to be approved.
    rehearsed: BTreeSet<String>,
}

/// A step that said no, until it is known where that leads.
struct Held {
    step: StepRef,
    result: StepResult,
    took_ms: f64,
}

/// What belongs to a step stands this much further in.
pub(super) const INDENT: usize = 6;

impl Terminal {
    /// Returns a terminal that writes to `out`, and shows what runs on `status`.
    pub fn new(options: TerminalOptions, out: Box<dyn Write>, status: Box<dyn Status>) -> Self {
        Self {
            look: Look {
                colors: options.colors,
                unicode: options.unicode,
                width: options.width,
            },
            places: Places::default(),
            live: options.live,
            out,
            status,
            begun: None,
            running: None,
            progress: None,
            worked_at: None,
            undoing: None,
            item: None,
            asking: false,
            atomic: None,
            looped: None,
            held: None,
            rehearsed: BTreeSet::new(),
        }
    }

    /// Has paths be told as they are written at these places.
    #[must_use]
    pub fn at(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// Removes the status line until the next step begins, so that something else can be on the screen.
    pub fn pause(&mut self) {
        self.status.clear();
    }

    fn is_dry(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.dry_run)
    }

    fn is_undo(&self) -> bool {
        self.begun
            .as_ref()
            .is_some_and(|begun| begun.undo_of.is_some())
    }

    fn body(&self) -> Look {
        self.look.inside(INDENT)
    }

    fn print(&mut self, lines: &[Line], indent: usize) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{}", line.clone().indented(indent))?;
        }
        Ok(())
    }

    /// Prints the line of a step and what there is to see of it.
    fn step(&mut self, name: &str, told: &Told, took_ms: Option<f64>) -> io::Result<()> {
        // What did not run took no time.
        let took_ms = took_ms.filter(|_| told.mark != Mark::Skipped);
        let line = step::line(told.mark, name, &told.summary, took_ms, self.look);
        self.print(&step::within(line, told, name, took_ms, self.look), 0)?;
        self.print(&told.body, INDENT)
    }

    fn telling(&self, name: &str) -> Telling {
        Telling {
            dry_run: self.is_dry(),
            changes: !self.rehearsed.contains(name),
            went: Went::On,
        }
    }

    fn started(&mut self, name: &str, about: Option<&str>, item: Option<&Item>) -> io::Result<()> {
        if item.is_none() && self.atomic.is_none() {
            self.leave_loop()?;
        }
        let what = match (item, about) {
            (Some(item), _) => format!("{name}  {} of {}: {}", item.index + 1, item.of, item.label),
            (None, Some(about)) => format!("{name}  {about}"),
            (None, None) => name.to_owned(),
        };
        let line = self.look.line().plain(&what);
        self.running = Some(line.shortened(self.look.edge() / 2).to_string());
        Ok(())
    }

    fn run_started(&mut self, started: &RunStarted) -> io::Result<()> {
        self.begun = Some(started.clone());
        self.print(&header::draw(started, self.look), 0)
    }

    fn finished(
        &mut self,
        step: &StepRef,
        result: &StepResult,
        decision: &Decision,
        took_ms: f64,
    ) -> io::Result<()> {
        let no = *decision == Decision::Else;
        let leads = matches!(result, StepResult::Query { .. } | StepResult::Check { .. });
        if no && leads && self.item.is_none() {
            self.held = Some(Held {
                step: step.clone(),
                result: result.clone(),
                took_ms,
            });
            return Ok(());
        }
        self.went(
            step,
            result,
            if no { Went::Wrong } else { Went::On },
            took_ms,
        )
    }

    /// Tells a step that was held back, now that the next event is known.
    fn tell_held(&mut self, next: &EventKind) -> io::Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let went = Went::after_no(next);
        self.went(&held.step, &held.result, went, held.took_ms)
    }

    fn went(
        &mut self,
        step: &StepRef,
        result: &StepResult,
        went: Went,
        took_ms: f64,
    ) -> io::Result<()> {
        let telling = Telling {
            went,
            ..self.telling(&step.name)
        };
        let told = match result {
            StepResult::Backup(backed) => backup::made(backed, &self.places, self.body()),
            _ => step::told(result, telling, self.body()),
        };
        let asked = std::mem::take(&mut self.asking);
        match result {
            StepResult::Confirm { .. } if asked => {
                let look = self.look.line();
                let answer = look.mark(told.mark).gap(1).then(&told.summary);
                self.print(&[vec![answer], told.body].concat(), INDENT)
            }
            StepResult::Fix { changes, .. } => self.tell(step, &told, took_ms, Some(changes)),
            _ => self.tell(step, &told, took_ms, None),
        }
    }

    /// Tells what a step came to: with its atomic, with its loop, or by itself.
    fn tell(
        &mut self,
        step: &StepRef,
        told: &Told,
        took_ms: f64,
        changes: Option<&Changes>,
    ) -> io::Result<()> {
        if let (Some(atomic), Some(_)) = (&mut self.atomic, &step.atomic) {
            atomic.add(&step.name, told, self.look);
            return Ok(());
        }
        match self.item.take() {
            Some(item) => {
                self.worked(&step.name, &item, told, took_ms, changes);
                Ok(())
            }
            None => self.step(&step.name, told, Some(took_ms)),
        }
    }

    fn failed(&mut self, step: &StepRef, failure: &Failure, took_ms: f64) -> io::Result<()> {
        let told = step::failed(failure, self.body());
        match self.atomic.take() {
            // Its commit failed: what was done of it is told with the failure.
            Some(atomic) if atomic.name == step.name => {
                let body = [atomic.body(self.body()), told.body].concat();
                self.item = atomic.item;
                self.tell(step, &Told { body, ..told }, took_ms, None)
            }
            open => {
                self.atomic = open;
                self.asking = false;
                self.tell(step, &told, took_ms, None)
            }
        }
    }

    fn skipped(&mut self, step: &StepRef) -> io::Result<()> {
        if self.item.is_none() && self.atomic.is_none() {
            self.leave_loop()?;
        }
        let told = Told::new(Mark::Skipped, self.look.line().dim("skipped"));
        self.tell(step, &told, 0.0, None)
    }

    fn tell_event(&mut self, kind: &EventKind) -> io::Result<()> {
        self.tell_held(kind)?;
        match kind {
            EventKind::RunStarted(started) => self.run_started(started),
            EventKind::StepStarted { step, about, item } => {
                self.item.clone_from(item);
                self.started(&step.name, about.as_deref(), item.as_ref())
            }
            EventKind::LockWaited { step, blockers } => self.lock_waited(step, blockers),
            EventKind::Noticed { message } => self.noticed(message),
            EventKind::StepRetried {
                step,
                failure,
                retry,
                of,
                wait_ms,
            } => {
                let wait = amount::millis(*wait_ms);
                self.retried(step, failure, &format!("retry {retry} of {of} in {wait}"))
            }
            EventKind::Rehearsed { step, of, changes } => self.rehearsed(step, of, changes),
            EventKind::Asked { step, .. } => self.asked(step, kind),
            EventKind::StepSkipped { step } => self.skipped(step),
            EventKind::StepFinished {
                step,
                result,
                decision,
                took_ms,
            } => self.finished(step, result, decision, *took_ms),
            EventKind::StepFailed {
                step,
                failure,
                took_ms,
            } => self.failed(step, failure, *took_ms),
            EventKind::LoopFinished {
                step,
                items,
                count,
                failed,
            } => self.loop_finished(step, *items, *count, *failed),
            EventKind::AtomicStarted { step, item } => {
                self.started(&step.name, None, item.as_ref())?;
                self.item = None;
                self.atomic = Some(Compact::new(&step.name, item.clone()));
                Ok(())
            }
            EventKind::AtomicCommitted {
                step,
                changes,
                took_ms,
            } => self.committed(step, changes, *took_ms),
            EventKind::AtomicRolledBack { step } => self.rolled_back(step),
            EventKind::RunResumed { actor } => self.resumed(actor),
            EventKind::BrokeGlass { reason, by, lifted } => {
                self.print(&glass::draw(reason, by, lifted, self.look), 0)
            }
            EventKind::Committing { .. } => Ok(()),
            EventKind::ApprovalAsked { .. } | EventKind::ApprovalSeen { .. } => self.others(kind),
            EventKind::BatchCommitted {
                count, so_far, of, ..
            } => {
                self.advanced(*count, *so_far, *of);
                Ok(())
            }
            EventKind::UndoStarted { of, why } => self.undo_started(of, why),
            EventKind::UndoFinished {
                restored,
                changes,
                conflicts,
                failure,
                took_ms,
                ..
            } => {
                let undone = Undone {
                    restored: *restored,
                    changes,
                    conflicts,
                    failure: failure.as_ref(),
                };
                self.undo_finished(&undone, *took_ms)
            }
            EventKind::RunFinished(finished) => self.run_finished(finished),
        }
    }
}

impl Sink for Terminal {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        self.pause();
        let goes_on = matches!(
            event.kind,
            EventKind::LockWaited { .. }
                | EventKind::Noticed { .. }
                | EventKind::StepRetried { .. }
                | EventKind::Committing { .. }
                | EventKind::BatchCommitted { .. }
        );
        if !goes_on {
            self.running = None;
            self.progress = None;
        }
        self.tell_event(&event.kind)?;
        self.out.flush()?;
        match (&self.running, &self.progress) {
            _ if !self.live => {}
            (Some(running), Some(progress)) => self.status.progress(running, progress),
            (Some(running), None) => self.status.show(running),
            (None, _) => {}
        }
        Ok(())
    }

    fn progress(&mut self, progressing: &Progressing) {
        self.works(progressing);
    }
}
