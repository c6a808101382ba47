//! Every name that a step reads has a value on every way that leads there, and the attribute that is
//! read of it exists.

mod collect;
pub mod condition;

use super::graph::Moment;
use super::model::{Runbook, ScopeId, Step, StepId};
use super::param::Scalar;
use super::proof::Prover;
use super::reference::{self, Reference, of_template};
use super::shape::{Shape, of_step};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::base::words;
use crate::step::Kind;
use collect::{Collector, Reading};
use condition::implied;

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
        let mut collector = Collector::new(prover.runbook.scopes[step.scope.0].source.clone());
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
    let found = attribute(reference, &shape, &label).map(|found| in_rows(found, source, reference));
    found.or_else(|| defined(prover, step, source, reading))
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

/// A column of a query that does not say that it has one row is read by way of its rows.
fn in_rows(found: Diagnostic, source: &Step, reference: &Reference) -> Diagnostic {
    let wanted = reference.attribute.as_deref().unwrap_or_default();
    let columns = super::shape::row_columns(source);
    if source.common.for_each.is_some() || !columns.iter().any(|column| column == wanted) {
        return found;
    }
    let mut found = found;
    found.help.clear();
    found.help(format!(
        "add `rows: 1` to read its columns directly, or write `{}.rows[0].{wanted}`",
        reference.name
    ))
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
    let declined = prover
        .graph
        .reaches(Moment::Ran(source.id), reading.at, |moment| moment == there);
    let declined = declined && there != Moment::Ran(source.id);
    if reference.guarded {
        return declined.then(|| without_columns(source, reference));
    }
    let skipped_only = || {
        !prover
            .graph
            .misses(source.id, reading.at, |moment| moment == there)
    };
    if implied(prover.runbook, source, step)
        && prover.dominates(Moment::Enter(source.id), reading.at)
        && skipped_only()
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

/// A result whose row guard said no is defined, yet has no columns.
fn without_columns(source: &Step, reference: &Reference) -> Diagnostic {
    let name = &reference.name;
    Diagnostic::error(
        "undefined",
        format!("`{name}` may be defined here without its columns"),
    )
    .at(reference.span, "")
    .at(source.span, "its row guard may have said no")
    .help(format!(
        "read `{name}.count` or `{name}.rows` here: they are known then too"
    ))
}

/// Checks the names that a step gives outside of templates.
fn names(runbook: &Runbook, step: &Step, diagnostics: &mut Vec<Diagnostic>) {
    let is_query = |name: &str| {
        let found = runbook.find(step.scope, name);
        found.is_some_and(|source| matches!(source.kind, Kind::Query(_)))
    };
    if let Some(list) = &step.common.for_each
        && is_query(list.text().trim())
    {
        let title = format!(
            "`{}` is no list: repeat over `{0}.rows`",
            list.text().trim()
        );
        diagnostics.push(Diagnostic::error("contract", title).at(list.span(), ""));
    }
    for template in step.sql.iter().chain(&step.undo).chain(&step.verify) {
        let rows = template
            .binds
            .iter()
            .filter_map(|bind| bind.strip_suffix(".rows"));
        if rows.into_iter().any(is_query) {
            let title = "a list of rows is no value for a statement: use a subquery";
            diagnostics.push(Diagnostic::error("contract", title).at(template.span, ""));
        }
    }
    let Kind::Confirm(confirm) = &step.kind else {
        return;
    };
    if let Some(show) = confirm.show.as_ref().filter(|show| !is_query(show.text())) {
        let title = format!("there is no query `{show}` to show");
        diagnostics.push(Diagnostic::error("unknown-name", title).at(show.span(), ""));
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
    let mut rehearsed: Vec<StepId> = step.of.clone();
    rehearsed.extend(step.of.iter().flat_map(|id| &runbook.step(*id).inner));
    let in_sql = sql.iter().filter(|(id, _)| rehearsed.contains(id)).cloned();
    let decisive = rehearsed.iter().flat_map(|id| {
        let reader = runbook.step(*id);
        let mut collector = Collector::new(runbook.scopes[reader.scope.0].source.clone());
        collector.decisive(reader);
        let found = collector.readings.into_iter();
        found.map(|reading| (*id, reading.reference))
    });
    for (id, reference) in in_sql.chain(decisive) {
        let reader = runbook.step(id);
        if runbook.items(reader).contains(&reference.name) {
            continue;
        }
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
    let texts = runbook.scopes[0]
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
