//! What is known before a run: the parameters, in each file's scope of names.

use std::collections::{BTreeMap, BTreeSet};

use crate::runbook::argument::Argument;
use crate::runbook::context::Context;
use crate::runbook::model::{Runbook, Scope};

/// The values that are known before a run.
pub(super) struct Known {
    scopes: Vec<Values>,
}

#[derive(Default)]
struct Values {
    context: Context,
    secrets: BTreeSet<String>,
}

impl Values {
    fn insert(&mut self, name: &str, argument: &Argument) {
        self.context.insert(name, argument.value.clone());
        self.context.insert_cell(name, "", argument.cell.clone());
    }
}

impl Known {
    pub(super) fn new(runbook: &Runbook, arguments: &BTreeMap<String, Argument>) -> Self {
        let mut known = Self { scopes: Vec::new() };
        for scope in &runbook.scopes {
            let values = known.scope(scope, arguments);
            known.scopes.push(values);
        }
        known
    }

    /// The parameters of a file that is used come from templates in the file that uses it, which stands
    /// before it.
    fn scope(&self, scope: &Scope, arguments: &BTreeMap<String, Argument>) -> Values {
        let mut values = Values::default();
        for (name, param) in &scope.params {
            if param.secret {
                values.secrets.insert(name.clone());
                continue;
            }
            let argument = match &scope.from {
                None => arguments.get(name).cloned(),
                Some((outer, with)) => match with.iter().find(|(key, _)| key == name) {
                    Some((_, template)) => self
                        .scopes
                        .get(outer.0)
                        .and_then(|outer| outer.context.render(template.text()).ok())
                        .and_then(|text| Argument::parse(param, &text).ok()),
                    None => param
                        .default
                        .as_ref()
                        .and_then(|default| Argument::new(param, &default.0).ok()),
                },
            };
            if let Some(argument) = argument {
                values.insert(name, &argument);
            }
        }
        values
    }

    /// Returns the value of an expression as PostgreSQL reads it, where it is known.
    pub(super) fn value(&self, scope: usize, expression: &str) -> Option<String> {
        let values = self.scopes.get(scope)?;
        if values.secrets.contains(expression) {
            return Some("•••".to_owned());
        }
        let cell = values.context.bind(expression).ok()?;
        Some(cell.text.unwrap_or_else(|| "NULL".to_owned()))
    }

    /// Returns the names that an expression stands for, where they are known.
    pub(super) fn names(&self, scope: usize, expression: &str) -> Option<Vec<String>> {
        self.scopes.get(scope)?.context.names(expression).ok()
    }

    /// Returns a text with its templates filled, or as it is written where one is not known.
    pub(super) fn text(&self, scope: usize, template: &str) -> String {
        let rendered = self
            .scopes
            .get(scope)
            .and_then(|values| values.context.render(template).ok());
        let text = rendered.unwrap_or_else(|| template.to_owned());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
