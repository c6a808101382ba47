//! Asks for parameters on a terminal: by choosing where a query offers choices, by typing otherwise.

use std::collections::BTreeMap;

use dialoguer::{Input, Password, Select};

use super::choices::label;
use crate::runbook::data::Rows;
use crate::runbook::param::{Param, Scalar};
use crate::step::text::Template;

/// Asks for the value of one parameter; nothing when the person gives none.
pub(super) fn ask(name: &str, param: &Param, choices: &BTreeMap<String, Rows>) -> Option<String> {
    let help = param
        .help
        .as_ref()
        .map(|help| format!(" ({})", help.text()))
        .unwrap_or_default();
    let prompt = format!("{name}{help}");
    if param.secret {
        return Password::new()
            .with_prompt(prompt)
            .allow_empty_password(true)
            .interact()
            .ok()
            .filter(|text| !text.is_empty());
    }
    if let Some(rows) = choices.get(name).filter(|rows| !rows.rows.is_empty()) {
        let labels: Vec<String> = rows.rows.iter().map(|row| label(row)).collect();
        let chosen = Select::new()
            .with_prompt(prompt)
            .items(&labels)
            .default(0)
            .max_length(12)
            .interact_opt()
            .ok()??;
        return rows.rows.get(chosen)?.first().cloned().flatten();
    }
    if param.kind.scalar == Scalar::Enum && !param.kind.list {
        let values: Vec<&str> = param.values.iter().flatten().map(Template::text).collect();
        let chosen = Select::new()
            .with_prompt(prompt)
            .items(&values)
            .default(0)
            .interact_opt()
            .ok()??;
        return values.get(chosen).map(|value| (*value).to_owned());
    }
    let text: String = Input::new()
        .with_prompt(format!("{prompt} [{}]", param.kind))
        .allow_empty(true)
        .interact_text()
        .ok()?;
    Some(text).filter(|text| !text.is_empty())
}
