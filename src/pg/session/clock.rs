//! The time: the server's, and whether a statement asks for it, whose dates and times are new each time then.

use jiff::Timestamp;

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Bound;
use crate::pg::failure;

/// The time in microseconds since 1970.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text";

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
        let micros = rows.first().map(|row| row.get::<_, String>(0));
        micros
            .and_then(|micros| Timestamp::from_microsecond(micros.parse().ok()?).ok())
            .ok_or_else(|| {
                Failure::new(FailureKind::Statement, "the server does not tell the time")
            })
    }
}
