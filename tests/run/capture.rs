//! What is captured of a fix: every row that it changed, before and after, in its table and in those that it
//! declares.

use std::fmt::Write as _;

use insta::assert_snapshot;
use runbook::engine::failure::Failure;
use runbook::engine::journal::{Terms, Undo};
use runbook::engine::port::{Changed, Close};
use runbook::pg::session::journal::Keeping;

use crate::restore::undo_local;
use crate::session::{block_on, bound, connect, connect_keeping, entry, limits, terms};
use crate::test::Test;

pub(crate) fn within(tables: &[&str]) -> Terms {
    Terms {
        tables: Some(tables.iter().map(|table| (*table).to_owned()).collect()),
        ..terms()
    }
}

/// Runs statements in one recorded transaction; the first that fails ends it.
pub(crate) fn fix(
    test: &Test,
    terms: &Terms,
    statements: &[&str],
) -> Result<Vec<Changed>, Failure> {
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        session.open();
        session.record(&entry("aaaaaa", 0), &limits()).await?;
        let mut changed = Vec::new();
        for sql in statements {
            match session.change(&bound(sql), terms, &limits()).await {
                Ok(found) => changed.push(found),
                Err(failure) => {
                    let _ = session.close(Close::Rollback, &limits()).await;
                    return Err(failure);
                }
            }
        }
        session.settle(&limits()).await?;
        session.close(Close::Commit, &limits()).await?;
        Ok(changed)
    })
}

/// Returns what the journal keeps: the captures, and below each its images.
fn kept(test: &Test) -> String {
    let captures = test.rows(
        "SELECT id, relation || ' ' || key::text || CASE WHEN alone THEN ' alone' ELSE '' END \
           || CASE WHEN direct THEN '' ELSE ' beside' END || ' changed ' || changed::text || ' kept ' || kept::text \
           || ' rows ' || rows FROM runbook.capture ORDER BY id",
    );
    let mut text = String::new();
    for line in captures.lines() {
        let (id, words) = line.split_once(" | ").unwrap();
        let images = test.rows(&format!(
            "SELECT key || ': ' || coalesce(before, '-') || ' → ' || coalesce(after, '-') FROM runbook.image \
             WHERE capture = {id} ORDER BY 1"
        ));
        let _ = writeln!(text, "{words}");
        for image in images.lines() {
            let _ = writeln!(text, "  {image}");
        }
    }
    text
}

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, n int); \
    INSERT INTO items SELECT g, 'item ' || g, g FROM generate_series(1, 5) g";

#[test]
fn the_three_statements_are_kept_with_their_rows() {
    let test = Test::sql(ITEMS);
    fix(
        &test,
        &terms(),
        &[
            "UPDATE items SET n = n * 10 WHERE id <= 2",
            "INSERT INTO items VALUES (6, NULL, 60), (7, 'a \"b\" \\ c', 70) RETURNING id",
            "DELETE FROM items WHERE id IN (2, 3)",
            "INSERT INTO items VALUES (6, 'x', 1) ON CONFLICT DO NOTHING",
        ],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {n} kept {} rows 2
      (1): (1,"item 1",1) → (1,"item 1",10)
      (2): (2,"item 2",2) → (2,"item 2",20)
    public.items {id} alone changed {} kept {} rows 2
      (6): - → (6,,60)
      (7): - → (7,"a ""b"" \\ c",70)
    public.items {id} alone changed {} kept {} rows 2
      (2): (2,"item 2",20) → -
      (3): (3,"item 3",3) → -
    public.items {id} alone changed {} kept {} rows 0
    "#);
}

#[test]
fn rows_that_a_join_finds_twice_are_changed_once() {
    let test = Test::sql(&format!(
        "{ITEMS}; CREATE TABLE tags (item int, tag text); INSERT INTO tags VALUES (1, 'a'), (1, 'a'), (2, 'b')"
    ));
    let changed = fix(
        &test,
        &terms(),
        &[
            "UPDATE items AS i SET name = t.tag FROM tags t WHERE t.item = i.id",
            "DELETE FROM items i USING tags t WHERE t.item = i.id",
        ],
    )
    .unwrap();
    assert_eq!(
        changed.iter().map(|one| one.count).collect::<Vec<_>>(),
        [2, 2]
    );
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {name} kept {} rows 2
      (1): (1,"item 1",1) → (1,a,1)
      (2): (2,"item 2",2) → (2,b,2)
    public.items {id} alone changed {} kept {} rows 2
      (1): (1,a,1) → -
      (2): (2,b,2) → -
    "#);
}

#[test]
fn case_42_quoted_names_and_keys_of_several_columns_are_kept() {
    let test = Test::sql(
        "CREATE SCHEMA \"Größe\"; CREATE TABLE \"Größe\".\"order\" (\"Id\" int, t text, \"select\" text, UNIQUE (t, \"Id\")); \
         ALTER TABLE \"Größe\".\"order\" ALTER t SET NOT NULL, ALTER \"Id\" SET NOT NULL; \
         INSERT INTO \"Größe\".\"order\" VALUES (1, 'a', 'x'), (1, 'b,c', 'y')",
    );
    fix(
        &test,
        &terms(),
        &["UPDATE \"Größe\".\"order\" AS runbook_old SET \"select\" = 'z' WHERE \"Id\" = 1"],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @r#"
    "Größe"."order" {t,Id} alone changed {select} kept {} rows 2
      ("b,c",1): (1,"b,c",y) → (1,"b,c",z)
      (a,1): (1,a,x) → (1,a,z)
    "#);
}

#[test]
fn case_18_cascades_that_are_declared_are_kept_to_their_last_row() {
    let test = Test::sql(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE); \
         CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b ON DELETE CASCADE); \
         CREATE TABLE d (id int PRIMARY KEY, c int REFERENCES c ON DELETE SET NULL); \
         INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1, 1), (2, 1), (3, 2); \
         INSERT INTO d VALUES (1, 1), (2, 3)",
    );
    fix(
        &test,
        &within(&["a", "b", "c", "d"]),
        &["DELETE FROM a WHERE id = 1"],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @"
    public.a {id} alone changed {} kept {} rows 1
      (1): (1) → -
    public.b {id} alone beside changed {} kept {} rows 1
      (1): (1,1) → -
    public.c {id} alone beside changed {} kept {} rows 2
      (1): (1,1) → -
      (2): (2,1) → -
    public.d {id} alone beside changed {c} kept {} rows 1
      (1): (1,1) → (1,)
    ");
}

const AUDITED: &str = "CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text); \
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ \
      BEGIN \
        BEGIN INSERT INTO audit (what) VALUES (OLD.name || ' was ' || OLD.n); EXCEPTION WHEN OTHERS THEN NULL; END; \
        BEGIN INSERT INTO audit (what) VALUES ('lost'); RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN NULL; END; \
        RETURN NULL; \
      END $$; \
    CREATE TRIGGER note AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note()";

#[test]
fn case_19_what_a_trigger_writes_in_subtransactions_is_kept_where_it_is_declared() {
    let test = Test::sql(&format!("{ITEMS}; {AUDITED}"));
    fix(
        &test,
        &within(&["items", "audit"]),
        &[
            "UPDATE items SET n = 0 WHERE id = 1",
            "UPDATE items SET n = 1 WHERE id <= 2",
        ],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {n} kept {} rows 1
      (1): (1,"item 1",1) → (1,"item 1",0)
    public.audit {id} alone beside changed {} kept {} rows 1
      (1): - → (1,"item 1 was 1")
    public.items {id} alone changed {n} kept {} rows 2
      (1): (1,"item 1",0) → (1,"item 1",1)
      (2): (2,"item 2",2) → (2,"item 2",1)
    public.audit {id} alone beside changed {} kept {} rows 2
      (3): - → (3,"item 1 was 0")
      (5): - → (5,"item 2 was 2")
    "#);
}

#[test]
fn a_trigger_that_changes_the_own_rows_again_is_kept_to_its_end() {
    let test = Test::sql(&format!(
        "{ITEMS}; CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF pg_trigger_depth() = 1 THEN UPDATE items SET name = 'again', n = n + 1 WHERE id = NEW.id OR id = NEW.id + 3; END IF; \
           RETURN NULL; END $$; \
         CREATE TRIGGER again AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION again()"
    ));
    fix(
        &test,
        &within(&["items"]),
        &["UPDATE items SET n = 100 WHERE id = 1"],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {n} kept {} rows 1
      (1): (1,"item 1",1) → (1,"item 1",100)
    public.items {id} alone beside changed {n,name} kept {} rows 2
      (1): (1,"item 1",100) → (1,again,101)
      (4): (4,"item 4",4) → (4,again,5)
    "#);
}

#[test]
fn columns_that_a_trigger_sets_to_the_time_are_named() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, name text, updated_at timestamptz); INSERT INTO items VALUES (1, 'a'); \
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at := now(); RETURN NEW; END$$; \
         CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()",
    );
    fix(
        &test,
        &terms(),
        &["UPDATE items SET name = 'b' WHERE id = 1"],
    )
    .unwrap();
    assert_eq!(
        test.rows("SELECT changed, kept, columns FROM runbook.capture"),
        "{name,updated_at} | {updated_at} | id integer, name text, updated_at timestamp with time zone"
    );
}

#[test]
fn case_24_rows_that_inherit_and_partitions_are_kept() {
    let test = Test::sql(
        "CREATE TABLE base (id int PRIMARY KEY, n int); CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (base); \
         CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child); \
         INSERT INTO base VALUES (1, 1), (9, 9); INSERT INTO child VALUES (1, 1, 'c'), (2, 2, 'd'); INSERT INTO grandchild VALUES (1, 1, 'g'); \
         CREATE TABLE parts (id int, day date, n int GENERATED ALWAYS AS IDENTITY, m int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); \
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); \
         INSERT INTO parts VALUES (1, '2026-01-01'), (1, '2026-02-01')",
    );
    fix(
        &test,
        &terms(),
        &[
            "UPDATE base SET n = n + 1 WHERE id = 1",
            "DELETE FROM base WHERE id = 1",
            "DELETE FROM parts WHERE id = 1",
            "UPDATE ONLY base SET n = 0 WHERE id = 9",
        ],
    )
    .unwrap();
    assert_snapshot!(kept(&test), @"
    public.base {id} alone changed {n} kept {} rows 1
      (1): (1,1) → (1,2)
    public.child {id} alone changed {n} kept {} rows 1
      (1): (1,1,c) → (1,2,c)
    public.grandchild {id} alone changed {n} kept {} rows 1
      (1): (1,1,g) → (1,2,g)
    public.base {id} alone changed {} kept {} rows 1
      (1): (1,2) → -
    public.child {id} alone changed {} kept {} rows 1
      (1): (1,2,c) → -
    public.grandchild {id} alone changed {} kept {} rows 1
      (1): (1,2,g) → -
    public.parts {id,day} changed {} kept {} rows 2
      (1,2026-01-01): (1,2026-01-01,1,2) → -
      (1,2026-02-01): (1,2026-02-01,2,2) → -
    public.base {id} alone changed {n} kept {} rows 1
      (9): (9,9) → (9,0)
    ");
}

#[test]
fn what_a_deferred_trigger_changes_is_kept() {
    let test = Test::sql(&format!(
        "{ITEMS}; CREATE TABLE log (id int PRIMARY KEY, seen int); INSERT INTO log VALUES (1, 0), (2, 0); \
         CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE log SET seen = seen + 1 WHERE id = 1; RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()"
    ));
    let sql = ["UPDATE items SET n = 0 WHERE id = 1"];
    fix(&test, &within(&["items", "log"]), &sql).unwrap();
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {n} kept {} rows 1
      (1): (1,"item 1",1) → (1,"item 1",0)
    public.log {id} alone beside changed {seen} kept {} rows 1
      (1): (1,0) → (1,1)
    "#);
}

#[test]
fn a_function_that_writes_elsewhere_in_set_is_kept_where_it_is_declared() {
    let test = Test::sql(&format!(
        "{ITEMS}; CREATE TABLE counts (id int PRIMARY KEY, n int); INSERT INTO counts VALUES (1, 0); \
         CREATE FUNCTION next_one() RETURNS int LANGUAGE sql AS 'UPDATE counts SET n = n + 1 RETURNING n'"
    ));
    let sql = ["UPDATE items SET n = next_one() WHERE id <= 2"];
    let failure = fix(&test, &terms(), &sql).unwrap_err();
    assert!(failure.message.contains("counts"), "{failure:?}");
    fix(&test, &within(&["items", "counts"]), &sql).unwrap();
    assert_snapshot!(kept(&test), @r#"
    public.items {id} alone changed {} kept {} rows 2
      (1): (1,"item 1",1) → (1,"item 1",1)
      (2): (2,"item 2",2) → (2,"item 2",2)
    public.counts {id} alone beside changed {n} kept {} rows 1
      (1): (1,0) → (1,2)
    "#);
}

#[test]
fn a_dry_run_and_what_needs_no_images_keep_nothing() {
    let test = Test::sql(ITEMS).fix("sql: UPDATE items SET n = 0 WHERE id = 1\nrows: 1");
    test.run("run t --dry-run").code(0);
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
    let never = Terms {
        undo: Undo::Never,
        ..terms()
    };
    fix(&test, &never, &["UPDATE items SET n = 0 WHERE id = 1"]).unwrap();
    assert_eq!(test.rows("SELECT count(*) FROM runbook.capture"), "0");
}

#[test]
fn case_30_a_hundred_thousand_rows_are_kept() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, n int); INSERT INTO items SELECT g, g FROM generate_series(1, 100000) g",
    );
    let changed = fix(
        &test,
        &terms(),
        &["UPDATE items SET n = n + 1 WHERE id > 0"],
    )
    .unwrap();
    assert_eq!(changed[0].count, 100_000);
    let table = &changed[0].changes.tables[0];
    assert_eq!((table.updated, table.rows.len()), (100_000, 1000));
    assert_eq!(table.rows[9].key, ["10"]);
    assert_eq!(
        test.rows("SELECT count(*), count(*) FILTER (WHERE before = '(' || (regexp_match(key, '\\d+'))[1] || ',' || (regexp_match(key, '\\d+'))[1] || ')') FROM runbook.image"),
        "100000 | 100000"
    );
}

#[test]
fn images_go_to_a_file_where_no_schema_may_be_created_and_nothing_of_what_was_taken_back() {
    let test = Test::sql(&format!("{ITEMS}; {AUDITED}"));
    let keeping = || Keeping::Local(test.root().to_owned());
    let declared = within(&["items", "audit"]);
    let before = test.contents();
    block_on(async {
        let mut session = connect_keeping(&test.db.url(), "aaaaaa", keeping()).await;
        session.open();
        session
            .record(&entry("aaaaaa", 0), &limits())
            .await
            .unwrap();
        for (sql, how) in [
            ("UPDATE items SET n = 10 WHERE id = 1", Close::Commit),
            ("UPDATE items SET n = 20 WHERE id = 2", Close::Rollback),
            ("UPDATE items SET n = 30 WHERE id IN (1, 3)", Close::Commit),
        ] {
            session.open();
            session
                .change(&bound(sql), &declared, &limits())
                .await
                .unwrap();
            session.settle(&limits()).await.unwrap();
            session.close(how, &limits()).await.unwrap();
        }
        session.close(Close::Commit, &limits()).await.unwrap();
    });
    assert_eq!(
        test.rows("SELECT string_agg(n::text, ' ' ORDER BY id) FROM items"),
        "30 2 30 4 5"
    );
    assert_eq!(test.rows("SELECT count(*) FROM audit"), "3");
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
    test.connect().run("ALTER TABLE items DISABLE TRIGGER USER");
    let restored = undo_local(&test, "aaaaaa").unwrap();
    assert_eq!(restored.rows, 5, "{restored:?}");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_08_what_someone_else_changes_in_the_same_moment_is_no_part_of_it() {
    let test = Test::sql(
        "CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (id int PRIMARY KEY, parent int, n int); \
         INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1, 0), (2, 1, 0), (3, 2, 0); \
         CREATE EXTENSION dblink; \
         CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM dblink_exec('dbname=' || current_database() || ' host=' || split_part(current_setting('unix_socket_directories'), ',', 1), \
             'UPDATE children SET n = 7 WHERE id IN (' || TG_ARGV[0] || ', 3)'); \
           UPDATE children SET n = n + 1 WHERE parent = OLD.id; RETURN NULL; END $$; \
         CREATE TRIGGER meddle AFTER DELETE ON parents FOR EACH ROW EXECUTE FUNCTION meddle('2')",
    );
    let sql = ["DELETE FROM parents WHERE id = 1"];
    let failure = fix(&test, &within(&["parents", "children"]), &sql).unwrap_err();
    assert_eq!(
        failure.message,
        "someone else changed rows of children in the same moment: what they were cannot be told exactly"
    );
    // Rows that only the other one changed are its own.
    test.connect().run(
        "DROP TRIGGER meddle ON parents; CREATE TRIGGER meddle AFTER DELETE ON parents FOR EACH ROW EXECUTE FUNCTION meddle('3')",
    );
    fix(&test, &within(&["parents", "children"]), &sql).unwrap();
    assert_snapshot!(kept(&test), @"
    public.parents {id} alone changed {} kept {} rows 1
      (1): (1) → -
    public.children {id} alone beside changed {n} kept {} rows 2
      (1): (1,1,0) → (1,1,1)
      (2): (2,1,7) → (2,1,8)
    ");
}
