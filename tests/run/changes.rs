//! What a fix is seen to change: its own rows, and those that triggers and cascades change with them.

use insta::assert_snapshot;

use crate::test::Test;

#[test]
fn triggers_and_cascades_are_shown() {
    let test = Test::sql(
        "CREATE TABLE parents (id int PRIMARY KEY, name text); \
         CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE); \
         CREATE TABLE tags (child int REFERENCES children ON DELETE SET NULL, tag text); \
         CREATE TABLE audit (what text); \
         INSERT INTO parents VALUES (1, 'a'), (2, 'b'); INSERT INTO children VALUES (1, 1), (2, 1), (3, 2); \
         INSERT INTO tags VALUES (1, 'x'), (2, 'y'), (2, 'z'), (3, 'q'); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit VALUES (TG_OP || ' ' || OLD.name); RETURN NULL; END$$; \
         CREATE TRIGGER note AFTER DELETE ON parents FOR EACH ROW EXECUTE FUNCTION note()",
    )
    .fix("sql: DELETE FROM parents WHERE id = 1\nrows: 1\ntables: [parents, children, tags, audit]\nundo: none");
    assert_snapshot!(test.run("run t --dry-run"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ? go
          f changes 7 rows of 4 tables
            parents   - 1  name a
            children  2 deleted (by a trigger or cascade)
            tags      3 updated (by a trigger or cascade)
            audit     1 inserted (by a trigger or cascade)
          Operation      DELETE parents
          Risk           medium: DELETE with a predicate
          Data at risk   1 row of parents deleted; by cascades and triggers: 2 rows of children deleted; 3 rows of tags updated; 1 row of audit new
          Locks          ROW EXCLUSIVE on audit, children, parents and tags: nobody waits but who changes the same rows
          Backup         NONE: nothing puts back what is done
          Recovery time  it cannot be recovered
          Go?
          ✓ yes · the rehearsal
      ✓ f                      1 row changed, to be rolled back  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    It would change 7 rows of 4 tables:
      parents   1 deleted
      children  2 deleted (by a trigger or cascade)
      tags      3 updated (by a trigger or cascade)
      audit     1 inserted (by a trigger or cascade)
    Everything is rolled back, as the server confirms.
    ");
    assert_eq!(
        test.rows("SELECT count(*) FROM tags WHERE child IS NULL"),
        "0"
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 7 rows of 4 tables
            parents   - 1  name a
            children  2 deleted (by a trigger or cascade)
            tags      3 updated (by a trigger or cascade)
            audit     1 inserted (by a trigger or cascade)
          Operation      DELETE parents
          Risk           medium: DELETE with a predicate
          Data at risk   1 row of parents deleted; by cascades and triggers: 2 rows of children deleted; 3 rows of tags updated; 1 row of audit new
          Locks          ROW EXCLUSIVE on audit, children, parents and tags: nobody waits but who changes the same rows
          Backup         NONE: nothing puts back what is done
          Recovery time  it cannot be recovered
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
    assert_eq!(
        test.rows("SELECT (SELECT count(*) FROM children), (SELECT count(*) FROM tags WHERE child IS NULL), (SELECT what FROM audit)"),
        "1 | 3 | DELETE a"
    );
}

#[test]
fn a_table_without_a_key_is_counted() {
    let test =
        Test::sql("CREATE TABLE log (what text); INSERT INTO log VALUES ('a'), ('a'), ('b')")
            .fix("sql: UPDATE log SET what = 'c' WHERE what = 'a'\nrows: 2\nundo: none");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of log
            log  2 updated
            ! 2 updated rows of log: what they were cannot be shown
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      2 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
    assert_eq!(test.rows("SELECT what FROM log ORDER BY 1"), "b\nc\nc");
}

#[test]
fn partitions_are_shown_as_their_table() {
    let test = Test::sql(
        "CREATE TABLE events (id int, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); \
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); \
         INSERT INTO events VALUES (1, '2026-01-05', 'a'), (2, '2026-02-05', 'b')",
    )
    .confirmed(
        "
        - atomic: all
          steps:
            - fix: rename
              sql: UPDATE events SET what = upper(what) WHERE id IN (1, 2)
              rows: 2
            - fix: move
              sql: UPDATE events SET day = '2026-02-01' WHERE id = 1
              rows: 1
              undo: UPDATE events SET day = '2026-01-05' WHERE id = 1
            - fix: add
              sql: INSERT INTO events VALUES (3, '2026-01-31', 'c')
            - fix: remove
              sql: DELETE FROM events_2 WHERE id = 2
              rows: 1
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          all changes 5 rows of 2 tables
            events      (1, 2026-01-05)  what  a → A
                        (2, 2026-02-05)  what  b → B
                      + (3, 2026-01-31)  what c
                      … and 1 more row, 1 inserted, 3 updated
            events_2  - (2, 2026-02-05)  what B
            ! 1 updated row of events: what they were cannot be shown
          Operation      UPDATE events; INSERT events; DELETE events_2
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of events_2 deleted; 3 rows of events updated, 1 new; 1 updated row of events: what they were cannot be shown
          Locks          ROW EXCLUSIVE on events: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ all                    5 rows changed, committed  TIME
          ✓ rename  2 rows   ✓ move  1 row   ✓ add  1 row   ✓ remove  1 row
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT tableoid::regclass, * FROM events ORDER BY id"),
        "events_2 | 1 | 2026-02-01 | A\nevents_1 | 3 | 2026-01-31 | c"
    );
}

#[test]
fn generated_columns_and_defaults_are_shown() {
    let test = Test::sql(
        "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, net numeric(10,2), \
         gross numeric(10,2) GENERATED ALWAYS AS (net * 1.2) STORED, state text DEFAULT 'new'); \
         INSERT INTO items (net) VALUES (10)",
    )
    .confirmed(
        "
        - atomic: both
          steps:
            - fix: raise
              sql: UPDATE items SET net = 20 WHERE id = 1
              rows: 1
            - fix: add
              sql: INSERT INTO items (net) VALUES (1.5)
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          both changes 2 rows of items
            items    1  net    10.00 → 20.00
                        gross  12.00 → 24.00
                   + 2  net 1.50   gross 1.80   state new
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ both                   2 rows changed, committed  TIME
          ✓ raise  1 row   ✓ add  1 row
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
}

#[test]
fn a_before_trigger_that_changes_the_row_is_seen() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, name text, updated_at timestamptz); INSERT INTO items VALUES (1, 'a'); \
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at := now(); NEW.name := upper(NEW.name); RETURN NEW; END$$; \
         CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    .fix("sql: UPDATE items SET name = 'b' WHERE id = 1\nrows: 1");
    test.run("run t --yes").code(0).says("a → B");
    assert_eq!(test.rows("SELECT name FROM items"), "B");
}

#[test]
fn upserts_tell_new_rows_from_changed_ones() {
    let test = Test::sql("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'a')")
        .fix("sql: \"INSERT INTO items VALUES (1, 'b'), (2, 'c') ON CONFLICT (id) DO UPDATE SET name = excluded.name\"\nundo: none");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of items
            items  + 2  name c
                   … and 1 more row, 1 inserted, 1 updated
            ! 1 updated row of items: what they were cannot be shown
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      2 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn a_changed_key_is_shown() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'a')",
    )
    .fix("sql: UPDATE items SET id = 2 WHERE id = 1\nrows: 1\nundo: none");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 1 row of items
            items  1 updated
            ! 1 updated row of items: what they were cannot be shown
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn statements_with_from_using_with_and_aliases_are_captured() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, owner int, name text); CREATE TABLE owners (id int PRIMARY KEY, name text); \
         INSERT INTO owners VALUES (1, 'Ann'), (2, 'Bob'); INSERT INTO items VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 2, 'z')",
    )
    .confirmed(
        "
        - atomic: all
          steps:
            - fix: joined
              sql: UPDATE items AS i SET name = o.name FROM owners o WHERE o.id = i.owner AND o.name = 'Ann'
              rows: 1
            - fix: chosen
              sql: WITH c AS (SELECT id FROM items WHERE owner = 2 ORDER BY id LIMIT 1) UPDATE items SET name = 'first' WHERE id IN (SELECT id FROM c)
              rows: 1
            - fix: removed
              sql: DELETE FROM ONLY items i USING owners o WHERE o.id = i.owner AND i.name = 'z'
              rows: 1
        ",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          all changes 3 rows of items
            items    1  name  x → Ann
                     2  name  y → first
                   - 3  owner 2   name z
          Operation      UPDATE items; DELETE items
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of items deleted, 2 updated
          Locks          ROW EXCLUSIVE on items: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ all                    3 rows changed, committed  TIME
          ✓ joined  1 row   ✓ chosen  1 row   ✓ removed  1 row
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
}

#[test]
fn case_30_many_rows_are_changed_in_one_statement() {
    let test = Test::sql("CREATE TABLE items (id int PRIMARY KEY, n int); INSERT INTO items SELECT n, n FROM generate_series(1, 20000) n")
        .fix("sql: UPDATE items SET n = n + 1 WHERE id > 0\nrows: 20000");
    let ran = test
        .run("run t --yes")
        .code(0)
        .says("20000 rows changed, committed");
    assert!(ran.stdout.lines().count() < 100, "{ran}");
    assert_eq!(
        test.rows("SELECT count(*) FROM items WHERE n = id + 1"),
        "20000"
    );
}

#[test]
fn case_42_names_of_every_kind_work() {
    let test = Test::sql(
        "CREATE SCHEMA \"Größe & Co\"; \
         CREATE TABLE \"Größe & Co\".\"order\" (\"Id\" int PRIMARY KEY, \"select\" text, \"he said \"\"hi\"\"\" text, \"emoji 🐘\" int); \
         INSERT INTO \"Größe & Co\".\"order\" VALUES (1, 'a', 'b', 1), (2, 'c', 'd', 2); \
         CREATE TABLE \"Mixed\" (id int PRIMARY KEY, \"Wert\" int); INSERT INTO \"Mixed\" VALUES (1, 1)",
    )
    .runbook(
        "t",
        r#"
        risk: high
        params:
          col: { type: identifier }
          tab: { type: identifier, default: Mixed }
        steps:
          - query: shown
            sql: SELECT "Id", "select", "he said ""hi""", "emoji 🐘" FROM "Größe & Co"."order" ORDER BY 1
          - query: named
            sql: SELECT {{ col | ident }} AS n FROM {{ tab | ident }}
            rows: 1
          - confirm: go
            of: both
            ask: Go?
          - atomic: both
            steps:
              - fix: quoted
                sql: UPDATE "Größe & Co"."order" AS "O" SET "he said ""hi""" = "O"."select", "emoji 🐘" = "emoji 🐘" + 1 WHERE "O"."Id" = 1
                rows: 1
              - fix: by_name
                sql: UPDATE {{ tab | ident }} SET {{ col | ident }} = {{ named.n }} + 41 WHERE id = 1
                rows: 1
          - check: after
            that: true
        "#,
    );
    assert_snapshot!(test.run("run t --yes --col Wert"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      col  Wert
      tab  Mixed

      ✓ shown                  2 rows  TIME
          Id  select  he said "hi"  emoji 🐘
           1  a       b                    1
           2  c       d                    2
      ✓ named                  1 row  TIME
          n
          1
      ? go
          both changes 2 rows of 2 tables
            "Größe & Co"."order"  1  he said "hi"  b → a
                                     emoji 🐘      1 → 2
            "Mixed"               1  Wert          1 → 42
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ both                   2 rows changed, committed  TIME
          ✓ quoted  1 row   ✓ by_name  1 row
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
    assert_eq!(test.rows("SELECT \"Wert\" FROM \"Mixed\""), "42");
    test.run_with(["run", "t", "--yes", "--col", "Wert\" = 1; --"])
        .code(10)
        .says("does not exist");
}
