//! What tables need that PostgreSQL does not have by itself: types, functions, collations, extensions.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::rows;
use crate::engine::failure::Failure;

/// An object, by its catalog and OID.
type Object = (u32, u32);

/// Who needs whom. What an extension brings is the extension's business.
const NEEDS: &str = "\
    , first(classid, objid) AS ( \
      SELECT 'pg_class'::regclass::oid, oid FROM family \
      UNION ALL SELECT 'pg_attrdef'::regclass, v.oid FROM pg_attrdef v JOIN family f ON f.oid = v.adrelid \
      UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN family f ON f.oid = k.conrelid WHERE k.contype IN ('c', 'p', 'u', 'x') \
      UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN family f ON f.oid = i.indrelid), \
    need(classid, objid, refclassid, refobjid) AS ( \
      SELECT 0::oid, 0::oid, classid, objid FROM first \
      UNION SELECT n.refclassid, n.refobjid, d.classid, d.objid FROM need n CROSS JOIN LATERAL ( \
        SELECT d.refclassid, d.refobjid FROM pg_depend d WHERE d.classid = n.refclassid AND d.objid = n.refobjid \
          AND (d.deptype = 'e' OR d.refclassid IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_collation'::regclass, \
            'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_ts_config'::regclass) \
            AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')) \
        UNION ALL SELECT 'pg_class'::regclass, t.typrelid FROM pg_type t \
          WHERE n.refclassid = 'pg_type'::regclass AND t.oid = n.refobjid AND t.typrelid <> 0 \
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k \
          WHERE n.refclassid = 'pg_type'::regclass AND k.contypid = n.refobjid AND k.contypid <> 0) AS d(classid, objid)) \
    SELECT classid, objid, refclassid, refobjid FROM need";

/// The statements that make them: the schema first, then the object. Without a statement there is nothing to make.
const MADE: &str = "\
    , wanted AS (SELECT * FROM unnest($2::oid[], $3::oid[]) AS w(classid, objid) WHERE NOT EXISTS ( \
      SELECT FROM pg_depend e WHERE e.classid = w.classid AND e.objid = w.objid AND e.deptype = 'e')), \
    found AS ( \
    SELECT w.classid, w.objid, t.typnamespace AS schema, CASE t.typtype \
        WHEN 'e' THEN 'CREATE TYPE ' || x.name || ' AS ENUM (' || coalesce( \
          (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')' \
        WHEN 'd' THEN 'CREATE DOMAIN ' || x.name || ' AS ' || format_type(t.typbasetype, t.typtypmod) \
          || CASE WHEN t.typcollation <> b.typcollation THEN ' COLLATE ' || l.name ELSE '' END \
          || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END \
          || coalesce((SELECT string_agg(pg_catalog.format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.conname) \
               FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated), '') \
        WHEN 'c' THEN CASE WHEN c.relkind = 'c' THEN 'CREATE TYPE ' || x.name || ' AS (' || coalesce( \
            (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) \
               || CASE WHEN a.attcollation <> 0 AND a.attcollation <> at.typcollation THEN ' COLLATE ' || \
                 (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.collname) FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace \
                  WHERE o.oid = a.attcollation) ELSE '' END, ', ' ORDER BY a.attnum) \
             FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid \
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')' \
          ELSE '!the row type of the table ' || x.name END \
        WHEN 'r' THEN CASE WHEN r.rngcanonical <> 0 THEN '!the range type ' || x.name || ', which has a canonical function' \
          ELSE 'CREATE TYPE ' || x.name || ' AS RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL) \
          || coalesce((SELECT ', SUBTYPE_OPCLASS = ' || quote_ident(n.nspname) || '.' || quote_ident(o.opcname) FROM pg_opclass o \
               JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault), '') \
          || CASE WHEN r.rngcollation <> b2.typcollation THEN ', COLLATION = ' || rl.name ELSE '' END \
          || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || (SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) \
               FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = r.rngsubdiff) ELSE '' END \
          || coalesce(', MULTIRANGE_TYPE_NAME = ' || (to_jsonb(r) ->> 'rngmultitypid')::oid::regtype::text, '') || ')' END \
        WHEN 'b' THEN CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN NULL ELSE '!the type ' || x.name END END AS made \
    FROM wanted w JOIN pg_type t ON w.classid = 'pg_type'::regclass AND t.oid = w.objid \
      CROSS JOIN LATERAL (SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS name FROM pg_namespace n WHERE n.oid = t.typnamespace) AS x \
      LEFT JOIN pg_class c ON c.oid = t.typrelid LEFT JOIN pg_type b ON b.oid = t.typbasetype \
      LEFT JOIN LATERAL (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.collname) AS name FROM pg_collation o \
        JOIN pg_namespace n ON n.oid = o.collnamespace WHERE o.oid = t.typcollation) AS l ON true \
      LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_type b2 ON b2.oid = r.rngsubtype \
      LEFT JOIN LATERAL (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.collname) AS name FROM pg_collation o \
        JOIN pg_namespace n ON n.oid = o.collnamespace WHERE o.oid = r.rngcollation) AS rl ON true \
    UNION ALL SELECT w.classid, w.objid, p.pronamespace, \
      CASE WHEN g.lanname NOT IN ('c', 'internal') AND p.prokind IN ('f', 'w') THEN pg_get_functiondef(p.oid) \
        ELSE '!the function ' || p.oid::regprocedure::text END \
      FROM wanted w JOIN pg_proc p ON w.classid = 'pg_proc'::regclass AND p.oid = w.objid JOIN pg_language g ON g.oid = p.prolang \
      WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = w.classid AND d.objid = w.objid AND d.deptype = 'i') \
    UNION ALL SELECT w.classid, w.objid, l.collnamespace, 'CREATE COLLATION ' || quote_ident(n.nspname) || '.' || quote_ident(l.collname) \
      || CASE WHEN l.collprovider = 'i' THEN ' (PROVIDER = icu, LOCALE = ' || quote_literal(coalesce(j ->> 'colllocale', j ->> 'colliculocale', l.collcollate)) \
           || CASE WHEN j ->> 'collisdeterministic' = 'false' THEN ', DETERMINISTIC = false' ELSE '' END || ')' \
         ELSE ' (LC_COLLATE = ' || quote_literal(l.collcollate) || ', LC_CTYPE = ' || quote_literal(l.collctype) || ')' END \
      FROM wanted w JOIN pg_collation l ON w.classid = 'pg_collation'::regclass AND l.oid = w.objid JOIN pg_namespace n ON n.oid = l.collnamespace \
      CROSS JOIN LATERAL (SELECT to_jsonb(l)) AS v(j) \
    UNION ALL SELECT w.classid, w.objid, e.extnamespace, 'CREATE EXTENSION IF NOT EXISTS ' || quote_ident(e.extname) || ' SCHEMA ' || quote_ident(n.nspname) || ' CASCADE' \
      FROM wanted w JOIN pg_extension e ON w.classid = 'pg_extension'::regclass AND e.oid = w.objid JOIN pg_namespace n ON n.oid = e.extnamespace \
    UNION ALL SELECT w.classid, w.objid, NULL, '!' || pg_describe_object(w.classid, w.objid, 0) FROM wanted w \
      WHERE w.classid IN ('pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_ts_config'::regclass)) \
    SELECT f.classid, f.objid, \
      (SELECT 'CREATE SCHEMA IF NOT EXISTS ' || quote_ident(n.nspname) FROM pg_namespace n WHERE n.oid = f.schema AND n.nspname NOT IN ('pg_catalog', 'public')), \
      CASE WHEN f.made LIKE '!%' THEN pg_catalog.format('DO $runbook$BEGIN RAISE EXCEPTION USING MESSAGE = %L, HINT = %L; END$runbook$', \
        'a table needs ' || substr(f.made, 2) || ', which a backup of tables does not bring', 'restore a `database` backup') ELSE f.made END \
    FROM found f WHERE f.made IS NOT NULL";

/// Returns the statements that make what tables need, each after those that it needs itself.
pub(super) async fn of(client: &Client, oids: &[u32]) -> Result<Vec<String>, Failure> {
    let mut needs: HashMap<Object, Vec<Object>> = HashMap::new();
    for row in rows(client, NEEDS, oids).await? {
        let by = (row.get(0), row.get(1));
        needs.entry(by).or_default().push((row.get(2), row.get(3)));
    }
    // By their OIDs, so that the same tables give the same statements.
    for of in needs.values_mut() {
        of.sort_unstable();
    }
    let mut order = Vec::new();
    visit((0, 0), &needs, &mut HashSet::new(), &mut order);
    let made = made(client, oids, &order).await?;
    let mut statements: Vec<String> = Vec::new();
    for object in &order {
        for text in made.get(object).into_iter().flatten() {
            if !statements.contains(text) {
                statements.push(text.clone());
            }
        }
    }
    Ok(statements)
}

/// Puts an object behind all that it needs. A circle is cut where it closes.
fn visit(
    object: Object,
    needs: &HashMap<Object, Vec<Object>>,
    seen: &mut HashSet<Object>,
    order: &mut Vec<Object>,
) {
    if !seen.insert(object) {
        return;
    }
    for next in needs.get(&object).into_iter().flatten() {
        visit(*next, needs, seen, order);
    }
    order.push(object);
}

async fn made(
    client: &Client,
    oids: &[u32],
    order: &[Object],
) -> Result<HashMap<Object, Vec<String>>, Failure> {
    let (classes, objects): (Vec<u32>, Vec<u32>) = order.iter().copied().unzip();
    let text = format!("{}{MADE}", super::FAMILY);
    let params: [(&(dyn ToSql + Sync), Type); 3] = [
        (&oids, Type::OID_ARRAY),
        (&classes, Type::OID_ARRAY),
        (&objects, Type::OID_ARRAY),
    ];
    let rows = client
        .query_typed(&text, &params)
        .await
        .map_err(|error| crate::pg::failure::of(&error, &text, text.len()))?;
    let statements = |row: &Row| {
        let both: [Option<String>; 2] = [row.get(2), row.get(3)];
        let object = (row.get(0), row.get(1));
        (object, both.into_iter().flatten().collect())
    };
    Ok(rows.iter().map(statements).collect())
}
