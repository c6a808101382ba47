//! What belongs to a table beside its columns: constraints and triggers.

use tokio_postgres::types::Type;

use super::relation::capitals;
use super::{Auditor, get};
use crate::engine::database::{OfTable, Standing};
use crate::engine::failure::Failure;
use crate::sql::ident::name_parts;

const CONSTRAINTS: &str = "\
    SELECT w.n, CASE WHEN c.conname IS NULL THEN NULL WHEN c.convalidated THEN 'there' ELSE 'is not validated' END, \
        (SELECT b.conname::text FROM pg_catalog.pg_constraint b WHERE c.conname IS NULL AND b.conrelid = w.relation \
            AND lower(b.conname) = lower(w.name) LIMIT 1) \
    FROM unnest($1::oid[], $2::text[]) WITH ORDINALITY AS w (relation, name, n) \
    LEFT JOIN pg_catalog.pg_constraint c ON c.conrelid = w.relation AND c.conname = w.name::name ORDER BY w.n";

/// A partition's copy of a trigger counts, whatever the version says of it being internal.
const TRIGGERS: &str = "\
    SELECT w.n, CASE t.tgenabled WHEN 'O' THEN 'there' WHEN 'A' THEN 'there' WHEN 'D' THEN 'is disabled' \
        WHEN 'R' THEN 'is enabled on replicas only' END, \
        (SELECT b.tgname::text FROM pg_catalog.pg_trigger b WHERE t.tgname IS NULL AND b.tgrelid = w.relation \
            AND lower(b.tgname) = lower(w.name) LIMIT 1) \
    FROM unnest($1::oid[], $2::text[]) WITH ORDINALITY AS w (relation, name, n) \
    LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name::name \
        AND (NOT t.tgisinternal OR t.tgparentid <> 0) ORDER BY w.n";

impl Auditor<'_> {
    pub(super) async fn constraints(&self) -> Result<Vec<Standing>, Failure> {
        self.under(CONSTRAINTS, &self.wanted.constraints).await
    }

    pub(super) async fn triggers(&self) -> Result<Vec<Standing>, Failure> {
        self.under(TRIGGERS, &self.wanted.triggers).await
    }

    /// Looks at what tables have by name.
    async fn under(
        &self,
        question: &str,
        wanted: &[OfTable<String>],
    ) -> Result<Vec<Standing>, Failure> {
        let (mut relations, mut names, mut standings) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Vec::new();
        for (table, of) in wanted {
            let owner = self.owner(table);
            for name in of {
                match &owner {
                    Ok(owner) => {
                        relations.push(owner.oid);
                        names.push(catalogued(name));
                        places.push(standings.len());
                        standings.push(Standing::Missing(None));
                    }
                    Err(missing) => standings.push(missing.clone()),
                }
            }
        }
        let values = [
            (&relations as _, Type::OID_ARRAY),
            (&names as _, Type::TEXT_ARRAY),
        ];
        for (row, place) in self.asked.rows(question, &values).await?.iter().zip(places) {
            let (is, near): (Option<String>, Option<String>) = (get(row, 1)?, get(row, 2)?);
            if let Some(standing) = standings.get_mut(place) {
                *standing = match is.as_deref() {
                    Some("there") => Standing::There,
                    Some(other) => Standing::Other(other.to_owned()),
                    None => Standing::Missing(near.as_deref().map(capitals)),
                };
            }
        }
        Ok(standings)
    }
}

/// Returns a name as the catalog knows it; a text that is no name stands for itself.
pub(super) fn catalogued(text: &str) -> String {
    match name_parts(text).as_deref() {
        Some([only]) => only.clone(),
        _ => text.to_owned(),
    }
}
