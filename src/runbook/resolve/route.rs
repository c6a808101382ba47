//! Where steps go: the names of branches, steps, fixes and ends to what they mean.

use super::Resolver;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Span, Spanned};
use crate::base::words;
use crate::runbook::document::StepNode;
use crate::runbook::model::{Ending, OnFailure, ScopeId, Step, StepId, Target};
use crate::step::Kind;
use crate::step::flow::{End, Goto};
use crate::step::text::Name;

impl Resolver<'_> {
    pub(super) fn route(
        &mut self,
        id: StepId,
        node: &StepNode,
        branches: &[(Spanned<String>, StepId)],
    ) {
        let (scope, span) = (self.steps[id.0].scope, self.steps[id.0].span);
        let mut go = |goto: &Option<Goto>| {
            goto.as_ref()
                .and_then(|goto| self.target(goto, scope, span, branches))
        };
        let next = go(&node.common.next);
        let on_error = go(&node.common.on_error);
        let (then, otherwise, cases) = match &node.kind {
            Kind::Query(step) => (None, go(&step.otherwise), Vec::new()),
            Kind::Confirm(step) => (None, go(&step.otherwise), Vec::new()),
            Kind::Check(step) => {
                let cases = step.cases.iter().flat_map(|cases| &cases.0);
                let cases = cases
                    .filter_map(|(value, goto)| {
                        Some((value.value.clone(), go(&Some(goto.clone()))?))
                    })
                    .collect();
                (go(&step.then), go(&step.or_else), cases)
            }
            _ => (None, None, Vec::new()),
        };
        let of = match &node.kind {
            Kind::Confirm(step) => step.of.as_ref().map(|of| self.names(&of.0, id)),
            Kind::Rollback(step) => step.of.as_ref().map(|of| self.names(&of.0, id)),
            _ => None,
        };
        let backup = match &node.kind {
            Kind::Rollback(step) => step.backup.as_ref().and_then(|name| self.backup(name, id)),
            _ => None,
        };
        let step = &mut self.steps[id.0];
        step.of = of.unwrap_or_default();
        step.backup = backup;
        let routes = &mut step.routes;
        routes.next = next.unwrap_or_else(|| routes.next.clone());
        routes.then = then;
        routes.otherwise = otherwise;
        routes.cases = cases;
        routes.on_error = on_error;
    }

    pub(super) fn target(
        &mut self,
        goto: &Goto,
        scope: ScopeId,
        from: Span,
        branches: &[(Spanned<String>, StepId)],
    ) -> Option<Target> {
        let name = match goto {
            Goto::End(End::Done(text)) => return Some(Target::End(Ending::Done(text.clone()))),
            Goto::End(End::Stop(text)) => return Some(Target::End(Ending::Stop(text.clone()))),
            Goto::End(End::Fail(text)) => return Some(Target::End(Ending::Fail(text.clone()))),
            Goto::To(name) => name,
        };
        if let Some((_, id)) = branches
            .iter()
            .find(|(branch, _)| branch.value == name.text())
        {
            return Some(Target::Step(*id));
        }
        let found = self
            .steps
            .iter()
            .find(|step| step.scope == scope && step.name == name.text());
        if let Some(step) = found {
            return Some(Target::Step(step.id));
        }
        let names: Vec<&str> = branches
            .iter()
            .map(|(branch, _)| branch.as_str())
            .chain(
                self.steps
                    .iter()
                    .filter(|step| step.scope == scope)
                    .map(|step| step.name.as_str()),
            )
            .collect();
        let help = words::did_you_mean(name.text(), names).unwrap_or_else(|| {
            "write `{ done: TEXT }`, `{ stop: TEXT }` or `{ fail: TEXT }` to end the run".to_owned()
        });
        let diagnostic = Diagnostic::error(
            "unknown-name",
            format!("there is no branch or step `{name}`"),
        )
        .at(name.span(), "")
        .help(help);
        let site = (scope != ScopeId(0)).then_some(from);
        self.say(diagnostic, site);
        None
    }

    /// Finds the fixes and atomics that a list of names means.
    pub(super) fn names(&mut self, names: &[Name], from: StepId) -> Vec<StepId> {
        let scope = self.steps[from.0].scope;
        let is_fix = |step: &&Step| {
            step.scope == scope && matches!(step.kind, Kind::Fix(_) | Kind::Atomic(_))
        };
        let mut found = Vec::new();
        let mut wrong = Vec::new();
        for name in names {
            match self
                .steps
                .iter()
                .filter(is_fix)
                .find(|step| step.name == name.text())
            {
                Some(step) => found.push(step.id),
                None => {
                    let names = self
                        .steps
                        .iter()
                        .filter(is_fix)
                        .map(|step| step.name.as_str());
                    let title = format!("there is no fix or atomic `{name}`");
                    let help = words::did_you_mean(name.text(), names);
                    wrong.push(
                        Diagnostic::error("unknown-name", title)
                            .at(name.span(), "")
                            .help_opt(help),
                    );
                }
            }
        }
        let site = (scope != ScopeId(0)).then(|| self.steps[from.0].span);
        for diagnostic in wrong {
            self.say(diagnostic, site);
        }
        found
    }

    /// Finds the backup step that a name means.
    fn backup(&mut self, name: &Name, from: StepId) -> Option<StepId> {
        let (scope, span) = (self.steps[from.0].scope, self.steps[from.0].span);
        let steps = || self.steps.iter().filter(|step| step.scope == scope);
        let is_backup = |step: &&Step| matches!(step.kind, Kind::Backup(_));
        let diagnostic = match steps().find(|step| step.name == name.text()) {
            Some(step) if is_backup(&step) => return Some(step.id),
            Some(step) => {
                let title = format!("`{name}` is a {}, not a backup", step.kind.word());
                let diagnostic = Diagnostic::error("unknown-name", title).at(name.span(), "");
                match step.kind {
                    Kind::Fix(_) | Kind::Atomic(_) => {
                        diagnostic.help(format!("`of: {name}` puts back what it changed"))
                    }
                    _ => diagnostic,
                }
            }
            None => {
                let names = steps().filter(is_backup).map(|step| step.name.as_str());
                let title = format!("there is no backup `{name}`");
                Diagnostic::error("unknown-name", title)
                    .at(name.span(), "")
                    .help_opt(words::did_you_mean(name.text(), names))
            }
        };
        self.say(diagnostic, (scope != ScopeId(0)).then_some(span));
        None
    }

    pub(super) fn on_failure(&mut self, goto: Option<&Goto>) -> OnFailure {
        match goto {
            None => OnFailure::Default,
            Some(Goto::To(name)) if name.text() == "rollback" => OnFailure::Rollback,
            Some(Goto::To(name)) if name.text() == "stop" => OnFailure::Stop,
            Some(goto) => {
                let branches = self.branches.clone();
                self.target(goto, ScopeId(0), Span::default(), &branches)
                    .map_or(OnFailure::Rollback, OnFailure::Go)
            }
        }
    }
}
