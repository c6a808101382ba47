//! Functions and procedures, by name or by name and arguments.

use tokio_postgres::types::Type;

use super::relation::{capitals, schema_and_name};
use super::{Auditor, get, is_forbidden};
use crate::engine::database::Standing;
use crate::engine::failure::Failure;
use crate::sql::ident::quote_ident;

const BY_NAME: &str = "\
    SELECT array_agg(pg_get_function_identity_arguments(p.oid) ORDER BY p.oid) FILTER (WHERE p.proname = w.name::name), \
        min(p.proname::text) FILTER (WHERE p.proname <> w.name::name) \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, n) \
    LEFT JOIN (pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace) \
        ON (p.proname = w.name::name OR lower(p.proname) = lower(w.name)) \
        AND (s.nspname = w.schema::name OR w.schema IS NULL AND s.nspname = ANY (current_schemas(true))) \
    GROUP BY w.n ORDER BY w.n";

impl Auditor<'_> {
    pub(super) async fn functions(&self) -> Result<Vec<Standing>, Failure> {
        let (mut standings, mut places) = (Vec::new(), Vec::new());
        let (mut schemas, mut names) = (Vec::new(), Vec::new());
        for text in &self.wanted.functions {
            let name = text.split_once('(').map_or(text.as_str(), |(name, _)| name);
            standings.push(match schema_and_name(name, self.wanted.schema.as_deref()) {
                Ok((schema, name)) => {
                    places.push((standings.len(), text));
                    schemas.push(schema);
                    names.push(name);
                    Standing::Missing(None)
                }
                Err(why) => Standing::Missing(Some(why)),
            });
        }
        let values = [
            (&schemas as _, Type::TEXT_ARRAY),
            (&names as _, Type::TEXT_ARRAY),
        ];
        let rows = self.asked.tried(self.asked.rows(BY_NAME, &values)).await?;
        for (row, (index, (place, text))) in rows.iter().zip(places.into_iter().enumerate()) {
            let (same, near): (Option<Vec<String>>, Option<String>) = (get(row, 0)?, get(row, 1)?);
            let standing = match (same, text.split_once('(')) {
                (None, _) => Standing::Missing(near.as_deref().map(capitals)),
                (Some(_), None) => Standing::There,
                (Some(same), Some((_, arguments))) => {
                    let schema = schemas.get(index).cloned().flatten();
                    let prefix = schema.map_or(String::new(), |name| quote_ident(&name) + ".");
                    let name = names
                        .get(index)
                        .map_or(String::new(), |name| quote_ident(name));
                    let written = format!("{prefix}{name}({arguments}");
                    self.overload(&written, &same).await?
                }
            };
            if let Some(place) = standings.get_mut(place) {
                *place = standing;
            }
        }
        Ok(standings)
    }

    /// Finds the function with just these arguments among those of its name.
    async fn overload(&self, written: &str, same: &[String]) -> Result<Standing, Failure> {
        let values = [(&written as _, Type::TEXT)];
        let question = "SELECT to_regprocedure($1) IS NOT NULL";
        let answer = self.asked.tried(self.asked.rows(question, &values)).await;
        let there = match answer {
            Ok(rows) => rows.first().map_or(Ok(false), |row| get(row, 0))?,
            Err(failure) if is_forbidden(&failure) => {
                return Ok(Standing::Unseen(failure.message));
            }
            Err(failure)
                if failure
                    .sqlstate
                    .as_deref()
                    .is_some_and(|code| code.starts_with("42") || code.starts_with("22")) =>
            {
                return Ok(Standing::missing(failure.message));
            }
            Err(failure) => return Err(failure),
        };
        let same: Vec<String> = same.iter().map(|of| format!("({of})")).collect();
        Ok(if there {
            Standing::There
        } else {
            Standing::Other(format!("takes {}", same.join(" or ")))
        })
    }
}
