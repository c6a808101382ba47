//! A yes holds for exactly what was shown: what it may not cover, and what must not stand in its way.

use crate::test::Test;

/// Runs a confirmed fix, or several, and returns what the program printed.
fn ran(setup: &str, steps: &str, code: i32) -> (Test, String) {
    let test = Test::sql(setup).confirmed(steps);
    let ran = test.run("run t --yes").code(code);
    let text = ran.to_string();
    (test, text)
}

#[test]
fn what_cannot_be_rehearsed_is_not_done_before_the_yes() {
    let steps = "
        - fix: index
          sql: CREATE INDEX CONCURRENTLY things_name ON things (name)
          transaction: none
          undo: DROP INDEX things_name
    ";
    let test = Test::sql("CREATE TABLE things (id int PRIMARY KEY, name text)").confirmed(steps);
    test.run("run t --answer go=no").code(12);
    assert_eq!(test.rows("SELECT to_regclass('things_name') IS NULL"), "t");
    let text = test.run("run t --yes").code(0).to_string();
    assert!(text.contains("cannot be rehearsed"), "{text}");
    assert_eq!(test.rows("SELECT to_regclass('things_name') IS NULL"), "f");
}

#[test]
fn a_program_does_not_run_before_the_yes_and_is_told_when_it_ran() {
    let test = Test::sql("SELECT 1");
    let marked = test.root().join("marked");
    let steps = format!(
        "\n        - fix: mark\n          command: [touch, {}]\n          expect: {{ code: 0 }}\n    ",
        marked.display()
    );
    let test = test.confirmed(&steps);
    test.run("run t --answer go=no").code(12);
    assert!(!marked.exists());
    test.run("run t --yes").code(0);
    assert!(marked.exists());
}

const DEFERRED: &str = "
    CREATE TABLE things (id int PRIMARY KEY, name text);
    CREATE TABLE log (id int PRIMARY KEY, seen int);
    INSERT INTO things VALUES (1, 'a');
    INSERT INTO log VALUES (1, 0);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN UPDATE log SET seen = seen + 1; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON things DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION note()";

#[test]
fn what_a_deferred_trigger_changes_is_shown_before_the_yes() {
    let fix = "
        - fix: f
          sql: UPDATE things SET name = 'b' WHERE id = 1
          rows: 1
          tables: [things, log]
    ";
    let atomic = "
        - atomic: a
          steps:
            - fix: f
              sql: UPDATE things SET name = 'b' WHERE id = 1
              rows: 1
              tables: [things, log]
    ";
    for steps in [fix, atomic] {
        let (test, text) = ran(DEFERRED, steps, 0);
        let shown = text.split("Go?").next().unwrap();
        assert!(shown.contains("log"), "{text}");
        assert_eq!(test.rows("SELECT seen FROM log"), "1");
    }
}

#[test]
fn values_that_are_new_each_time_by_nature_do_not_stand_in_the_way() {
    let setup = "
        CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, due timestamptz);
        CREATE TABLE lines (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), order_id bigint REFERENCES orders, n int);
        SELECT setval('orders_id_seq', 8)";
    let steps = "
        - atomic: a
          steps:
            - fix: o
              sql: INSERT INTO orders (name, due) VALUES ('x', now() + interval '30 days'), ('y', now()), ('z', NULL) RETURNING id
              rows: 3
            - fix: l
              sql: INSERT INTO lines (order_id, n) VALUES ({{ o.rows[0].id }}, 1), ({{ o.rows[1].id }}, 2)
              rows: 2
            - fix: late
              sql: UPDATE orders SET due = clock_timestamp() WHERE name = 'z'
              rows: 1
    ";
    let (test, _) = ran(setup, steps, 0);
    assert_eq!(test.rows("SELECT count(*) FROM lines"), "2");
}

#[test]
fn other_values_than_the_ones_that_were_shown_are_refused() {
    let keyed = "CREATE TABLE things (id int PRIMARY KEY, name text DEFAULT 'unknown'); INSERT INTO things VALUES (1, 'a')";
    let keyless = "CREATE TABLE things (id int, name text); INSERT INTO things VALUES (1, 'a')";
    let insert = "INSERT INTO things (id, name) SELECT 2, md5(random()::text)";
    let update = "UPDATE things SET name = md5(random()::text) WHERE id = 1";
    for (setup, sql) in [(keyed, insert), (keyed, update), (keyless, update)] {
        let steps = format!(
            "\n        - fix: f\n          sql: {sql}\n          rows: 1\n          undo: none\n    "
        );
        let (test, text) = ran(setup, &steps, 10);
        assert!(text.contains("not those that were shown"), "{text}");
        assert_eq!(test.rows("SELECT id, name FROM things"), "1 | a");
    }
}

#[test]
fn an_empty_text_to_type_is_no_question() {
    let test = Test::sql(
        "CREATE TABLE things (id int PRIMARY KEY, name text); INSERT INTO things VALUES (1, '')",
    )
    .steps(
        "
        - query: thing
          sql: SELECT name FROM things
          rows: 1
        - confirm: go
          ask: Go?
          type: \"{{ thing.name }}\"
        ",
    );
    let text = test.run("run t --answer go=").code(10).to_string();
    assert!(text.contains("the text to type is empty"), "{text}");
}

#[test]
fn what_a_program_did_is_named_when_a_later_step_fails() {
    let test = Test::sql("SELECT 1").steps(
        "
        - confirm: go
          ask: Go?
        - fix: mark
          command: [touch, marked]
          expect: { code: 0 }
        - check: after
          that: 1 == 2
        ",
    );
    let text = test.run("run t --yes").code(13).to_string();
    assert!(text.contains("still there: mark"), "{text}");
}
