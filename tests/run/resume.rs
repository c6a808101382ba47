//! Runs that were cut short go on where they were, or say why they cannot.

use insta::assert_snapshot;

use crate::test::{Ran, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL); \
    INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 3) n";

const STEPS: &str = "
    - query: account
      sql: SELECT id, balance FROM accounts WHERE id = 1
      rows: 1
    - confirm: go
      ask: Go?
    - fix: one
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = {{ account.id }}
      rows: 1
    - fix: two
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
      rows: 1
    - fix: three
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 3
      rows: 1
    - check: after
      that: true
";

const BALANCES: &str = "SELECT string_agg(balance::text, ' ' ORDER BY id) FROM accounts";

const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'";

const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name LIKE 'runbook/%'";

/// Kills a run at its second fix, which waits for a row.
fn cut_short(test: &Test) {
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    test.until(GONE);
}

fn resume(test: &Test) -> Ran {
    test.run(&format!("resume {} --yes", test.id()))
}

#[test]
fn case_01_a_killed_run_goes_on_where_it_was() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    cut_short(&test);
    assert_eq!(test.rows(BALANCES), "101 100 100");
    assert_snapshot!(resume(&test), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ account                1 row  TIME
          id  balance
           1      100
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    1 row changed, committed  TIME
          accounts  1  balance  100 → 101
      ⟲ resumed by postgres (USER@HOST)
      ✓ two                    1 row changed, committed  TIME
          accounts  2  balance  100 → 101
      ✓ three                  1 row changed, committed  TIME
          accounts  3  balance  100 → 101
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(BALANCES), "101 101 101");
    // What is over cannot go on.
    assert_snapshot!(resume(&test), @"
    exit 0
    --- stderr
    run RUN is over: done
      = help: put back what it changed: runbook undo RUN
    ");
    assert_eq!(test.rows(BALANCES), "101 101 101");
}

#[test]
fn case_06_of_two_runners_one_is_told_who_has_it() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until(WAITS);
    assert_snapshot!(resume(&test), @"
    exit 10
    --- stderr
    error: postgres (USER@HOST) works on run `RUN`, as process PID since MOMENT
      = help: nothing is changed; wait until that one has ended, or end it
    ");
    assert_snapshot!(test.run(&format!("undo {} --yes", test.id())), @"
    exit 10
    --- stderr
    error: postgres (USER@HOST) works on run `RUN`, as process PID since MOMENT
      = help: nothing is changed; wait until that one has ended, or end it
    ");
    other.run("ROLLBACK");
    run.end().code(0);
    assert_eq!(test.rows(BALANCES), "101 101 101");
}

#[test]
fn case_12_a_runbook_that_was_edited_since_does_not_go_on() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    cut_short(&test);
    let test = test.steps(&STEPS.replace("WHERE id = 3", "WHERE id = 1"));
    assert_snapshot!(resume(&test), @"
    exit 3
    --- stderr
    error: the runbook `t` was changed since run `RUN` began: it cannot go on
      line 17 was `sql: UPDATE accounts SET balance = balance + 1 WHERE id = 3`, and is `sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1`
      = help: put back what the run changed: runbook undo RUN
      = help: or give the runbook its old text again
    ");
    assert_eq!(test.rows(BALANCES), "101 100 100");
    assert_snapshot!(test.run(&format!("undo {} --yes", test.id())), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 1 row of accounts
            accounts  1  balance  101 → 100
          Put back 1 row?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   one: 1 row put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(BALANCES), "100 100 100");
}

#[test]
fn case_13_a_torn_last_line_is_left_out() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    cut_short(&test);
    let path = test.record().join("events.jsonl");
    let mut events = std::fs::read(&path).unwrap();
    events.extend(br#"{"seq":99,"at":"2026-"#);
    std::fs::write(&path, events).unwrap();
    let ran = resume(&test).code(0);
    assert!(ran.stderr.starts_with("note: line "), "{ran}");
    assert_eq!(test.rows(BALANCES), "101 101 101");
    test.run(&format!("audit verify {}", test.id())).code(0);
}

#[test]
fn case_14_what_the_record_cannot_hold_does_not_happen() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    let program = env!("CARGO_BIN_EXE_runbook");
    for blocks in [1, 2, 4, 6, 8] {
        // With the signal ignored, a file that grows too large is an error, as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let command = test.command(["run", "t", "--yes"]);
        let args = command.get_args().map(|arg| arg.to_str().unwrap());
        let mut shell = test.shell(&script, program, args);
        let ran = test.ran(&shell.output().unwrap());
        let balances = test.rows(BALANCES);
        assert!(ran.code != Some(0) || balances == "101 101 101", "{ran}");
        if ran.code != Some(0) {
            ran.says("cannot write").says("file too large");
        }
        test.connect().run("UPDATE accounts SET balance = 100");
    }
}

#[test]
fn a_run_that_does_not_exist_is_said() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    assert_snapshot!(test.run("resume zzzzzz"), @"
    exit 2
    --- stderr
    error: there is no run `RUN` in `ROOT/.local/state/runbook`
      = help: `runbook history` lists the runs; --state-dir names another folder
    ");
    assert_snapshot!(test.run("undo zzzzzz"), @"
    exit 2
    --- stderr
    error: there is no run `RUN` in `ROOT/.local/state/runbook`
      = help: `runbook history` lists the runs; --state-dir names another folder
    ");
    assert_snapshot!(test.run("report zzzzzz"), @"
    exit 2
    --- stderr
    error: there is no run `RUN` in `ROOT/.local/state/runbook`
      = help: `runbook history` lists the runs; --state-dir names another folder
    ");
}

#[test]
fn a_program_under_way_needs_someone_to_say_whether_it_was_done() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - confirm: go
          ask: Go?
        - fix: p
          command: [sh, -c, 'echo began >> trace; sleep 30']
          expect: { code: 0 }
          undo: none
        - fix: one
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
          rows: 1
        - check: after
          that: true
        ",
    );
    let run = test.start("run t --yes");
    let trace = test.root().join("work/trace");
    Test::wait(|| trace.exists());
    run.kill();
    assert_snapshot!(resume(&test), @"
    exit 14
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
    --- stderr
    error: `p` was under way when the run was cut short, and nothing can tell whether it was done
      it runs a program, or outside of transactions; its step has no `verify`
      = help: look, then say what became of it: runbook resume RUN --assume p=done, or p=undone
    ");
    let unknown = test.run(&format!("resume {} --assume q=done", test.id()));
    assert_snapshot!(unknown, @"
    exit 2
    --- stderr
    error: `--assume q`: there is no step of that name
      = help: the steps are go, p, one and after
    ");
    assert_eq!(test.rows(BALANCES), "100 100 100");
    assert_snapshot!(test.run(&format!("resume {} --yes --assume p=done", test.id())), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
      ⟲ resumed by postgres (USER@HOST)
      ✓ p                      no row changed, committed  TIME
      ✓ one                    1 row changed, committed  TIME
          accounts  1  balance  100 → 101
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(BALANCES), "101 100 100");
    assert_eq!(std::fs::read_to_string(trace).unwrap(), "began\n");
}

#[test]
fn verify_says_whether_a_step_outside_of_transactions_was_done() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - confirm: go
          ask: Go?
        - fix: index
          sql: CREATE INDEX CONCURRENTLY accounts_balance ON accounts (balance)
          transaction: none
          undo: none
          verify: SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'accounts_balance')
        - check: after
          that: true
        ",
    );
    let other = test.connect();
    other.run("BEGIN; UPDATE accounts SET balance = 5 WHERE id = 1");
    let run = test.start("run t --yes");
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    test.until(GONE);
    let there = test.rows("SELECT count(*) FROM pg_class WHERE relname = 'accounts_balance'");
    assert_eq!(there, "1");
    assert_snapshot!(resume(&test), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
      ✓ index                  no row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn a_loop_goes_on_with_its_next_item() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: all
          sql: SELECT id FROM accounts ORDER BY id
        - confirm: go
          ask: Go?
        - fix: each
          for_each: all.rows
          as: account
          sql: UPDATE accounts SET balance = balance + 1 WHERE id = {{ account.id }}
          rows: 1
        - check: after
          that: each.count == 3
        ",
    );
    cut_short(&test);
    assert_eq!(test.rows(BALANCES), "101 100 100");
    assert_snapshot!(resume(&test), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✓ all                    3 rows  TIME
          id
           1
           2
           3
      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
      ✓ each                   3 items, 3 rows  TIME
          ✓ 1  1 row   ✓ 2  1 row   ✓ 3  1 row
          accounts  1, 2, 3  balance  100 → 101
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(BALANCES), "101 101 101");
}

#[test]
fn an_atomic_for_each_row_goes_on_with_its_next_item() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: all
          sql: SELECT id FROM accounts ORDER BY id
        - confirm: go
          ask: Go?
        - atomic: each
          for_each: all.rows
          as: account
          steps:
            - fix: add
              sql: UPDATE accounts SET balance = balance + 1 WHERE id = {{ account.id }}
              rows: 1
            - check: added
              sql: SELECT balance FROM accounts WHERE id = {{ account.id }}
              that: balance == 101
        - check: after
          that: each.count == 3
        ",
    );
    cut_short(&test);
    assert_eq!(test.rows(BALANCES), "101 100 100");
    resume(&test).code(0);
    assert_eq!(test.rows(BALANCES), "101 101 101");
}

#[test]
fn a_batch_goes_on_with_its_next_part() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - confirm: go
          ask: Go?
        - fix: all
          sql: UPDATE accounts SET balance = balance + 1 WHERE id < 4
          rows: 3
          batch: { size: 1 }
        - check: after
          that: all.count == 3
        ",
    );
    cut_short(&test);
    assert_eq!(test.rows(BALANCES), "101 100 100");
    assert_snapshot!(resume(&test), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
      ✓ all                    3 rows changed, committed  TIME
          accounts  2, 3  balance  100 → 101
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(BALANCES), "101 101 101");
    assert_snapshot!(test.run(&format!("undo {} --yes", test.id())), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back all changes 3 rows of accounts
            accounts  3, 2, 1  balance  101 → 100
          Put back 3 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   all: 3 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(BALANCES), "100 100 100");
}

#[test]
fn secrets_are_given_again() {
    let test = Test::sql(ACCOUNTS).runbook(
        "t",
        &format!(
            "risk: medium\nparams:\n  pin: {{ type: text, secret: true }}\nsteps:\n{}",
            STEPS.replace("\n    ", "\n  ")
        ),
    );
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = test.start("run t --yes --pin sesame");
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    test.until(GONE);
    let text = std::fs::read_to_string(test.record().join("run.json")).unwrap()
        + &std::fs::read_to_string(test.record().join("events.jsonl")).unwrap();
    // No hash can have it by chance.
    assert!(!text.contains("sesame"));
    assert_snapshot!(resume(&test), @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      pin: it has no value
        give --pin TEXT (text, secret)
      = help: `runbook run t --help` describes the parameters
    ");
    test.run(&format!("resume {} --yes --param pin=sesame", test.id()))
        .code(0);
    assert_eq!(test.rows(BALANCES), "101 101 101");
}

#[test]
fn case_02_what_was_committed_unheard_is_put_back_too() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    cut_short(&test);
    // As if the program had been killed before it could write down that the first fix was committed.
    let path = test.record().join("events.jsonl");
    let events = std::fs::read_to_string(&path).unwrap();
    let heard = events.lines().take_while(|line| !is_committed(line));
    let heard: String = heard.flat_map(|line| [line, "\n"]).collect();
    assert!(heard.contains("\"event\":\"committing\""), "{heard}");
    std::fs::write(&path, heard).unwrap();
    test.run(&format!("undo {} --yes", test.id())).code(0);
    assert_eq!(test.rows(BALANCES), "100 100 100");
}

fn is_committed(line: &str) -> bool {
    line.contains("\"event\":\"step_finished\"") && line.contains("\"committed\":true")
}

#[test]
fn verify_sees_the_item_that_was_under_way() {
    let test = Test::sql(ACCOUNTS).steps(
        "
        - query: all
          sql: SELECT id FROM accounts WHERE id < 3 ORDER BY id
        - confirm: go
          ask: Go?
        - fix: p
          for_each: all.rows
          as: account
          command: [sh, -c, 'echo $1 >> trace; test -e fast || sleep 30', sh, '{{ account.id }}']
          expect: { code: 0 }
          undo: none
          verify: SELECT {{ account.id }} = 1
        - check: after
          that: true
        ",
    );
    let run = test.start("run t --yes");
    let trace = test.root().join("work/trace");
    Test::wait(|| trace.exists());
    run.kill();
    let test = test.file("fast", "");
    resume(&test).code(0);
    assert_eq!(std::fs::read_to_string(trace).unwrap(), "1\n2\n");
}
