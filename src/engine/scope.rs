//! What the templates of a step see: its parameters, the results of earlier steps, the run, the target.

mod seen;

use minijinja::Value;

use super::event::{StepResult, TargetFacts};
use super::plan::Plan;
use super::state::State;
use crate::runbook::argument::Argument;
use crate::runbook::context::Context;
use crate::runbook::data::{Cell, Rows, oid};
use crate::runbook::model::{ScopeId, Step};

/// What is the same for all steps of a run.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The database.
    pub target: TargetFacts,
    /// When the run began, as RFC 3339 says it.
    pub started_at: String,
}

/// The item that a loop is at.
#[derive(Clone, Debug)]
pub struct Current {
    /// The name under which the step reads it.
    pub name: String,
    /// Which it is, from 0.
    pub index: usize,
    /// The item.
    pub value: Value,
    /// Its exact texts, where it is a row.
    pub cells: Vec<(String, Cell)>,
}

/// Builds the context of a step.
///
/// # Errors
/// A parameter of a used runbook cannot be made from its `with`.
pub fn context(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    step: &Step,
    items: &[Current],
) -> Result<Context, String> {
    let mut context = of_scope(plan, state, surroundings, step.scope)?;
    for item in items {
        context.insert(&item.name, item.value.clone());
        for (attribute, cell) in &item.cells {
            context.insert_cell(&item.name, attribute, cell.clone());
        }
    }
    Ok(context)
}

/// Builds the context of a scope: what all of its steps see.
///
/// # Errors
/// As [`context`].
pub fn of_scope(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    scope: ScopeId,
) -> Result<Context, String> {
    let mut context = Context::default();
    let target = &surroundings.target;
    let run = [
        ("id", plan.run.as_str()),
        ("started_at", surroundings.started_at.as_str()),
        ("actor", plan.actor.as_str()),
    ];
    let previous = ("previous", Value::from(plan.previous.as_deref()));
    let dry_run = ("dry_run", Value::from(plan.dry_run));
    let run = run.map(|(key, value)| (key, Value::from(value)));
    context.insert(
        "run",
        Value::from_pairs(run.into_iter().chain([previous, dry_run])),
    );
    let previous = Cell {
        text: plan.previous.clone(),
        oid: oid::TIMESTAMPTZ,
    };
    context.insert_cell("run", "previous", previous);
    context.insert("target", of_target(target));
    for (name, argument) in arguments(plan, state, surroundings, scope)? {
        context.insert(&name, argument.value.clone());
        context.insert_cell(&name, "", argument.cell);
    }
    for step in plan
        .runbook()
        .steps
        .iter()
        .filter(|step| step.scope == scope)
    {
        add_result(&mut context, state, step);
    }
    Ok(context)
}

/// Returns what templates see of a database.
pub fn of_target(target: &TargetFacts) -> Value {
    Value::from_pairs([
        ("name", Value::from(target.name.as_str())),
        ("database", Value::from(target.database.as_str())),
        (
            "server_version",
            Value::from(target.server_version.as_str()),
        ),
        (
            "server_version_num",
            Value::from(target.server_version_num()),
        ),
    ])
}

fn arguments(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    scope: ScopeId,
) -> Result<Vec<(String, Argument)>, String> {
    let spec = &plan.runbook().scopes[scope.0];
    let Some((outer, with)) = &spec.from else {
        return Ok(plan
            .arguments
            .iter()
            .map(|(name, argument)| (name.clone(), argument.clone()))
            .collect());
    };
    let outer = of_scope(plan, state, surroundings, *outer)?;
    let mut arguments = Vec::new();
    for (name, param) in &spec.params {
        let given = with.iter().find(|(key, _)| key == name);
        let argument = match (given, &param.default) {
            (Some((_, template)), _) => Argument::parse(param, &outer.render(template.text())?),
            (None, Some(default)) => Argument::new(param, &default.0),
            (None, None) => continue,
        };
        let argument =
            argument.map_err(|why| format!("the parameter `{}.{name}`: {why}", spec.prefix))?;
        arguments.push((name.clone(), argument));
    }
    Ok(arguments)
}

fn add_result(context: &mut Context, state: &State, step: &Step) {
    let results = state.results.get(&step.id);
    if step.common.for_each.is_some() {
        if let (Some(results), Some(count)) = (results, state.counts.get(&step.id)) {
            context.insert(&step.name, seen::rounds(step, results, *count));
        }
        return;
    }
    if let Some(changes) = state.atomics.get(&step.id) {
        context.insert(
            &step.name,
            Value::from_pairs([("count", Value::from(changes.count()))]),
        );
    }
    let Some((results, last)) = results.and_then(|all| Some((all, all.len().checked_sub(1)?)))
    else {
        return;
    };
    context.insert(&step.name, seen::result(step, results, last));
    if let (StepResult::Query { rows, .. }, true) = (&results[last], seen::has_columns(step)) {
        let first = rows.rows.first().into_iter();
        for (attribute, cell) in first.flat_map(|row| row_cells(rows, row)) {
            context.insert_cell(&step.name, attribute, cell);
        }
    }
}

/// Returns the exact texts of a row by column.
pub fn row_cells(rows: &Rows, row: &[Option<String>]) -> Vec<(String, Cell)> {
    let cell = |oid, text: &Option<String>| Cell {
        text: text.clone(),
        oid: bind_oid(oid),
    };
    rows.columns
        .iter()
        .zip(row)
        .map(|(column, text)| (column.name.clone(), cell(column.oid, text)))
        .collect()
}

/// Returns how many rows a result is about.
pub fn count(result: &StepResult) -> u64 {
    match result {
        StepResult::Query { rows, .. } => rows.count,
        StepResult::Fix { count, .. } => *count,
        _ => 0,
    }
}

/// A value of a type whose OID is the server's own is bound as that type; of others, as of texts, the type
/// is left to be inferred as for a quoted literal.
pub fn bind_oid(oid: u32) -> u32 {
    use crate::runbook::data::oid as types;
    match oid {
        types::BOOL
        | types::INT2
        | types::INT4
        | types::INT8
        | types::FLOAT4
        | types::FLOAT8
        | types::NUMERIC
        | types::UUID
        | types::DATE
        | types::TIMESTAMP
        | types::TIMESTAMPTZ
        | types::INTERVAL => oid,
        _ => types::UNKNOWN,
    }
}

/// Returns the bare names that the one row of a check's own statement gives to its expressions.
pub fn add_own_row(context: &mut Context, rows: &Rows) {
    if let Some(row) = rows.rows.first() {
        for (column, text) in rows.columns.iter().zip(row) {
            context.insert(
                &column.name,
                crate::runbook::data::value(text.as_deref(), column.oid),
            );
        }
    }
}
