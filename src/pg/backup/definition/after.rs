//! What makes a table whole after its rows came.

/// The questions for the statements, in their order.
pub(super) const QUESTIONS: &[&str] = &[
    KEYS,
    INDEXES,
    CHECKS,
    STATISTICS,
    FOREIGN_KEYS,
    SEQUENCES,
    COMMENTS,
];

const KEYS: &str = "\
    SELECT f.top, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', f.name, k.conname, pg_get_constraintdef(k.oid)) \
    FROM family f JOIN pg_constraint k ON k.conrelid = f.oid AND k.contype IN ('p', 'u', 'x') \
    WHERE k.conparentid = 0 OR NOT f.is_part ORDER BY f.top, f.depth, f.oid, k.contype <> 'p', k.conname";

/// The server prints the index of a partitioned table as one that its partitions have none of.
const INDEXES: &str = "\
    SELECT f.top, replace(pg_get_indexdef(i.indexrelid), quote_ident(c.relname) || ' ON ONLY ', quote_ident(c.relname) || ' ON ') \
    FROM family f JOIN pg_index i ON i.indrelid = f.oid AND i.indisvalid JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = f.oid AND k.contype IN ('p', 'u', 'x')) \
      AND (NOT f.is_part OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)) \
    ORDER BY f.top, f.depth, f.oid, c.relname";

/// Checks that the rows need not meet.
const CHECKS: &str = "\
    SELECT f.top, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', f.name, k.conname, pg_get_constraintdef(k.oid)) \
    FROM family f JOIN pg_constraint k ON k.conrelid = f.oid AND k.contype = 'c' AND NOT k.convalidated \
    WHERE k.conislocal OR NOT f.inherits ORDER BY f.top, f.depth, f.oid, k.conname";

const STATISTICS: &str = "\
    SELECT f.top, pg_get_statisticsobjdef(s.oid) FROM family f JOIN pg_statistic_ext s ON s.stxrelid = f.oid \
    ORDER BY f.top, f.depth, f.oid, s.stxname";

const FOREIGN_KEYS: &str = "\
    SELECT f.top, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', f.name, k.conname, pg_get_constraintdef(k.oid)) \
    FROM family f JOIN pg_constraint k ON k.conrelid = f.oid AND k.contype = 'f' AND k.confrelid IN (SELECT oid FROM family) \
    WHERE k.conparentid = 0 OR NOT f.is_part AND k.conrelid <> (SELECT p.conrelid FROM pg_constraint p WHERE p.oid = k.conparentid) \
    ORDER BY f.top, f.depth, f.oid, k.conname";

/// Where the sequences stand. They go on outside of transactions, so they are never behind the rows.
const SEQUENCES: &str = "\
    , used AS ( \
      SELECT f.top, d.objid AS seq FROM family f JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass \
          AND d.refobjid = f.oid AND d.deptype = 'i' \
        JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum = d.refobjsubid AND a.attidentity <> '' \
      UNION SELECT f.top, d.refobjid FROM family f JOIN pg_attrdef v ON v.adrelid = f.oid \
        JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid AND d.refclassid = 'pg_class'::regclass), \
    state AS ( \
      SELECT u.top, u.seq, CASE WHEN c.relkind = 'S' AND has_sequence_privilege(c.oid, 'USAGE, SELECT') \
        THEN pg_sequence_last_value(c.oid) END AS last FROM used u JOIN pg_class c ON c.oid = u.seq) \
    SELECT top, pg_catalog.format('SELECT pg_catalog.setval(%L, %s)', seq::regclass, last) FROM state WHERE last IS NOT NULL ORDER BY top, seq";

const COMMENTS: &str = "\
    SELECT f.top, CASE WHEN a.attname IS NULL THEN pg_catalog.format('COMMENT ON TABLE %s IS %L', f.name, d.description) \
      ELSE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', f.name, a.attname, d.description) END \
    FROM family f JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = f.oid \
      LEFT JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum = d.objsubid AND d.objsubid > 0 \
    ORDER BY f.top, f.depth, f.oid, d.objsubid";
