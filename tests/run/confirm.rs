//! Questions: who answers, and what a yes is bound to.

use insta::assert_snapshot;

use crate::terminal::Terminal;
use crate::test::Test;

const ACCOUNTS: &str = "CREATE TABLE accounts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, balance int, changed_at timestamptz); \
    INSERT INTO accounts (balance) VALUES (10), (20)";

const RAISE: &str = "
    sql: UPDATE accounts SET balance = balance + 1 WHERE balance >= 10
    rows: 1..5
";

const TYPED: &str = "
    - confirm: go
      ask: Raise all?
      type: raise
    - fix: f
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
      rows: 1
    - check: after
      that: true
";

#[test]
fn case_40_without_a_terminal_it_is_declined() {
    let test = Test::sql(ACCOUNTS).fix(RAISE);
    let before = test.contents();
    assert_snapshot!(test.run("run t"), @"
    exit 12
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of accounts
            accounts  1  balance  10 → 11
                      2  balance  20 → 21
          Go?
          ✗ no · nobody · there is no terminal to ask `go` at: answer it with --answer go=…, or run it in a terminal

    Declined after TIME.
    `go` was not answered
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_40_a_terminal_without_an_answer_is_declined() {
    let test = Test::sql(ACCOUNTS).fix(RAISE);
    let before = test.contents();
    let ask = || Terminal::new(&test, "run t").shows("Go on? [y/N] ");
    let (code, screen) = ask().types("\x04").end();
    assert_eq!(code, Some(12), "{screen}");
    assert!(
        screen.contains("the input ended without an answer"),
        "{screen}"
    );
    for answer in ["no\n", "\n", "yess\n", "ja\n", "1\n"] {
        let (code, screen) = ask().types(answer).end();
        assert_eq!(code, Some(12), "{answer}: {screen}");
    }
    assert_eq!(test.contents(), before);
}

#[test]
fn a_person_says_yes_at_the_terminal() {
    let test = Test::sql(ACCOUNTS).fix(RAISE);
    let (code, screen) = Terminal::new(&test, "run t")
        .shows("Go on? [y/N] ")
        .types("Yes\n")
        .end();
    assert_eq!(code, Some(0));
    assert_snapshot!(screen, @"
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of accounts
            accounts  1  balance  10 → 11
                      2  balance  20 → 21
          Go?
          Go on? [y/N] Yes
          ✓ yes · postgres (USER@HOST)
      ✓ f                      2 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "11\n21"
    );
}

#[test]
fn the_exact_text_must_be_typed() {
    let test = Test::sql(ACCOUNTS).steps(TYPED);
    let ask = || Terminal::new(&test, "run t").shows("Type \"raise\" to go on: ");
    for answer in ["Raise\n", "yes\n", "raise it\n", "\n"] {
        let (code, screen) = ask().types(answer).end();
        assert_eq!(code, Some(12), "{answer}: {screen}");
    }
    let (_, screen) = ask().types("Raise\n").end();
    let why = "\"Raise\" is not the text asked for, \"raise\"";
    assert!(screen.contains(why), "{screen}");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n20"
    );
    let (code, screen) = ask().types("raise\n").end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(test.rows("SELECT balance FROM accounts WHERE id = 1"), "11");
}

#[test]
fn case_40_nobody_answers_in_time() {
    let test = Test::sql(ACCOUNTS).steps(&TYPED.replace("type: raise", "timeout: 200ms"));
    let (code, screen) = Terminal::new(&test, "run t").shows("Go on? [y/N] ").end();
    assert_eq!(code, Some(12), "{screen}");
    assert!(screen.contains("nobody answered in time"), "{screen}");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n20"
    );
}

#[test]
fn case_10_ctrl_c_at_the_question_cancels() {
    let test = Test::sql(ACCOUNTS).fix(RAISE);
    let (code, screen) = Terminal::new(&test, "run t")
        .shows("Go on? [y/N] ")
        .interrupts()
        .end();
    assert_eq!(code, Some(130), "{screen}");
    assert_snapshot!(screen, @"
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 2 rows of accounts
            accounts  1  balance  10 → 11
                      2  balance  20 → 21
          Go?
          Go on? [y/N] 
    cancelling; once more ends it at once

      ✗ go                     failed  TIME
          error: cancelled at the question

    Cancelled after TIME.
    `go`: cancelled at the question
    Nothing was changed.
    ");
    assert_eq!(
        test.rows("SELECT balance FROM accounts ORDER BY id"),
        "10\n20"
    );
}

#[test]
fn no_transaction_is_open_while_a_question_waits() {
    let test = Test::sql(ACCOUNTS).fix(RAISE);
    let terminal = Terminal::new(&test, "run t").shows("Go on? [y/N] ");
    test.until(
        "SELECT bool_and(state = 'idle' AND xact_start IS NULL) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name LIKE 'runbook/%'",
    );
    assert_eq!(terminal.types("n\n").end().0, Some(12));
}

#[test]
fn case_17_a_yes_holds_for_the_rows_that_were_shown_only() {
    let disturbances = [
        // Another value before, one row more, one less, another one in its place.
        "UPDATE accounts SET balance = 11 WHERE id = 1",
        "INSERT INTO accounts (balance) VALUES (30)",
        "DELETE FROM accounts WHERE id = 1",
        "UPDATE accounts SET balance = 0 WHERE id = 1; INSERT INTO accounts (balance) VALUES (10)",
    ];
    for disturbance in disturbances {
        let test = Test::sql(ACCOUNTS).fix(RAISE);
        let terminal = Terminal::new(&test, "run t").shows("Go on? [y/N] ");
        test.connect().run(disturbance);
        let before = test.contents();
        let (code, screen) = terminal.types("y\n").end();
        assert_eq!(code, Some(10), "{disturbance}: {screen}");
        assert!(
            screen.contains("the changes are not those that were shown and approved"),
            "{screen}"
        );
        assert_eq!(test.contents(), before, "{disturbance}");
    }
}

#[test]
fn case_17_a_yes_to_an_atomic_holds_for_its_rows_only() {
    let test = Test::sql(ACCOUNTS).confirmed(
        "
        - atomic: both
          steps:
            - fix: one
              sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
              rows: 1
            - fix: two
              sql: DELETE FROM accounts WHERE id <> 1
              rows: 1..
        ",
    );
    let terminal = Terminal::new(&test, "run t").shows("Go on? [y/N] ");
    test.connect()
        .run("INSERT INTO accounts (balance) VALUES (99)");
    let before = test.contents();
    let (code, screen) = terminal.types("y\n").end();
    assert_eq!(code, Some(10), "{screen}");
    assert_snapshot!(screen, @"
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          both changes 2 rows of accounts
            accounts    1  balance  10 → 11
                      - 2  balance 20   changed_at null
          Operation      UPDATE accounts; DELETE accounts
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of accounts deleted, 1 updated
          Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          Go on? [y/N] y
          ✓ yes · postgres (USER@HOST)
      ✗ both                   rolled back, nothing of it remains
          ✓ one  1 row   ✓ two  2 rows
      ✗ both                   failed  TIME
          error: the changes are not those that were shown and approved
            = note: now it would change 3 rows of accounts
            = note: someone changed the data since, or the statement gives other values each time; nothing was changed
            = help: run it again, and look at what it shows now

    Failed after TIME.
    `both`: the changes are not those that were shown and approved
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_17_a_volatile_predicate_is_found() {
    let many = "CREATE TABLE coins (id int PRIMARY KEY, n int); INSERT INTO coins SELECT n, n FROM generate_series(1, 200) n";
    let sql = "sql: UPDATE coins SET n = 0 WHERE random() < 0.5\nrows: 1..";
    let test = Test::sql(many).fix(sql);
    let before = test.contents();
    test.run("run t --yes")
        .code(10)
        .says("found by the rehearsal");
    let test = test.unrehearsed(&format!("- fix: f\n  {}\n", sql.replace('\n', "\n  ")));
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: the statement changed other rows of coins than its predicate found just before
            = note: the predicate gives other rows each time, or someone changed the data meanwhile; nothing was changed
            = help: take random(), nextval() and other volatile functions out of the predicate, or run it again

    Failed after TIME.
    `f`: the statement changed other rows of coins than its predicate found just before
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn what_differs_by_its_nature_keeps_a_yes() {
    let test = Test::sql(&format!(
        "{ACCOUNTS}; CREATE TABLE log (id bigserial PRIMARY KEY, token uuid DEFAULT gen_random_uuid(), at timestamptz DEFAULT now(), what text)"
    ))
    .confirmed(
        "
        - atomic: both
          steps:
            - fix: one
              sql: UPDATE accounts SET balance = 0, changed_at = now() WHERE id = 1
              rows: 1
            - fix: two
              sql: INSERT INTO log (what) VALUES ('raised'), ('told')
            - fix: three
              sql: INSERT INTO accounts (balance) VALUES (5)
        ",
    );
    let (code, screen) = Terminal::new(&test, "run t")
        .shows("Go on? [y/N] ")
        .types("y\n")
        .end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(
        test.rows(
            "SELECT balance, changed_at > now() - interval '1 minute' FROM accounts ORDER BY id"
        ),
        "0 | t\n20 | null\n5 | null"
    );
    assert_eq!(test.rows("SELECT count(*) FROM log"), "2");
}

#[test]
fn a_no_takes_the_else_of_the_question() {
    let test =
        Test::sql(ACCOUNTS).steps(&TYPED.replace("type: raise", "else: { stop: Another time. }"));
    test.run("run t --answer go=no")
        .code(0)
        .says("Another time.");
    test.run("run t --answer go=yes")
        .code(0)
        .says("1 row changed, committed");
    test.run("run t --answer gone=yes")
        .code(2)
        .says("did you mean `go`?");
}
