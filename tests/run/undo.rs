//! `runbook undo`: asks, shows, and puts back what a run changed, once.

use insta::assert_snapshot;

use crate::session::moments;
use crate::terminal::Terminal;
use crate::test::{Ran, Test};

pub(crate) const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, plan text); \
    INSERT INTO users SELECT n, 'user ' || n, 'free' FROM generate_series(1, 5) n";

const PAID: &str = "sql: UPDATE users SET plan = 'paid' WHERE id <= 2\nrows: 2";

const PLANS: &str = "SELECT string_agg(id || ' ' || plan, ', ' ORDER BY id) FROM users";

const FREE: &str = "1 free, 2 free, 3 free, 4 free, 5 free";

/// A run whose two rows are paid for.
fn paid() -> Test {
    let test = Test::sql(USERS).fix(PAID);
    test.run("run t --yes").code(0);
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 free, 4 free, 5 free");
    test
}

/// Puts back the first run.
pub(crate) fn undo(test: &Test, args: &str) -> Ran {
    test.run(&format!("undo {} {args}", test.id()))
}

/// What was said, without the times of what happened before.
pub(crate) fn told(ran: &Ran) -> String {
    moments(&ran.to_string())
}

/// Returns the id of the newest run.
pub(crate) fn newest(test: &Test) -> String {
    let ran = test.ran(&test.bare(["history", "--output", "json"]).output().unwrap());
    let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    list[0]["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_yes_at_the_terminal_puts_back() {
    let test = paid();
    let run = format!("undo {}", test.id());
    let (code, text) = Terminal::new(&test, &run)
        .shows("[y/N]")
        .types("yes\n")
        .end();
    assert_eq!(code, Some(0), "{text}");
    assert_snapshot!(text, @"
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 2 rows of users
            users  1, 2  plan  paid → free
          Put back 2 rows?
          Go on? [y/N] yes
          ✓ yes · postgres (USER@HOST)
      ↶ undo                   f: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_no_at_the_terminal_puts_nothing_back() {
    for answer in ["no\n", "\n", "\x04"] {
        let test = paid();
        let run = format!("undo {}", test.id());
        let (code, text) = Terminal::new(&test, &run)
            .shows("[y/N]")
            .types(answer)
            .shows("nothing was put back")
            .end();
        assert_eq!(code, Some(12), "{text}");
        if answer == "no\n" {
            assert_snapshot!(text, @"
            Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

              ? go_ahead
                  putting back f changes 2 rows of users
                    users  1, 2  plan  paid → free
                  Put back 2 rows?
                  Go on? [y/N] no
                  ✗ no · postgres (USER@HOST)

            Declined after TIME.
            nothing was put back
            Nothing was changed.
            ");
        }
        assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 free, 4 free, 5 free");
        // A no is no last word.
        undo(&test, "--yes").code(0);
        assert_eq!(test.rows(PLANS), FREE);
    }
}

#[test]
fn without_a_terminal_it_is_declined() {
    let test = paid();
    let before = test.contents();
    assert_snapshot!(undo(&test, ""), @"
    exit 12
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 2 rows of users
            users  1, 2  plan  paid → free
          Put back 2 rows?
          ✗ no · nobody · there is no terminal to ask `go_ahead` at: answer it with --yes, or run it in a terminal

    Declined after TIME.
    nothing was put back
    Nothing was changed.
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn a_dry_run_shows_it_and_leaves_everything() {
    let test = paid();
    let before = test.contents();
    let journal = "SELECT count(*) FROM runbook.entry WHERE undo";
    assert_snapshot!(undo(&test, "--dry-run"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ↶ undo                   f: 2 rows would be put back  TIME
          what run RUN changed is put back
          users  1, 2  plan  paid → free

    Done in TIME.
    It would change 2 rows of users:
      users  2 updated
    Everything is rolled back, as the server confirms.
    ");
    assert_eq!(test.contents(), before);
    assert_eq!(test.rows(journal), "0");
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--dry-run"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ✗ undo                   f: nothing would be put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Everything is rolled back, as the server confirms.
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_snapshot!(undo(&test, "--dry-run --skip-conflicts"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ! undo                   f: 1 row would be put back, 1 row left as it is  TIME
          what run RUN changed is put back
          users  1  plan  paid → free
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    1 row left as it is
    It would change 1 row of users:
      users  1 updated
    Everything is rolled back, as the server confirms.
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
    assert_eq!(test.rows(journal), "0");
}

#[test]
fn case_26_twice_is_once() {
    let test = paid();
    undo(&test, "--yes").code(0);
    assert_eq!(test.rows(PLANS), FREE);
    test.connect().run("UPDATE users SET plan = 'paid'");
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 paid, 4 paid, 5 paid");
}

#[test]
fn what_lasts_nothing_cannot_be_put_back() {
    let test = Test::sql(USERS).fix(PAID);
    test.run("run t --dry-run").code(0);
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 2
    --- stderr
    error: run `RUN` was a dry run: nothing of it lasts
    ");
    let test = paid();
    undo(&test, "--yes").code(0);
    let id = newest(&test);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @"
    exit 2
    --- stderr
    error: run `RUN` itself put a run back: run the runbook again to have its changes
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_run_that_changed_nothing_has_nothing_to_be_put_back() {
    let test = Test::sql(USERS).fix(PAID);
    test.run("run t --answer go=no").code(12);
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    run RUN changed nothing that is still in place
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_run_is_found_by_its_first_letters() {
    let test = paid();
    let (id, before) = (test.id(), test.contents());
    // One more run, of which the id begins with the same letters.
    let runs = test.root().join(".local/state/runbook/runs");
    let twin = format!("{}z", &id[..5]);
    let twin = if twin == id {
        format!("{}y", &id[..5])
    } else {
        twin
    };
    std::fs::create_dir(runs.join(&twin)).unwrap();
    for file in ["run.json", "events.jsonl"] {
        std::fs::copy(runs.join(&id).join(file), runs.join(&twin).join(file)).unwrap();
    }
    let ran = test.run(&format!("undo {} --yes", &id[..4]));
    let mut both = [id.clone(), twin.clone()];
    both.sort();
    let text = (ran.to_string().replace(&both[0], "FIRST")).replace(&both[1], "SECOND");
    assert_snapshot!(text.replace(&id[..4], "FOUR"), @"
    exit 2
    --- stderr
    error: several runs begin with `FOUR`: `FIRST`, `SECOND`
      = help: write more of its letters
    ");
    assert_eq!(test.contents(), before);
    std::fs::remove_dir_all(runs.join(&twin)).unwrap();
    test.run(&format!("undo {} --yes", &id[..4])).code(0);
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn from_another_machine_the_databases_journal_is_enough() {
    let test = Test::sql(USERS).steps(
        "
        - confirm: go
          of: [one, two]
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id <= 2
          rows: 2
        - fix: two
          sql: DELETE FROM users WHERE id = 5
          rows: 1
        - check: after
          that: true
        ",
    );
    test.run("run t --yes").code(0);
    let elsewhere =
        |args: &str| test.run(&format!("undo {} {args} --state-dir elsewhere", test.id()));
    assert_snapshot!(elsewhere("--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: t  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back two and one changes 3 rows of users
            users   + 5  name user 5   plan free
                   1, 2  plan  paid → free
          Put back 3 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   two and one: 3 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
    assert_snapshot!(told(&elsewhere("--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: t  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    // Where the run's own record is, it is known too.
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_fix_goes_back_by_its_own_statements() {
    let test = Test::sql(
        "CREATE TABLE notes (n int, body text); INSERT INTO notes VALUES (1, 'a'), (2, 'b')",
    )
    .runbook(
        "t",
        "
            risk: high
            params:
              body: { type: text }
            steps:
              - confirm: go
                of: f
                ask: Go?
              - fix: f
                sql: UPDATE notes SET body = body || {{ body }} WHERE n = 2
                rows: 1
                undo: UPDATE notes SET body = left(body, -length({{ body }})) WHERE n = 2
              - check: after
                that: true
            ",
    );
    test.run("run t --yes --body xyz").code(0);
    assert_eq!(
        test.rows("SELECT * FROM notes ORDER BY n"),
        "1 | a\n2 | bxyz"
    );
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 1 row of notes
            notes  1 updated
            ! 1 updated row of notes: what they were cannot be shown
          Put back 1 row?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 1 row put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows("SELECT * FROM notes ORDER BY n"), "1 | a\n2 | b");
    undo(&test, "--yes").code(0).says("put back already");
    assert_eq!(test.rows("SELECT * FROM notes ORDER BY n"), "1 | a\n2 | b");
}

#[test]
fn what_nothing_can_put_back_is_said() {
    let test = Test::sql(USERS).confirmed(
        "
        - fix: forever
          sql: DELETE FROM users WHERE id = 5
          rows: 1
          undo: none
        ",
    );
    test.run("run t --yes").code(0);
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Stopped with changes left in place after TIME.
    nothing can put back `forever`
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    let test = test.steps(
        "
        - confirm: go
          of: [one, forever]
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id = 1
          rows: 1
        - fix: forever
          sql: DELETE FROM users WHERE id = 4
          rows: 1
          undo: none
        - check: after
          that: true
        ",
    );
    test.run("run t --yes").code(0);
    let id = newest(&test);
    assert_snapshot!(test.run(&format!("undo {id} --yes")), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 1 row of users
            users  1  plan  paid → free
          Put back 1 row? But nothing can put back `forever`.
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   one: 1 row put back  TIME
          what run RUN changed is put back

    Stopped with changes left in place after TIME.
    nothing can put back `forever`
    What it had changed was put back: one.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.rows(PLANS), "1 free, 2 free, 3 free");
}

#[test]
fn what_is_kept_beside_the_record_is_put_back_from_there() {
    let test = Test::sql(USERS).fix(PAID);
    test.run("run t --yes --journal local").code(0);
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 2 rows of users
            users  1, 2  plan  paid → free
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
    test.connect().run("UPDATE users SET plan = 'paid'");
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk


    Nothing to do after TIME.
    what run RUN changed was put back already: by run RUN by postgres (USER@HOST) at MOMENT
    ");
    assert_eq!(test.rows(PLANS), "1 paid, 2 paid, 3 paid, 4 paid, 5 paid");
    assert_eq!(test.rows("SELECT to_regnamespace('runbook') IS NULL"), "t");
}

#[test]
fn a_later_run_that_touched_the_rows_is_named() {
    let test = paid();
    let test = test.fix("sql: UPDATE users SET plan = 'gold' WHERE id = 2\nrows: 1");
    test.run("run t --yes").code(0);
    let later = newest(&test);
    let before = test.contents();
    assert_snapshot!(told(&undo(&test, "--yes")), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   f: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 2 was changed since by run RUN, t, by postgres (USER@HOST) at MOMENT
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
    // The later one first, then the earlier one.
    test.run(&format!("undo {later} --yes")).code(0);
    undo(&test, "--yes").code(0);
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn secrets_of_the_statements_that_put_back_are_given_again() {
    let test = Test::sql(USERS).runbook(
        "t",
        "
        risk: high
        params:
          pin: { type: text, secret: true }
        steps:
          - confirm: go
            of: f
            ask: Go?
          - fix: f
            sql: UPDATE users SET name = {{ pin }} WHERE id = 1
            rows: 1
            undo: UPDATE users SET name = 'user 1' WHERE id = 1 AND name = {{ pin }}
          - check: after
            that: true
        ",
    );
    test.run("run t --yes --pin s3cret").code(0).keeps("s3cret");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 3
    --- stderr
    error: a parameter of `t` is wrong
      pin: it has no value
        give --pin TEXT (text, secret)
      = help: `runbook run t --help` describes the parameters
    ");
    assert_eq!(test.contents(), before);
    assert_snapshot!(undo(&test, "--yes --param pin=s3cret"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 1 row of users
            users  1  name  ••• → user 1
          Put back 1 row?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 1 row put back  TIME
          what run RUN changed is put back

    Done in TIME.
    --- stderr
    warning: the secret `pin` stands on the command line, where others see it in the list of processes and the shell keeps it
      = help: give it at the prompt, by `env:` of the parameter, or by --params - from another program
    ");
    assert_eq!(test.rows("SELECT name FROM users WHERE id = 1"), "user 1");
}

#[test]
fn by_the_journal_alone_what_has_no_images_is_not_put_back() {
    let test = Test::sql(USERS).steps(
        "
        - confirm: go
          of: [own, forever]
          ask: Go?
        - fix: own
          sql: UPDATE users SET plan = 'paid' WHERE id = 1
          rows: 1
          undo: UPDATE users SET plan = 'free' WHERE id = 1
        - fix: forever
          sql: DELETE FROM users WHERE id = 5
          rows: 1
          undo: none
        - check: after
          that: true
        ",
    );
    test.run("run t --yes").code(0);
    let before = test.contents();
    assert_snapshot!(test.run(&format!("undo {} --yes --state-dir elsewhere", test.id())), @"
    exit 13
    --- stdout
    Undo of run RUN: t  run RUN · postgres@SERVER:5432/DB · medium risk


    Stopped with changes left in place after TIME.
    nothing can put back `forever` and `own`: there are no row images; the record of the run may know statements for it, on the machine where it ran
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
    // Where the run's record is, the statements are known.
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back own changes 1 row of users
            users  1  plan  paid → free
          Put back 1 row? But nothing can put back `forever`.
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   own: 1 row put back  TIME
          what run RUN changed is put back

    Stopped with changes left in place after TIME.
    nothing can put back `forever`
    What it had changed was put back: own.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.rows(PLANS), "1 free, 2 free, 3 free, 4 free");
}

#[test]
fn case_20_a_row_edited_since_is_shown_and_the_others_can_go_back() {
    let test = paid();
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   f: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.contents(), before);
    assert_eq!(
        test.rows("SELECT count(*) FROM runbook.entry WHERE undo"),
        "0"
    );
    assert_snapshot!(undo(&test, "--yes --skip-conflicts"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 1 row of users
            users  1  plan  paid → free
          Put back 1 row, and leave 1 row that someone changed since?
          ✓ yes · postgres (USER@HOST) by --yes
      ! undo                   f: 1 row put back, 1 row left as it is  TIME
          what run RUN changed is put back
          ! users id = 2 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    1 row left as it is
    Committed, and still there: f.
      = help: look at what is in place before you run it again
    ");
    assert_eq!(test.rows(PLANS), "1 free, 2 gold, 3 free, 4 free, 5 free");
    // Once that row is as the run left it, the rest goes back.
    test.connect()
        .run("UPDATE users SET plan = 'paid' WHERE id = 2");
    undo(&test, "--yes").code(0);
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_conflict_in_one_fix_leaves_all_of_them() {
    let test = Test::sql(USERS).steps(
        "
        - confirm: go
          of: [one, two]
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE users SET plan = 'paid' WHERE id = 2
          rows: 1
        - check: after
          that: true
        ",
    );
    test.run("run t --yes").code(0);
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 1");
    let before = test.contents();
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ✗ undo                   two and one: nothing put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 1 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
    let id = newest(&test);
    let log = test.root().join(".local/state/runbook/runs").join(id);
    let log = std::fs::read_to_string(log.join("events.jsonl")).unwrap();
    // The record tells the same: nothing is put back.
    assert!(
        log.contains(r#""event":"undo_finished","undone":[],"restored":0"#),
        "{log}"
    );
    assert_eq!(test.contents(), before);
    assert_snapshot!(undo(&test, "--dry-run"), @"
    exit 13
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.

      ✗ undo                   two and one: nothing would be put back, 1 row has changed since  TIME
          what run RUN changed is put back
          ! users id = 1 was changed since
            column  then  now   would become
            plan    paid  gold  free

    Stopped with changes left in place after TIME.
    nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts leaves what was changed, and puts back the others
    Everything is rolled back, as the server confirms.
    Nothing was changed.
      = help: look at what is in place before you run it again
    ");
}

#[test]
fn a_run_that_was_cut_short_is_put_back_from_where_it_was() {
    let test = Test::sql(USERS).steps(
        "
        - confirm: go
          ask: Go?
        - fix: one
          sql: UPDATE users SET plan = 'paid' WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE users SET plan = 'paid' WHERE id = 2
          rows: 1
        - check: after
          that: true
        ",
    );
    let other = test.connect();
    other.run("BEGIN; SELECT 1 FROM users WHERE id = 2 FOR UPDATE");
    let run = test.start("run t --yes");
    test.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
    run.kill();
    other.run("ROLLBACK");
    assert_eq!(test.rows(PLANS), "1 paid, 2 free, 3 free, 4 free, 5 free");
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back one changes 1 row of users
            users  1  plan  paid → free
          Put back 1 row?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   one: 1 row put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows(PLANS), FREE);
    // It does not go on after that: what comes later would miss it.
    assert_snapshot!(told(&test.run(&format!("resume {} --yes", test.id()))), @"
    exit 2
    --- stderr
    error: run `RUN` cannot go on: what it changed was put back by run RUN by postgres (USER@HOST) at MOMENT
      = help: run it again: runbook run t …
    ");
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn what_a_trigger_does_on_the_way_back_is_shown_too() {
    let test = Test::sql(
        "CREATE TABLE users (id int PRIMARY KEY, plan text NOT NULL); INSERT INTO users VALUES (1, 'free'); \
         CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, plan text); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN INSERT INTO log (plan) VALUES (NEW.plan); RETURN NEW; END$$; \
         CREATE TRIGGER note AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()",
    )
    .fix("sql: UPDATE users SET plan = 'paid' WHERE id = 1\nrows: 1\ntables: [users, log]");
    test.run("run t --yes").code(0);
    assert_snapshot!(undo(&test, "--yes"), @"
    exit 0
    --- stdout
    Undo of run RUN: Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go_ahead
          putting back f changes 3 rows of 2 tables
            users    1  plan  paid → free
            log    - 2  plan paid
                   … and 1 more row, 1 inserted, 1 deleted (by a trigger or cascade)
          Put back 2 rows?
          ✓ yes · postgres (USER@HOST) by --yes
      ↶ undo                   f: 2 rows put back  TIME
          what run RUN changed is put back

    Done in TIME.
    ");
    assert_eq!(test.rows("SELECT plan FROM users"), "free");
    assert_eq!(test.rows("SELECT plan FROM log"), "free");
}
