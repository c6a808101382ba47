//! Steps that run a program.

use insta::assert_snapshot;

use crate::test::Test;

#[test]
fn case_41_shell_characters_are_plain_text() {
    let test = Test::sql("SELECT 1").runbook(
        "t",
        "
        params:
          what: { type: text }
        steps:
          - query: said
            command: [printf, '%s|%s', '{{ what }}', '$HOME']
          - check: exact
            that: said.stdout == what ~ '|$HOME' and said.code == 0
        ",
    );
    for what in [
        "; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "a > pwned",
        "* ? [a] {b}",
        "'\"\\",
        "-n %s",
        "two words",
        "a && touch pwned || b | c &",
    ] {
        test.run_with(["run", "t", &format!("--what={what}")])
            .code(0);
    }
    assert!(!test.root().join("work/pwned").exists());
}

#[test]
fn its_output_and_code_are_a_result() {
    let test = Test::sql("SELECT 1").steps(
        "
        - query: said
          command: [sh, -c, 'echo out; echo err >&2; exit 3']
        - check: as_expected
          that: said.code == 3 and said.stdout == 'out' and said.stderr == 'err'
        - check: ends_well
          command: [sh, -c, 'exit 0']
          expect: { code: 0 }
        - check: ends_badly
          severity: warning
          command: [sh, -c, 'echo why; exit 1']
          expect: { code: 0 }
        - check: words
          command: [echo, ready]
          expect: { code: 0 }
          that: stdout == 'ready'
        ",
    );
    assert_snapshot!(test.run("run t"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ said                   exit code 3  TIME
          out
          err
      ✓ as_expected            passed  TIME
      ✓ ends_well              passed  TIME
      ! ends_badly             failed, a warning only  TIME
      ✓ words                  passed  TIME

    Done in TIME.
    ");
}

#[test]
fn a_fix_by_a_program_that_fails_is_a_failure() {
    let steps = "
        - confirm: go
          ask: Go?
        - fix: f
          command: [sh, -c, 'echo no such thing >&2; exit 4']
          expect: { code: 0 }
        - check: after
          that: true
    ";
    let test = Test::sql("SELECT 1").steps(steps);
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: the program ended with code 4, expected 0
            = note: no such thing

    Failed after TIME.
    `f`: the program ended with code 4, expected 0
    Nothing was changed.
    ");
    assert_snapshot!(test.run("run t --dry-run"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – f runs a program

      ? go
          Go?
          ✓ yes · the rehearsal
      – f                      would run; a dry run cannot rehearse it
      ✓ after                  passed  TIME

    Done in TIME.
    It would change nothing.
    Everything is rolled back, as the server confirms.
    ");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let test = Test::sql("SELECT 1").steps("- query: q\n  command: [no-such-program]\n");
    test.run("run t")
        .code(10)
        .says("`no-such-program` cannot be started");
}

#[test]
fn a_program_gets_the_place_but_not_the_password() {
    let steps = |pass: bool| {
        format!(
            "- query: env\n  command: [sh, -c, 'env | grep -E \"^(PG|DATABASE_URL)\" | sort']\n  pass_connection: {pass}\n"
        )
    };
    let test = Test::sql("SELECT 1").steps(&steps(false));
    let url = test.db.url().replace("postgres@", "postgres:s3cret-w0rd@");
    assert!(url.contains("s3cret"), "{url}");
    let run = |test: &Test| {
        let mut command = test.bare(["run", "t", "--output", "json"]);
        let command = command
            .env("DATABASE_URL", &url)
            .env("PATH", "/usr/bin:/bin");
        test.ran(&command.output().unwrap())
    };
    let ran = run(&test).code(0).keeps("s3cret").keeps("PGPASSWORD");
    assert!(ran.stdout.contains("PGDATABASE=DB"), "{ran}");
    let test = test.steps(&steps(true));
    // It is handed over, and what the program prints is not shown.
    run(&test).code(0).says("PGPASSWORD").keeps("s3cret");
}

#[test]
fn a_program_that_takes_too_long_is_ended() {
    let test =
        Test::sql("SELECT 1").steps("- query: q\n  command: [sleep, '60']\n  timeout: 100ms\n");
    test.run("run t")
        .code(10)
        .says("took longer than the step's `timeout`");
}

#[test]
fn case_10_ctrl_c_ends_a_program() {
    let test = Test::sql("SELECT 1")
        .steps("- query: q\n  command: [sh, -c, 'touch started; exec sleep 60']\n");
    let run = test.start("run t");
    while !test.root().join("work/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    run.interrupt();
    run.end().code(130);
}

#[test]
fn a_program_of_a_check_is_read_only_in_the_database() {
    let test = Test::sql("SELECT").steps(
        "
        - query: seen
          command: [printenv, PGOPTIONS]
        - check: read_only
          that: seen.stdout == '-c default_transaction_read_only=on'
        - confirm: go
          of: changes
          ask: Go?
        - fix: changes
          command: [sh, -c, 'test -z \"$PGOPTIONS\"']
          undo: none
          expect: { code: 0 }
        - check: after
          that: changes.code == 0
        ",
    );
    test.run("run t --answer go=yes").code(0);
}
