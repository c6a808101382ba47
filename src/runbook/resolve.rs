//! A document to a runbook: names to steps, `use` to the steps of other runbooks, SQL to statements.

mod inline;
mod route;

use super::check::check_param;
use super::document::{Document, StepNode};
use super::model::{Ending, Routes, Runbook, Scope, ScopeId, Step, StepId, Target};
use super::name;
use super::reference::Reference;
use super::sensitive::{self, Sensitive};
use super::statement::SqlTemplate;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::backup::Backup;
use crate::step::shape::Entries;
use crate::step::text::{Sql, Template};

/// More than this many runbooks inside of one another is a mistake.
const MAX_DEPTH: usize = 8;

/// More than this many runbooks in one bound the work that a hostile one causes.
const MAX_USES: usize = 200;

/// A statement with what it reads, or what is wrong with it.
type Parsed = Result<(SqlTemplate, Vec<Reference>), Box<Diagnostic>>;

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
    document: &Document,
    library: Library<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Resolved> {
    let mut resolver = Resolver {
        library,
        session: document.head.session.clone(),
        sensitive: sensitive::of(&document.head),
        source: document.source.clone(),
        scopes: Vec::new(),
        branches: Vec::new(),
        steps: Vec::new(),
        reads: Vec::new(),
        diagnostics,
    };
    let head = document.head.clone();
    let before = resolver.diagnostics.len();
    let entry = resolver.file(document, None)?;
    let on_failure = resolver.on_failure(head.on_failure.as_ref());
    let on_cancel = resolver.on_failure(head.on_cancel.as_ref());
    // A statement that does not parse leaves its step without one; a name that is not found leaves a step
    // without its way.
    let sound = resolver.diagnostics[before..]
        .iter()
        .all(|found| matches!(found.code, "sql" | "template" | "literal"));
    let Resolver {
        source,
        sensitive,
        scopes,
        steps,
        reads,
        ..
    } = resolver;
    let risk = steps
        .iter()
        .filter_map(Step::risk)
        .map(|(risk, _)| risk)
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
            session: head
                .session
                .0
                .into_iter()
                .map(|(key, value)| (key.value, value))
                .collect(),
            sensitive,
            notify: head.notify.into_iter().map(|notify| notify.value).collect(),
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
    /// The settings of the runbook's session.
    session: Entries<Template>,
    /// The columns whose values nobody is to see, those of the runbooks that are used too.
    sensitive: Vec<Sensitive>,
    source: Source,
    scopes: Vec<Scope>,
    /// The first steps of the runbook's own branches.
    branches: Vec<(Spanned<String>, StepId)>,
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
    fn file(&mut self, document: &Document, site: Option<Site>) -> Option<StepId> {
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
            lock: document.head.lock.clone(),
        });
        let mut found = Vec::new();
        name::check(document, &mut found);
        if site.is_some() {
            // Those of the runbook itself are looked at before its names.
            for (name, param) in &document.head.params.0 {
                check_param(name, param, &document.source, &mut found);
            }
        }
        for diagnostic in found {
            self.say(diagnostic, span);
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
                branch: Some(self.prefixed(scope, &name.value)),
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
        if scope == ScopeId(0) {
            self.branches = branches;
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
        let title = self.prefixed(list.scope, name.text());
        let (sql, undo) = statements(&node.kind);
        let sql = match &node.kind {
            Kind::Backup(backup) => self.predicates(id, backup, list),
            _ => self.parse(id, &sql, list),
        };
        let undo = self.parse(id, &undo, list);
        let verify = match &node.kind {
            Kind::Fix(fix) => self.parse(id, fix.verify.as_slice(), list).pop(),
            _ => None,
        };
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
            verify,
            atomic: list.atomic,
            inner: Vec::new(),
            branch: list.branch.clone(),
            of: Vec::new(),
            backup: None,
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

    /// Returns a name of a scope as one that no other scope has.
    fn prefixed(&self, scope: ScopeId, name: &str) -> String {
        match self.scopes[scope.0].prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        }
    }

    fn parse(&mut self, id: StepId, texts: &[Sql], list: &List) -> Vec<SqlTemplate> {
        let source = self.scopes[list.scope.0].source.clone();
        let parsed = texts.iter().map(|text| SqlTemplate::parse(text, &source));
        self.take(id, parsed.collect(), list)
    }

    /// Parses what finds the rows of a backup, a statement a table.
    fn predicates(&mut self, id: StepId, backup: &Backup, list: &List) -> Vec<SqlTemplate> {
        let source = self.scopes[list.scope.0].source.clone();
        let rows = backup.rows.iter().flat_map(|rows| &rows.0);
        let parsed = rows.map(|(table, sql)| SqlTemplate::parse_predicate(table, sql, &source));
        self.take(id, parsed.collect(), list)
    }

    /// Takes the statements of a step that parsed, with what they read, and tells of those that did not.
    fn take(&mut self, id: StepId, parsed: Vec<Parsed>, list: &List) -> Vec<SqlTemplate> {
        let mut templates = Vec::new();
        let mut whole = true;
        for parsed in parsed {
            match parsed {
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
}

/// Returns the statements of a step, and those that undo it; of a backup its predicates.
pub fn statements(kind: &Kind) -> (Vec<Sql>, Vec<Sql>) {
    let many = |sql: &Option<crate::step::shape::OneOrMany<Sql>>| {
        sql.iter().flat_map(|sql| sql.0.clone()).collect()
    };
    match kind {
        Kind::Query(step) => (step.sql.iter().cloned().collect(), Vec::new()),
        Kind::Check(step) => (step.sql.iter().cloned().collect(), Vec::new()),
        Kind::Fix(step) if step.is_never_undone() => (many(&step.sql), Vec::new()),
        Kind::Fix(step) => (many(&step.sql), many(&step.undo)),
        Kind::Backup(step) => {
            let rows = step.rows.iter().flat_map(|rows| &rows.0);
            (rows.map(|(_, sql)| sql.clone()).collect(), Vec::new())
        }
        Kind::Confirm(_) | Kind::Rollback(_) | Kind::Atomic(_) | Kind::Use(_) => {
            (Vec::new(), Vec::new())
        }
    }
}
