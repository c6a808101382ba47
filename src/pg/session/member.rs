//! Who is a member of which role, as the server says it: of the login, whatever role its sessions take on.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::Session;
use crate::engine::failure::Failure;
use crate::pg::failure;

/// What the server knows of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Whether there is such a role.
    pub exists: bool,
    /// Whether the login is a member of it.
    pub member: bool,
    /// The logins that were made members of it, directly or by other roles, and the role itself where it may log in.
    /// Superusers, who count as members of every role, are there only where somebody made them members.
    pub logins: Vec<String>,
}

/// What everybody may read. Names are qualified: a login says itself where its sessions look for functions.
const ROLES: &str = "\
    WITH RECURSIVE wanted AS (SELECT pg_catalog.unnest($1::text[]) AS name), \
    members AS ( \
      SELECT r.oid AS role, r.oid AS member FROM pg_catalog.pg_roles r JOIN wanted w ON r.rolname::text = w.name \
      UNION \
      SELECT m.role, a.member FROM members m JOIN pg_catalog.pg_auth_members a ON a.roleid = m.member) \
    SELECT w.name, (r.oid IS NOT NULL)::text, \
           coalesce(pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'), false)::text, \
           ARRAY(SELECT l.rolname::text FROM members m JOIN pg_catalog.pg_roles l ON l.oid = m.member \
                 WHERE m.role = r.oid AND l.rolcanlogin ORDER BY 1) \
    FROM wanted w LEFT JOIN pg_catalog.pg_roles r ON r.rolname::text = w.name";

impl Session {
    /// Returns what the server knows of roles, by their names.
    ///
    /// # Errors
    /// The server's word.
    pub async fn roles(&self, names: &[&str]) -> Result<BTreeMap<String, Role>, Failure> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = self
            .client
            .query_typed(ROLES, &[(&names, Type::TEXT_ARRAY)])
            .await
            .map_err(|error| failure::of(&error, ROLES, 0))?;
        let role = |row: &tokio_postgres::Row| {
            let is_true = |index: usize| row.get::<_, &str>(index) == "true";
            let role = Role {
                exists: is_true(1),
                member: is_true(2),
                logins: row.get(3),
            };
            (row.get(0), role)
        };
        Ok(rows.iter().map(role).collect())
    }
}
