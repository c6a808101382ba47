//! From a text to a proved runbook: the one way to get one.

use std::panic::resume_unwind;

use super::argument::Argument;
use super::document;
use super::graph::Graph;
use super::model::{Runbook, StepId};
use super::param::{Param, Scalar};
use super::reference::Reference;
use super::resolve::{self, Library};
use super::statement::SqlTemplate;
use super::{proof, reading, rule};
use crate::base::diagnostic::{Diagnostic, has_errors};
use crate::base::source::{Source, Spanned};
use crate::sql::roomy;

/// A runbook of which everything is proved that can be proved without a database.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The runbook.
    pub runbook: Runbook,
    /// Its graph.
    pub graph: Graph,
    /// Every reading of a name, by the step that reads it.
    pub readings: Vec<(StepId, Reference)>,
    /// What is worth knowing about it.
    pub warnings: Vec<Diagnostic>,
}

/// Checks a runbook; `library` finds those that it uses.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text, warnings included.
pub fn check(source: &Source, library: Library<'_>) -> Result<Proved, Vec<Diagnostic>> {
    // One thread for all of its statements costs less than one for each.
    roomy(|| prove(source, library)).unwrap_or_else(|panic| resume_unwind(panic))
}

fn prove(source: &Source, library: Library<'_>) -> Result<Proved, Vec<Diagnostic>> {
    let document = document::parse(source)?;
    let declared = document.head.risk;
    let mut diagnostics = Vec::new();
    super::setting::check(&document.head, &mut diagnostics);
    super::sensitive::check(&document.head, &mut diagnostics);
    super::notice::check(&document.head.notify, source, &mut diagnostics);
    for (name, param) in &document.head.params.0 {
        check_param(name, param, source, &mut diagnostics);
    }
    let Some(resolved) = resolve::resolve(&document, library, &mut diagnostics) else {
        return Err(sorted(diagnostics));
    };
    let runbook = resolved.runbook;
    rule::check(&runbook, declared, &mut diagnostics);
    if !resolved.sound {
        return Err(sorted(diagnostics));
    }
    let graph = Graph::new(&runbook);
    let prover = proof::prove(&runbook, &graph, &mut diagnostics);
    let readings = prover.map(|prover| reading::prove(&prover, &resolved.reads, &mut diagnostics));
    let diagnostics = sorted(diagnostics);
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    Ok(Proved {
        runbook,
        graph,
        readings: readings.unwrap_or_default(),
        warnings: diagnostics,
    })
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(Diagnostic::span);
    diagnostics.dedup();
    diagnostics
}

pub(super) fn check_param(
    name: &Spanned<String>,
    param: &Param,
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut wrong = |title: String, help: &str| {
        let diagnostic = Diagnostic::error("param", title).at(name.span, "");
        diagnostics.push(if help.is_empty() {
            diagnostic
        } else {
            diagnostic.help(help)
        });
    };
    let is_enum = param.kind.scalar == Scalar::Enum;
    if is_enum && param.values.as_ref().is_none_or(Vec::is_empty) {
        wrong(
            format!("the enum `{}` has no values", name.value),
            "add `values: [a, b]`",
        );
    }
    if !is_enum && param.values.is_some() {
        wrong(
            format!("`{}` has values but is not an enum", name.value),
            "make it `type: enum`",
        );
    }
    if let Some(pattern) = &param.pattern
        && let Err(error) = regex_lite::Regex::new(pattern.text())
    {
        wrong(
            format!(
                "the pattern of `{}` is not a regular expression: {error}",
                name.value
            ),
            "",
        );
        return;
    }
    for bound in param.min.iter().chain(&param.max) {
        let ordered =
            super::argument::compare(param.kind.scalar, bound.text(), bound.text()).is_some();
        if !ordered {
            wrong(
                format!("`{}` is no bound for a {}", bound.text(), param.kind),
                "",
            );
        }
    }
    if let Some(default) = &param.default {
        if param.secret {
            wrong(
                format!("the secret `{}` has a default in the file", name.value),
                "read it from `env` instead",
            );
        }
        if let Err(why) = Argument::new(param, &default.0) {
            wrong(
                format!("the default of `{}` is not allowed: {why}", name.value),
                "",
            );
        }
    }
    if let Some(choices) = &param.choices {
        match SqlTemplate::parse(choices, source) {
            Err(diagnostic) => diagnostics.push(*diagnostic),
            Ok((template, references)) => {
                if let Err(error) = template.statement.allowed_in_read() {
                    diagnostics.push(template.refused(&error, choices, source));
                }
                if let Some(reference) = references.first() {
                    diagnostics.push(
                        Diagnostic::error("param", "choices cannot read other parameters")
                            .at(reference.span, ""),
                    );
                }
            }
        }
    }
}
