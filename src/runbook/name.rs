//! The names of a runbook: one namespace of parameters and steps, in which nothing clashes.

use std::collections::HashMap;
use std::path::Path;

use super::document::{Document, StepNode};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::step::Kind;

/// Names that templates have from the engine or the template language.
const RESERVED: [&str; 12] = [
    "run", "target", "loop", "true", "false", "none", "and", "or", "not", "in", "is", "if",
];

/// Checks every name that a document gives.
pub(super) fn check(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    runbook_name(document, diagnostics);
    let mut seen: HashMap<String, Span> = HashMap::new();
    for (name, _) in &document.head.params.0 {
        one(&name.value, name.span, "parameter", &mut seen, diagnostics);
    }
    let lists =
        std::iter::once(&document.steps).chain(document.branches.iter().map(|(_, steps)| steps));
    for steps in lists {
        walk(steps, &mut seen, diagnostics);
    }
    let mut branches = HashMap::new();
    for (name, _) in &document.branches {
        one(&name.value, name.span, "branch", &mut branches, diagnostics);
        if let Some(step) = seen.get(&name.value) {
            let title = format!("`{}` is both a branch and a step or parameter", name.value);
            diagnostics.push(
                Diagnostic::error("name-clash", title)
                    .at(name.span, "")
                    .at(*step, "here too"),
            );
        }
    }
}

fn walk(steps: &[StepNode], seen: &mut HashMap<String, Span>, diagnostics: &mut Vec<Diagnostic>) {
    for step in steps {
        let name = step.kind.name();
        if !matches!(step.kind, Kind::Use(_)) {
            one(name.text(), name.span(), "step", seen, diagnostics);
        }
        walk(&step.steps, seen, diagnostics);
    }
}

fn one(
    name: &str,
    span: Span,
    what: &str,
    seen: &mut HashMap<String, Span>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !is_name(name) {
        let title = format!("`{name}` cannot be the name of a {what}");
        diagnostics.push(
            Diagnostic::error("name", title)
                .at(span, "a letter or `_`, then letters, digits and `_`")
                .help("use snake_case: templates read it by this name"),
        );
    } else if RESERVED.contains(&name) {
        let title = format!("`{name}` cannot be the name of a {what}: templates have it already");
        diagnostics.push(Diagnostic::error("name", title).at(span, ""));
    } else if let Some(first) = seen.insert(name.to_owned(), span) {
        let title = format!("the name `{name}` is given twice");
        diagnostics.push(
            Diagnostic::error("name-clash", title)
                .at(span, "again here")
                .at(first, "first here"),
        );
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

fn runbook_name(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    let name = &document.head.runbook;
    let kebab = |text: &str| {
        !text.is_empty()
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part
                        .chars()
                        .all(|next| next.is_ascii_lowercase() || next.is_ascii_digit())
            })
    };
    if !kebab(name.text()) {
        let title = format!("`{name}` is not a runbook's name");
        diagnostics.push(
            Diagnostic::error("name", title)
                .at(name.span(), "lower-case words and digits, joined by `-`"),
        );
        return;
    }
    let path = Path::new(document.source.name());
    let is_file = path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml");
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    if is_file && stem != Some(name.text()) {
        let title = format!("the runbook `{name}` stands in a file of another name");
        diagnostics.push(
            Diagnostic::error("name", title)
                .at(
                    name.span(),
                    format!("the file's name says `{}`", stem.unwrap_or_default()),
                )
                .help("give both the same name: people run it by this one"),
        );
    }
}
