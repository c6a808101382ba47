//! `runbook shell`: questions one after the other, and nothing else.

use insta::assert_snapshot;

use crate::terminal::Terminal;
use crate::test::Test;

const SETUP: &str = "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, \"isActive\" boolean DEFAULT true); \
    COMMENT ON TABLE users IS 'People'; \
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users); \
    CREATE VIEW active AS SELECT id FROM users WHERE \"isActive\"; \
    INSERT INTO users VALUES (1, 'a@example.com', true), (2, 'b@example.com', false)";

fn shell(lines: &[&str]) -> (Test, String) {
    let test = Test::sql(SETUP);
    let mut args = vec!["shell"];
    args.extend(lines.iter().flat_map(|line| ["-c", line]));
    let ran = test.run_with(args).to_string();
    (test, ran)
}

#[test]
fn tables_and_their_parts_are_described() {
    let (_, ran) = shell(&["\\dt a*", "\\d users", "\\d active", "\\dn", "\\df no*"]);
    assert_snapshot!(ran, @r#"
    exit 10
    --- stdout
    schema  name    kind  owner     about_rows  size  comment
    public  active  view  postgres        null  null  null
    column    type     not_null  default  comment
    id        integer  t         null     null
    email     text     t         null     null
    isActive  boolean  f         true     null

    Indexes
    index            definition                                                               valid  size
    users_email_key  CREATE UNIQUE INDEX users_email_key ON public.users USING btree (email)  t      16 kB
    users_pkey       CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)          t      16 kB

    Constraints
    constraint       definition        validated
    users_email_key  UNIQUE (email)    t
    users_pkey       PRIMARY KEY (id)  t

    Referenced by
    table          constraint           definition
    public.orders  orders_user_id_fkey  FOREIGN KEY (user_id) REFERENCES public.users(id)
    column  type     not_null  default  comment
    id      integer  f         null     null

    Definition
    definition
     SELECT users.id↵   FROM public.users↵  WHERE users."isActive";
    schema  owner              comment
    public  pg_database_owner  standard public schema
    --- stderr
    error: no function is like `no*`
    "#);
}

#[test]
fn statements_are_answered_as_tables_or_records() {
    let lines = [
        "SELECT * FROM users ORDER BY id;",
        "\\x",
        "SELECT * FROM users WHERE id = 2;",
    ];
    let (_, ran) = shell(&lines);
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    id  email          isActive
     1  a@example.com  t
     2  b@example.com  f
    (2 rows)
    id        2
    email     b@example.com
    isActive  f
    (1 row)
    --- stderr
    Records instead of tables: on.
    ");
}

#[test]
fn nothing_can_be_changed_whatever_is_tried() {
    let tries = [
        "UPDATE users SET email = 'x'",
        "WITH gone AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM gone",
        "SELECT pg_terminate_backend(1)",
        "SELECT * INTO copy FROM users",
        "EXPLAIN ANALYZE DELETE FROM users",
        "BEGIN",
        "SET transaction_read_only = off",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "COPY users TO PROGRAM 'true'",
        "DO $$ BEGIN DELETE FROM users; END $$",
    ];
    let test = Test::sql(SETUP);
    let before = test.contents();
    for sql in tries {
        let ran = test.run_with(["shell", "-c", sql]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(3), ""),
            "{sql}: {ran}"
        );
    }
    // Each statement is one of its own: what reads is answered, what does not is refused.
    let two = test.run_with(["shell", "-c", "SELECT 1 AS one; DELETE FROM users"]);
    assert_eq!(
        (two.code, two.stdout.as_str()),
        (Some(3), "one\n  1\n(1 row)\n"),
        "{two}"
    );
    assert_eq!(test.contents(), before);
}

#[test]
fn several_statements_are_answered_one_after_the_other() {
    let (_, ran) = shell(&["SELECT 1 AS one; SELECT ';' AS two; -- the last", "\\x"]);
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    one
      1
    (1 row)
    two
    ;
    (1 row)
    --- stderr
    Records instead of tables: on.
    ");
}

#[test]
fn a_function_that_writes_is_refused() {
    let test = Test::sql(&format!(
        "{SETUP}; CREATE FUNCTION sweep() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING 1'"
    ));
    test.run_with(["shell", "-c", "SELECT sweep()"])
        .code(10)
        .says("sweep");
}

/// A runbook about a table that no built-in one changes.
const WAKE: &str = "
params:
  badger: { type: int }
steps:
  - confirm: go
    of: wake
    ask: Wake it?
  - fix: wake
    sql: UPDATE badgers SET asleep = false WHERE id = {{ badger }}
    rows: 1
  - check: awake
    sql: SELECT NOT asleep AS awake FROM badgers WHERE id = {{ badger }}
    that: awake
";

#[test]
fn who_wants_to_change_something_is_told_the_runbook() {
    let test = Test::sql("CREATE TABLE badgers (id int PRIMARY KEY, asleep bool)")
        .runbook("wake-badger", WAKE);
    test.run("check wake-badger").code(0);
    let ran = test.run_with([
        "shell",
        "-c",
        "UPDATE badgers SET asleep = true WHERE id = 1;",
    ]);
    assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: UPDATE changes something
      = help: nothing can be changed in this shell: what changes data is a runbook
      = help: Test: runbook run wake-badger --badger 42 --dry-run
    ");
    let ran = test.run_with(["shell", "-c", "\\fix"]);
    assert_snapshot!(ran, @r"
    exit 3
    --- stderr
    error: nothing can be changed in this shell
      = help: what changes data is a runbook: \fix WORDS names it, `runbook find WORDS` too
    ");
    test.run_with(["shell", "-c", "\\fix a user cannot log in"])
        .code(3)
        .says("runbook run user-cannot-login");
}

#[test]
fn no_description_calls_what_somebody_put_into_the_path() {
    let test = Test::sql(&format!(
        "{SETUP}; CREATE FUNCTION lure(name, name) RETURNS boolean LANGUAGE plpgsql \
           AS $$BEGIN RAISE 'lured'; END$$; \
         CREATE OPERATOR ~~ (LEFTARG = name, RIGHTARG = name, FUNCTION = lure); \
         CREATE OPERATOR !~~ (LEFTARG = name, RIGHTARG = name, FUNCTION = lure); \
         CREATE FUNCTION pg_total_relation_size(oid) RETURNS bigint LANGUAGE plpgsql STABLE \
           AS $$BEGIN RAISE 'lured'; END$$; \
         CREATE FUNCTION pg_relation_size(oid) RETURNS bigint LANGUAGE plpgsql STABLE \
           AS $$BEGIN RAISE 'lured'; END$$"
    ));
    for line in [
        "\\dt",
        "\\dt *.users",
        "\\d users",
        "\\d public.active",
        "\\dn",
        "\\df",
        "\\dx",
        "\\du",
        "\\l",
    ] {
        test.run_with(["shell", "-c", line]).code(0).keeps("lured");
    }
}

#[test]
fn what_is_unknown_is_said_and_ends_what_nobody_types() {
    let (_, ran) = shell(&["\\nope", "SELECT 1 AS never;"]);
    assert_snapshot!(ran, @r"
    exit 2
    --- stderr
    error: there is no command \nope
      = help: \? shows what there is
    ");
    let (_, ran) = shell(&["\\d nope"]);
    assert_snapshot!(ran, @r#"
    exit 10
    --- stderr
    error: there is no table `nope`
      = help: \dt lists the tables; names with capitals stand in "double quotes"
    "#);
    let (_, ran) = shell(&["SELECT nope FROM users;"]);
    assert_snapshot!(ran, @r#"
    exit 10
    --- stderr
    error: column "nope" does not exist (SQLSTATE 42703)
      = note: in: SELECT nope FROM users
      = help: is this the database that the runbook is for? `runbook check NAME --target …` compares them
    "#);
}

#[test]
fn statements_come_from_a_file_too() {
    let test = Test::sql(SETUP);
    let program = env!("CARGO_BIN_EXE_runbook");
    let script =
        "printf 'SELECT id\\nFROM users\\nORDER BY id;\\n\\\\q\\nSELECT 3;\\n' | \"$0\" \"$@\"";
    let url = test.db.url();
    let mut command = test.shell(script, program, ["shell", "--database-url", url.as_str()]);
    let ran = test.ran(&command.output().unwrap());
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    id
     1
     2
    (2 rows)
    ");
}

#[test]
fn a_person_types_over_lines_and_leaves() {
    let test = Test::sql(SETUP);
    let (code, screen) = Terminal::new(&test, "shell")
        .shows("\\q to leave")
        .types("SELECT count(*) AS\n")
        .types("  number FROM users;\n")
        .shows("(1 row)")
        .types("\\q\n")
        .end();
    assert_eq!(code, Some(0), "{screen}");
    let history = std::fs::read_to_string(test.root().join(".local/state/runbook/shell_history"));
    assert!(history.unwrap().contains("number FROM users;"));
}

#[test]
fn ctrl_c_cancels_the_statement_and_not_the_shell() {
    let test = Test::sql(SETUP);
    let terminal = Terminal::new(&test, "shell")
        .shows("\\q to leave")
        .types("SELECT count(*) FROM generate_series(1, 100000000000);\n");
    test.until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'runbook/shell' \
         AND state = 'active' AND query LIKE '%generate_series%'",
    );
    let (code, screen) = terminal
        .interrupts()
        .shows("cancelled")
        .types("SELECT 6 * 7 AS answer;\n")
        .shows("42")
        .types("\\q\n")
        .end();
    assert_eq!(code, Some(0), "{screen}");
}
