//! Every name that a step reads has a value on every way that leads there, and the attribute that is
//! read of it exists.

use super::graph::Moment;
use super::model::{Ending, Runbook, ScopeId, Step, StepId, Target};
use super::param::Scalar;
use super::proof::Prover;
use super::reference::{self, Reference, of_expression, of_template};
use super::shape::{Shape, of_step};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::base::words;
use crate::step::Kind;
use crate::step::shape::RowsGuard;
use crate::step::text::{Expression, Template};

/// One reading, and the moment at which it happens.
struct Reading {
    at: Moment,
    reference: Reference,
    /// Whether a `for_each`'s item can be read there.
    items: bool,
    /// Whether the bare names of a check's own row can be read there.
    own: bool,
}

/// Proves the readings of all steps, and returns them. `sql` are those that were found in statements.
pub(super) fn prove(
    prover: &Prover<'_>,
    sql: &[(StepId, Reference)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(StepId, Reference)> {
    let mut all = Vec::new();
    for step in &prover.runbook.steps {
        if !prover.is_reachable(Moment::Enter(step.id)) {
            continue;
        }
        let mut collector = Collector {
            source: prover.runbook.scopes[step.scope.0].source.clone(),
            readings: Vec::new(),
            diagnostics: Vec::new(),
        };
        collector.step(step);
        for (_, reference) in sql.iter().filter(|(id, _)| *id == step.id) {
            collector.readings.push(Reading {
                at: Moment::Enter(step.id),
                reference: reference.clone(),
                items: true,
                own: false,
            });
        }
        let mut found = collector.diagnostics;
        for reading in &collector.readings {
            found.extend(judge(prover, step, reading));
        }
        all.extend(
            collector
                .readings
                .into_iter()
                .map(|reading| (step.id, reading.reference)),
        );
        names(prover.runbook, step, &mut found);
        diagnostics.extend(
            found
                .into_iter()
                .map(|diagnostic| elsewhere(step, diagnostic)),
        );
        rehearsable(prover, step, sql, diagnostics);
    }
    runbook_texts(prover.runbook, diagnostics);
    all
}

/// A diagnostic about a used runbook points at the `use`.
fn elsewhere(step: &Step, mut diagnostic: Diagnostic) -> Diagnostic {
    if step.scope != ScopeId(0) {
        diagnostic.labels.clear();
        return diagnostic.at(step.span, format!("in its step `{}`", step.name));
    }
    diagnostic
}

struct Collector {
    source: Source,
    readings: Vec<Reading>,
    diagnostics: Vec<Diagnostic>,
}

impl Collector {
    fn add(
        &mut self,
        found: Result<Vec<Reference>, Box<Diagnostic>>,
        at: Moment,
        items: bool,
        own: bool,
    ) {
        match found {
            Ok(references) => self
                .readings
                .extend(references.into_iter().map(|reference| Reading {
                    at,
                    reference,
                    items,
                    own,
                })),
            Err(diagnostic) => self.diagnostics.push(*diagnostic),
        }
    }

    fn templates<'a>(&mut self, texts: impl IntoIterator<Item = &'a Template>, at: Moment) {
        for text in texts {
            let found = of_template(text, &self.source);
            self.add(found, at, true, false);
        }
    }

    fn expressions<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a Expression>,
        at: Moment,
        own: bool,
    ) {
        for text in texts {
            let found = of_expression(text, &self.source);
            self.add(found, at, own, own);
        }
    }

    fn step(&mut self, step: &Step) {
        let (enter, ran) = (Moment::Enter(step.id), Moment::Ran(step.id));
        self.expressions(
            step.common.when.iter().chain(&step.common.for_each),
            enter,
            false,
        );
        self.routes(step);
        match &step.kind {
            Kind::Query(query) => {
                self.guard(query.rows.as_ref(), enter);
                self.templates(query.command.iter().flat_map(|command| &command.0), enter);
            }
            Kind::Check(check) => {
                let assertions = check
                    .all
                    .iter()
                    .flat_map(|all| &all.0)
                    .map(|(_, assertion)| assertion);
                self.expressions(check.that.iter().chain(&check.switch), ran, true);
                for assertion in assertions {
                    self.expressions([&assertion.that], ran, true);
                    self.templates(&assertion.otherwise, ran);
                }
                self.templates(&check.otherwise, ran);
                self.templates(check.command.iter().flat_map(|command| &command.0), enter);
            }
            Kind::Confirm(confirm) => {
                self.templates([&confirm.ask].into_iter().chain(&confirm.typed), enter);
            }
            Kind::Fix(fix) => {
                self.guard(fix.rows.as_ref(), enter);
                self.templates(fix.command.iter().flat_map(|command| &command.0), enter);
            }
            Kind::Backup(backup) => self.templates(backup.to.iter().chain(&backup.format), enter),
            Kind::Rollback(_) | Kind::Atomic(_) | Kind::Use(_) => {}
        }
    }

    fn guard(&mut self, guard: Option<&RowsGuard>, at: Moment) {
        if let Some(RowsGuard::Equals(expression)) = guard {
            // The guard's text has more than the expression, whose place is found in the file.
            let whole = self.source.slice(expression.span());
            let start = expression.span().start + whole.find(expression.text()).unwrap_or(0);
            let span = Span::new(start, start + expression.text().len());
            let expression = Expression(crate::base::source::Spanned::new(
                expression.text().to_owned(),
                span,
            ));
            let found = of_expression(&expression, &self.source);
            self.add(found, at, true, false);
        }
    }

    fn routes(&mut self, step: &Step) {
        let (ran, done) = (Moment::Ran(step.id), Moment::Done(step.id));
        let text = |target: &Target| match target {
            Target::End(Ending::Done(text) | Ending::Stop(text) | Ending::Fail(text)) => {
                Some(text.clone())
            }
            _ => None,
        };
        let routes = &step.routes;
        let well = std::iter::once(&routes.next)
            .chain(&routes.then)
            .chain(routes.cases.iter().map(|(_, to)| to));
        let well: Vec<Template> = well.filter_map(text).collect();
        self.templates(&well, done);
        let no: Vec<Template> = routes.otherwise.iter().filter_map(text).collect();
        self.templates(&no, ran);
        let error: Vec<Template> = routes.on_error.iter().filter_map(text).collect();
        self.templates(&error, Moment::Enter(step.id));
    }
}

/// Returns what is wrong with one reading.
fn judge(prover: &Prover<'_>, step: &Step, reading: &Reading) -> Option<Diagnostic> {
    let runbook = prover.runbook;
    let reference = &reading.reference;
    if reading.items && runbook.items(step).contains(&reference.name) {
        return None;
    }
    if reading.own {
        match super::shape::own_columns(step) {
            Some(Shape::Any) => return None,
            Some(Shape::Names(names)) if names.contains(&reference.name) => return None,
            _ => {}
        }
    }
    if let Some((_, param)) = runbook.scopes[step.scope.0]
        .params
        .iter()
        .find(|(name, _)| *name == reference.name)
    {
        let has_parts = param.kind.scalar == Scalar::Json || param.kind.list;
        return match &reference.attribute {
            Some(attribute) if !has_parts => Some(
                Diagnostic::error(
                    "unknown-name",
                    format!("the parameter `{}` has no `{attribute}`", reference.name),
                )
                .at(reference.span, format!("it is a {}", param.kind)),
            ),
            _ => None,
        };
    }
    if let Some(shape) = super::shape::builtin(&reference.name) {
        return attribute(reference, &shape, &format!("`{}`", reference.name));
    }
    let Some(source) = runbook.find(step.scope, &reference.name) else {
        return Some(unknown(runbook, step, reading));
    };
    let shape = of_step(source);
    let label = format!("the {} `{}`", source.kind.word(), source.name);
    attribute(reference, &shape, &label).or_else(|| defined(prover, step, source, reading))
}

fn attribute(reference: &Reference, shape: &Shape, label: &str) -> Option<Diagnostic> {
    let (Some(wanted), Shape::Names(names)) = (&reference.attribute, shape) else {
        return None;
    };
    if names.contains(wanted) {
        return None;
    }
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let has = if columns.is_empty() {
        "has nothing to read".to_owned()
    } else {
        format!("returns {}", columns.join(", "))
    };
    let help = words::nearest(wanted, columns.iter().copied())
        .map(|near| format!("did you mean `{}.{near}`?", reference.name));
    Some(
        Diagnostic::error(
            "unknown-column",
            format!("unknown column `{}.{wanted}`", reference.name),
        )
        .at(reference.span, format!("{label} {has}"))
        .help_opt(help),
    )
}

fn unknown(runbook: &Runbook, step: &Step, reading: &Reading) -> Diagnostic {
    let name = &reading.reference.name;
    let mut known: Vec<String> = runbook.scopes[step.scope.0]
        .params
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    known.extend(
        runbook
            .steps
            .iter()
            .filter(|other| other.scope == step.scope)
            .map(|other| other.name.clone()),
    );
    known.extend(["run".to_owned(), "target".to_owned()]);
    known.extend(runbook.items(step));
    if let (true, Some(Shape::Names(own))) = (reading.own, super::shape::own_columns(step)) {
        known.extend(own);
    }
    let help = words::did_you_mean(name, known.iter().map(String::as_str))
        .unwrap_or_else(|| format!("there are {}", words::quoted(&known)));
    Diagnostic::error("unknown-name", format!("unknown name `{name}`"))
        .at(reading.reference.span, "no parameter or step has this name")
        .help(help)
}

/// Returns what is wrong when a step's result may be missing where it is read.
fn defined(
    prover: &Prover<'_>,
    step: &Step,
    source: &Step,
    reading: &Reading,
) -> Option<Diagnostic> {
    let reference = &reading.reference;
    if reference.guarded {
        return None;
    }
    // The number of rows is known even when the guard says no; the columns are not.
    let counts = matches!(reference.attribute.as_deref(), Some("count" | "rows"));
    let decides = matches!(source.kind, Kind::Check(_) | Kind::Confirm(_));
    let there = if counts || decides {
        Moment::Ran(source.id)
    } else {
        Moment::Done(source.id)
    };
    if prover.dominates(there, reading.at) {
        return None;
    }
    if implied(prover.runbook, source, step)
        && prover.dominates(Moment::Enter(source.id), reading.at)
    {
        return None;
    }
    let title = format!("`{}` may have no value here", reference.name);
    let diagnostic = Diagnostic::error("undefined", title).at(reference.span, "");
    Some(
        if source.common.when.is_some() && prover.dominates(Moment::Enter(source.id), reading.at) {
            diagnostic
                .at(source.span, "skipped unless its `when` is true")
                .help(format!(
                    "guard it: give `{}` the same `when`, or write `{n} is defined and …`",
                    step.name,
                    n = reference.name
                ))
        } else {
            diagnostic
                .at(source.span, "not every way to the reading passes here")
                .help(format!(
                    "move `{}` before the branching, or guard it with `{} is defined`",
                    source.name, source.name
                ))
        },
    )
}

/// Returns whether a reader's `when` says no whenever the source's does. Values never change in a run,
/// so the same text means the same.
fn implied(runbook: &Runbook, source: &Step, reader: &Step) -> bool {
    let Some(needed) = source.common.when.as_ref() else {
        return false;
    };
    let own = reader.common.when.iter();
    let outer = reader
        .atomic
        .and_then(|id| runbook.step(id).common.when.as_ref());
    let given: Vec<String> = own
        .chain(outer)
        .flat_map(|when| conjuncts(when.text()))
        .collect();
    conjuncts(needed.text())
        .iter()
        .all(|part| given.contains(part))
}

fn conjuncts(text: &str) -> Vec<String> {
    text.split(" and ")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Checks the names that a step gives outside of templates.
fn names(runbook: &Runbook, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
    let Kind::Confirm(confirm) = &step.kind else {
        return;
    };
    if let Some(show) = &confirm.show {
        let is_query = |source: &Step| matches!(source.kind, Kind::Query(_));
        if !runbook.find(step.scope, show.text()).is_some_and(is_query) {
            diagnostics.push(
                Diagnostic::error(
                    "unknown-name",
                    format!("there is no query `{show}` to show"),
                )
                .at(show.span(), ""),
            );
        }
    }
}

/// What a confirm rehearses may read only what is known before it, or what the rehearsal itself makes.
fn rehearsable(
    prover: &Prover<'_>,
    step: &Step,
    sql: &[(StepId, Reference)],
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !matches!(step.kind, Kind::Confirm(_)) {
        return;
    }
    let runbook = prover.runbook;
    let rehearsed: Vec<StepId> = step
        .of
        .iter()
        .flat_map(|id| runbook.step(*id).unit())
        .collect();
    for (id, reference) in sql.iter().filter(|(id, _)| rehearsed.contains(id)) {
        let reader = runbook.step(*id);
        let Some(source) = runbook.find(reader.scope, &reference.name) else {
            continue;
        };
        let known = prover.dominates(Moment::Ran(source.id), Moment::Enter(step.id));
        let conditional = implied(runbook, source, reader) || reference.guarded;
        if !known && !conditional && !rehearsed.contains(&source.id) {
            let title = format!("`{}` cannot rehearse `{}`", step.name, reader.name);
            let diagnostic = Diagnostic::error("not-rehearsable", title)
                .at(
                    reference.span,
                    format!(
                        "`{}` is not known yet when `{}` asks",
                        source.name, step.name
                    ),
                )
                .help(format!("move `{}` before `{}`", source.name, step.name));
            diagnostics.push(elsewhere(reader, diagnostic));
        }
    }
}

/// Checks the texts of the runbook itself, which can read its parameters.
fn runbook_texts(runbook: &Runbook, diagnostics: &mut Vec<Diagnostic>) {
    let texts = runbook
        .lock
        .iter()
        .chain(runbook.session.iter().map(|(_, text)| text));
    for text in texts {
        match of_template(text, &runbook.source) {
            Err(diagnostic) => diagnostics.push(*diagnostic),
            Ok(references) => diagnostics.extend(references.iter().filter_map(|reference| {
                let is_param = runbook
                    .params()
                    .iter()
                    .any(|(name, _)| *name == reference.name);
                let known = is_param || super::shape::builtin(&reference.name).is_some();
                (!known).then(|| {
                    Diagnostic::error("unknown-name", format!("unknown name `{}`", reference.name))
                        .at(
                            reference.span,
                            "only parameters, `run` and `target` are known before the first step",
                        )
                })
            })),
        }
    }
}

/// Returns what an expression of SQL reads; for the checker of names in SQL.
pub(super) fn of_sql(expression: &str) -> Vec<String> {
    let text = crate::base::source::Spanned::new(expression.to_owned(), Span::default());
    let source = Source::new("", expression);
    reference::of_text(expression, super::place::TextPlace::new(&source, &text))
        .map(|references| {
            references
                .into_iter()
                .map(|reference| reference.name)
                .collect()
        })
        .unwrap_or_default()
}
