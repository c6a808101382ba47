//! What a fix may change: nothing that it does not say, and nothing that could not be put back.

use insta::assert_snapshot;
use runbook::engine::journal::{Terms, Undo};

use crate::capture::{fix, within};
use crate::session::{terms, words};
use crate::test::Test;

const PAIRS: &str = "CREATE TABLE parents (id int PRIMARY KEY, name text); \
    CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE); \
    INSERT INTO parents VALUES (1, 'a'), (2, 'b'); INSERT INTO children VALUES (1, 1), (2, 1)";

/// Returns the words of the refusal of a statement, after which nothing is changed.
#[track_caller]
fn refused(setup: &str, terms: &Terms, sql: &str) -> String {
    let test = Test::sql(setup);
    let before = test.contents();
    let failure = fix(&test, terms, &[sql]).unwrap_err();
    let after = test.contents();
    let own = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("runbook."));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(own(&before), own(&after));
    words(&failure)
}

#[test]
fn case_18_a_cascade_that_nobody_declared_is_refused() {
    let sql = "DELETE FROM parents WHERE id = 1";
    assert_snapshot!(refused(PAIRS, &terms(), sql), @"
    Undeclared: it changes children too, which the fix does not say: 2 rows deleted
      note: a trigger or a cascade did it
      note: nothing was changed
      help: if that is meant, name children under the fix's `tables`, together with its own table
    ");
    assert_snapshot!(refused(PAIRS, &within(&["parents"]), sql), @"
    Undeclared: it changes children, which is not among the fix's `tables`: 2 rows deleted
      note: a trigger or a cascade did it
      note: nothing was changed
      help: if that is meant, name children under the fix's `tables`, together with its own table
    ");
    assert_snapshot!(refused(PAIRS, &within(&["children"]), sql), @"
    Undeclared: its own table parents is not among the fix's `tables`
      note: nothing was changed
      help: add parents to `tables`
    ");
    assert_snapshot!(refused(PAIRS, &within(&["parents", "nobody"]), sql), @"
    Undeclared: there is no table nobody, which the fix names under `tables`
      help: name it as SQL does, with its schema where the search path needs it
    ");
}

#[test]
fn case_18_it_is_refused_in_rehearsals_and_runs_too() {
    let test = Test::sql(PAIRS).fix("sql: DELETE FROM parents WHERE id = 1\nrows: 1");
    let before = test.contents();
    for args in ["run t --yes", "run t --dry-run"] {
        test.run(args).code(10).says("it changes children too");
    }
    assert_eq!(test.contents(), before);
}

const EMPTYING: &str = "CREATE TABLE cache (id int PRIMARY KEY); INSERT INTO cache VALUES (1); \
    CREATE FUNCTION empty_cache() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN TRUNCATE cache; RETURN NULL; END'; \
    CREATE TRIGGER empty_cache AFTER UPDATE ON parents FOR EACH STATEMENT EXECUTE FUNCTION empty_cache()";

#[test]
fn case_19_a_trigger_that_empties_a_table_is_refused() {
    let setup = format!("{PAIRS}; {EMPTYING}");
    let sql = "UPDATE parents SET name = 'x' WHERE id = 1";
    assert_snapshot!(refused(&setup, &terms(), sql), @"
    Undeclared: it changes cache too, which the fix does not say: a TRUNCATE, or a change of its structure
      note: a trigger or a cascade did it
      note: nothing was changed
      help: name cache under the fix's `tables` where that is meant, or change the trigger
    ");
    assert_snapshot!(refused(&setup, &within(&["parents", "cache"]), sql), @r#"
    Statement: cannot TRUNCATE "cache" because it is being used by active queries in this session
      note: the rows of the fix's `tables` are kept to put them back, and cannot be emptied or altered meanwhile
      help: say under `undo` how to put it back, or `undo: none` where nothing needs to
    "#);
    let never = Terms {
        undo: Undo::Never,
        ..within(&["parents", "cache"])
    };
    let test = Test::sql(&setup);
    let changed = fix(&test, &never, &[sql]).unwrap();
    assert_eq!(
        changed[0].changes.unseen,
        ["cache: emptied by TRUNCATE, or altered, by a trigger"]
    );
}

#[test]
fn case_19_a_trigger_that_writes_elsewhere_is_refused() {
    let setup = format!(
        "{PAIRS}; CREATE TABLE audit (what text); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (1), (2); RETURN NULL; END'; \
         CREATE TRIGGER note AFTER INSERT ON parents FOR EACH ROW EXECUTE FUNCTION note()"
    );
    let sql = "INSERT INTO parents VALUES (3, 'c')";
    assert_snapshot!(refused(&setup, &terms(), sql), @"
    Undeclared: it changes audit too, which the fix does not say: 2 rows inserted
      note: a trigger or a cascade did it
      note: nothing was changed
      help: if that is meant, name audit under the fix's `tables`, together with its own table
    ");
    assert_snapshot!(refused(&setup, &within(&["parents", "audit"]), sql), @"
    Undeclared: it could not be put back by row images: audit has no key: a unique index of columns that are NOT NULL
      note: nothing was changed
      help: say under `undo` which statements put it back, or `undo: none` where nothing needs to
    ");
}

#[test]
fn case_17_a_volatile_predicate_is_refused() {
    let setup = "CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items SELECT generate_series(1, 100); CREATE SEQUENCE s";
    for sql in [
        "DELETE FROM items WHERE id = nextval('s')",
        "DELETE FROM items WHERE random() < 0.5",
    ] {
        let text = refused(setup, &terms(), sql);
        assert!(
            text.contains("other rows of items than its predicate found"),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_put_back_is_refused_with_the_way_out() {
    let setup = "CREATE TABLE keyless (n int); CREATE TABLE items (id int PRIMARY KEY, n int, always int GENERATED ALWAYS AS IDENTITY); \
        CREATE VIEW seen AS SELECT * FROM items; CREATE TABLE ruled (id int PRIMARY KEY); \
        CREATE RULE quiet AS ON DELETE TO ruled DO ALSO NOTHING; \
        CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE child () INHERITS (base)";
    let mut text = String::new();
    for sql in [
        "INSERT INTO keyless VALUES (1)",
        "UPDATE items SET id = 2 WHERE id = 1",
        "UPDATE items SET always = DEFAULT WHERE id = 1",
        "INSERT INTO items VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 2",
        "UPDATE seen SET n = 1 WHERE id = 1",
        "DELETE FROM ruled WHERE id = 1",
        "DELETE FROM base WHERE id = 1",
        "TRUNCATE items",
        "WITH gone AS (DELETE FROM items RETURNING id) INSERT INTO keyless SELECT id FROM gone",
    ] {
        let words = refused(setup, &terms(), sql);
        text.push_str(words.lines().next().unwrap());
        text.push('\n');
    }
    assert_snapshot!(text, @"
    Undeclared: it could not be put back by row images: keyless has no key: a unique index of columns that are NOT NULL
    Undeclared: it could not be put back by row images: it changes id of the key of items, by which its rows are found again
    Undeclared: it could not be put back by row images: it sets always, an identity that only the server sets (GENERATED ALWAYS)
    Undeclared: it could not be put back by row images: ON CONFLICT DO UPDATE: what the rows were is not known before
    Undeclared: it could not be put back by row images: seen is a view: name the table that it shows
    Undeclared: it could not be put back by row images: a rule rewrites what is done to ruled
    Undeclared: it could not be put back by row images: child has no key: a unique index of columns that are NOT NULL
    Undeclared: it could not be put back by row images: TRUNCATE: its rows cannot be captured one by one
    Undeclared: it could not be put back by row images: INSERT: its rows cannot be captured one by one
    ");
}

#[test]
fn it_is_refused_before_the_run_starts() {
    let test = Test::sql("CREATE TABLE keyless (n int); CREATE TABLE items (id int PRIMARY KEY)")
        .steps(
            "
            - confirm: go
              of: [one, two, three]
              ask: Go?
            - fix: one
              sql: INSERT INTO keyless VALUES (1)
            - fix: two
              sql: UPDATE items SET id = 2 WHERE id = 1
              rows: 1
            - fix: three
              sql: DELETE FROM keyless WHERE n = 2
              rows: 0..
              undo: none
            - check: after
              that: true
            ",
        );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 3
    --- stderr
    error: `one`: it could not be put back by row images: keyless has no key: a unique index of columns that are NOT NULL
      `two`: it could not be put back by row images: it changes id of the key of items, by which its rows are found again
      nothing was run
      = help: say under `undo` which statements put it back, or `undo: none` where nothing needs to
    ");
}

#[test]
fn case_28_rows_that_a_policy_hides_are_an_error() {
    let test = Test::sql(
        "CREATE TABLE items (id int PRIMARY KEY, owner text); INSERT INTO items VALUES (1, 'a'), (2, 'b'); \
         ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER TABLE items FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own ON items USING (owner = 'a')",
    );
    let role = format!("limited_{}", std::process::id());
    test.connect().run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON items TO {role}"
    ));
    let test = test.fix("sql: UPDATE items SET owner = 'c' WHERE id > 0\nrows: 0..\nundo: none");
    let url = test.db.url().replace("postgres@", &format!("{role}@"));
    let ran = test.bare(["run", "t", "--yes", "--database-url", &url]);
    let ran = test.ran(&{ ran }.output().unwrap());
    assert_snapshot!(ran.to_string().replace(&role, "ROLE"), @"
    exit 3
    --- stderr
    error: `f`: row-level security may hide rows of items from this login: it would be done to a part of them
      nothing was run
      = help: run it as a login that sees all rows: the table's owner, or one with BYPASSRLS
      = help: or say `row_security: true` in the fix, where it is meant for the rows that the policies show
    ");
    assert_eq!(
        test.rows("SELECT string_agg(owner, ' ' ORDER BY id) FROM items"),
        "a b"
    );
    test.connect()
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
