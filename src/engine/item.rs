//! Whether a step is left out, and which items it works on.

use super::event::{Item, StepResult};
use super::failure::Failure;
use super::plan::Plan;
use super::scope::{self, Current, Surroundings};
use super::state::State;
use crate::runbook::model::{Step, StepId};

/// Returns whether a step's `when` says no.
pub(super) fn skipped(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    step: &Step,
    current: &[Current],
) -> Result<bool, Failure> {
    let Some(when) = &step.common.when else {
        return Ok(false);
    };
    let context = scope::context(plan, state, surroundings, step, current)
        .map_err(super::perform::template)?;
    context
        .holds(when.text())
        .map(|holds| !holds)
        .map_err(super::perform::template)
}

/// Returns the items of a step's `for_each`; one that is none for a step without.
pub(super) fn items(
    plan: &Plan,
    state: &State,
    surroundings: &Surroundings,
    step: &Step,
) -> Result<Vec<Option<(Current, Item)>>, Failure> {
    let (Some(expression), Some(name)) = (&step.common.for_each, &step.common.item) else {
        return Ok(vec![None]);
    };
    let context =
        scope::context(plan, state, surroundings, step, &[]).map_err(super::perform::template)?;
    let value = context
        .evaluate(expression.text())
        .map_err(super::perform::template)?;
    let values: Vec<minijinja::Value> = value
        .try_iter()
        .map_err(|_| {
            super::perform::template(format!("`{}` is no list to repeat over", expression.text()))
        })?
        .collect();
    let rows = source_rows(plan, state, step, expression.text());
    if let Some((count, kept)) = rows.map(|rows| (rows.count, rows.rows.len()))
        && count > kept as u64
    {
        return Err(super::perform::template(format!(
            "`{}` has {count} rows, of which {kept} were kept: give the query a greater `limit`",
            expression.text()
        )));
    }
    let of = values.len();
    let make = |(index, value): (usize, minijinja::Value)| {
        let label = label(&value);
        let cells = rows.and_then(|rows| Some(scope::row_cells(rows, rows.rows.get(index)?)));
        let current = Current {
            name: name.text().to_owned(),
            index,
            value,
            cells: cells.unwrap_or_default(),
        };
        Some((current, Item { index, of, label }))
    };
    Ok(values.into_iter().enumerate().map(make).collect())
}

/// Returns the rows that `query.rows` means, for their exact texts.
fn source_rows<'a>(
    plan: &Plan,
    state: &'a State,
    step: &Step,
    expression: &str,
) -> Option<&'a crate::runbook::data::Rows> {
    let query = expression.trim().strip_suffix(".rows")?;
    let id: StepId = plan.runbook().find(step.scope, query)?.id;
    match state.result(id) {
        Some(StepResult::Query { rows, .. }) => Some(rows),
        _ => None,
    }
}

/// Returns a short name of an item: its first value.
fn label(value: &minijinja::Value) -> String {
    let text = match value.kind() {
        minijinja::value::ValueKind::Map => value
            .try_iter()
            .ok()
            .and_then(|mut keys| keys.next())
            .and_then(|key| value.get_item(&key).ok())
            .map(|first| first.to_string())
            .unwrap_or_default(),
        _ => crate::runbook::context::plain(value),
    };
    text.chars().take(40).collect()
}
