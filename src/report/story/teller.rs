//! Puts the events of a run together to what happened in it.

use jiff::Timestamp;

use super::{Aside, Passage, Story, What};
use crate::engine::event::{Decision, Event, EventKind, StepRef, StepResult};
use crate::report::step::Went;
use crate::report::undo::{Undoing, Undone};

/// Puts events together, one after the other.
#[derive(Default)]
pub(super) struct Teller<'a> {
    story: Story<'a>,
    /// The atomic that is under way, as an index.
    atomic: Option<usize>,
    /// Whether the last passage said no, so that the next event tells where that led.
    held: bool,
    /// When the event happened.
    at: Timestamp,
}

impl<'a> Teller<'a> {
    /// Returns what happened.
    pub(super) fn tell(events: &'a [Event]) -> Story<'a> {
        let mut teller = Self::default();
        for event in events {
            teller.take(event);
        }
        teller.story
    }

    /// Returns the passages that the next one belongs to.
    fn list(&mut self, inner: bool) -> &mut Vec<Passage<'a>> {
        match self.atomic.filter(|_| inner) {
            Some(index) => &mut self.story.passages[index].inner,
            None => &mut self.story.passages,
        }
    }

    fn push(&mut self, inner: bool, passage: Passage<'a>) {
        self.list(inner).push(passage);
    }

    /// Returns the passage of a step that is under way; a new one where it did not say that it began.
    fn open(&mut self, step: &'a StepRef) -> Option<&mut Passage<'a>> {
        let at = self.at;
        if let Some(index) = self.atomic
            && self.story.passages[index].step == Some(step)
        {
            return self.story.passages.get_mut(index);
        }
        let list = self.list(step.atomic.is_some());
        let is_open = list
            .last()
            .is_some_and(|last| last.is_open() && last.step == Some(step));
        if !is_open {
            list.push(Passage::new(at, Some(step), What::Open));
        }
        list.last_mut()
    }

    fn aside(&mut self, step: &'a StepRef, aside: Aside<'a>) {
        if let Some(passage) = self.open(step) {
            passage.asides.push(aside);
        }
    }

    fn close(&mut self, step: &'a StepRef, what: What<'a>, took_ms: Option<f64>) {
        if let Some(passage) = self.open(step) {
            passage.what = what;
            passage.took_ms = took_ms;
        }
    }

    /// Tells of a step that said no where that led.
    fn settle(&mut self, next: &EventKind) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        let leads = Went::after_no(next);
        let inner = self
            .atomic
            .is_some_and(|index| !self.story.passages[index].inner.is_empty());
        if let Some(Passage {
            what: What::Result(_, _, went),
            ..
        }) = self.list(inner).last_mut()
        {
            *went = leads;
        }
    }

    fn noticed(&mut self, message: &'a str) {
        let (at, inner) = (self.at, self.atomic.is_some());
        let last = match self.list(inner).last_mut() {
            None if inner => self.list(false).last_mut(),
            last => last,
        };
        match last {
            Some(passage) => passage.asides.push(Aside::Noticed(message)),
            None => self.push(false, Passage::new(at, None, What::Noticed(message))),
        }
    }

    fn take(&mut self, event: &'a Event) {
        self.at = event.at;
        self.settle(&event.kind);
        match &event.kind {
            EventKind::RunStarted(started) => self.story.begun = Some((started, event.at)),
            EventKind::RunResumed { actor } => self.resumed(actor),
            EventKind::RunFinished(finished) => self.story.finished = Some((finished, event.at)),
            EventKind::UndoStarted { of, why } => {
                self.atomic = None;
                let undoing = Undoing::new(of, why);
                self.push(false, Passage::new(event.at, None, What::Undoing(undoing)));
            }
            EventKind::UndoFinished { took_ms, .. } => self.undone(&event.kind, *took_ms),
            EventKind::Noticed { message } => self.noticed(message),
            EventKind::BrokeGlass { reason, by, lifted } => {
                self.story.glass.push((reason, by, lifted));
            }
            kind => self.of_step(kind),
        }
    }

    /// Takes what happens to a step.
    fn of_step(&mut self, kind: &'a EventKind) {
        match kind {
            EventKind::StepStarted { step, about, item } => {
                let begun = Passage::new(self.at, Some(step), What::Open);
                let begun = Passage {
                    item: item.as_ref(),
                    about: about.as_deref(),
                    ..begun
                };
                self.push(step.atomic.is_some(), begun);
            }
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
            } => self.close(step, What::Failed(failure), Some(*took_ms)),
            EventKind::StepSkipped { step } => self.close(step, What::Skipped, None),
            EventKind::LoopFinished {
                step,
                items,
                count,
                failed,
            } => {
                let what = What::Looped(*items, *count, *failed);
                self.push(false, Passage::new(self.at, Some(step), what));
            }
            EventKind::AtomicStarted { step, item } => {
                let begun = Passage::new(self.at, Some(step), What::Open);
                let item = item.as_ref();
                self.push(false, Passage { item, ..begun });
                self.atomic = self.story.passages.len().checked_sub(1);
            }
            EventKind::AtomicCommitted {
                step,
                changes,
                took_ms,
            } => {
                self.close(step, What::Committed(changes), Some(*took_ms));
                self.atomic = None;
            }
            EventKind::AtomicRolledBack { step } => self.rolled_back(step),
            kind => self.meanwhile(kind),
        }
    }

    /// Takes what happens while a step runs.
    fn meanwhile(&mut self, kind: &'a EventKind) {
        match kind {
            EventKind::LockWaited { step, blockers } => self.aside(step, Aside::Waited(blockers)),
            EventKind::StepRetried {
                step,
                failure,
                retry,
                of,
                ..
            } => self.aside(step, Aside::Retried(failure, *retry, *of)),
            EventKind::Rehearsed { step, of, changes } => {
                self.aside(step, Aside::Rehearsed(of, changes));
            }
            EventKind::Asked {
                step,
                question,
                typed,
                show,
                impact,
            } => {
                if let Some(impact) = impact {
                    self.aside(step, Aside::AtStake(impact));
                }
                let asked = Aside::Asked(question, typed.as_deref(), show.as_ref());
                self.aside(step, asked);
            }
            EventKind::ApprovalAsked {
                step,
                request,
                expires_at,
            } => self.aside(step, Aside::OthersAsked(request, *expires_at)),
            EventKind::ApprovalSeen { step, standing } => {
                self.aside(step, Aside::Said(standing));
            }
            EventKind::Committing {
                step, transaction, ..
            } => self.aside(step, Aside::Committing(transaction.as_deref())),
            EventKind::BatchCommitted {
                step, so_far, of, ..
            } => {
                if let Some(passage) = self.open(step) {
                    // The last one counts.
                    let is_batch = |aside: &Aside| matches!(aside, Aside::Batch(..));
                    passage.asides.retain(|aside| !is_batch(aside));
                    passage.asides.push(Aside::Batch(*so_far, *of));
                }
            }
            _ => {}
        }
    }

    fn finished(
        &mut self,
        step: &'a StepRef,
        result: &'a StepResult,
        decision: &'a Decision,
        took_ms: f64,
    ) {
        let no = *decision == Decision::Else;
        let went = if no { Went::Wrong } else { Went::On };
        let what = What::Result(result, decision, went);
        let in_loop = match self.open(step) {
            Some(passage) => {
                passage.what = what;
                passage.took_ms = Some(took_ms);
                passage.item.is_some()
            }
            None => false,
        };
        let leads = matches!(result, StepResult::Query { .. } | StepResult::Check { .. });
        self.held = no && leads && !in_loop;
    }

    fn rolled_back(&mut self, step: &'a StepRef) {
        // After its own failure the atomic is closed already.
        if let Some(passage) = self
            .atomic
            .and_then(|index| self.story.passages.get_mut(index))
        {
            match passage.what {
                What::Open => passage.what = What::RolledBack,
                _ => passage.asides.push(Aside::RolledBack),
            }
        } else {
            self.close(step, What::RolledBack, None);
        }
        self.atomic = None;
    }

    /// The end that a run had come to was not its last.
    fn resumed(&mut self, actor: &'a str) {
        if let Some((finished, at)) = self.story.finished.take() {
            self.push(false, Passage::new(at, None, What::Ended(finished)));
        }
        // An atomic that was cut short begins again, or is found committed.
        self.push(false, Passage::new(self.at, None, What::Resumed(actor)));
    }

    fn undone(&mut self, kind: &'a EventKind, took_ms: f64) {
        let EventKind::UndoFinished {
            restored,
            changes,
            conflicts,
            failure,
            ..
        } = kind
        else {
            return;
        };
        let undone = Undone {
            restored: *restored,
            changes,
            conflicts,
            failure: failure.as_ref(),
        };
        let at = self.at;
        let mut passage = match self
            .story
            .passages
            .pop_if(|last| last.is_open() && last.step.is_none())
        {
            Some(passage) => passage,
            None => Passage::new(at, None, What::Open),
        };
        passage.took_ms = Some(took_ms);
        let undoing = match passage.what {
            What::Undoing(undoing) => undoing,
            _ => Undoing::default(),
        };
        passage.what = What::Undone(undoing, undone);
        self.push(false, passage);
    }
}
