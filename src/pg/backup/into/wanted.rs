//! Which tables of a backup are meant by names as a person writes them.

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::super::refused;
use crate::archive::manifest::{Manifest, Table};
use crate::base::words;
use crate::engine::failure::Failure;
use crate::pg::failure;

/// Names are read as SQL does; a name without a schema is of any.
const FIND: &str = "\
    SELECT u.name, ARRAY(SELECT r.place::int - 1 FROM unnest($2::text[]) WITH ORDINALITY AS r(name, place) \
      WHERE parse_ident(r.name) = parse_ident(u.name) \
        OR cardinality(parse_ident(u.name)) = 1 AND (parse_ident(r.name))[2] = (parse_ident(u.name))[1] ORDER BY r.place) \
    FROM unnest($1::text[]) WITH ORDINALITY AS u(name, place) ORDER BY u.place";

/// Finds tables of a backup by name, each once, in the backup's order.
///
/// # Errors
/// The backup has none of a name, or several.
pub(in crate::pg) async fn wanted<'a>(
    client: &Client,
    manifest: &'a Manifest,
    names: &[String],
) -> Result<Vec<&'a Table>, Failure> {
    let known: Vec<&str> = manifest
        .tables
        .iter()
        .map(|table| table.relation.as_str())
        .collect();
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&names, Type::TEXT_ARRAY), (&known, Type::TEXT_ARRAY)];
    let rows = client
        .query_typed(FIND, &params)
        .await
        .map_err(|error| failure::of(&error, FIND, FIND.len()))?;
    let mut places = Vec::new();
    for row in &rows {
        let name: String = row.get(0);
        let found: Vec<i32> = row.get(1);
        match found.as_slice() {
            [] => return Err(missing(&name, &known, manifest)),
            [one] => places.push(usize::try_from(*one).unwrap_or_default()),
            _ => {
                return Err(refused(format!(
                    "the backup {} has several tables {name}",
                    manifest.id
                ))
                .help("name the schema too: schema.table"));
            }
        }
    }
    let tables = manifest.tables.iter().enumerate();
    Ok(tables
        .filter(|(place, _)| places.contains(place))
        .map(|(_, table)| table)
        .collect())
}

fn missing(name: &str, known: &[&str], manifest: &Manifest) -> Failure {
    let failure = refused(format!("the backup {} has no table {name}", manifest.id))
        .note(format!("it has {}", words::list(known)));
    match words::did_you_mean(name, known.iter().copied()) {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// Finds the only table of a name.
///
/// # Errors
/// As [`wanted`].
pub(in crate::pg) async fn one<'a>(
    client: &Client,
    manifest: &'a Manifest,
    name: &str,
) -> Result<&'a Table, Failure> {
    let found = wanted(client, manifest, &[name.to_owned()]).await?;
    let first = found.first().copied();
    first.ok_or_else(|| missing(name, &[], manifest))
}
