//! `rollback` steps that put rows back from a backup of the same run: what no row images could put back.

use insta::assert_snapshot;

use crate::backup_step::SHOP;
use crate::test::{Ran, Test, indent};
use crate::undo::{told, undo};

const PLANS: &str = "SELECT string_agg(id || ' ' || plan, ', ' ORDER BY id) FROM users";

const FREE: &str = "1 free, 2 free, 3 free, 4 free, 5 free, 6 free";

/// A run that saves users, changes them as `fix` says, fails, and goes on in a branch with these steps.
fn failing(saved: &str, fix: &str, back: &str) -> Test {
    Test::sql(SHOP).runbook(
        "t",
        &format!(
            "
            risk: high
            steps:
              - confirm: go
                ask: Go?
              - backup: before
{}
              - fix: change
{}
              - check: good
                that: false
                else: repair
            branches:
              repair:
{}",
            indent(saved, 16),
            indent(fix, 16),
            indent(back, 16)
        ),
    )
}

const USERS: &str = "rows:\n  users: id <= 4";

const BACK: &str = "- rollback: back\n  backup: before";

const UPDATE: &str = "sql: UPDATE users SET plan = 'paid' WHERE id <= 3\nrows: 3\nundo: none";

fn said(test: &Test, ran: &Ran) -> String {
    ran.to_string().replace(&test.id(), "RUN")
}

#[test]
fn an_update_without_images_is_put_back() {
    let test = failing(USERS, UPDATE, BACK);
    let ran = test.run("run t --answer go=yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
      ✓ before                 4 rows of public.users → ~/.local/state/runbook/backups/RUN-before (49 B, verified)  TIME
      ✓ change                 3 rows changed, committed  TIME
          users  1, 2, 3  plan  free → paid
      → good                   no  TIME
          → not so: false
      ↶ back                   3 rows put back  TIME
          users  1, 2, 3  plan  paid → free

    Rolled back after TIME.
    `good` says no: false
    What it had changed was put back: change.
    ");
    assert_eq!(test.rows(PLANS), FREE);
    // The journal has it: there is nothing left for `undo`.
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    test.run(&format!("audit verify {}", test.id())).code(0);
}

#[test]
fn deleted_rows_come_back() {
    for fix in [
        "sql: DELETE FROM users WHERE id <= 3\nrows: 3\nundo: none",
        "sql: DELETE FROM users WHERE id IN (2, 3)\nrows: 2\nundo: INSERT INTO users VALUES (2, 1, 'x')",
        "sql: WITH gone AS (DELETE FROM users WHERE id = 1 RETURNING id) SELECT count(*) FROM gone\nrows: 1\nundo: none",
    ] {
        let test = failing(USERS, fix, BACK);
        test.run("run t --answer go=yes").code(11);
        assert_eq!(test.rows(PLANS), FREE, "{fix}");
    }
}

#[test]
fn a_truncated_table_comes_back() {
    let test = failing("tables: [users]", "sql: TRUNCATE users\nundo: none", BACK);
    let ran = test.run("run t --answer go=yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
      ✓ before                 6 rows of public.users → ~/.local/state/runbook/backups/RUN-before (52 B, verified)  TIME
      ✓ change                 no row changed, committed  TIME
          ! TRUNCATE: its rows cannot be shown one by one
      → good                   no  TIME
          → not so: false
      ↶ back                   6 rows put back  TIME
          users  + 1  company_id 2   plan free
                 + 2  company_id 1   plan free
                 + 3  company_id 2   plan free
                 + 4  company_id 1   plan free
                 + 5  company_id 2   plan free
                 + 6  company_id 1   plan free

    Rolled back after TIME.
    `good` says no: false
    What it had changed was put back: change.
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_cascade_comes_back_with_what_it_took() {
    let test = failing(
        "tables: [companies, users]",
        "sql: TRUNCATE companies CASCADE\ntables: [companies, users]\nundo: none",
        BACK,
    );
    test.run("run t --answer go=yes").code(11);
    assert_eq!(test.rows(PLANS), FREE);
    assert_eq!(test.rows("SELECT count(*) FROM companies"), "2");
}

#[test]
fn an_encrypted_backup_is_opened_by_the_run_that_made_it() {
    let saved =
        format!("{USERS}\nencrypt: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
    let test = failing(&saved, UPDATE, BACK);
    test.run("run t --answer go=yes").code(11);
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn what_the_backup_does_not_hold_stays_and_says_so() {
    let test = failing(
        "rows:\n  companies: id = 1",
        "sql:\n  - UPDATE users SET plan = 'paid' WHERE id = 1\n  - UPDATE companies SET status = 'x' WHERE id = 1\nrows: 2\nundo: none",
        BACK,
    );
    let ran = test.run("run t --answer go=yes").code(13);
    ran.says("Committed, and still there: change.");
    assert_eq!(
        test.rows("SELECT status FROM companies WHERE id = 1"),
        "suspended"
    );
    assert_eq!(test.rows("SELECT plan FROM users WHERE id = 1"), "paid");
}

/// Another run, or someone beside it, changes a row between the fix and the rollback.
// Somebody else: a program of a query is read-only unless it says otherwise.
const MEANWHILE: &str = "- query: meanwhile
  command: [env, -u, PGOPTIONS, psql, -qc, UPDATE users SET plan = 'gold' WHERE id = 2]
  pass_connection: true
- rollback: back
  backup: before";

#[test]
fn case_20_a_row_that_someone_changed_since_is_a_conflict() {
    let test = failing(USERS, UPDATE, MEANWHILE);
    let ran = test.run("run t --answer go=yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 13
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
      ✓ before                 4 rows of public.users → ~/.local/state/runbook/backups/RUN-before (49 B, verified)  TIME
      ✓ change                 3 rows changed, committed  TIME
          users  1, 2, 3  plan  free → paid
      → good                   no  TIME
          → not so: false
      ✓ meanwhile              exit code 0  TIME
      ✗ back                   nothing put back, 1 row has changed since  TIME
          ! users id = 2 was changed since
            column  then  now   would become
            plan    free  gold  free

    Stopped with changes left in place after TIME.
    `back` put nothing back: someone changed 1 row since
    Committed, and still there: change.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(
        test.rows(PLANS),
        "1 paid, 2 gold, 3 paid, 4 free, 5 free, 6 free"
    );
}

#[test]
fn a_row_with_a_conflict_can_be_skipped() {
    let test = failing(USERS, UPDATE, &format!("{MEANWHILE}\n  on_conflict: skip"));
    let ran = test.run("run t --answer go=yes").code(13);
    ran.says("2 rows put back, 1 row left as it is");
    assert_eq!(
        test.rows(PLANS),
        "1 free, 2 gold, 3 free, 4 free, 5 free, 6 free"
    );
}

#[test]
fn rows_that_were_never_touched_are_let_be() {
    // Someone changed a row that the run had saved and left alone, before the rollback.
    let other = MEANWHILE.replace("id = 2", "id = 4");
    let test = failing(USERS, UPDATE, &other);
    let ran = test.run("run t --answer go=yes").code(13);
    ran.says("1 row has changed since");
    assert_eq!(
        test.rows(PLANS),
        "1 paid, 2 paid, 3 paid, 4 gold, 5 free, 6 free"
    );
}

const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name LIKE 'runbook/%'";

#[test]
fn case_26_a_rollback_that_was_cut_short_is_done_once() {
    // The run is killed after it put back, in a step that waits.
    let back = format!(
        "{BACK}\n- query: waits\n  command: [sleep, '60']\n- check: known\n  that: back.restored == 3"
    );
    let test = failing(USERS, UPDATE, &back);
    let run = test.start("run t --answer go=yes");
    Test::wait(|| {
        let events = test
            .root()
            .join(".local/state/runbook/index.jsonl")
            .exists();
        events
            && std::fs::read_to_string(test.record().join("events.jsonl"))
                .is_ok_and(|text| text.contains("\"waits\""))
    });
    run.kill();
    test.until(GONE);
    assert_eq!(test.rows(PLANS), FREE);
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 1");
    // What was done is in the record; what came since is nobody's business.
    let events = test.record().join("events.jsonl");
    let text = std::fs::read_to_string(&events).unwrap();
    assert!(text.contains("\"kind\":\"rollback\",\"undone\""), "{text}");
    assert_eq!(
        test.rows("SELECT count(*) FROM runbook.entry WHERE undo"),
        "2"
    );
}

#[test]
fn case_26_the_journal_keeps_a_rollback_from_being_done_twice() {
    let test = failing(USERS, UPDATE, BACK);
    test.run("run t --answer go=yes").code(11);
    // The record ends as if the program had been killed right after the COMMIT of the rollback.
    let path = test.record().join("events.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines
        .iter()
        .position(|line| line.contains("\"kind\":\"rollback\",\"undone\""))
        .unwrap();
    std::fs::write(&path, lines[..at].concat()).unwrap();
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 1");
    let ran = test.run(&format!("resume {} --yes", test.id()));
    assert_snapshot!(said(&test, &ran), @"
    exit 11
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --answer
      ✓ before                 4 rows of public.users → ~/.local/state/runbook/backups/RUN-before (49 B, verified)  TIME
      ✓ change                 3 rows changed, committed  TIME
          users  1, 2, 3  plan  free → paid
      → good                   no  TIME
          → not so: false
      ⟲ resumed by postgres (USER@HOST)
      ↶ back                   nothing to put back  TIME

    Rolled back after TIME.
    `good` says no: false
    What it had changed was put back: change.
    ");
    assert_eq!(
        test.rows(PLANS),
        "1 gold, 2 free, 3 free, 4 free, 5 free, 6 free"
    );
}

#[test]
fn a_backup_that_was_damaged_since_puts_nothing_back() {
    let damage = "- query: damage
  command: [sh, -c, 'for f in \"$1\"/tables/*; do echo x >> \"$f\"; done', sh, '{{ before.path }}']
- rollback: back
  backup: before";
    let test = failing(USERS, UPDATE, damage);
    test.run("run t --answer go=yes")
        .code(13)
        .says("is damaged");
    assert_eq!(
        test.rows(PLANS),
        "1 paid, 2 paid, 3 paid, 4 free, 5 free, 6 free"
    );
}
