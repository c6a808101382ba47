//! `runbook find`: problems in one's own words.

use insta::assert_snapshot;

use crate::test::Test;

fn find(words: &[&str]) -> Test {
    Test::new().args([&["find", "--limit", "1"], words].concat())
}

#[test]
fn the_runbook_for_a_problem_is_named_first() {
    assert_snapshot!(find(&["can't log in"]).stdout(0), @"
    user-cannot-login: A user cannot log in
      Finds out why a user cannot log in and removes the two reasons that support may remove: the user
      is inactive, or the e-mail address was never verified.
      $ runbook run user-cannot-login --email someone@example.com --dry-run
    ");
}

#[test]
fn what_people_say_leads_to_what_helps() {
    let problems = [
        ("a user can't log in", "user-cannot-login"),
        ("a user can’t log in", "user-cannot-login"),
        ("customer suspended", "enable-suspended-customer"),
        ("how do I suspend somebody", "suspend-user"),
        ("database slow", "pg-slow-queries"),
        ("is the database ok", "pg-health"),
        ("who blocks whom", "pg-blockers"),
        ("restore a table", "recover-table"),
        ("we lost data", "respond-to-data-loss"),
        ("make someone an admin", "make-user-admin"),
    ];
    for (problem, name) in problems {
        let found = find(&[problem, "--output", "json"]).stdout(0);
        assert!(
            found.contains(&format!("\"name\": \"{name}\"")),
            "{problem}: {found}"
        );
    }
}

#[test]
fn a_command_is_found_like_a_runbook() {
    assert_snapshot!(find(&["restores", "a", "backup"]).stdout(0), @"
    runbook backup restore: Restores a backup: into a new database, unless something else is said
      $ runbook backup restore --help
    ");
}

#[test]
fn a_runbook_of_the_project_is_found_by_what_is_said_of_its_parameters() {
    let runbook = "runbook: refund\ntitle: Refund an order\nparams:\n  order:\n    type: bigint\n    help: The \
                   zebrawood order\nsteps:\n  - query: q\n    sql: SELECT {{ order }} AS one\n";
    let test = find(&["zebrawood", "--output", "json"]).runbook("refund", runbook);
    assert_snapshot!(test.stdout(0), @r#"
    [
      {
        "name": "refund",
        "kind": "runbook",
        "title": "Refund an order",
        "about": "",
        "command": "runbook run refund --order 42"
      }
    ]
    "#);
}

#[test]
fn a_runbook_that_is_not_valid_is_found_and_says_so() {
    let runbook = "runbook: refund\ntitle: Refund a zebrawood order\nsteps:\n  - query: q\n    sql: DELETE FROM t\n";
    assert_snapshot!(find(&["zebrawood"]).runbook("refund", runbook).stdout(0), @"
    refund: Refund a zebrawood order
      It is not valid: `runbook check refund` says why.
    ");
}

#[test]
fn what_nothing_is_about_is_said() {
    assert_snapshot!(find(&["zebrawood"]).stderr(0), @"
    Nothing is about that.
      = help: `runbook list` shows all runbooks
    ");
}

#[test]
fn a_question_is_needed() {
    assert_snapshot!(find(&[]).stderr(2), @"
    error: the following required arguments were not provided:
      <WORDS>...

    Usage: runbook find --limit <N> <WORDS>...

    For more information, try '--help'.
    ");
}
