//! Findings as SARIF 2.1.0, which code-scanning services and editors read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Checked, level, message};

/// Returns a log with one run.
pub(in crate::cli) fn sarif(all: &[Checked]) -> Value {
    let codes: BTreeSet<&str> = all
        .iter()
        .flat_map(|checked| &checked.diagnostics)
        .map(|diagnostic| diagnostic.code)
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = all
        .iter()
        .flat_map(|checked| {
            checked
                .diagnostics
                .iter()
                .map(move |diagnostic| result(checked, diagnostic))
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "runbook",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(checked: &Checked, diagnostic: &crate::base::diagnostic::Diagnostic) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&checked.file) } });
    if let Some((start, end)) = checked.place(diagnostic) {
        physical["region"] = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
    }
    json!({
        "ruleId": diagnostic.code,
        "level": level(diagnostic),
        "message": { "text": message(diagnostic) },
        "locations": [{ "physicalLocation": physical }],
    })
}

/// Returns a path as a URI reference: whatever is not plain is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
