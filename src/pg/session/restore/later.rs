//! What was done to the same tables since, as the journal knows it.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::super::Session;
use super::Images;
use crate::engine::failure::Failure;

/// Captures of later transactions that are not put back, by their numbers.
pub(super) type Laters = HashMap<i64, Later>;

/// A capture of a later transaction.
pub(super) struct Later {
    pub(super) relation: String,
    /// Whose it is, in words.
    pub(super) by: String,
    /// Whether another run did it.
    pub(super) is_other: bool,
}

const LATERS: &str = "\
    SELECT c.id, c.relation, e.run <> $3, \
           pg_catalog.format('run %s, %s, by %s at %s', e.run, e.runbook, e.actor, date_trunc('second', e.at)) \
    FROM runbook.entry e JOIN runbook.capture c ON c.entry = e.id \
    WHERE e.id > $1 AND NOT e.undo AND c.relation = ANY ($2) \
      AND NOT EXISTS (SELECT FROM runbook.entry u WHERE (u.run, u.step, u.item, u.part, u.undo) = (e.run, e.step, e.item, e.part, true))";

impl Session {
    /// Finds what later transactions did to the tables. Files of images know nothing of one another.
    pub(super) async fn laters(&self, images: &Images) -> Result<Laters, Failure> {
        let Some(since) = &images.source.since else {
            return Ok(Laters::new());
        };
        let names: Vec<&str> = images
            .relations
            .iter()
            .map(|relation| relation.name.as_str())
            .collect();
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] = [
            (&since.entry, Type::INT8),
            (&names, Type::TEXT_ARRAY),
            (&since.run, Type::TEXT),
        ];
        let rows = self.ask(LATERS, &params).await?;
        let later = |row: &tokio_postgres::Row| {
            let later = Later {
                relation: row.get(1),
                is_other: row.get(2),
                by: row.get(3),
            };
            (row.get(0), later)
        };
        Ok(rows.iter().map(later).collect())
    }
}
