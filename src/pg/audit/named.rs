//! What has no more than a name: extensions and roles.

use tokio_postgres::types::Type;

use super::object::catalogued;
use super::{Auditor, get};
use crate::engine::database::Standing;
use crate::engine::failure::Failure;

const EXTENSIONS: &str = "\
    SELECT w.n, e.oid IS NOT NULL, CASE WHEN e.oid IS NULL THEN \
        EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = w.name::name) END \
    FROM unnest($1::text[]) WITH ORDINALITY AS w (name, n) \
    LEFT JOIN pg_catalog.pg_extension e ON e.extname = w.name::name ORDER BY w.n";

const ROLES: &str = "\
    SELECT w.n, r.oid IS NOT NULL FROM unnest($1::text[]) WITH ORDINALITY AS w (name, n) \
    LEFT JOIN pg_catalog.pg_roles r ON r.rolname = w.name::name ORDER BY w.n";

impl Auditor<'_> {
    pub(super) async fn extensions(&self) -> Result<Vec<Standing>, Failure> {
        let names: Vec<String> = self
            .wanted
            .extensions
            .iter()
            .map(|name| catalogued(name))
            .collect();
        let values = [(&names as _, Type::TEXT_ARRAY)];
        let rows = self.asked.rows(EXTENSIONS, &values).await?;
        let standing = |row| {
            let available: Option<bool> = get(row, 2)?;
            Ok(match (get(row, 1)?, available) {
                (true, _) => Standing::There,
                (false, Some(false)) => {
                    Standing::missing("the server does not have its files either")
                }
                (false, _) => Standing::Missing(None),
            })
        };
        rows.iter().map(standing).collect()
    }

    pub(super) async fn roles(&self) -> Result<Vec<Standing>, Failure> {
        let names: Vec<String> = self
            .wanted
            .roles
            .iter()
            .map(|name| catalogued(name))
            .collect();
        let values = [(&names as _, Type::TEXT_ARRAY)];
        let rows = self.asked.rows(ROLES, &values).await?;
        let standing = |row| {
            Ok(if get(row, 1)? {
                Standing::There
            } else {
                Standing::Missing(None)
            })
        };
        rows.iter().map(standing).collect()
    }
}
