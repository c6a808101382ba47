//! `use`: the steps of another runbook, in a scope of their own.

use super::{List, MAX_DEPTH, MAX_USES, Resolver, Site};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::words;
use crate::runbook::document::{self, Document, StepNode};
use crate::runbook::model::{Ending, ScopeId, StepId, Target};
use crate::runbook::reference::of_template;
use crate::runbook::sensitive;
use crate::step::common::Common;
use crate::step::structure::Use;
use crate::step::text::Template;

impl Resolver<'_> {
    pub(super) fn inline(&mut self, step: &Use, node: &StepNode, list: &List, last: bool) {
        let span = list.site.unwrap_or(step.runbook.span());
        let name = step.runbook.text();
        let fail = |title: String| Diagnostic::error("use", title).at(span, "");
        if list.atomic.is_some() {
            let diagnostic = fail("`use` cannot stand inside of an `atomic`".to_owned());
            return self
                .diagnostics
                .push(diagnostic.help("write the steps here, or make the other runbook atomic"));
        }
        self.refuse_keys(&node.common, list, span);
        let outer = self.around(list.scope);
        let many = if outer.len() > MAX_DEPTH {
            Some(format!(
                "`use: {name}` goes deeper than {MAX_DEPTH} runbooks"
            ))
        } else if self.scopes.len() > MAX_USES {
            Some(format!("more than {MAX_USES} runbooks are used"))
        } else {
            None
        };
        if let Some(title) = many {
            return self.diagnostics.push(fail(title));
        }
        let Some(source) = (self.library)(name) else {
            return self
                .diagnostics
                .push(fail(format!("there is no runbook `{name}`")));
        };
        if outer
            .iter()
            .any(|scope| self.scopes[scope.0].source.name() == source.name())
        {
            let diagnostic = fail(format!("`use: {name}` goes in a circle"));
            return self.diagnostics.push(diagnostic);
        }
        let document = match document::parse(&source) {
            Ok(document) => document,
            Err(errors) => {
                let first = errors
                    .first()
                    .map(|error| error.title.clone())
                    .unwrap_or_default();
                let diagnostic = fail(format!("the runbook `{name}` has errors: {first}"));
                return self
                    .diagnostics
                    .push(diagnostic.help(format!("runbook check {name}")));
            }
        };
        self.check_with(step, &document, list.site, span);
        let mut settings = document.head.session.0.iter();
        if let Some((setting, _)) =
            settings.find(|(name, text)| !self.sets(name, text, step, list, &document))
        {
            let title = format!(
                "`{name}` sets `{}` for its session, which `use` does not bring here",
                setting.value
            );
            self.diagnostics
                .push(fail(title).help("write the same `session` in this runbook"));
        }
        self.sensitive.extend(sensitive::of(&document.head));
        let with = step
            .with
            .0
            .iter()
            .map(|(key, value)| (key.value.clone(), value.clone()))
            .collect();
        let mut inner = List {
            after: Target::End(Ending::OffEnd),
            ..list.clone()
        };
        inner.site = Some(span);
        let first = self.steps.len();
        let site = Site {
            span,
            prefix: self.prefixed(list.scope, node.kind.name().text()),
            from: (list.scope, with),
            list: inner,
        };
        self.file(&document, Some(site));
        // Its main path goes on with what comes after the `use`.
        let next = if last {
            list.after.clone()
        } else {
            Target::Step(StepId(self.steps.len()))
        };
        for step in &mut self.steps[first..] {
            if step.branch == list.branch && step.routes.next == Target::End(Ending::OffEnd) {
                step.routes.next = next.clone();
            }
        }
    }

    /// Returns whether the runbook itself sets the same: the same text, and what it reads are parameters that
    /// are handed on as they are.
    fn sets(
        &self,
        name: &str,
        text: &Template,
        step: &Use,
        list: &List,
        document: &Document,
    ) -> bool {
        let mut own = self.session.0.iter();
        let same = own.any(|(own, value)| {
            own.value.eq_ignore_ascii_case(name) && value.text() == text.text()
        });
        let handed_on = |name: &str| {
            let given = step.with.0.iter().find(|(key, _)| key.value == name);
            given.is_some_and(|(_, value)| {
                let inner = value.text().trim();
                let inner = inner
                    .strip_prefix("{{")
                    .and_then(|rest| rest.strip_suffix("}}"));
                inner.is_some_and(|inner| inner.trim() == name)
            })
        };
        let Ok(reads) = of_template(text, &document.source) else {
            return false;
        };
        let top = list.scope == ScopeId(0);
        same && reads.iter().all(|read| top && handed_on(&read.name))
    }

    /// Returns a scope and those around it.
    fn around(&self, scope: ScopeId) -> Vec<ScopeId> {
        let outer = |scope: &ScopeId| self.scopes[scope.0].from.as_ref().map(|from| from.0);
        std::iter::successors(Some(scope), outer).collect()
    }

    /// A `use` is no step: what is about one has no meaning on it.
    fn refuse_keys(&mut self, common: &Common, list: &List, span: Span) {
        let to_steps = "write it on the steps of the runbook that is used";
        let keys = [
            (
                "when",
                common.when.as_ref().map(|text| Some(text.span())),
                "put the `use` into a branch, and go there by a `check`",
            ),
            (
                "next",
                common.next.as_ref().map(|_| None),
                "put a step with this `next` after the `use`",
            ),
            ("on_error", common.on_error.as_ref().map(|_| None), to_steps),
            (
                "for_each",
                common.for_each.as_ref().map(|text| Some(text.span())),
                to_steps,
            ),
            (
                "as",
                common.item.as_ref().map(|text| Some(text.span())),
                to_steps,
            ),
            ("parallel", common.parallel.map(|_| None), to_steps),
            ("max_failures", common.max_failures.map(|_| None), to_steps),
            ("retry", common.retry.as_ref().map(|_| None), to_steps),
            ("timeout", common.timeout.map(|_| None), to_steps),
        ];
        for (key, found, help) in keys {
            if let Some(place) = found {
                let span = place.filter(|_| list.site.is_none()).unwrap_or(span);
                self.diagnostics.push(
                    Diagnostic::error("use", format!("`{key}` cannot stand on a `use`"))
                        .at(span, "")
                        .help(help),
                );
            }
        }
    }

    pub(super) fn check_with(
        &mut self,
        step: &Use,
        document: &Document,
        site: Option<Span>,
        span: Span,
    ) {
        let params = &document.head.params.0;
        for (key, _) in &step.with.0 {
            if !params.iter().any(|(name, _)| name.value == key.value) {
                let title = format!(
                    "the runbook `{}` has no parameter `{}`",
                    step.runbook.text(),
                    key.value
                );
                let names = params.iter().map(|(name, _)| name.as_str());
                let help = words::did_you_mean(key, names);
                self.diagnostics.push(
                    Diagnostic::error("use", title)
                        .at(site.unwrap_or(key.span), "")
                        .help_opt(help),
                );
            }
        }
        for (name, param) in params {
            let given = step.with.0.iter().any(|(key, _)| key.value == name.value);
            if !given && param.default.is_none() {
                let title = format!(
                    "`with` lacks the parameter `{}` of `{}`",
                    name.value,
                    step.runbook.text()
                );
                self.diagnostics
                    .push(Diagnostic::error("use", title).at(span, ""));
            }
        }
    }
}
