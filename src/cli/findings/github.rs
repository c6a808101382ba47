//! Findings as commands for GitHub's workflows, which shows them beside the lines of a change.

use std::fmt::Write as _;

use super::{Checked, level, message};

/// Returns one command a finding.
pub(in crate::cli) fn github(all: &[Checked]) -> String {
    let mut text = String::new();
    for checked in all {
        for diagnostic in &checked.diagnostics {
            let mut properties = format!("file={}", property(&checked.file));
            if let Some((start, end)) = checked.place(diagnostic) {
                let _ = write!(
                    properties,
                    ",line={},endLine={},col={},endColumn={}",
                    start.line, end.line, start.column, end.column
                );
            }
            let _ = writeln!(
                text,
                "::{} {properties},title={}::{}",
                level(diagnostic),
                property(diagnostic.code),
                data(&message(diagnostic))
            );
        }
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
