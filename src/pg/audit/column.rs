//! Columns, and their types.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::kind::Kind;
use super::object::catalogued;
use super::relation::capitals;
use super::{Auditor, get};
use crate::engine::database::Standing;
use crate::engine::failure::Failure;

const FIND: &str = "\
    SELECT w.n, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), \
        (SELECT b.attname::text FROM pg_catalog.pg_attribute b WHERE a.attnum IS NULL AND b.attrelid = w.relation \
            AND b.attnum > 0 AND NOT b.attisdropped AND lower(b.attname) = lower(w.name) LIMIT 1) \
    FROM unnest($1::oid[], $2::text[]) WITH ORDINALITY AS w (relation, name, n) \
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = w.relation AND a.attname = w.name::name \
        AND a.attnum > 0 AND NOT a.attisdropped ORDER BY w.n";

/// A column that is there.
struct Column {
    kind: (u32, i32),
    shown: String,
}

/// A column that is looked for in a table that is there.
struct Sought<'a> {
    place: usize,
    name: String,
    kind: Option<&'a str>,
}

impl Auditor<'_> {
    pub(super) async fn columns(&self) -> Result<Vec<Standing>, Failure> {
        let (mut standings, mut relations, mut sought) = (Vec::new(), Vec::new(), Vec::new());
        for (table, columns) in &self.wanted.columns {
            let owner = self.owner(table);
            for (name, kind) in columns {
                standings.push(match &owner {
                    Ok(owner) => {
                        relations.push(owner.oid);
                        sought.push(Sought {
                            place: standings.len(),
                            name: catalogued(name),
                            kind: kind.as_deref(),
                        });
                        Standing::Missing(None)
                    }
                    Err(missing) => missing.clone(),
                });
            }
        }
        let columns = self.find(&relations, &sought).await?;
        // A type that is written as PostgreSQL writes it needs no question.
        let unclear = sought.iter().zip(&columns).filter_map(|(sought, column)| {
            let column = column.as_ref().ok()?;
            sought.kind.filter(|kind| *kind != column.shown)
        });
        let kinds = self.asked.kinds(unclear.collect()).await?;
        for (sought, column) in sought.iter().zip(columns) {
            if let Some(standing) = standings.get_mut(sought.place) {
                *standing = match column {
                    Ok(column) => judge(&column, sought.kind, &kinds),
                    Err(missing) => missing,
                };
            }
        }
        Ok(standings)
    }

    async fn find(
        &self,
        relations: &Vec<u32>,
        sought: &[Sought<'_>],
    ) -> Result<Vec<Result<Column, Standing>>, Failure> {
        let names: Vec<&str> = sought.iter().map(|sought| sought.name.as_str()).collect();
        let values = [
            (relations as _, Type::OID_ARRAY),
            (&names as _, Type::TEXT_ARRAY),
        ];
        let rows = self.asked.rows(FIND, &values).await?;
        let column = |row| {
            let oid: Option<u32> = get(row, 1)?;
            let Some(oid) = oid else {
                let near: Option<String> = get(row, 4)?;
                return Ok(Err(Standing::Missing(near.as_deref().map(capitals))));
            };
            Ok(Ok(Column {
                kind: (oid, get(row, 2)?),
                shown: get(row, 3)?,
            }))
        };
        rows.iter().map(column).collect()
    }
}

fn judge(column: &Column, wanted: Option<&str>, kinds: &HashMap<String, Kind>) -> Standing {
    let Some(wanted) = wanted.filter(|wanted| *wanted != column.shown) else {
        return Standing::There;
    };
    match kinds.get(wanted) {
        Some(Kind::Known { kind, .. }) if *kind == column.kind => Standing::There,
        Some(Kind::Known { shown, .. }) => {
            Standing::Other(format!("is {}, not {shown}", column.shown))
        }
        Some(Kind::Unknown(why)) => Standing::Other(format!("is {}; {why}", column.shown)),
        None => Standing::Other(format!("is {}, not {wanted}", column.shown)),
    }
}
