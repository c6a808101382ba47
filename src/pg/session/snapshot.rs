//! A transaction of our own on the run's session, in which everything read is of one moment.

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;

/// Settings by which the same value can have another text, and a text can be another value.
const MEANINGS: [&str; 7] = [
    "datestyle",
    "intervalstyle",
    "timezone",
    "extra_float_digits",
    "bytea_output",
    "standard_conforming_strings",
    "xmloption",
];

/// Gives these settings the values that sessions begin with, whatever the run's own are, and has rows that
/// row-level security hides be an error. What counts rows is planned as if it were costly, and compiling it
/// would take longer than running it.
pub(in crate::pg) const TEXTS: &str = "\
    SET LOCAL standard_conforming_strings = on; \
    SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL row_security = off; \
    SET LOCAL jit = off";

/// How a transaction begins.
pub(in crate::pg) struct Beginning {
    /// The transaction, with the run's own settings.
    pub(in crate::pg) text: String,
    /// Whether a predicate may mean something else with [`TEXTS`] than with the run's own settings.
    pub(in crate::pg) differs: bool,
}

impl Session {
    /// Returns how a transaction of our own begins. `mode` follows `BEGIN`; the tables, with their schemas and
    /// quoted, are locked before the snapshot is taken: what is emptied later is still there then.
    ///
    /// # Errors
    /// A transaction is open already.
    pub(in crate::pg) fn beginning(
        &self,
        mode: &str,
        locked: &[String],
        limits: &Limits,
    ) -> Result<Beginning, Failure> {
        if self.depth > 0 {
            let message = "a backup was about to be made inside of a transaction";
            return Err(Failure::new(FailureKind::Unsupported, message)
                .help("take the `backup` step out of the `atomic`"));
        }
        let lock = match locked {
            [] => String::new(),
            tables => format!("; LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", ")),
        };
        let text = format!(
            "BEGIN {mode}; {}{lock}{}",
            self.time_limit(limits),
            self.local_settings()
        );
        let differs = self
            .local
            .iter()
            .any(|(name, _)| MEANINGS.iter().any(|one| name.eq_ignore_ascii_case(one)));
        Ok(Beginning { text, differs })
    }
}
