//! The names in `runbook.yaml`, and what is said of one that is not there.

use std::collections::HashMap;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Span, Spanned};
use crate::base::words;
use crate::step::text::Template;

/// Checks that names are names, and that none is given twice: targets and groups share theirs.
pub(super) fn check<'a>(
    targets: impl Iterator<Item = &'a Spanned<String>>,
    groups: impl Iterator<Item = &'a Spanned<String>>,
    policies: impl Iterator<Item = &'a Spanned<String>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let targets = targets.map(|name| ("target", name));
    for (what, name) in targets.chain(groups.map(|name| ("group", name))) {
        plain(what, name, diagnostics);
        if let Some(first) = seen.insert(&name.value, name.span) {
            let title = format!("`{}` is the name of a target and of a group", name.value);
            diagnostics.push(
                Diagnostic::error("name-clash", title)
                    .at(name.span, "")
                    .at(first, "here too")
                    .help("`--target` must mean one of both: give one another name"),
            );
        }
    }
    for name in policies {
        plain("policy", name, diagnostics);
    }
}

/// `--target` tells a name from an address by its signs.
fn plain(what: &str, name: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) {
    let mut letters = name.value.chars();
    let is_plain = letters.next().is_some_and(char::is_alphanumeric)
        && letters.all(|letter| letter.is_alphanumeric() || "-_.".contains(letter));
    if is_plain {
        return;
    }
    let title = format!("`{}` cannot be the name of a {what}", name.value);
    diagnostics.push(
        Diagnostic::error("name", title)
            .at(name.span, "")
            .help("a letter or digit, then letters, digits, `-`, `_` and `.`"),
    );
}

/// Returns the error of a name of which there is no such thing.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    place: Span,
    names: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let names: Vec<&str> = names.collect();
    let help = words::did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
        if names.is_empty() {
            format!("there is no {what} in this file")
        } else {
            format!("there is {}", words::list(&names))
        }
    });
    Diagnostic::error("unknown-name", format!("there is no {what} `{name}`"))
        .at(place, "")
        .help(help)
}

/// Returns the texts of a list that must name something.
pub(super) fn texts(
    key: &str,
    texts: &[Template],
    place: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    if texts.is_empty() {
        diagnostics.push(
            Diagnostic::error("shape", format!("`{key}` names nothing"))
                .at(place, "")
                .help(format!("name something, or leave `{key}` out")),
        );
    }
    for text in texts.iter().filter(|text| text.text().trim().is_empty()) {
        diagnostics.push(
            Diagnostic::error("shape", format!("a name in `{key}` is empty")).at(text.span(), ""),
        );
    }
    texts.iter().map(|text| text.text().to_owned()).collect()
}
