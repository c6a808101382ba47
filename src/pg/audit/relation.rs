//! Tables and indexes: found by their names as PostgreSQL finds them.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::types::Type;

use super::{Asked, Auditor, get};
use crate::engine::database::{Standing, Wanted};
use crate::engine::failure::Failure;
use crate::sql::ident::{name_parts, quote_ident};

/// The catalogs are asked, and not `to_regclass`: it fails for names in schemas that the login may not use.
const FIND: &str = "\
    SELECT w.n, c.oid, c.relkind::text, c.relrowsecurity, c.written, c.indisvalid, c.indisready \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, n) \
    CROSS JOIN LATERAL ( \
        SELECT c.oid, c.relkind, c.relrowsecurity, format('%I.%I', s.nspname, c.relname) AS written, \
            i.indisvalid, i.indisready \
        FROM pg_catalog.pg_class c \
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
        LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
        WHERE c.relname = w.name::name \
        AND (s.nspname = w.schema::name OR w.schema IS NULL AND s.nspname = ANY (current_schemas(true))) \
        ORDER BY array_position(current_schemas(true), s.nspname) LIMIT 1 \
    ) AS c ORDER BY w.n";

/// What there is instead: the same letters in capitals, the same name in another schema, no such schema.
const NEAR: &str = "\
    SELECT w.n, s.oid IS NULL AND w.schema IS NOT NULL, c.schema, c.name, c.name = w.name \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, n) \
    LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = w.schema::name \
    LEFT JOIN ( \
        SELECT lower(c.relname) AS folded, s.nspname::text AS schema, c.relname::text AS name \
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace \
        WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema' \
    ) AS c ON c.folded = lower(w.name) \
    AND (c.schema = w.schema OR w.schema IS NULL AND (c.name = w.name OR c.schema = ANY (current_schemas(false)))) \
    ORDER BY w.n, c.schema, c.name";

/// A table, an index, or what else has a name among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    /// Its OID.
    pub(super) oid: u32,
    /// What `pg_class` calls its kind.
    kind: String,
    row_security: bool,
    /// Its name, with its schema, as SQL writes it.
    pub(super) written: String,
    /// Of an index: whether it is valid, and ready.
    index: Option<(bool, bool)>,
}

impl Relation {
    /// Returns whether it has rows of its own.
    fn is_table(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "p" | "f")
    }

    fn word(&self) -> &'static str {
        match self.kind.as_str() {
            "i" | "I" => "an index",
            "S" => "a sequence",
            "v" => "a view",
            "m" => "a materialized view",
            "c" => "a composite type",
            _ => "a table",
        }
    }
}

/// A relation, or why there is none.
pub(super) type Lookup = Result<Relation, Option<String>>;

impl Asked<'_> {
    /// Finds all tables and indexes that are named.
    pub(super) async fn relations(
        &self,
        wanted: &Wanted,
    ) -> Result<HashMap<String, Lookup>, Failure> {
        let texts = texts(wanted);
        let mut found: HashMap<String, Lookup> = HashMap::new();
        let mut names = Vec::new();
        for text in texts {
            match schema_and_name(text, wanted.schema.as_deref()) {
                Ok((schema, name)) => names.push((text, schema, name)),
                Err(why) => {
                    found.insert(text.to_owned(), Err(Some(why)));
                }
            }
        }
        let mut missing = Vec::new();
        let known = self.find(&names).await?;
        for (number, name) in (1..).zip(names) {
            match known.get(&number) {
                Some(relation) => {
                    found.insert(name.0.to_owned(), Ok(relation.clone()));
                }
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            let near = self.near(&missing).await?;
            for (number, (text, ..)) in (1..).zip(&missing) {
                found.insert((*text).to_owned(), Err(near.get(&number).cloned()));
            }
        }
        Ok(found)
    }

    async fn find(
        &self,
        names: &[(&str, Option<String>, String)],
    ) -> Result<HashMap<i64, Relation>, Failure> {
        let (schemas, names) = columns(names);
        let values = [
            (&schemas as _, Type::TEXT_ARRAY),
            (&names as _, Type::TEXT_ARRAY),
        ];
        let rows = self.rows(FIND, &values).await?;
        let relation = |row| {
            let (valid, ready): (Option<bool>, Option<bool>) = (get(row, 5)?, get(row, 6)?);
            let relation = Relation {
                oid: get(row, 1)?,
                kind: get(row, 2)?,
                row_security: get(row, 3)?,
                written: get(row, 4)?,
                index: valid.zip(ready),
            };
            Ok((get(row, 0)?, relation))
        };
        rows.iter().map(relation).collect()
    }

    /// Returns what is to say of names that nothing has.
    async fn near(
        &self,
        names: &[(&str, Option<String>, String)],
    ) -> Result<HashMap<i64, String>, Failure> {
        let (schemas, wanted) = columns(names);
        let values = [
            (&schemas as _, Type::TEXT_ARRAY),
            (&wanted as _, Type::TEXT_ARRAY),
        ];
        let mut near: HashMap<i64, String> = HashMap::new();
        for row in &self.rows(NEAR, &values).await? {
            let number: i64 = get(row, 0)?;
            let no_schema: bool = get(row, 1)?;
            let (schema, name): (Option<String>, Option<String>) = (get(row, 2)?, get(row, 3)?);
            let same: Option<bool> = get(row, 4)?;
            let index = usize::try_from(number - 1).unwrap_or_default();
            let wanted = schemas.get(index).cloned().flatten();
            let why = match (no_schema, schema, name) {
                (true, ..) => {
                    let schema = wanted.unwrap_or_default();
                    format!("there is no schema {}", quote_ident(&schema))
                }
                (_, Some(schema), Some(name)) if same == Some(true) => format!(
                    "there is {}.{}, which the search path does not reach",
                    quote_ident(&schema),
                    quote_ident(&name)
                ),
                (_, _, Some(name)) => capitals(&name),
                _ => continue,
            };
            near.entry(number).or_insert(why);
        }
        Ok(near)
    }
}

/// Says that a name differs by its capitals only.
pub(super) fn capitals(name: &str) -> String {
    format!(
        "there is {}: capitals count in double quotes only",
        quote_ident(name)
    )
}

type Columns = (Vec<Option<String>>, Vec<String>);

fn columns(names: &[(&str, Option<String>, String)]) -> Columns {
    let each = names.iter();
    each.map(|(_, schema, name)| (schema.clone(), name.clone()))
        .unzip()
}

/// Returns the texts that name tables and indexes, each once.
fn texts(wanted: &Wanted) -> BTreeSet<&str> {
    let lists = [&wanted.tables, &wanted.indexes, &wanted.row_security];
    let under = wanted.constraints.iter().chain(&wanted.triggers);
    let columns = wanted.columns.iter().map(|(table, _)| table);
    let rows = wanted.rows.iter().map(|(table, _)| table);
    let keys = under.map(|(table, _)| table).chain(columns).chain(rows);
    lists
        .into_iter()
        .flatten()
        .chain(keys)
        .map(String::as_str)
        .collect()
}

const NO_NAME: &str = "is no name: what is more than letters, digits and _ stands in double quotes";

/// Takes a name apart; one without a schema has the default one.
///
/// # Errors
/// It is no name: what is wrong with it.
pub(super) fn schema_and_name(
    text: &str,
    default: Option<&str>,
) -> Result<(Option<String>, String), String> {
    let mut parts = name_parts(text).ok_or(NO_NAME)?;
    if parts.len() > 2 {
        return Err("is more than a schema and a name".to_owned());
    }
    let name = parts.pop().unwrap_or_default();
    let schema = match (parts.pop(), default) {
        (Some(schema), _) => Some(schema),
        (None, Some(default)) => {
            let mut parts =
                name_parts(default).ok_or_else(|| format!("the schema {default} {NO_NAME}"))?;
            parts.pop()
        }
        (None, None) => None,
    };
    Ok((schema, name))
}

impl Auditor<'_> {
    /// Returns a relation, or that it is missing.
    pub(super) fn relation(&self, text: &str) -> Result<&Relation, Standing> {
        match self.relations.get(text) {
            Some(Ok(relation)) => Ok(relation),
            Some(Err(why)) => Err(Standing::Missing(why.clone())),
            None => Err(Standing::Missing(None)),
        }
    }

    /// Returns the table that something belongs to, or that the thing is missing with it.
    pub(super) fn owner(&self, text: &str) -> Result<&Relation, Standing> {
        self.relation(text)
            .map_err(|_| Standing::missing(format!("there is no table {text}")))
    }

    pub(super) fn tables(&self) -> Vec<Standing> {
        let standing = |text: &String| match self.relation(text) {
            Ok(relation) if relation.is_table() => Standing::There,
            Ok(relation) => Standing::Other(format!("is {}", relation.word())),
            Err(missing) => missing,
        };
        self.wanted.tables.iter().map(standing).collect()
    }

    pub(super) fn row_security(&self) -> Vec<Standing> {
        let standing = |text: &String| match self.owner(text) {
            Ok(relation) if relation.row_security => Standing::There,
            Ok(_) => Standing::Other("is disabled".to_owned()),
            Err(missing) => missing,
        };
        self.wanted.row_security.iter().map(standing).collect()
    }

    pub(super) fn indexes(&self) -> Vec<Standing> {
        let standing = |text: &String| match self.relation(text) {
            Ok(relation) => match relation.index {
                Some((true, true)) => Standing::There,
                Some((false, _)) => Standing::Other("is invalid".to_owned()),
                Some((true, false)) => Standing::Other("is not ready".to_owned()),
                None => Standing::Other(format!("is {}", relation.word())),
            },
            Err(missing) => missing,
        };
        self.wanted.indexes.iter().map(standing).collect()
    }
}
