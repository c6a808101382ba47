//! Findings as a JSON list.

use serde_json::{Value, json};

use super::{Checked, level};
use crate::base::source::{Position, Span};

/// Returns a list of findings.
pub(in crate::cli) fn json(all: &[Checked]) -> Value {
    all.iter()
        .flat_map(|checked| {
            checked
                .diagnostics
                .iter()
                .map(move |diagnostic| one(checked, diagnostic))
        })
        .collect()
}

fn one(checked: &Checked, diagnostic: &crate::base::diagnostic::Diagnostic) -> Value {
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| json!({ "place": range(checked, label.span), "text": label.text }))
        .collect();
    let place = checked.place(diagnostic);
    json!({
        "file": checked.file,
        "line": place.map(|(start, _)| start.line),
        "column": place.map(|(start, _)| start.column),
        "end": place.map(|(_, end)| position(end)),
        "code": diagnostic.code,
        "severity": level(diagnostic),
        "title": diagnostic.title,
        "labels": labels,
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    })
}

fn range(checked: &Checked, span: Span) -> Value {
    checked.source.as_ref().map_or(Value::Null, |source| {
        json!({
            "start": position(source.position(span.start)),
            "end": position(source.position(span.end)),
        })
    })
}

fn position(position: Position) -> Value {
    json!({ "line": position.line, "column": position.column })
}
