//! Whether the login may record changes: found out before a run starts, so that nobody is asked in vain.

use super::super::Session;
use super::schema::{LOCAL, not_made};
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;

/// Whether the login may make the journal where there is none; else whether it may write to it. Tables are named by
/// their ids: a name in a schema that the login may not use is an error.
const MAY: &str = "\
    SELECT (CASE WHEN n.id IS NULL THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') \
            ELSE pg_catalog.has_schema_privilege(n.id, 'USAGE') AND NOT EXISTS ( \
              SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.id AND c.relkind = 'r' \
                AND c.relname IN ('entry', 'capture', 'image', 'lease') \
                AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') \
                         AND pg_catalog.has_any_column_privilege(c.oid, 'INSERT'))) END)::text \
    FROM (SELECT pg_catalog.to_regnamespace('runbook')::oid AS id) AS n";

impl Session {
    /// Returns why the journal cannot be written to, whoever asks. A missing one can be made.
    pub fn journal_fault(&self) -> Option<Failure> {
        self.journal.usable().err()
    }

    /// Refuses a login that may not record changes in the journal.
    ///
    /// # Errors
    /// Who has to let it, and how; or the server's word.
    pub async fn refuse_unrecordable(&self) -> Result<(), Failure> {
        self.journal.usable()?;
        let rows = self.client.query_typed(MAY, &[]).await;
        let rows = rows.map_err(|error| failure::of(&error, MAY, 0))?;
        let may = rows.first().map(|row| row.get::<_, String>(0));
        if may.as_deref() == Some("true") {
            return Ok(());
        }
        let user = &self.target.user;
        if !self.is_journal_there() {
            let reason = format!("the login {user} may not make a schema");
            return Err(not_made(
                &Failure::new(FailureKind::Target, reason),
                user,
                &self.journal,
            )
            .note("nothing was run"));
        }
        Err(not_granted(user).note("nothing was run"))
    }
}

/// Says that the login may not write to the journal, and the ways out.
pub(super) fn not_granted(user: &str) -> Failure {
    Failure::new(
        FailureKind::Target,
        format!("the login {user} may not write to the journal, the schema `runbook`"),
    )
    .help(format!(
        "have its owner grant it: `runbook init --grant {user}`"
    ))
    .help(LOCAL)
}
