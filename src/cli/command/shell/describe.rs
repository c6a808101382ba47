//! What the catalog says of tables, roles and the like, on PostgreSQL 13 and later.

use crate::engine::cancel::Cancel;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Bound, Limits};
use crate::pg::session::Session;
use crate::runbook::data::{Cell, Rows, oid};
use crate::sql::statement::Statement;

/// What is described.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Tables(Option<String>),
    Table(String),
    Schemas,
    Functions(Option<String>),
    Extensions,
    Roles,
    Databases,
}

/// A part of a description.
pub(super) struct Part {
    pub(super) title: Option<&'static str>,
    pub(super) rows: Rows,
}

const TABLES: &str = "\
    SELECT n.nspname AS schema, c.relname AS name, \
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' \
             WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' END AS kind, \
           pg_get_userbyid(c.relowner) AS owner, \
           CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'm', 'p') THEN c.reltuples::bigint END AS about_rows, \
           CASE WHEN c.relkind IN ('r', 'm') THEN pg_size_pretty(pg_total_relation_size(c.oid)) END AS size, \
           obj_description(c.oid, 'pg_class') AS comment \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
      AND CASE WHEN $1 LIKE '%.%' THEN n.nspname || '.' || c.relname LIKE $1 \
            ELSE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' \
                 AND c.relname LIKE coalesce($1, '%') END \
    ORDER BY 1, 2";

const COLUMNS: &str = "\
    SELECT a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null, \
           CASE WHEN a.attidentity <> '' THEN 'identity' \
             WHEN a.attgenerated <> '' THEN 'generated: ' || pg_get_expr(d.adbin, d.adrelid) \
             ELSE pg_get_expr(d.adbin, d.adrelid) END AS default, \
           col_description(a.attrelid, a.attnum) AS comment \
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const INDEXES: &str = "\
    SELECT c.relname AS index, pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS valid, \
           pg_size_pretty(pg_relation_size(i.indexrelid)) AS size \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass($1) ORDER BY 1";

const CONSTRAINTS: &str = "\
    SELECT conname AS constraint, pg_get_constraintdef(oid) AS definition, convalidated AS validated \
    FROM pg_constraint WHERE conrelid = to_regclass($1) ORDER BY contype DESC, conname";

const REFERENCES: &str = "\
    SELECT conrelid::regclass::text AS table, conname AS constraint, pg_get_constraintdef(oid) AS definition \
    FROM pg_constraint WHERE confrelid = to_regclass($1) AND contype = 'f' ORDER BY 1, 2";

const TRIGGERS: &str = "\
    SELECT tgname AS trigger, pg_get_triggerdef(oid) AS definition, tgenabled <> 'D' AS enabled \
    FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal ORDER BY 1";

const POLICIES: &str = "\
    SELECT polname AS policy, CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' \
             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS for, pg_get_expr(polqual, polrelid) AS using, \
           pg_get_expr(polwithcheck, polrelid) AS with_check \
    FROM pg_policy WHERE polrelid = to_regclass($1) ORDER BY 1";

const VIEW: &str = "\
    SELECT pg_get_viewdef(oid, true) AS definition FROM pg_class \
    WHERE oid = to_regclass($1) AND relkind IN ('v', 'm')";

const SCHEMAS: &str = "\
    SELECT nspname AS schema, pg_get_userbyid(nspowner) AS owner, obj_description(oid, 'pg_namespace') AS comment \
    FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1";

const FUNCTIONS: &str = "\
    SELECT n.nspname AS schema, p.proname AS name, pg_get_function_arguments(p.oid) AS arguments, \
           pg_get_function_result(p.oid) AS result, \
           CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window' WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind \
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
    WHERE CASE WHEN $1 LIKE '%.%' THEN n.nspname || '.' || p.proname LIKE $1 \
            ELSE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.proname LIKE coalesce($1, '%') END \
    ORDER BY 1, 2, 3";

const EXTENSIONS: &str = "\
    SELECT e.extname AS extension, e.extversion AS version, a.default_version AS available, n.nspname AS schema, a.comment \
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
    LEFT JOIN pg_available_extensions a ON a.name = e.extname ORDER BY 1";

const ROLES: &str = "\
    SELECT r.rolname AS role, r.rolcanlogin AS login, r.rolsuper AS superuser, r.rolcreatedb AS create_db, \
           r.rolcreaterole AS create_role, r.rolreplication AS replication, r.rolbypassrls AS bypass_rls, \
           r.rolvaliduntil AS valid_until, \
           (SELECT string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_auth_members m \
              JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS member_of \
    FROM pg_roles r WHERE r.rolname NOT LIKE 'pg\\_%' ORDER BY 1";

const DATABASES: &str = "\
    SELECT datname AS database, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, \
           datcollate AS collation, \
           CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_size_pretty(pg_database_size(oid)) END AS size \
    FROM pg_database WHERE NOT datistemplate ORDER BY 1";

/// The full name of a table: with no other path than PostgreSQL's own it is found by that alone.
const FULL_NAME: &str = "\
    SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = pg_catalog.to_regclass($1)::oid";

impl What {
    /// Asks the database; nothing where there is nothing of the kind.
    ///
    /// # Errors
    /// The server's word.
    pub(super) async fn parts(&self, session: &mut Session) -> Result<Vec<Part>, Failure> {
        session.revive().await?;
        let full = match self {
            Self::Table(name) => {
                let rows = ask(session, FULL_NAME, vec![Some(name.clone())]).await?;
                let found = rows.rows.into_iter().flatten().flatten().next();
                found.map(Self::Table)
            }
            _ => None,
        };
        // Whoever may create in a schema of the path could put an operator or a function there that fits better than
        // PostgreSQL's own, and that would do what it likes as this login.
        let path = ("search_path".to_owned(), "pg_catalog".to_owned());
        session.set_local(vec![path]);
        let parts = full.as_ref().unwrap_or(self).asked(session).await;
        session.set_local(Vec::new());
        parts
    }

    async fn asked(&self, session: &mut Session) -> Result<Vec<Part>, Failure> {
        let all = |sql| vec![(None, sql, vec![])];
        let like =
            |sql, pattern: &Option<String>| vec![(None, sql, vec![pattern.as_deref().map(like)])];
        let questions = match self {
            Self::Tables(pattern) => like(TABLES, pattern),
            Self::Functions(pattern) => like(FUNCTIONS, pattern),
            Self::Schemas => all(SCHEMAS),
            Self::Extensions => all(EXTENSIONS),
            Self::Roles => all(ROLES),
            Self::Databases => all(DATABASES),
            Self::Table(name) => {
                let of = |title, sql| (title, sql, vec![Some(name.clone())]);
                vec![
                    of(None, COLUMNS),
                    of(Some("Indexes"), INDEXES),
                    of(Some("Constraints"), CONSTRAINTS),
                    of(Some("Referenced by"), REFERENCES),
                    of(Some("Triggers"), TRIGGERS),
                    of(Some("Policies"), POLICIES),
                    of(Some("Definition"), VIEW),
                ]
            }
        };
        let mut parts = Vec::new();
        for (title, sql, texts) in questions {
            let rows = ask(session, sql, texts).await?;
            if rows.count > 0 {
                parts.push(Part { title, rows });
            }
        }
        Ok(parts)
    }

    /// Says that there is nothing of the kind.
    pub(super) fn nothing(&self) -> String {
        match self {
            Self::Table(name) => {
                format!(
                    "there is no table `{name}`\n  = help: \\dt lists the tables; names with capitals stand in \"double quotes\""
                )
            }
            Self::Tables(Some(pattern)) => format!("no table is like `{pattern}`"),
            Self::Functions(Some(pattern)) => format!("no function is like `{pattern}`"),
            Self::Tables(None) => "there are no tables".to_owned(),
            Self::Functions(None) => "there are no functions".to_owned(),
            Self::Schemas => "there are no schemas".to_owned(),
            Self::Extensions => "there are no extensions".to_owned(),
            Self::Roles => "there are no roles".to_owned(),
            Self::Databases => "there are no databases".to_owned(),
        }
    }
}

/// Returns a pattern of the shell as one of LIKE.
fn like(pattern: &str) -> String {
    let mut text = String::new();
    for letter in pattern.chars() {
        match letter {
            '*' => text.push('%'),
            '?' => text.push('_'),
            '%' | '_' | '\\' => text.extend(['\\', letter]),
            letter => text.push(letter),
        }
    }
    text
}

/// Asks one question with the texts of its parameters; none for NULL.
///
/// # Errors
/// The server's word.
pub(super) async fn ask(
    session: &mut Session,
    sql: &str,
    texts: Vec<Option<String>>,
) -> Result<Rows, Failure> {
    let statement = Statement::parse(sql)
        .map_err(|error| Failure::new(FailureKind::Statement, error.message))?;
    let binds = texts.into_iter().map(|text| Cell {
        text,
        oid: oid::TEXT,
    });
    let bound = Bound {
        statement,
        binds: binds.collect(),
    };
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    session.read(&bound, usize::MAX, &limits).await
}
