//! Checks a runbook against the live catalog: every statement is prepared, none is run.

use std::collections::HashMap;

use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::Type;

use super::function;
use super::session::Session;
use crate::base::diagnostic::Diagnostic;
use crate::base::words;
use crate::engine::scope::{bind_oid, of_target};
use crate::runbook::argument::oid_of;
use crate::runbook::check::Proved;
use crate::runbook::context::Context;
use crate::runbook::data::{Column, oid};
use crate::runbook::model::{Runbook, ScopeId, Step};
use crate::runbook::reading::condition::conjuncts;
use crate::runbook::resolve::statements;
use crate::runbook::shape::{Shape, of_step};
use crate::runbook::statement::SqlTemplate;
use crate::step::Kind;
use crate::step::text::Sql;

/// The columns of steps, by scope and name.
type Known = HashMap<(ScopeId, String), Vec<Column>>;

/// Checks a runbook against the database that a session is connected to.
pub async fn check(session: &Session, proved: &Proved) -> Vec<Diagnostic> {
    let runbook = &proved.runbook;
    let mut known = Known::new();
    let mut found = Vec::new();
    let mut facts = Context::default();
    facts.insert("target", of_target(session.target()));
    for step in &runbook.steps {
        if never_runs(runbook, step, &facts) {
            continue;
        }
        let (sql, undo) = statements(&step.kind);
        let pairs = sql.iter().zip(&step.sql).chain(undo.iter().zip(&step.undo));
        for (text, template) in pairs {
            match prepare(session, runbook, step, template, &known).await {
                Ok(columns) => {
                    known
                        .entry((step.scope, step.name.clone()))
                        .or_insert(columns);
                }
                Err(error) => found.push(wrong(&error, runbook, step, template, text)),
            }
        }
        found.extend(volatile(session, step).await);
    }
    found.extend(unknown_columns(proved, &known));
    found
}

/// Returns whether a step is left out on this database: what it is for may not exist in this version.
fn never_runs(runbook: &Runbook, step: &Step, facts: &Context) -> bool {
    let outer = step.atomic.map(|id| runbook.step(id));
    let steps = std::iter::once(step).chain(outer);
    let conditions = steps.filter_map(|step| step.common.when.as_ref());
    conditions
        .flat_map(|when| conjuncts(when.text()))
        .any(|part| facts.holds(&part) == Ok(false))
}

/// Prepares a statement and returns its columns; one with names that only a run knows is left out.
async fn prepare(
    session: &Session,
    runbook: &Runbook,
    step: &Step,
    template: &SqlTemplate,
    known: &Known,
) -> Result<Vec<Column>, tokio_postgres::Error> {
    if !template.names.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<Type> = template
        .binds
        .iter()
        .map(|expression| kind_of(runbook, step, expression, known))
        .map(|oid| Type::from_oid(oid).unwrap_or(Type::UNKNOWN))
        .collect();
    // Utility statements have no plan to prepare; their grammar was checked already.
    if !matches!(
        template.statement.access(),
        crate::sql::statement::Access::Read | crate::sql::statement::Access::Write
    ) {
        return Ok(Vec::new());
    }
    let prepared = session
        .client()
        .prepare_typed(template.statement.text(), &kinds)
        .await?;
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        kind: column.type_().name().to_owned(),
        oid: column.type_().oid(),
        ..Column::default()
    };
    Ok(prepared.columns().iter().map(column).collect())
}

/// Returns the type with which a run would bind an expression, as far as it is known before.
fn kind_of(runbook: &Runbook, step: &Step, expression: &str, known: &Known) -> u32 {
    let (name, attribute) = expression.split_once('.').unwrap_or((expression, ""));
    let param = runbook.scopes[step.scope.0]
        .params
        .iter()
        .find(|(param, _)| param == name);
    match (param, attribute) {
        (Some((_, param)), "") => oid_of(param),
        (None, "previous") if name == "run" => oid::TIMESTAMPTZ,
        (None, attribute) => known
            .get(&(step.scope, name.to_owned()))
            .and_then(|columns| columns.iter().find(|column| column.name == attribute))
            .map_or(oid::UNKNOWN, |column| bind_oid(column.oid)),
        _ => oid::UNKNOWN,
    }
}

fn wrong(
    error: &tokio_postgres::Error,
    runbook: &Runbook,
    step: &Step,
    template: &SqlTemplate,
    text: &Sql,
) -> Diagnostic {
    let Some(server) = error.as_db_error() else {
        return Diagnostic::error(
            "live",
            format!("`{}` cannot be prepared: {error}", step.title),
        )
        .at(step.span, "");
    };
    let title = format!("the server refuses `{}`: {}", step.title, server.message());
    let diagnostic = Diagnostic::error("live", title);
    let diagnostic = if step.scope == ScopeId(0) {
        let span = match server.position() {
            Some(ErrorPosition::Original(position)) => {
                let statement = template.statement.text();
                let start = statement
                    .char_indices()
                    .nth((*position as usize).saturating_sub(1))
                    .map_or(0, |(at, _)| at);
                let length = statement[start..]
                    .find(|next: char| !(next.is_alphanumeric() || matches!(next, '_' | '.' | '"')))
                    .unwrap_or(statement.len() - start);
                let shift = template.statement.range().start;
                template.locate(
                    start + shift..start + shift + length.max(1),
                    text,
                    &runbook.source,
                )
            }
            _ => text.span(),
        };
        diagnostic.at(span, "")
    } else {
        diagnostic.at(step.span, "in the runbook that is used here")
    };
    let diagnostic = server
        .detail()
        .into_iter()
        .fold(diagnostic, Diagnostic::note);
    server.hint().into_iter().fold(diagnostic, Diagnostic::help)
}

async fn volatile(session: &Session, step: &Step) -> Option<Diagnostic> {
    if !matches!(step.kind, Kind::Query(_) | Kind::Check(_) | Kind::Backup(_)) {
        return None;
    }
    let reads = step.sql.iter().map(|sql| &sql.statement);
    let failure = function::refuse_volatile(session, reads).await.err()?;
    let diagnostic = Diagnostic::error("live", failure.message).at(step.span, "");
    Some(failure.help.into_iter().fold(diagnostic, Diagnostic::help))
}

/// Finds readings of columns that a `SELECT *` does not have.
fn unknown_columns(proved: &Proved, known: &Known) -> Vec<Diagnostic> {
    let runbook = &proved.runbook;
    let mut found = Vec::new();
    for (reader, reference) in &proved.readings {
        let scope = runbook.step(*reader).scope;
        let (Some(attribute), Some(source)) =
            (&reference.attribute, runbook.find(scope, &reference.name))
        else {
            continue;
        };
        let Some(columns) = known.get(&(scope, source.name.clone())) else {
            continue;
        };
        let is_column = columns.iter().any(|column| column.name == *attribute);
        if of_step(source) != Shape::Any
            || is_column
            || matches!(attribute.as_str(), "rows" | "count" | "path" | "sha256")
            || columns.is_empty()
        {
            continue;
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let help = words::nearest(attribute, names.iter().copied())
            .map(|near| format!("did you mean `{}.{near}`?", reference.name));
        found.push(
            Diagnostic::error(
                "unknown-column",
                format!("unknown column `{}.{attribute}`", reference.name),
            )
            .at(
                reference.span,
                format!("`{}` returns {}", source.name, names.join(", ")),
            )
            .help_opt(help),
        );
    }
    found
}
