//! What is proved of a runbook before a database is touched, each by the graph of all the ways that a
//! run can take.

use petgraph::algo::dominators::{Dominators, simple_fast};
use petgraph::graph::NodeIndex;

use super::graph::{Graph, Moment};
use super::model::{OnFailure, Runbook, Step, StepId, Target};
use crate::base::diagnostic::Diagnostic;
use crate::base::words;
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::check::Severity;

/// A runbook with its graph, and who dominates whom in it.
pub(super) struct Prover<'a> {
    pub(super) runbook: &'a Runbook,
    pub(super) graph: &'a Graph,
    dominators: Dominators<NodeIndex>,
}

/// Proves the flow of a runbook; returns nothing when it has a cycle, for then the rest means nothing.
pub(super) fn prove<'a>(
    runbook: &'a Runbook,
    graph: &'a Graph,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Prover<'a>> {
    if let Some(steps) = graph.cycle() {
        diagnostics.push(cycle(runbook, &steps));
        return None;
    }
    let start = graph.find(Moment::Start)?;
    let prover = Prover {
        runbook,
        graph,
        dominators: simple_fast(&graph.moments, start),
    };
    prover.unreachable(diagnostics);
    for step in &runbook.steps {
        prover.confirmed(step, diagnostics);
        prover.checked(step, diagnostics);
        prover.recoverable(step, diagnostics);
        prover.rollback(step, diagnostics);
        prover.leaves_atomic(step, diagnostics);
        prover.enters_atomic(step, diagnostics);
    }
    for (key, way) in [
        ("on_failure", &runbook.on_failure),
        ("on_cancel", &runbook.on_cancel),
    ] {
        if let OnFailure::Go(Target::Step(id)) = way
            && let Some(atomic) = runbook.step(*id).atomic
        {
            diagnostics.push(prover.in_the_middle(&format!("`{key}`"), *id, atomic));
        }
    }
    Some(prover)
}

fn cycle(runbook: &Runbook, steps: &[StepId]) -> Diagnostic {
    let names: Vec<&str> = steps
        .iter()
        .map(|id| runbook.step(*id).title.as_str())
        .collect();
    let mut diagnostic = Diagnostic::error(
        "cycle",
        format!("the steps {} go in a circle", words::list(&names)),
    );
    for id in steps {
        diagnostic = diagnostic.at(runbook.step(*id).span, "");
    }
    diagnostic
        .note("a run must end, whatever it finds")
        .help("`retry` repeats a step, and `for_each` repeats it for each item of a list")
}

impl Prover<'_> {
    /// Returns whether every way to `there` passes `before`.
    pub(super) fn dominates(&self, before: Moment, there: Moment) -> bool {
        let (Some(before), Some(there)) = (self.graph.find(before), self.graph.find(there)) else {
            return false;
        };
        self.dominators
            .dominators(there)
            .is_some_and(|mut all| all.any(|node| node == before))
    }

    /// Returns whether a run can come to a moment at all.
    pub(super) fn is_reachable(&self, moment: Moment) -> bool {
        self.graph
            .find(moment)
            .is_some_and(|node| self.dominators.dominators(node).is_some())
    }

    fn unreachable(&self, diagnostics: &mut Vec<Diagnostic>) {
        for step in &self.runbook.steps {
            let reached = |step: &Step| self.is_reachable(Moment::Enter(step.id));
            // One word for a whole list that nothing leads to.
            let previous = step
                .id
                .0
                .checked_sub(1)
                .map(|index| &self.runbook.steps[index]);
            let follows = previous
                .is_some_and(|previous| previous.branch == step.branch && !reached(previous));
            if reached(step) || follows {
                continue;
            }
            let diagnostic =
                Diagnostic::error("unreachable", format!("no run can reach `{}`", step.title));
            let diagnostic = diagnostic.at(step.span, "");
            diagnostics.push(match &step.branch {
                Some(branch) => diagnostic.help(format!("name the branch `{branch}` in a `then`, `else`, `next`, `on_error` or case, or take it out")),
                None => diagnostic.help("every way leaves before it: look at the `next`, `then` and cases above"),
            });
        }
    }

    /// A fix above low risk needs a person's yes on every way to it.
    fn confirmed(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        let (Kind::Fix(_), Some((risk, reason))) = (&step.kind, step.risk()) else {
            return;
        };
        let approves = |confirm: &Step| {
            matches!(confirm.kind, Kind::Confirm(_))
                && (confirm.of.is_empty()
                    || confirm.of.contains(&step.id)
                    || step.atomic.is_some_and(|id| confirm.of.contains(&id)))
        };
        let barred =
            |moment: Moment| matches!(moment, Moment::Done(id) if approves(self.runbook.step(id)));
        if risk > Risk::Low
            && self
                .graph
                .reaches(Moment::Start, Moment::Enter(step.id), barred)
        {
            let of = step
                .atomic
                .map_or(&step.name, |id| &self.runbook.step(id).name);
            diagnostics.push(
                Diagnostic::error(
                    "unconfirmed",
                    format!("the fix `{}` can run without a person's yes", step.title),
                )
                .at(step.span, format!("{risk} risk: {reason}"))
                .help(format!(
                    "put a `confirm` with `of: {of}` before it on every way that leads here"
                )),
            );
        }
    }

    /// A fix above low risk needs a check after it on every way that ends well.
    fn checked(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        let (Kind::Fix(_), Some((risk, _))) = (&step.kind, step.risk()) else {
            return;
        };
        let list = |step: &Step| {
            let outer = step.atomic.map(|id| self.runbook.step(id));
            let of = outer.unwrap_or(step).common.for_each.as_ref();
            of.map(|list| list.text().to_owned())
        };
        // Of an empty list a repeated check checks nothing: it serves what is repeated over the same.
        let is_check = |id: StepId| {
            let check = self.runbook.step(id);
            let serves = list(check).is_none() || list(check) == list(step);
            serves && matches!(&check.kind, Kind::Check(check) if check.severity == Severity::Error)
        };
        let barred = |moment: Moment| matches!(moment, Moment::Ran(id) if is_check(id));
        if risk > Risk::Low
            && self
                .graph
                .reaches(Moment::Done(step.id), Moment::Success, barred)
        {
            diagnostics.push(
                Diagnostic::error(
                    "unchecked",
                    format!("nothing checks what the fix `{}` did", step.title),
                )
                .at(step.span, "a run can succeed from here without a `check`")
                .help("put a `check` after it, inside of the `atomic` to roll back when it fails"),
            );
        }
    }

    /// What row images cannot undo needs an `undo` or a backup.
    fn recoverable(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        let Kind::Fix(fix) = &step.kind else {
            return;
        };
        let lasting =
            fix.command.is_some() || step.sql.iter().any(|sql| sql.statement.target().is_none());
        if !lasting
            || !step.undo.is_empty()
            || fix.is_never_undone()
            || step.risk().is_some_and(|(risk, _)| risk < Risk::High)
        {
            return;
        }
        let barred = |moment: Moment| matches!(moment, Moment::Done(id) if matches!(self.runbook.step(id).kind, Kind::Backup(_)));
        if self
            .graph
            .reaches(Moment::Start, Moment::Enter(step.id), barred)
        {
            diagnostics.push(
                Diagnostic::error("not-undoable", format!("nothing can undo the fix `{}`", step.title))
                    .at(step.span, "row images cannot serve this statement")
                    .help("say how with `undo:`, say `undo: none` where that is accepted, or put a `backup` before it on every way that leads here"),
            );
        }
    }

    fn rollback(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        if !matches!(step.kind, Kind::Rollback(_)) {
            return;
        }
        for id in &step.of {
            if !self
                .graph
                .reaches(Moment::Ran(*id), Moment::Enter(step.id), |_| false)
            {
                let fix = &self.runbook.step(*id).title;
                diagnostics.push(
                    Diagnostic::error(
                        "rollback",
                        format!(
                            "`{}` puts back `{fix}`, which cannot have run by then",
                            step.title
                        ),
                    )
                    .at(step.span, "")
                    .at(
                        self.runbook.step(*id).span,
                        "no way leads from here to there",
                    ),
                );
            }
        }
    }

    /// A step of a transaction is reached inside of it only, and by no error: it would run without it.
    fn enters_atomic(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        let routes = &step.routes;
        let ways = std::iter::once(&routes.next)
            .chain(&routes.then)
            .chain(&routes.otherwise)
            .chain(routes.cases.iter().map(|(_, target)| target))
            .map(|target| (target, false))
            .chain(routes.on_error.iter().map(|target| (target, true)));
        for (target, is_error) in ways {
            let Target::Step(id) = target else {
                continue;
            };
            let Some(atomic) = self.runbook.step(*id).atomic else {
                continue;
            };
            if is_error || step.atomic != Some(atomic) {
                let from = if is_error {
                    format!("the `on_error` of `{}`", step.title)
                } else {
                    format!("`{}`", step.title)
                };
                diagnostics.push(
                    self.in_the_middle(&from, *id, atomic)
                        .at(step.span, "from here"),
                );
            }
        }
    }

    fn in_the_middle(&self, from: &str, inner: StepId, atomic: StepId) -> Diagnostic {
        let (inner, atomic) = (self.runbook.step(inner), self.runbook.step(atomic));
        let title = format!(
            "{from} goes to `{}`, in the middle of the transaction `{}`",
            inner.title, atomic.title
        );
        Diagnostic::error("atomic", title)
            .at(inner.span, "it would run without its transaction")
            .help(format!(
                "go to `{}`, or to a step outside of it",
                atomic.name
            ))
    }

    /// A step of a transaction may leave it by failing only: then the transaction rolls back.
    fn leaves_atomic(&self, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
        let Some(atomic) = step.atomic else {
            return;
        };
        let stays = |target: &Target| match target {
            Target::Step(id) => self.runbook.step(*id).atomic == Some(atomic),
            Target::Commit(id) => *id == atomic,
            Target::End(_) => false,
        };
        let routes = &step.routes;
        let mut ways = std::iter::once(&routes.next)
            .chain(&routes.then)
            .chain(routes.cases.iter().map(|(_, target)| target));
        if ways.any(|target| !stays(target)) {
            let name = &self.runbook.step(atomic).title;
            diagnostics.push(
                Diagnostic::error(
                    "atomic",
                    format!(
                        "`{}` leaves the transaction `{name}` in its middle",
                        step.title
                    ),
                )
                .at(step.span, "")
                .help("only an `else` or `on_error` may leave it: the transaction rolls back then"),
            );
        }
    }
}
