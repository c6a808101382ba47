//! Whether a statement asks for the time: its dates and times are new each time then.

use crate::engine::port::Bound;

const CLOCKS: [&str; 6] = [
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "age",
];

const KEYWORDS: [&str; 4] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "LOCALTIME",
];

/// Returns whether a statement asks for the time.
pub(super) fn is_asked(bound: &Bound) -> bool {
    let text = bound.statement.text().to_uppercase();
    let mut calls = bound.statement.functions().iter();
    calls.any(|call| CLOCKS.contains(&call.name.as_str()))
        || KEYWORDS.iter().any(|word| text.contains(word))
}
