//! A document to a runbook: names to steps, `use` to the steps of other runbooks, SQL to statements.

use super::document::{Document, StepNode};
use super::model::{Ending, OnFailure, Routes, Runbook, Scope, ScopeId, Step, StepId, Target};
use super::reference::Reference;
use super::statement::SqlTemplate;
use super::{document, name};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::base::words;
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::flow::{End, Goto};
use crate::step::text::{Name, Sql};

/// More than this many runbooks inside of one another is a mistake, most likely a circle.
const MAX_USES: usize = 8;

/// Finds the text of another runbook by its name.
pub type Library<'a> = &'a (dyn Fn(&str) -> Option<Source> + Sync);

/// A resolved runbook with the readings of names in its SQL, which proofs look at later.
pub(super) struct Resolved {
    /// The runbook.
    pub(super) runbook: Runbook,
    /// What the statements of steps read.
    pub(super) reads: Vec<(StepId, Reference)>,
    /// Whether every name was found, so that the graph means something.
    pub(super) sound: bool,
}

/// Resolves the names of a document.
pub(super) fn resolve(
    document: Document,
    library: Library<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Resolved> {
    let mut resolver = Resolver {
        library,
        source: document.source.clone(),
        scopes: Vec::new(),
        steps: Vec::new(),
        reads: Vec::new(),
        diagnostics,
    };
    let head = document.head.clone();
    let before = resolver.diagnostics.len();
    let entry = resolver.file(document, None)?;
    let scope = ScopeId(0);
    let on_failure = resolver.on_failure(head.on_failure.as_ref(), scope);
    let on_cancel = resolver.on_failure(head.on_cancel.as_ref(), scope);
    // A statement that does not parse leaves its step without one; a name that is not found leaves a step
    // without its way.
    let sound = resolver.diagnostics[before..]
        .iter()
        .all(|found| matches!(found.code, "sql" | "template"));
    let Resolver {
        source,
        scopes,
        steps,
        reads,
        ..
    } = resolver;
    let risk = steps
        .iter()
        .flat_map(|step| &step.sql)
        .map(|sql| sql.statement.risk().risk)
        .max()
        .unwrap_or(Risk::Low);
    Some(Resolved {
        reads,
        sound,
        runbook: Runbook {
            source,
            name: head.runbook.text().to_owned(),
            title: head.title,
            about: head.about,
            risk,
            tags: head.tags,
            lock: head.lock,
            session: head
                .session
                .0
                .into_iter()
                .map(|(key, value)| (key.value, value))
                .collect(),
            scopes,
            steps,
            entry,
            on_failure,
            on_cancel,
        },
    })
}

struct Resolver<'a> {
    library: Library<'a>,
    source: Source,
    scopes: Vec<Scope>,
    steps: Vec<Step>,
    reads: Vec<(StepId, Reference)>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// The list of steps that is being laid out.
#[derive(Clone)]
struct List {
    scope: ScopeId,
    branch: Option<String>,
    atomic: Option<StepId>,
    /// What comes after its last step.
    after: Target,
    /// Where to point at when the steps come from another file.
    site: Option<Span>,
}

/// A `use` whose steps are to be laid out.
struct Site {
    span: Span,
    prefix: String,
    from: (ScopeId, Vec<(String, crate::step::text::Template)>),
    list: List,
}

impl Resolver<'_> {
    /// Lays out one file and returns its first step.
    fn file(&mut self, document: Document, site: Option<Site>) -> Option<StepId> {
        let scope = ScopeId(self.scopes.len());
        let (prefix, from, span) = match &site {
            Some(site) => (
                site.prefix.clone(),
                Some(site.from.clone()),
                Some(site.span),
            ),
            None => (String::new(), None, None),
        };
        self.scopes.push(Scope {
            source: document.source.clone(),
            prefix,
            from,
            params: document
                .head
                .params
                .0
                .iter()
                .map(|(key, param)| (key.value.clone(), param.clone()))
                .collect(),
        });
        if site.is_none() {
            name::check(&document, self.diagnostics);
        }
        let main = match site {
            Some(site) => List {
                scope,
                site: span,
                ..site.list
            },
            None => List {
                scope,
                branch: None,
                atomic: None,
                after: Target::End(Ending::OffEnd),
                site: None,
            },
        };
        let first = StepId(self.steps.len());
        let mut gotos = Vec::new();
        self.lay(&document.steps, &main, &mut gotos);
        let mut branches = Vec::new();
        for (name, nodes) in &document.branches {
            let list = List {
                branch: Some(name.value.clone()),
                atomic: None,
                after: Target::End(Ending::OffEnd),
                ..main.clone()
            };
            branches.push((name.clone(), StepId(self.steps.len())));
            self.lay(nodes, &list, &mut gotos);
        }
        for (id, routes) in gotos {
            self.route(id, &routes, &branches);
        }
        (self.steps.len() > first.0).then_some(first)
    }

    /// Lays out a list of steps; where they go to by name is found out when all are there.
    fn lay(&mut self, nodes: &[StepNode], list: &List, gotos: &mut Vec<(StepId, StepNode)>) {
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            if let Kind::Use(step) = &node.kind {
                self.inline(step, node, list, last);
                continue;
            }
            let id = self.push(node, list);
            gotos.push((id, node.clone()));
            if matches!(node.kind, Kind::Atomic(_)) {
                let inner = List {
                    atomic: Some(id),
                    after: Target::Commit(id),
                    ..list.clone()
                };
                let start = self.steps.len();
                self.lay(&node.steps, &inner, gotos);
                self.steps[id.0].inner = (start..self.steps.len()).map(StepId).collect();
            }
            let next = if last {
                list.after.clone()
            } else {
                Target::Step(StepId(self.steps.len()))
            };
            self.steps[id.0].routes.next = next;
        }
    }

    fn push(&mut self, node: &StepNode, list: &List) -> StepId {
        let id = StepId(self.steps.len());
        let name = node.kind.name();
        let prefix = &self.scopes[list.scope.0].prefix;
        let title = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}.{name}")
        };
        let (sql, undo) = statements(&node.kind);
        let sql = self.parse(id, &sql, list);
        let undo = self.parse(id, &undo, list);
        self.steps.push(Step {
            id,
            title,
            span: list.site.unwrap_or(name.span()),
            name: name.text().to_owned(),
            scope: list.scope,
            kind: node.kind.clone(),
            common: node.common.clone(),
            sql,
            undo,
            atomic: list.atomic,
            inner: Vec::new(),
            branch: list.branch.clone(),
            of: Vec::new(),
            routes: Routes {
                next: Target::End(Ending::OffEnd),
                then: None,
                otherwise: None,
                cases: Vec::new(),
                on_error: None,
            },
        });
        id
    }

    fn parse(&mut self, id: StepId, texts: &[Sql], list: &List) -> Vec<SqlTemplate> {
        let source = self.scopes[list.scope.0].source.clone();
        let mut templates = Vec::new();
        let mut whole = true;
        for text in texts {
            match SqlTemplate::parse(text, &source) {
                Ok((template, references)) => {
                    self.reads
                        .extend(references.into_iter().map(|reference| (id, reference)));
                    templates.push(template);
                }
                Err(diagnostic) => {
                    whole = false;
                    self.say(*diagnostic, list.site);
                }
            }
        }
        // A part of a step's statements would stand for others of its texts.
        if whole { templates } else { Vec::new() }
    }

    /// Adds a diagnostic; one about another file points at the `use` that brought it.
    fn say(&mut self, mut diagnostic: Diagnostic, site: Option<Span>) {
        if let Some(span) = site {
            diagnostic.labels.clear();
            diagnostic = diagnostic.at(span, "in the runbook that is used here");
        }
        self.diagnostics.push(diagnostic);
    }

    fn inline(
        &mut self,
        step: &crate::step::structure::Use,
        node: &StepNode,
        list: &List,
        last: bool,
    ) {
        let span = list.site.unwrap_or(step.runbook.span());
        let name = step.runbook.text();
        let fail = |title: String| Diagnostic::error("use", title).at(span, "");
        if list.atomic.is_some() {
            let diagnostic = fail("`use` cannot stand inside of an `atomic`".to_owned());
            return self
                .diagnostics
                .push(diagnostic.help("write the steps here, or make the other runbook atomic"));
        }
        if self.scopes.len() > MAX_USES {
            let diagnostic = fail(format!(
                "`use: {name}` goes in a circle, or deeper than {MAX_USES} runbooks"
            ));
            return self.diagnostics.push(diagnostic);
        }
        let Some(source) = (self.library)(name) else {
            return self
                .diagnostics
                .push(fail(format!("there is no runbook `{name}`")));
        };
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
        self.check_with(step, &document, span);
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
            prefix: node.kind.name().to_string(),
            from: (list.scope, with),
            list: inner,
        };
        self.file(document, Some(site));
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

    fn check_with(&mut self, step: &crate::step::structure::Use, document: &Document, span: Span) {
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
                        .at(key.span, "")
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

    fn route(&mut self, id: StepId, node: &StepNode, branches: &[(Spanned<String>, StepId)]) {
        let mut go = |goto: &Option<Goto>| {
            goto.as_ref()
                .and_then(|goto| self.target(goto, id, branches))
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
        let step = &mut self.steps[id.0];
        step.of = of.unwrap_or_default();
        let routes = &mut step.routes;
        routes.next = next.unwrap_or_else(|| routes.next.clone());
        routes.then = then;
        routes.otherwise = otherwise;
        routes.cases = cases;
        routes.on_error = on_error;
    }

    fn target(
        &mut self,
        goto: &Goto,
        from: StepId,
        branches: &[(Spanned<String>, StepId)],
    ) -> Option<Target> {
        let name = match goto {
            Goto::End(End::Done(text)) => return Some(Target::End(Ending::Done(text.clone()))),
            Goto::End(End::Stop(text)) => return Some(Target::End(Ending::Stop(text.clone()))),
            Goto::End(End::Fail(text)) => return Some(Target::End(Ending::Fail(text.clone()))),
            Goto::To(name) => name,
        };
        let scope = self.steps[from.0].scope;
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
        let site = (scope != ScopeId(0)).then(|| self.steps[from.0].span);
        self.say(diagnostic, site);
        None
    }

    /// Finds the fixes and atomics that a list of names means.
    fn names(&mut self, names: &[Name], from: StepId) -> Vec<StepId> {
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

    fn on_failure(&mut self, goto: Option<&Goto>, scope: ScopeId) -> OnFailure {
        match goto {
            None => OnFailure::Rollback,
            Some(Goto::To(name)) if name.text() == "rollback" => OnFailure::Rollback,
            Some(Goto::To(name)) if name.text() == "stop" => OnFailure::Stop,
            Some(goto) => {
                let first = |branch: &str| {
                    self.steps
                        .iter()
                        .find(|step| step.scope == scope && step.branch.as_deref() == Some(branch))
                        .map(|step| step.id)
                };
                let branches: Vec<_> = match goto {
                    Goto::To(name) => first(name.text())
                        .map(|id| (name.0.clone(), id))
                        .into_iter()
                        .collect(),
                    Goto::End(_) => Vec::new(),
                };
                self.target(goto, StepId(0), &branches)
                    .map_or(OnFailure::Rollback, OnFailure::Go)
            }
        }
    }
}

/// Returns the statements of a step, and those that undo it.
pub fn statements(kind: &Kind) -> (Vec<Sql>, Vec<Sql>) {
    let many = |sql: &Option<crate::step::shape::OneOrMany<Sql>>| {
        sql.iter().flat_map(|sql| sql.0.clone()).collect()
    };
    match kind {
        Kind::Query(step) => (step.sql.iter().cloned().collect(), Vec::new()),
        Kind::Check(step) => (step.sql.iter().cloned().collect(), Vec::new()),
        Kind::Fix(step) => (many(&step.sql), many(&step.undo)),
        Kind::Confirm(_) | Kind::Backup(_) | Kind::Rollback(_) | Kind::Atomic(_) | Kind::Use(_) => {
            (Vec::new(), Vec::new())
        }
    }
}
