//! The time: the server's, and whether a statement asks for it, whose dates and times are new each time then.

use std::time::SystemTime;

use jiff::Timestamp;

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Bound;
use crate::pg::failure;

/// The time. A login says itself where its sessions look for functions: this one is the server's own.
const NOW: &str = "SELECT pg_catalog.clock_timestamp()";

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

impl Session {
    /// Returns the server's time.
    ///
    /// # Errors
    /// The server's word.
    pub async fn now(&self) -> Result<Timestamp, Failure> {
        let rows = self.client.query_typed(NOW, &[]).await;
        let rows = rows.map_err(|error| failure::of(&error, NOW, 0))?;
        let time = rows.first().map(|row| row.get::<_, SystemTime>(0));
        time.and_then(|time| Timestamp::try_from(time).ok())
            .ok_or_else(|| {
                Failure::new(FailureKind::Statement, "the server does not tell the time")
            })
    }
}
