//! Types as an author writes them, read by PostgreSQL itself.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::types::Type;

use super::{Asked, get};
use crate::engine::failure::Failure;
use crate::pg::failure;

/// What a cast describes is the base type of a domain; `to_regtype` knows the domain, but no length.
const RESOLVE: &str = "\
    SELECT w.text, r.oid, r.typmod, format_type(r.oid, r.typmod) \
    FROM unnest($1::text[], $2::oid[], $3::int4[]) AS w (text, described, typmod) \
    CROSS JOIN LATERAL (SELECT to_regtype(w.text)::oid AS oid, \
        CASE WHEN to_regtype(w.text)::oid = w.described THEN w.typmod ELSE -1 END AS typmod) AS r";

/// A type, or why there is none.
pub(super) enum Kind {
    /// It is known.
    Known {
        /// Its OID, and its length or precision.
        kind: (u32, i32),
        /// As PostgreSQL writes it.
        shown: String,
    },
    /// Why it is not.
    Unknown(String),
}

impl Asked<'_> {
    /// Has PostgreSQL read types.
    pub(super) async fn kinds(
        &self,
        texts: BTreeSet<&str>,
    ) -> Result<HashMap<String, Kind>, Failure> {
        let mut kinds = HashMap::new();
        let (mut known, mut described, mut modifiers) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            match self.tried(self.describe(text)).await {
                Ok(Some((oid, modifier))) => {
                    known.push(text.to_owned());
                    described.push(oid);
                    modifiers.push(modifier);
                }
                Ok(None) => {
                    kinds.insert(text.to_owned(), Kind::Unknown(format!("{text} is no type")));
                }
                Err(failure) => {
                    let why = match failure.sqlstate.as_deref() {
                        Some("42704") => format!("there is no type {text}"),
                        Some("42601") => format!("{text} is no type"),
                        Some(code) if code.starts_with("22") || code.starts_with("42") => {
                            format!("{text} is no type: {}", failure.message)
                        }
                        Some("3F000") => format!("there is no type {text}: {}", failure.message),
                        _ => return Err(failure),
                    };
                    kinds.insert(text.to_owned(), Kind::Unknown(why));
                }
            }
        }
        if known.is_empty() {
            return Ok(kinds);
        }
        let values = [
            (&known as _, Type::TEXT_ARRAY),
            (&described as _, Type::OID_ARRAY),
            (&modifiers as _, Type::INT4_ARRAY),
        ];
        for row in &self.rows(RESOLVE, &values).await? {
            let text: String = get(row, 0)?;
            let oid: Option<u32> = get(row, 1)?;
            let kind = match oid {
                Some(oid) => Kind::Known {
                    kind: (oid, get(row, 2)?),
                    shown: get(row, 3)?,
                },
                None => Kind::Unknown(format!("there is no type {text}")),
            };
            kinds.insert(text, kind);
        }
        Ok(kinds)
    }

    /// Returns the OID and modifier of a type. The statement is described and never run: whatever the text is,
    /// nothing happens by it.
    async fn describe(&self, text: &str) -> Result<Option<(u32, i32)>, Failure> {
        let cast = format!("SELECT NULL::{text}");
        let prepared = self.client.prepare(&cast).await;
        let prepared = prepared.map_err(|error| failure::of(&error, &cast, 0))?;
        Ok(match (prepared.columns(), prepared.params()) {
            ([only], []) => Some((only.type_().oid(), only.type_modifier())),
            _ => None,
        })
    }
}
