//! What comes back from a backup of tables: byte for byte what it was, and never over what others did since.

use runbook::archive::seal::Keys;
use runbook::engine::backup::FromBackup;
use runbook::engine::conflict::{Clash, Restored};
use runbook::engine::failure::Failure;
use runbook::engine::port::Close;
use runbook::pg::backup::Site;
use runbook::pg::environment::Environment;
use runbook::step::rollback::OnConflict;

use crate::backup_cli::{ids, shop};
use crate::restore_exact::typed;
use crate::session::{apply, block_on, connect, entry, limits};
use crate::test::Test;

const HASH: &str = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM typed AS t";

/// Runs a query in a database that a restore made, and drops it.
fn of_copy(test: &Test, name: &str, sql: &str) -> String {
    let url = test.db.url().replace(test.db.name(), name);
    let read = async |sql: &str, url: &str| {
        let session = connect(url, "copies").await;
        let rows = session.client().simple_query(sql).await.unwrap();
        let rows = rows.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                let fields = (0..row.len()).map(|index| row.get(index).unwrap_or("null"));
                Some(fields.collect::<Vec<_>>().join(" | "))
            }
            _ => None,
        });
        rows.collect::<Vec<_>>().join("\n")
    };
    let rows = block_on(read(sql, &url));
    test.connect()
        .run(&format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
    rows
}

#[test]
fn case_23_every_type_comes_back_from_a_backup_byte_for_byte() {
    let (setup, update) = typed();
    let test = Test::sql(&setup);
    let before = test.rows(HASH);
    test.run("backup create one --table typed").code(0);
    let copy = format!("{}_copy", test.db.name());
    test.run(&format!("backup restore one --into {copy} --yes"))
        .code(0);
    assert_eq!(of_copy(&test, &copy, HASH), before);
    for how in [
        "--merge --on-conflict overwrite --yes".to_owned(),
        format!("--in-place --confirm {}", test.db.name()),
    ] {
        test.connect().run(&update);
        test.connect().run("DELETE FROM typed WHERE id = 3");
        assert_ne!(test.rows(HASH), before);
        test.run(&format!("backup restore one --table typed {how}"))
            .code(0);
        assert_eq!(test.rows(HASH), before, "{how}");
    }
    test.run("backup restore one --table typed --as again --yes")
        .code(0);
    assert_eq!(test.rows(&HASH.replace("typed", "again")), before);
}

#[test]
fn tables_are_made_anew_with_all_that_they_need() {
    let test = Test::sql(
        "CREATE SCHEMA \"Odd Schema\"; CREATE FUNCTION is_pos(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0'; \
         CREATE DOMAIN positive AS int DEFAULT 3 CHECK (is_pos(VALUE)); CREATE SEQUENCE shared START 100 INCREMENT 5; \
         CREATE TABLE \"Odd Schema\".\"Tab \"\"le\" (\"Id\" int GENERATED ALWAYS AS IDENTITY (START WITH 10) PRIMARY KEY, \
           s serial, sh int DEFAULT nextval('shared'), p positive, word text COLLATE \"C\", \
           shout text GENERATED ALWAYS AS (upper(word)) STORED, CONSTRAINT \"Chk 1\" CHECK (s > 0), UNIQUE (s, sh) DEFERRABLE); \
         CREATE INDEX part ON \"Odd Schema\".\"Tab \"\"le\" (lower(word)) INCLUDE (p) WHERE is_pos(s); \
         COMMENT ON COLUMN \"Odd Schema\".\"Tab \"\"le\".word IS 'it''s'; \
         CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES \"Odd Schema\".\"Tab \"\"le\" ON DELETE CASCADE, me int REFERENCES child); \
         CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); \
         CREATE TABLE parted_2 PARTITION OF parted DEFAULT PARTITION BY LIST (id); CREATE TABLE parted_2a PARTITION OF parted_2 DEFAULT; \
         CREATE INDEX ON parted (at); CREATE TABLE par (a int, b text NOT NULL); CREATE TABLE inh (c int) INHERITS (par); \
         INSERT INTO \"Odd Schema\".\"Tab \"\"le\" (word) VALUES ('a'), ('b'); INSERT INTO child VALUES (1, 10, 1), (2, 11, 1); \
         INSERT INTO parted SELECT n, date '2020-12-01' + n FROM generate_series(1, 90) n; INSERT INTO inh VALUES (1, 'x', 2)",
    );
    let facts = "\
        SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0 AND connamespace <> 'pg_catalog'::regnamespace \
        UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace <> 'pg_catalog'::regnamespace AND c.relname !~ '^pg_' \
        UNION ALL SELECT format('%s %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity) \
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'p') AND attnum > 0 AND c.relnamespace IN ('public'::regnamespace, '\"Odd Schema\"'::regnamespace) \
        UNION ALL SELECT format('%s %s %s %s', schemaname, sequencename, increment_by, last_value) FROM pg_sequences \
        UNION ALL SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef UNION ALL SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition \
        UNION ALL SELECT c::text FROM child c UNION ALL SELECT p::text FROM parted p UNION ALL SELECT tableoid::regclass || p::text FROM par p \
        UNION ALL SELECT t::text FROM \"Odd Schema\".\"Tab \"\"le\" t UNION ALL SELECT description FROM pg_description WHERE objsubid = 5 AND objoid > 16383 ORDER BY 1";
    let before = test.rows(facts);
    test.run_with([
        "backup",
        "create",
        "one",
        "--table",
        "\"Odd Schema\".\"Tab \"\"le\"",
        "--table",
        "child",
        "--table",
        "parted",
        "--table",
        "par",
    ])
    .code(0);
    let copy = format!("{}_copy", test.db.name());
    test.run(&format!("backup restore one --into {copy} --yes"))
        .code(0);
    assert_eq!(of_copy(&test, &copy, facts), before);
}

/// Puts back the rows of the only backup that the run `aaaaaa` changed.
fn back(test: &Test, overwrite: bool) -> Result<Restored, Failure> {
    let folder = test.root().join(".local/state/runbook/backups");
    let id = ids(test).into_iter().next().unwrap();
    let site = Site {
        keep: None,
        encrypt: Vec::new(),
        folder: folder.clone(),
        environment: Environment::from_process(),
        jobs: 2,
        keys: Keys::default(),
        made: std::sync::Arc::default(),
        needed: runbook::pg::backup::Needed::default(),
    };
    let source = FromBackup {
        path: folder.join(id),
        tables: None,
        run: Some("aaaaaa".to_owned()),
        emptied: Vec::new(),
        overwrite,
    };
    block_on(async {
        let mut session = connect(&test.db.url(), "bbbbbb").await;
        let entry = entry("aaaaaa", 9);
        session.open();
        session.record(&entry.undoing(), &limits()).await?;
        let restored = session
            .restore_backup(&entry, &site, &source, OnConflict::Stop, &limits())
            .await;
        let how = match &restored {
            Ok(restored) if restored.conflicting == 0 => Close::Commit,
            _ => Close::Rollback,
        };
        session.close(how, &limits()).await?;
        restored
    })
}

fn change(test: &Test, step: usize, sql: &str) {
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", step), sql)
            .await
            .unwrap();
    });
}

const CONTENTS: &str = "SELECT (SELECT string_agg(c::text, ' ' ORDER BY id) FROM companies c), (SELECT string_agg(u::text, ' ' ORDER BY id) FROM users u)";

#[test]
fn rows_that_the_run_changed_last_are_put_back() {
    let test = shop();
    test.run("backup create one --table companies --table users")
        .code(0);
    let before = test.rows(CONTENTS);
    change(
        &test,
        0,
        "UPDATE companies SET status = 'active' WHERE id > 1",
    );
    change(&test, 1, "DELETE FROM users WHERE id < 3");
    change(&test, 2, "UPDATE companies SET name = 'X' WHERE id = 2");
    let restored = back(&test, false).unwrap();
    assert_eq!((restored.rows, restored.conflicting), (4, 0));
    assert_eq!(test.rows(CONTENTS), before);
}

#[test]
fn rows_that_others_changed_since_are_conflicts() {
    let test = shop();
    test.run("backup create one --table companies --table users")
        .code(0);
    let before = test.rows(CONTENTS);
    change(
        &test,
        0,
        "UPDATE companies SET status = 'active' WHERE id > 1",
    );
    test.connect().run(
        "UPDATE companies SET name = 'Theirs' WHERE id = 2; DELETE FROM users WHERE id = 6; \
         UPDATE users SET email = 'new' WHERE id = 5; INSERT INTO companies VALUES (9, 'New', NULL)",
    );
    let now = test.rows(CONTENTS);
    let restored = back(&test, false).unwrap();
    let clashes: Vec<_> = restored
        .conflicts
        .iter()
        .map(|conflict| {
            (
                conflict.table.as_str(),
                conflict.key.join(","),
                conflict.clash,
            )
        })
        .collect();
    assert_eq!(
        clashes,
        [
            ("companies", "2".to_owned(), Clash::Edited),
            ("users", "5".to_owned(), Clash::Edited),
            ("users", "6".to_owned(), Clash::Deleted),
        ]
    );
    assert_eq!(test.rows(CONTENTS), now);
    let restored = back(&test, true).unwrap();
    assert_eq!((restored.rows, restored.conflicting), (4, 0));
    test.connect().run("DELETE FROM companies WHERE id = 9");
    assert_eq!(test.rows(CONTENTS), before);
}

#[test]
fn a_change_by_someone_else_before_that_of_the_run_is_not_lost() {
    let test = shop();
    test.run("backup create one --table companies").code(0);
    test.connect()
        .run("UPDATE companies SET name = 'Theirs' WHERE id = 2");
    change(
        &test,
        0,
        "UPDATE companies SET status = 'active' WHERE id > 1",
    );
    let restored = back(&test, false).unwrap();
    assert_eq!(restored.conflicting, 1);
    assert_eq!(restored.conflicts[0].key, ["2"]);
}

#[test]
fn the_backup_of_another_database_is_not_put_back() {
    let (test, other) = (shop(), shop());
    test.run("backup create one --table companies").code(0);
    let folder = test.root().join(".local/state/runbook/backups");
    let ran = other.run(&format!(
        "backup restore one --folder {} --merge --yes",
        folder.display()
    ));
    assert!(ran.to_string().contains("of another database"), "{ran}");
}
