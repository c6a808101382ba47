//! What makes a table before its rows come.

/// The questions for the statements, in their order.
pub(super) const QUESTIONS: &[&str] = &[
    SCHEMAS, SEQUENCES, FOREIGN, TABLES, IDENTITIES, OWNED, INHERITED, STORED, REPLICATED,
];

const SCHEMAS: &str = "\
    SELECT top, 'CREATE SCHEMA IF NOT EXISTS ' || schema FROM family ORDER BY top, depth, oid";

/// Sequences that defaults take from: those of `serial` columns, and those that tables share.
const SEQUENCES: &str = "\
    SELECT DISTINCT f.top, pg_catalog.format( \
      'CREATE SEQUENCE IF NOT EXISTS %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', \
      s.seqrelid::regclass, format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, \
      CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) \
    FROM family f JOIN pg_attrdef v ON v.adrelid = f.oid \
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid AND d.refclassid = 'pg_class'::regclass \
      JOIN pg_sequence s ON s.seqrelid = d.refobjid ORDER BY 1, 2";

/// The rows of foreign tables are elsewhere.
const FOREIGN: &str = "\
    SELECT top, pg_catalog.format('DO $runbook$BEGIN RAISE EXCEPTION USING MESSAGE = %L, HINT = %L; END$runbook$', \
      name || ' is a foreign table, which a backup of tables does not bring', 'restore a `database` backup') \
    FROM family WHERE relkind = 'f'";

/// The columns are in parentheses of their own lines, so that what follows them can be told from them.
const TABLES: &str = "\
    SELECT f.top, 'CREATE ' || CASE f.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END || 'TABLE ' || f.name \
      || CASE WHEN f.is_part THEN ' PARTITION OF ' || f.parents || coalesce(E' (\n' || c.checks || E'\n)', '') \
           || ' ' || pg_get_expr(f.relpartbound, f.oid) \
         ELSE E' (\n' || pg_catalog.concat_ws(E',\n', a.columns, c.checks) || E'\n)' END \
      || CASE WHEN f.inherits AND NOT f.relispartition THEN ' INHERITS (' || f.parents || ')' ELSE '' END \
      || CASE WHEN f.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(f.oid) ELSE '' END \
      || CASE WHEN m.amname <> 'heap' AND f.relkind = 'r' THEN ' USING ' || quote_ident(m.amname) ELSE '' END \
      || coalesce(' WITH (' || (SELECT string_agg(quote_ident(o.option_name) || ' = ' || quote_literal(o.option_value), ', ') \
           FROM pg_options_to_table(f.reloptions) AS o) || ')', '') \
    FROM family f LEFT JOIN pg_am m ON m.oid = f.relam \
    LEFT JOIN LATERAL ( \
      SELECT string_agg('  ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) \
        || CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0 THEN ' COLLATE ' || \
             (SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname) FROM pg_collation l \
              JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) ELSE '' END \
        || CASE WHEN v.oid IS NULL THEN '' \
             WHEN a.attgenerated = '' THEN ' DEFAULT ' || pg_get_expr(v.adbin, v.adrelid) \
             ELSE ' GENERATED ALWAYS AS (' || pg_get_expr(v.adbin, v.adrelid) || ')' \
               || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE '' END END \
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, E',\n' ORDER BY a.attnum) AS columns \
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
        LEFT JOIN pg_attrdef v ON v.adrelid = a.attrelid AND v.adnum = a.attnum \
      WHERE a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attislocal OR NOT f.inherits)) AS a ON true \
    LEFT JOIN LATERAL ( \
      SELECT string_agg('  CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), E',\n' ORDER BY k.conname) AS checks \
      FROM pg_constraint k WHERE k.conrelid = f.oid AND k.contype = 'c' AND k.convalidated AND (k.conislocal OR NOT f.inherits)) AS c ON true \
    WHERE f.relkind <> 'f' ORDER BY f.top, f.depth, f.oid";

/// Identity columns get their sequences under the same names.
const IDENTITIES: &str = "\
    SELECT f.top, pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY ' \
      || '(SEQUENCE NAME %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s)', \
      f.name, a.attname, CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, \
      s.seqrelid::regclass, s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) \
    FROM family f JOIN pg_attribute a ON a.attrelid = f.oid AND a.attidentity <> '' AND NOT a.attisdropped \
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = f.oid AND d.refobjsubid = a.attnum \
        AND d.classid = 'pg_class'::regclass AND d.deptype = 'i' \
      JOIN pg_sequence s ON s.seqrelid = d.objid WHERE NOT f.is_part ORDER BY f.top, f.depth, f.oid, a.attnum";

/// The sequences of `serial` columns go with their columns.
const OWNED: &str = "\
    SELECT f.top, pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, f.name, a.attname) \
    FROM family f JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped \
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = f.oid AND d.refobjsubid = a.attnum \
        AND d.classid = 'pg_class'::regclass AND d.deptype = 'a' \
      JOIN pg_sequence s ON s.seqrelid = d.objid \
      WHERE EXISTS (SELECT FROM pg_depend u JOIN pg_attrdef v ON v.oid = u.objid JOIN family o ON o.oid = v.adrelid \
        WHERE u.classid = 'pg_attrdef'::regclass AND u.refclassid = 'pg_class'::regclass AND u.refobjid = s.seqrelid) \
    ORDER BY f.top, f.depth, f.oid, a.attnum";

/// What a table has of its own on columns that it inherits.
const INHERITED: &str = "\
    SELECT f.top, 'ALTER TABLE ONLY ' || f.name || ' ' || pg_catalog.concat_ws(', ', \
      CASE WHEN a.attnotnull AND NOT coalesce(p.attnotnull, false) THEN 'ALTER COLUMN ' || quote_ident(a.attname) || ' SET NOT NULL' END, \
      CASE WHEN a.attgenerated = '' AND mine.value IS DISTINCT FROM theirs.value THEN 'ALTER COLUMN ' || quote_ident(a.attname) \
        || coalesce(' SET DEFAULT ' || mine.value, ' DROP DEFAULT') END) \
    FROM family f JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount > 0 \
      LEFT JOIN LATERAL (SELECT i.inhparent AS oid FROM pg_inherits i WHERE i.inhrelid = f.oid ORDER BY i.inhseqno LIMIT 1) AS h ON true \
      LEFT JOIN pg_attribute p ON p.attrelid = h.oid AND p.attname = a.attname \
      LEFT JOIN LATERAL (SELECT pg_get_expr(v.adbin, v.adrelid) AS value FROM pg_attrdef v WHERE v.adrelid = f.oid AND v.adnum = a.attnum) AS mine ON true \
      LEFT JOIN LATERAL (SELECT pg_get_expr(v.adbin, v.adrelid) AS value FROM pg_attrdef v WHERE v.adrelid = h.oid AND v.adnum = p.attnum) AS theirs ON true \
    WHERE f.inherits AND (a.attnotnull AND NOT coalesce(p.attnotnull, false) \
      OR a.attgenerated = '' AND a.attidentity = '' AND coalesce(p.attidentity, '') = '' AND mine.value IS DISTINCT FROM theirs.value) \
    ORDER BY f.top, f.depth, f.oid, a.attnum";

const STORED: &str = "\
    SELECT f.top, pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I SET %s', f.name, a.attname, w.what) \
    FROM family f JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped \
      JOIN pg_type t ON t.oid = a.atttypid \
      CROSS JOIN LATERAL (VALUES \
        (CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || \
           CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END), \
        (CASE to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END), \
        (CASE WHEN (to_jsonb(a) ->> 'attstattarget')::int >= 0 THEN 'STATISTICS ' || (to_jsonb(a) ->> 'attstattarget') END)) AS w(what) \
    WHERE w.what IS NOT NULL ORDER BY f.top, f.depth, f.oid, a.attnum, w.what";

const REPLICATED: &str = "\
    SELECT top, 'ALTER TABLE ONLY ' || name || ' REPLICA IDENTITY ' || CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END \
    FROM family WHERE relreplident IN ('f', 'n') AND relkind <> 'f' ORDER BY top, depth, oid";
