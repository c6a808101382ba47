//! What belongs to a database and not to what is in it: owner, rights, comment, limits, and settings of its
//! sessions, for all roles and for some.

use tokio_postgres::Client;

use crate::engine::failure::Failure;
use crate::pg::backup::maintenance::{field, rows};

/// Statements that give the database `$2` what the database `$1` has. The comment comes first and always: its lock
/// keeps others from taking the new one for a leftover. Values of settings that are lists of names are quoted
/// already, where they are kept.
const STATEMENTS: &str = "\
    WITH old AS (SELECT * FROM pg_database WHERE datname = $1), \
    new AS (SELECT * FROM pg_database WHERE datname = $2), \
    rights AS (SELECT n.datname AS name, a.* FROM old o CROSS JOIN new n CROSS JOIN aclexplode(o.datacl) a), \
    settings AS (SELECT n.datname AS name, s.setrole, split_part(c.c, '=', 1) AS setting, substr(c.c, strpos(c.c, '=') + 1) AS value, c.n AS nth \
      FROM old o CROSS JOIN new n JOIN pg_db_role_setting s ON s.setdatabase = o.oid CROSS JOIN unnest(s.setconfig) WITH ORDINALITY AS c(c, n)) \
    SELECT text FROM ( \
      SELECT 1 AS place, 0 AS nth, format('COMMENT ON DATABASE %I IS %L', n.datname, shobj_description(o.oid, 'pg_database')) AS text \
        FROM old o CROSS JOIN new n \
      UNION ALL SELECT 2, 0, format('ALTER DATABASE %I OWNER TO %I', n.datname, pg_get_userbyid(o.datdba)) \
        FROM old o JOIN new n ON n.datdba <> o.datdba \
      UNION ALL SELECT 3, 0, format('ALTER DATABASE %I CONNECTION LIMIT %s', n.datname, o.datconnlimit) \
        FROM old o JOIN new n ON n.datconnlimit <> o.datconnlimit \
      UNION ALL SELECT 4, 0, format('ALTER DATABASE %I IS_TEMPLATE true', n.datname) \
        FROM old o CROSS JOIN new n WHERE o.datistemplate \
      UNION ALL SELECT 5, 0, format('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I', n.datname, pg_get_userbyid(o.datdba)) \
        FROM old o CROSS JOIN new n WHERE o.datacl IS NOT NULL \
      UNION ALL SELECT 6, 0, format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, name, \
          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, \
          CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM rights \
      UNION ALL SELECT 7, nth, format('ALTER %s SET %s TO %s', \
          CASE setrole WHEN 0 THEN format('DATABASE %I', name) \
            ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), name) END, \
          (SELECT string_agg(quote_ident(p.p), '.' ORDER BY p.n) FROM unnest(string_to_array(setting, '.')) WITH ORDINALITY AS p(p, n)), \
          CASE WHEN value <> '' AND setting IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', \
                 'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories') \
            THEN value ELSE quote_literal(value) END) FROM settings \
    ) AS statements ORDER BY place, nth, text";

/// Returns the statements that give a new database what the old one has.
///
/// # Errors
/// The server's word.
pub(super) async fn statements(
    client: &Client,
    old: &str,
    new: &str,
) -> Result<Vec<String>, Failure> {
    let found = rows(client, STATEMENTS, &[old, new]).await?;
    found.iter().map(|row| field(row, 0)).collect()
}
