//! A statement that runs outside of transactions: PostgreSQL allows it only there, or it acts at once anyway.

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Bound, Limits};
use crate::pg::{bind, failure};
use crate::sql::ident::quote_literal;

/// What such statements do is slow by nature: an index that is built concurrently waits for every transaction that
/// is open, and it does so by a lock. Only the step's own time-out ends it.
const PATIENT: [(&str, &str); 2] = [("statement_timeout", "0"), ("lock_timeout", "0")];

impl Session {
    /// Runs a statement outside of transactions, with the settings of the run.
    ///
    /// # Errors
    /// The server's word.
    pub async fn act(&mut self, bound: &Bound, limits: &Limits) -> Result<(), Failure> {
        if self.depth > 0 {
            let message = "a statement that cannot run in a transaction was about to run in one";
            return Err(Failure::new(FailureKind::Unsupported, message)
                .help("please report it: it is a defect"));
        }
        self.forget();
        let patient = PATIENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings: Vec<(String, String)> =
            patient.into_iter().chain(self.local.clone()).collect();
        let before = self.answered(self.current(&settings)).await?;
        self.answered(self.batch(&set(&settings))).await?;
        self.begin_watch();
        let text = bound.statement.text();
        let params = bind::params(&bound.binds);
        let work = async {
            self.client
                .execute_typed(text, &bind::borrowed(&params))
                .await
                .map(|_| ())
                .map_err(|error| failure::of(&error, text, 0))
        };
        let result = self.guarded(limits, work).await;
        self.end_watch();
        let restored = self.answered(self.batch(&set(&before))).await;
        self.broken |= restored.is_err();
        result.and(restored)
    }

    /// Returns what settings are now; those that nobody set are empty.
    async fn current(
        &self,
        settings: &[(String, String)],
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut current = Vec::new();
        for (name, _) in settings {
            let sql = format!(
                "SELECT coalesce(current_setting({}, true), '')",
                quote_literal(name)
            );
            let row = self.client.query_typed(&sql, &[]).await;
            let row = row.map_err(|error| failure::of(&error, &sql, 0))?;
            let value: Option<String> = row.first().and_then(|row| row.get(0));
            current.push((name.clone(), value.unwrap_or_default()));
        }
        // A setting that is set twice is what it was before the first.
        current.reverse();
        Ok(current)
    }
}

fn set(settings: &[(String, String)]) -> String {
    let each = |(name, value): &(String, String)| {
        let (name, value) = (quote_literal(name), quote_literal(value));
        format!("SELECT set_config({name}, {value}, false)")
    };
    settings
        .iter()
        .map(each)
        .collect::<Vec<String>>()
        .join("; ")
}
