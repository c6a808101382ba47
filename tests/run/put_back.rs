//! `runbook undo` by the program: what it puts back is what was changed, once, and nothing else.

use crate::test::{Ran, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, plan text NOT NULL); \
    INSERT INTO accounts SELECT n, n * 100, 'free' FROM generate_series(1, 3) n";

const ROWS: &str = "SELECT string_agg(balance || ' ' || plan, ', ' ORDER BY id) FROM accounts";

fn undo(test: &Test) -> Ran {
    test.run(&format!("undo {} --yes", test.id()))
}

#[test]
fn an_items_statements_see_what_the_item_saw() {
    let test = Test::sql(ACCOUNTS).confirmed(
        "
        - atomic: each
          for_each: '[1, 2, 3]'
          as: id
          steps:
            - query: old
              sql: SELECT balance FROM accounts WHERE id = {{ id }}::int
              rows: 1
            - fix: empty
              sql: UPDATE accounts SET balance = 0 WHERE id = {{ id }}::int
              rows: 1
              undo: UPDATE accounts SET balance = {{ old.balance }} WHERE id = {{ id }}::int
        ",
    );
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(ROWS), "0 free, 0 free, 0 free");
    undo(&test).code(0);
    assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
}

#[test]
fn what_an_item_left_out_is_not_put_back() {
    let test = Test::sql(ACCOUNTS).confirmed(
        "
        - atomic: each
          for_each: '[1, 2, 3]'
          as: id
          steps:
            - query: account
              sql: SELECT balance FROM accounts WHERE id = {{ id }}::int
              rows: 1
            - fix: pay
              when: account.balance != 200
              sql: UPDATE accounts SET balance = balance + 1 WHERE id = {{ id }}::int
              rows: 1
              undo: UPDATE accounts SET balance = balance - 1 WHERE id = {{ id }}::int
            - fix: name
              sql: UPDATE accounts SET plan = 'paid' WHERE id = {{ id }}::int
              rows: 1
        ",
    );
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(ROWS), "101 paid, 200 paid, 301 paid");
    undo(&test).code(0);
    assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
}

#[test]
fn what_has_no_images_is_not_said_to_be_put_back_from_elsewhere() {
    let test = Test::sql(ACCOUNTS).fix(
        "
        sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
        rows: 1
        undo: UPDATE accounts SET balance = balance - 1 WHERE id = 1
        ",
    );
    test.run("run t --yes").code(0);
    let id = test.id();
    let elsewhere = |test: &Test| {
        let mut command = test.command(["undo", &id, "--yes"]);
        command.env("HOME", test.root().join("work"));
        test.ran(&command.output().unwrap())
    };
    elsewhere(&test).code(13).says("nothing can put back `f`");
    assert_eq!(test.rows(ROWS), "101 free, 200 free, 300 free");
    // Where its record is, it can be.
    undo(&test).code(0);
    assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
}

#[test]
fn settings_of_the_run_say_whose_table_it_is() {
    let test = Test::sql(
        "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL); \
         CREATE SCHEMA tenant; CREATE TABLE tenant.accounts (id int PRIMARY KEY, balance int NOT NULL); \
         INSERT INTO accounts VALUES (1, 1); INSERT INTO tenant.accounts VALUES (1, 2)",
    )
    .runbook(
        "t",
        "
        risk: high
        session: { search_path: tenant }
        steps:
          - confirm: go
            ask: Go?
          - fix: f
            sql: UPDATE accounts SET balance = 0 WHERE id = 1
            rows: 1
          - check: after
            that: true
        ",
    );
    let rows = "SELECT (SELECT balance FROM accounts), (SELECT balance FROM tenant.accounts)";
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(rows), "1 | 0");
    undo(&test).code(0);
    assert_eq!(test.rows(rows), "1 | 2");
}

#[test]
fn the_parts_of_a_batch_that_was_cut_short_are_put_back() {
    let test = Test::sql(ACCOUNTS).unrehearsed(
        "
        - fix: f
          sql: UPDATE accounts SET balance = 0 WHERE id > 0
          rows: 3
          batch: { size: 1 }
        ",
    );
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until(
        "SELECT count(*) = 1 FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'",
    );
    run.kill();
    other.run("ROLLBACK");
    assert_eq!(test.rows(ROWS), "0 free, 200 free, 300 free");
    undo(&test).code(0);
    assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
}

#[test]
fn a_fix_whose_outcome_was_not_told_is_put_back() {
    for journal in ["database", "local"] {
        let test = Test::sql(ACCOUNTS).fix(
            "
            sql: UPDATE accounts SET balance = 0 WHERE id = 1
            rows: 1
            ",
        );
        test.run(&format!("run t --yes --journal {journal}"))
            .code(0);
        // Killed just after COMMIT, it would have told nothing more.
        let events = test.record().join("events.jsonl");
        let text = std::fs::read_to_string(&events).unwrap();
        let end = text.find("\"event\":\"committing\"").unwrap();
        let end = end + text[end..].find('\n').unwrap() + 1;
        std::fs::write(&events, &text[..end]).unwrap();
        assert_eq!(test.rows(ROWS), "0 free, 200 free, 300 free");
        undo(&test).code(0).says("1 row put back");
        assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
    }
}

#[test]
fn rows_that_are_hidden_are_not_taken_for_gone() {
    let test = Test::sql(
        "CREATE TABLE notes (id int PRIMARY KEY, owner text); \
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY own ON notes USING (owner = current_user)",
    )
    .runbook(
        "t",
        "
        risk: high
        steps:
          - confirm: go
            ask: Go?
          - fix: f
            sql: INSERT INTO notes VALUES (1, 'ann')
          - check: after
            that: true
        ",
    );
    test.run("run t --yes").code(0);
    let role = format!("hidden_{}", test.db.name());
    let connection = test.connect();
    connection.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON notes TO {role}; GRANT USAGE ON SCHEMA runbook TO {role}; \
         GRANT ALL ON ALL TABLES IN SCHEMA runbook TO {role}"
    ));
    let mut command = test.bare(["undo", &test.id(), "--yes", "--database-url"]);
    command.arg(test.db.url().replace("postgres@", &format!("{role}@")));
    let ran = test.ran(&command.output().unwrap());
    connection.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    ran.code(10).says("row-level security");
    assert_eq!(test.rows("SELECT * FROM notes"), "1 | ann");
}

#[test]
fn a_commit_is_on_disk_whatever_the_database_says() {
    let test = Test::sql(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, ''); \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
    )
    .unrehearsed(
        "
        - fix: f
          sql: UPDATE t SET v = current_setting('synchronous_commit') WHERE id = 1
          rows: 1
        ",
    );
    test.run("run t --yes").code(0);
    assert_eq!(test.rows("SELECT v FROM t"), "local");
}

#[test]
fn a_batch_goes_by_the_table_that_the_settings_mean() {
    let test = Test::sql(
        "CREATE TABLE accounts (code text PRIMARY KEY, id int NOT NULL, balance int NOT NULL); \
         CREATE SCHEMA tenant; CREATE TABLE tenant.accounts (id int PRIMARY KEY, code text, balance int NOT NULL); \
         INSERT INTO tenant.accounts SELECT n, 'same', n FROM generate_series(1, 3) n",
    )
    .runbook(
        "t",
        "
        risk: high
        session: { search_path: tenant }
        steps:
          - confirm: go
            of: f
            ask: Go?
          - fix: f
            sql: UPDATE accounts SET balance = 0 WHERE balance > 0
            rows: 3
            batch: { size: 1 }
          - check: after
            that: true
        ",
    );
    let rows = "SELECT string_agg(balance::text, ' ' ORDER BY id) FROM tenant.accounts";
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(rows), "0 0 0");
    undo(&test).code(0);
    assert_eq!(test.rows(rows), "1 2 3");
}

#[test]
fn a_batch_whose_place_is_masked_does_not_go_on() {
    let test = Test::sql(
        "CREATE TABLE t (code text PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('b', 1), ('c', 1)",
    )
    .runbook(
        "t",
        "
        risk: high
        params:
          token: { type: text, secret: true }
        steps:
          - confirm: go
            ask: Go?
          - fix: f
            sql: UPDATE t SET v = length({{ token }}::text) + 1 WHERE v > 0
            rows: 3
            batch: { size: 1 }
          - check: after
            that: true
        ",
    );
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM t WHERE code = 'b' FOR UPDATE");
    let run = test.start("run t --token a --yes");
    test.until(
        "SELECT count(*) = 1 FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'",
    );
    run.kill();
    other.run("ROLLBACK");
    test.run(&format!("resume {} --param token=a --yes", test.id()))
        .code(3)
        .says("how far `f` has come is a secret");
    assert_eq!(
        test.rows("SELECT string_agg(v::text, ' ' ORDER BY code) FROM t"),
        "2 1 1"
    );
    test.run(&format!("undo {} --param token=a --yes", test.id()))
        .code(0);
    assert_eq!(
        test.rows("SELECT string_agg(v::text, ' ' ORDER BY code) FROM t"),
        "1 1 1"
    );
}
#[test]
fn statements_are_done_once_also_where_no_schema_can_be_had() {
    let test = Test::sql(ACCOUNTS).fix(
        "
        sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
        rows: 1
        undo: UPDATE accounts SET balance = balance - 1 WHERE id = 1
        ",
    );
    test.run("run t --yes --journal local").code(0);
    assert_eq!(test.rows(ROWS), "101 free, 200 free, 300 free");
    undo(&test).code(0);
    undo(&test).code(0).says("put back already");
    assert_eq!(test.rows(ROWS), "100 free, 200 free, 300 free");
}

const BOTH: &str = "
    - confirm: go
      ask: Go?
    - atomic: both
      steps:
        - fix: one
          sql: UPDATE accounts SET balance = 0 WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
          rows: 1
          undo: UPDATE accounts SET balance = balance - 1 WHERE id = 2
    - rollback: back
      of: {OF}
    - check: after
      sql: SELECT 1 / (id - {LAST}) < 9 AS ok FROM accounts WHERE id = 3
      that: ok
";

fn both(of: &str, last: &str) -> Test {
    Test::sql(ACCOUNTS).steps(&BOTH.replace("{OF}", of).replace("{LAST}", last))
}

#[test]
fn of_an_atomic_that_was_put_back_in_part_the_rest_is_put_back_too() {
    for (journal, of) in [
        ("database", "one"),
        ("local", "one"),
        ("database", "two"),
        ("local", "two"),
    ] {
        let test = both(of, "3");
        test.run(&format!("run t --yes --journal {journal}"))
            .code(11);
        assert_eq!(
            test.rows(ROWS),
            "100 free, 200 free, 300 free",
            "{of} {journal}"
        );
        undo(&test).code(0);
        assert_eq!(
            test.rows(ROWS),
            "100 free, 200 free, 300 free",
            "{of} {journal}"
        );
    }
}

#[test]
fn the_rest_of_an_atomic_can_be_put_back_later() {
    for (journal, of, then) in [
        ("database", "one", "100 free, 201 free, 300 free"),
        ("local", "one", "100 free, 201 free, 300 free"),
        ("database", "two", "0 free, 200 free, 300 free"),
        ("local", "two", "0 free, 200 free, 300 free"),
    ] {
        let test = both(of, "4");
        test.run(&format!("run t --yes --journal {journal}"))
            .code(0);
        assert_eq!(test.rows(ROWS), then, "{of} {journal}");
        undo(&test).code(0).says("1 row put back");
        assert_eq!(
            test.rows(ROWS),
            "100 free, 200 free, 300 free",
            "{of} {journal}"
        );
        undo(&test).code(0).says("put back already");
        assert_eq!(
            test.rows(ROWS),
            "100 free, 200 free, 300 free",
            "{of} {journal}"
        );
    }
}

#[test]
fn a_server_that_does_not_count_rows_is_refused() {
    let test = Test::sql(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0); CREATE TABLE seen (id int); \
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END'; \
         CREATE TRIGGER see AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see(); \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_counts = off', current_database()); END $$",
    )
    .unrehearsed("- fix: f\n  sql: UPDATE t SET v = 1 WHERE id = 1\n  rows: 1");
    test.run("run t --yes")
        .code(10)
        .says("`track_counts` is off");
    assert_eq!(test.rows("SELECT v FROM t"), "0");
}
