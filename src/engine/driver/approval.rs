//! A confirm that other people must approve as well: they are asked in the journal, the run ends and waits, and goes
//! on with what they said. Nothing of it is open meanwhile.

use super::super::approval::{Came, Granted, Refusal, Request, Standing, Verdict, Word};
use super::super::change::Changes;
use super::super::event::{Approved, Decision, EventKind, RunFinished, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::impact::Impact;
use super::super::outcome::Outcome;
use super::super::perform::{Asking, Performed, step_ref};
use super::super::policy::{Needed, of_confirm};
use super::super::port::World;
use super::super::rehearse::rehearse;
use super::super::state::{Asked, Way};
use super::{Driver, Untold};
use crate::base::words;
use crate::policy::rules::Approvals;
use crate::runbook::model::{Step, StepId};
use crate::step::Kind;

/// What the one who runs it was asked, and said yes to.
pub(super) struct Yes {
    pub(super) asking: Asking,
    pub(super) changes: Changes,
    pub(super) approved: Vec<Approved>,
    pub(super) impact: Option<Box<Impact>>,
    pub(super) needed: Needed,
}

impl<W: World> Driver<'_, W> {
    /// Asks other people, after the one who runs it said yes.
    pub(super) async fn ask_others(
        &mut self,
        step: &Step,
        yes: Yes,
        needs: Approvals,
    ) -> Result<Option<Failure>, Untold> {
        let request = self.request(step, yes, needs);
        // Where the connection is lost it may have been asked or not; asked again, the same stands.
        let mut asked = self.world.request(request.clone()).await;
        if matches!(&asked, Err(failure) if failure.kind == FailureKind::Connection) {
            asked = self.world.request(request).await;
        }
        match asked {
            Ok((request, standing)) => self.tell(EventKind::ApprovalAsked {
                step: step_ref(self.plan.runbook(), step),
                request: Box::new(request),
                expires_at: standing.expires_at,
            })?,
            Err(failure) => return Ok(Some(failure)),
        }
        Ok(None)
    }

    fn request(&self, step: &Step, yes: Yes, needs: Approvals) -> Request {
        let plan = self.plan;
        let runbook = plan.runbook();
        Request {
            run: plan.run.clone(),
            step: step.id,
            name: step.title.clone(),
            runbook: runbook.name.clone(),
            title: runbook.title.text().to_owned(),
            hash: plan.hash.clone(),
            risk: yes.needed.risk,
            params: self.shown(),
            params_digest: plan.params_digest(),
            target: self.surroundings.target.clone(),
            actor: plan.actor.clone(),
            question: yes.asking.question.text,
            of: self.titles(&step.of),
            changes: yes.changes,
            show: yes.asking.show,
            impact: yes.impact,
            approved: yes.approved,
            needs,
        }
    }

    /// Returns how the run ends that goes on while others have not decided yet: it takes no lock for that.
    pub(super) async fn still_waiting(
        &mut self,
        actor: &str,
    ) -> Result<Option<Result<RunFinished, Failure>>, Untold> {
        let Some(asked) = self.state.asked.clone() else {
            return Ok(None);
        };
        if self.goes_on_alone(&asked) {
            return Ok(None);
        }
        let standing = match self.world.standing(&asked.request).await {
            Ok(standing) => standing,
            Err(failure) => return Ok(Some(Err(failure))),
        };
        if !matches!(standing.came(&asked.request.needs), Came::Waiting(_)) {
            return Ok(None);
        }
        self.tell(EventKind::RunResumed {
            actor: actor.to_owned(),
        })?;
        let step = step_ref(self.plan.runbook(), self.plan.runbook().step(asked.step));
        let says = waits(&asked.request.needs, &asked, Some(&standing));
        self.tell(EventKind::ApprovalSeen { step, standing })?;
        self.conclude(Outcome::Waiting, says)
            .await
            .map(|ended| Some(Ok(ended)))
    }

    /// Holds what the record says that others approved, and that is not done yet, to what the journal knows of it: also
    /// what is used is approved until it expires.
    pub(super) async fn still_granted(&mut self) -> Result<(), Failure> {
        if self.plan.policy.broken.is_some() {
            return Ok(());
        }
        for confirm in &self.plan.runbook().steps {
            let Some(StepResult::Confirm {
                granted: Some(granted),
                ..
            }) = self.state.result(confirm.id)
            else {
                continue;
            };
            if confirm.of.iter().all(|unit| self.is_over(*unit)) {
                continue;
            }
            let why = match self.state.requests.get(&confirm.id) {
                None => Some("the record has no request of it".to_owned()),
                Some(request) => {
                    let standing = self.world.standing(request).await?;
                    match standing.came(&request.needs) {
                        Came::Approved(by) if by.iter().map(|by| &by.login).eq(&granted.logins) => {
                            None
                        }
                        Came::Refused(Refusal::Expired, _) => {
                            let until = standing.expires_at.strftime("%F %T UTC");
                            Some(format!("it held until {until}"))
                        }
                        _ => Some("the journal knows another answer".to_owned()),
                    }
                }
            };
            if let Some(why) = why {
                let message = format!("`{}` is not approved any more: {why}", confirm.title);
                let run = &self.plan.run;
                return Err(Failure::new(FailureKind::Policy, message).help(format!(
                    "end the run: runbook cancel {run}; then run it again"
                )));
            }
        }
        Ok(())
    }

    /// Returns whether nothing of a fix or atomic is to be done any more.
    fn is_over(&self, unit: StepId) -> bool {
        let (state, step) = (&self.state, self.plan.runbook().step(unit));
        let is_done = if step.common.for_each.is_some() {
            state.counts.contains_key(&unit)
        } else {
            state.results.contains_key(&unit) || state.atomics.contains_key(&unit)
        };
        let steps = step.unit();
        let is_known = state.failure.as_ref();
        let is_known = is_known.is_some_and(|failure| failure.kind != FailureKind::InDoubt);
        let ended = |(id, way): &(StepId, Way)| match way {
            Way::Skipped => *id == unit,
            Way::Failed => is_known && (*id == unit || steps.contains(id)),
            Way::Decided(_) => false,
        };
        is_done || state.trail.iter().any(ended)
    }

    /// Returns whether nobody else need approve any more: the glass was broken meanwhile.
    pub(super) fn goes_on_alone(&self, asked: &Asked) -> bool {
        let step = self.plan.runbook().step(asked.step);
        let Kind::Confirm(confirm) = &step.kind else {
            return false;
        };
        self.plan.policy.broken.is_some()
            && of_confirm(self.plan, step, confirm, &asked.request.changes)
                .approvals
                .is_none()
    }

    /// Says that the run waits, and for whom.
    pub(super) fn waiting(&self) -> String {
        let asked = self.state.asked.as_ref();
        asked.map_or(String::new(), |asked| {
            waits(&asked.request.needs, asked, None)
        })
    }

    /// Goes on with what other people said.
    pub(super) async fn heed(
        &mut self,
        step: &Step,
        asked: Asked,
    ) -> Result<Option<Result<Performed, Failure>>, Untold> {
        let request = *asked.request;
        let standing = match self.world.standing(&request).await {
            Ok(standing) => standing,
            Err(failure) => return Ok(Some(Err(failure))),
        };
        let name = step_ref(self.plan.runbook(), step);
        self.tell(EventKind::ApprovalSeen {
            step: name.clone(),
            standing: standing.clone(),
        })?;
        let by = match standing.came(&request.needs) {
            Came::Approved(verdicts) => verdicts,
            Came::Refused(refusal, verdict) => return Ok(Some(Ok(no(refusal, verdict, None)))),
            Came::Waiting(_) => {
                self.tell(EventKind::ApprovalAsked {
                    step: name,
                    request: Box::new(request),
                    expires_at: standing.expires_at,
                })?;
                return Ok(None);
            }
        };
        let used = self.use_approval(step, &request, &standing, &by).await?;
        if !matches!(&used, Ok(performed) if performed.decision == Decision::Next)
            && !standing.is_used()
        {
            self.take_back(&request).await;
        }
        Ok(Some(used))
    }

    /// Has nobody look any more at what is not asked any more.
    pub(super) async fn take_back(&mut self, request: &Request) {
        // Should it fail, the request expires.
        let _ = self.world.verdict(request, Word::Withdraw, None).await;
    }

    /// Rehearses again, compares that with what was approved, and has the journal say that it is used.
    async fn use_approval(
        &mut self,
        step: &Step,
        request: &Request,
        standing: &Standing,
        by: &[&Verdict],
    ) -> Result<Result<Performed, Failure>, Untold> {
        let contradicted = |why: String| Ok(Ok(no(Refusal::Contradicted, None, Some(why))));
        let now = Request {
            step: step.id,
            run: self.plan.run.clone(),
            hash: self.plan.hash.clone(),
            params_digest: self.plan.params_digest(),
            target: self.surroundings.target.clone(),
            ..request.clone()
        };
        if let Some(why) = request.other_work(&now) {
            return contradicted(why);
        }
        let rehearsed = rehearse(
            self.plan,
            &self.state,
            &self.surroundings,
            self.world,
            step,
            &self.cancel,
        );
        let rehearsal = match rehearsed.await {
            Ok(rehearsal) => rehearsal,
            Err(failure) => return Ok(Err(failure)),
        };
        self.tell(EventKind::Rehearsed {
            step: step_ref(self.plan.runbook(), step),
            of: self.titles(&step.of),
            changes: rehearsal.changes,
        })?;
        if rehearsal.approved != request.approved {
            return contradicted(
                "the rows are others now than those that were approved".to_owned(),
            );
        }
        if !standing.is_used()
            && let Err(failure) = self.world.verdict(request, Word::Use, None).await
        {
            return Ok(match self.world.standing(request).await {
                Ok(standing) => match standing.came(&request.needs) {
                    Came::Refused(refusal, verdict) => Ok(no(refusal, verdict, None)),
                    _ => Err(failure),
                },
                Err(_) => Err(failure),
            });
        }
        let names: Vec<String> = by.iter().map(|verdict| verdict.actor.clone()).collect();
        Ok(Ok(Performed {
            decision: Decision::Next,
            result: StepResult::Confirm {
                yes: true,
                by: format!("{}, approved by {}", request.actor, words::list(&names)),
                why: None,
                refusal: None,
                approved: rehearsal.approved,
                granted: Some(Box::new(Granted {
                    risk: request.risk,
                    needs: request.needs.clone(),
                    logins: by.iter().map(|verdict| verdict.login.clone()).collect(),
                })),
            },
        }))
    }
}

/// Returns a no that other people said, or that came about.
fn no(refusal: Refusal, verdict: Option<&Verdict>, why: Option<String>) -> Performed {
    let by = verdict.map_or("nobody".to_owned(), |verdict| verdict.actor.clone());
    let why = why.or_else(|| verdict.and_then(|verdict| verdict.reason.clone()));
    let why = why.or_else(|| match refusal {
        Refusal::Expired => Some("not enough people approved in time".to_owned()),
        _ => None,
    });
    Performed {
        decision: Decision::Else,
        result: StepResult::Confirm {
            yes: false,
            by,
            why,
            refusal: Some(refusal),
            approved: Vec::new(),
            granted: None,
        },
    }
}

/// Says for whom it waits, and until when.
fn waits(needs: &Approvals, asked: &Asked, standing: Option<&Standing>) -> String {
    let missing = standing.map_or(needs.count, |standing| match standing.came(needs) {
        Came::Waiting(missing) => missing,
        _ => 0,
    });
    let name = &asked.request.name;
    format!(
        "`{name}` needs the approval of {} until {}",
        needs.whom(missing),
        asked.expires_at.strftime("%F %T UTC")
    )
}
