//! How a run ends, and what is to say about it.

use super::super::approval::Refusal;
use super::super::decide::End;
use super::super::event::{Decision, EventKind, RunFinished, StepResult};
use super::super::failure::Failure;
use super::super::lease::release;
use super::super::outcome::Outcome;
use super::super::port::World;
use super::super::scope;
use super::super::state::{State, Way};
use super::super::undo::Works;
use super::{Driver, Untold};
use crate::base::words;
use crate::step::Kind;

impl<W: World> Driver<'_, W> {
    pub(super) async fn finish_with(&mut self, failure: Failure) -> Result<RunFinished, Untold> {
        // No step tells of it: who holds the lock is said here or nowhere.
        let says = std::iter::once(&failure.message)
            .chain(&failure.notes)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("; ");
        self.state.failure = Some(failure);
        self.conclude(Outcome::Failed, says).await
    }

    pub(super) async fn finish(&mut self, end: End) -> Result<RunFinished, Untold> {
        let says = match &end.says {
            Some((id, text)) => {
                let step = self.plan.runbook().step(*id);
                scope::context(self.plan, &self.state, &self.surroundings, step, &[])
                    .and_then(|context| context.render(text.text()))
                    .unwrap_or_else(|why| format!("{} ({why})", text.text()))
            }
            None => self.reason(end.outcome),
        };
        self.conclude(end.outcome, says).await
    }

    /// Says why a run ended for which the runbook has no words.
    pub(super) fn reason(&self, outcome: Outcome) -> String {
        // A branch may have run since the step that said no.
        let trail = &self.state.trail;
        let no = |way: &Way| matches!(way, Way::Failed | Way::Decided(Decision::Else));
        let last = trail.iter().rev().find(|(_, way)| no(way)).or(trail.last());
        let last = last.map(|(id, _)| self.plan.runbook().step(*id));
        let name = last.map_or("", |step| step.title.as_str());
        match (outcome, &self.state.failure) {
            (Outcome::Done | Outcome::Nothing, _) => String::new(),
            (Outcome::Waiting, _) => self.waiting(),
            (_, failure) => {
                let result = last.and_then(|step| self.state.result(step.id));
                match (result, failure) {
                    (
                        Some(StepResult::Confirm {
                            yes: false,
                            by,
                            why,
                            refusal: Some(refusal),
                            ..
                        }),
                        _,
                    ) => refused(name, *refusal, by, why.as_deref()),
                    (Some(StepResult::Confirm { by, why, .. }), _)
                        if outcome == Outcome::Declined =>
                    {
                        match why {
                            Some(_) if by == "nobody" => format!("`{name}` was not answered"),
                            _ => format!("`{name}` was answered with no"),
                        }
                    }
                    (_, Some(failure)) => format!("`{name}`: {}", failure.message),
                    (result, None) => no_of(name, result),
                }
            }
        }
    }

    /// A dry run that could not do a fix cannot find what it makes either: that is no failure.
    fn as_rehearsed(&self, outcome: Outcome, says: String) -> (Outcome, String) {
        let steps = self.plan.runbook().steps.iter();
        let left_out = steps.filter(|step| {
            matches!(step.kind, Kind::Fix(_))
                && matches!(self.state.result(step.id), Some(StepResult::WouldRun))
        });
        let left_out: Vec<String> = left_out.map(|step| format!("`{}`", step.title)).collect();
        if !self.plan.dry_run || outcome != Outcome::Failed || left_out.is_empty() {
            return (outcome, says);
        }
        let says = format!(
            "The rehearsal ends here, since {} would run only for real: {says}",
            words::list(&left_out)
        );
        (Outcome::Done, says)
    }

    /// Returns whether anything that stays in place can be put back.
    fn undoable(&self) -> bool {
        let works = Works::of(self.plan, &self.state, &self.surroundings, &[]);
        works.is_ok_and(|works| !works.works.is_empty())
    }

    pub(super) async fn conclude(
        &mut self,
        outcome: Outcome,
        says: String,
    ) -> Result<RunFinished, Untold> {
        let aborted = if self.plan.dry_run {
            Some(self.world.abort().await.unwrap_or(false))
        } else {
            None
        };
        // A run that may go on keeps its leases: nobody can say anything of it, or some of it is committed.
        let keeps = match outcome {
            Outcome::Unknown => true,
            // Nobody else is to change what the rest of the run is about.
            Outcome::Waiting => !self.state.units.is_empty(),
            _ => false,
        };
        if !keeps && let Some(message) = release(self.world).await {
            self.tell(EventKind::Noticed { message })?;
        }
        let (outcome, says) = self.as_rehearsed(outcome, says);
        let finished = RunFinished {
            outcome,
            says,
            committed: self.titles(&State::steps_of(&self.state.units)),
            undone: self.titles(&State::steps_of(&self.state.undone)),
            undoable: self.undoable(),
            aborted,
            changes: self.plan.dry_run.then(|| std::mem::take(&mut self.changes)),
            took_ms: self.clock.elapsed_ms(),
            waited_ms: self.state.waited_ms,
        };
        self.tell(EventKind::RunFinished(Box::new(finished.clone())))?;
        Ok(finished)
    }
}

/// Says why other people who were asked did not make it a yes.
fn refused(name: &str, refusal: Refusal, by: &str, why: Option<&str>) -> String {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    match refusal {
        Refusal::Declined => format!("`{name}` was declined by {by}{why}"),
        Refusal::Withdrawn => format!("`{name}` was taken back by {by}{why}"),
        Refusal::Expired | Refusal::Contradicted => format!("`{name}`{why}"),
    }
}

/// How many of the things that are not so are named where a sentence names them.
const MOST_NAMES: usize = 8;

/// Says what a step's no was about.
fn no_of(name: &str, result: Option<&StepResult>) -> String {
    match result {
        Some(StepResult::Query {
            rows,
            guard: Some(guard),
            ..
        }) => {
            let found = words::count(rows.count, "row");
            format!("`{name}` returned {found}, its row guard says {guard}")
        }
        Some(StepResult::Check { items, .. }) if items.iter().any(|item| !item.passed) => {
            let wrong = items.iter().filter(|item| !item.passed);
            let more = wrong.clone().count().saturating_sub(MOST_NAMES);
            let wrong = wrong.take(MOST_NAMES).map(|item| item.name.clone());
            let more = (more > 0).then(|| format!("{more} more"));
            let names: Vec<String> = wrong.chain(more).collect();
            format!("`{name}` says no: {}", words::list(&names))
        }
        Some(StepResult::Rollback { conflicts, .. }) if !conflicts.is_empty() => format!(
            "`{name}` put nothing back: someone changed {} since",
            words::count(conflicts.len() as u64, "row")
        ),
        _ => format!("`{name}` says no"),
    }
}
