//! Whether the login may record changes: found out before a run starts, so that nobody is asked in vain.

use super::super::Session;
use super::Keeping;
use super::schema::{LOCAL, Standing, not_made};
use crate::engine::event::TargetFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;

/// Whether the login may make the journal where there is none, bring an older one up to date, or else write to it.
/// Tables are named by their ids: a name in a schema that the login may not use is an error.
const MAY: &str = "\
    SELECT coalesce(pg_catalog.pg_has_role(n.nspowner, 'USAGE'), \
                    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'))::text, \
           (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND NOT EXISTS ( \
              SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'r' \
                AND c.relname IN ('entry', 'capture', 'image', 'lease') \
                AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') \
                         AND pg_catalog.has_any_column_privilege(c.oid, 'INSERT'))))::text \
    FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'runbook'";

impl Session {
    /// Returns why the journal cannot be written to, whoever asks. A missing one can be made.
    pub fn journal_fault(&self) -> Option<Failure> {
        self.journal.usable().err()
    }

    /// Returns whether the journal is of an earlier version of the program.
    pub fn is_journal_old(&self) -> bool {
        matches!(self.journal, Standing::Older(_))
    }

    /// Refuses a login that may not record changes in the journal.
    ///
    /// # Errors
    /// Who has to let it, and how; or the server's word.
    pub async fn refuse_unrecordable(&self) -> Result<(), Failure> {
        let keeping = self.writer.as_ref().map(|writer| &writer.keeping);
        if matches!(keeping, Some(Keeping::Local(_))) {
            return Ok(());
        }
        self.journal.usable()?;
        let rows = self.client.query_typed(MAY, &[]).await;
        let rows = rows.map_err(|error| failure::of(&error, MAY, 0))?;
        let may = |column: usize| {
            let text = rows
                .first()
                .and_then(|row| row.get::<_, Option<String>>(column));
            text.as_deref() == Some("true")
        };
        let user = self.target.acts_as();
        let refused = match &self.journal {
            Standing::Current if may(1) => return Ok(()),
            Standing::Missing | Standing::Older(_) if may(0) => return Ok(()),
            Standing::Current => not_granted(&self.target),
            standing => {
                let reason = match standing {
                    Standing::Older(_) => format!("the login {user} does not own it"),
                    _ => format!("the login {user} may not make a schema"),
                };
                not_made(
                    &Failure::new(FailureKind::Target, reason),
                    &self.target,
                    standing,
                )
            }
        };
        Err(refused)
    }
}

/// Says that the login may not write to the journal, and the ways out.
pub(super) fn not_granted(target: &TargetFacts) -> Failure {
    let (user, flag) = (target.acts_as(), target.flag());
    Failure::new(
        FailureKind::Target,
        format!("the login {user} may not write to the journal, the schema `runbook`"),
    )
    .help(format!(
        "have its owner grant it: `runbook init{flag} --grant {user}`"
    ))
    .help(LOCAL)
}
