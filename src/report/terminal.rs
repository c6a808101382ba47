//! Tells a run to a person, a line a step, while it happens.

mod question;
mod several;

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::compact::Compact;
use super::line::{Line, paragraph};
use super::look::{Look, Mark, Tone};
use super::status::Status;
use super::step::{self, Telling, Told, Went};
use super::{amount, ending, header};
use crate::engine::change::Changes;
use crate::engine::event::{
    Blocker, Decision, Event, EventKind, Item, RunFinished, RunStarted, Sink, StepRef, StepResult,
};
use crate::engine::failure::Failure;
use crate::engine::outcome::Outcome;

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
    live: bool,
    out: Box<dyn Write>,
    status: Box<dyn Status>,
    dry_run: bool,
    /// What the status line says while it is not interrupted.
    running: Option<String>,
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
const INDENT: usize = 6;

impl Terminal {
    /// Returns a terminal that writes to `out`, and shows what runs on `status`.
    pub fn new(options: TerminalOptions, out: Box<dyn Write>, status: Box<dyn Status>) -> Self {
        Self {
            look: Look {
                colors: options.colors,
                unicode: options.unicode,
                width: options.width,
            },
            live: options.live,
            out,
            status,
            dry_run: false,
            running: None,
            item: None,
            asking: false,
            atomic: None,
            looped: None,
            held: None,
            rehearsed: BTreeSet::new(),
        }
    }

    /// Removes the status line until the next step begins, so that something else can be on the screen.
    pub fn pause(&mut self) {
        self.status.clear();
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
        self.print(&[line], 0)?;
        self.print(&told.body, INDENT)
    }

    fn telling(&self, name: &str) -> Telling {
        Telling {
            dry_run: self.dry_run,
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
        self.dry_run = started.dry_run;
        self.print(&header::draw(started, self.look), 0)
    }

    fn lock_waited(&mut self, step: &StepRef, blockers: &[Blocker]) -> io::Result<()> {
        for blocker in blockers {
            let who = format!("pid {} (user {})", blocker.pid, blocker.user);
            let text = format!("waiting for a lock held by {who}: {}", blocker.query.trim());
            let line = self.look.line().toned(Tone::Warn, &text);
            let line = match self.look.width {
                Some(width) => line.shortened(width.saturating_sub(step::SUMMARY)),
                None => line,
            };
            self.step(&step.name, &Told::new(Mark::Warning, line), None)?;
        }
        Ok(())
    }

    fn noticed(&mut self, message: &str) -> io::Result<()> {
        let label = self.look.line().dim("notice: ");
        self.print(&paragraph(&label, Tone::Dim, message), INDENT)
    }

    fn retried(&mut self, step: &StepRef, failure: &Failure, words: &str) -> io::Result<()> {
        let text = format!("{words}: {}", failure.message);
        let summary = self.look.line().toned(Tone::Warn, &text);
        self.step(&step.name, &Told::new(Mark::Again, summary), None)
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
        let went = match next {
            EventKind::AtomicRolledBack { .. } => Went::Wrong,
            EventKind::RunFinished(finished) => match finished.outcome {
                Outcome::Done | Outcome::Nothing => Went::Elsewhere,
                _ => Went::Wrong,
            },
            _ => Went::Elsewhere,
        };
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
        let told = step::told(result, telling, self.body());
        let asked = std::mem::take(&mut self.asking);
        match result {
            StepResult::Confirm { .. } if asked => {
                let look = self.look.line();
                let answer = look.mark(told.mark).gap(1).then(&told.summary);
                self.print(&[answer], INDENT)
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

    fn run_finished(&mut self, finished: &RunFinished) -> io::Result<()> {
        if let Some(atomic) = self.atomic.take() {
            let summary = self
                .look
                .line()
                .toned(Tone::Warn, "did not come to its end");
            let body = atomic.body(self.body());
            let told = Told {
                body,
                ..Told::new(Mark::Warning, summary)
            };
            self.step(&atomic.name, &told, None)?;
        }
        self.leave_loop()?;
        self.print(&[self.look.line()], 0)?;
        self.print(&ending::draw(finished, self.look), 0)
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
            EventKind::Asked {
                step,
                question,
                show,
                ..
            } => self.asked(step, question, show.as_ref()),
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
            EventKind::RunResumed { .. }
            | EventKind::Committing { .. }
            | EventKind::BatchCommitted { .. }
            | EventKind::UndoStarted { .. }
            | EventKind::UndoFinished { .. } => Ok(()),
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
        self.running = self.running.take().filter(|_| goes_on);
        self.tell_event(&event.kind)?;
        self.out.flush()?;
        if let (true, Some(running)) = (self.live, &self.running) {
            self.status.show(running);
        }
        Ok(())
    }
}
