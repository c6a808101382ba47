//! The command line of backups: what is wrong with it is said before anything is touched.

use insta::assert_snapshot;

use crate::test::Test;

/// What standard error says, wherever the test runs.
fn said(test: Test, args: &[&str], code: i32) -> String {
    let test = test.args(["backup"].iter().chain(args).copied());
    let root = test.root().display().to_string();
    test.stderr(code).replace(&root, "ROOT")
}

#[test]
fn the_commands_of_backups_are_listed() {
    let help = Test::new().args(["backup", "--help"]).stdout(0);
    for command in [
        "create", "list", "show", "verify", "restore", "prune", "pin", "unpin",
    ] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
    }
    let help = Test::new().args(["help", "backup"]).stdout(0);
    assert!(
        help.contains("runbook backup [OPTIONS] <COMMAND>"),
        "{help}"
    );
    let own = Test::new().args(["help", "backup", "restore"]).stdout(0);
    assert!(own.contains("--in-place"), "{own}");
    let page = Test::new().args(["man", "backup", "restore"]).stdout(0);
    assert!(page.contains("in\\-place"), "{page}");
}

#[test]
fn a_command_of_backups_that_there_is_not_names_the_nearest() {
    let stderr = Test::new().args(["backup", "restor"]).stderr(2);
    assert!(stderr.contains("'restore'"), "{stderr}");
    let stderr = Test::new().args(["help", "backup", "restor"]).stderr(2);
    assert!(stderr.contains("did you mean `restore`?"), "{stderr}");
    let stderr = Test::new().args(["man", "backup", "restor"]).stderr(2);
    assert!(stderr.contains("did you mean `restore`?"), "{stderr}");
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["a/b", "../x", ".hidden", "a b", "", "-x"] {
        let stderr = said(Test::new(), &["create", "--", name], 2);
        assert!(stderr.starts_with("error: "), "{name}: {stderr}");
    }
}

#[test]
fn what_contradicts_itself_is_wrong_use() {
    let cases: [&[&str]; 14] = [
        &["create", "--table", "users", "--database", "full"],
        &["create", "--table", "users", "--rows", "users=true"],
        &["create", "--rows", "users=true", "--database", "data"],
        &["create", "--rows", "users"],
        &["create", "--keep-last", "0"],
        &["create", "--database", "half"],
        &["create", "--verify", "somehow"],
        &["create", "--passphrase", "--recipient", "age1x"],
        &["verify"],
        &["verify", "--all", "crm"],
        &["restore"],
        &["restore", "crm", "--in-place", "--merge"],
        &["restore", "crm", "--into", "x", "--as", "y"],
        &["prune", "--even-the-last"],
    ];
    for args in cases {
        let args = ["backup"].iter().chain(args.iter()).copied();
        let stderr = Test::new().args(args.clone()).stderr(2);
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}

#[test]
fn a_predicate_that_is_none_is_refused() {
    let refused = |rows: &str| said(Test::new(), &["create", "--rows", rows], 2);
    assert_snapshot!(refused("users="), @r#"
    error: `--rows users=`: the predicate is empty; --table saves all of a table
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
    assert_snapshot!(refused("users=id = "), @r#"
    error: `--rows users=id = `: SQL does not parse: expected an expression, found R_PAREN
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
    assert_snapshot!(refused("users=id = $1"), @r#"
    error: `--rows users=id = $1`: there are no values for $1
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
    assert_snapshot!(refused("users u=true"), @r#"
    error: `--rows users u=true`: `users u` is no name of a table
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
    assert_snapshot!(refused("users=true); DELETE FROM users WHERE (true"), @r#"
    error: `--rows users=true); DELETE FROM users WHERE (true`: two statements in one text
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
}

#[test]
fn without_backups_it_says_so() {
    assert_snapshot!(said(Test::new(), &["list"], 0), @"
    There are no backups in `ROOT/home/.local/state/runbook/backups`.
      = help: `runbook backup create` makes one; --folder names another folder
    ");
    assert_snapshot!(said(Test::new(), &["list", "crm", "--folder", "none"], 0), @"
    There is no backup of `crm` in `none`.
      = help: `runbook backup create` makes one; --folder names another folder
    ");
    assert_eq!(
        Test::new()
            .args(["backup", "list", "--output", "json"])
            .stdout(0),
        "[]\n"
    );
    assert_snapshot!(said(Test::new(), &["show", "crm"], 2), @r#"
    error: there is no backup called "crm" in ROOT/home/.local/state/runbook/backups
      = help: `runbook backup list` shows which there are; `--folder` names another folder
    "#);
    assert_snapshot!(said(Test::new(), &["restore", "crm"], 2), @r#"
    error: there is no backup called "crm" in ROOT/home/.local/state/runbook/backups
      = help: `runbook backup list` shows which there are; `--folder` names another folder
    "#);
    assert_snapshot!(said(Test::new(), &["verify", "crm"], 2), @r#"
    error: there is no backup called "crm" in ROOT/home/.local/state/runbook/backups
      = help: `runbook backup list` shows which there are; `--folder` names another folder
    "#);
    assert_snapshot!(said(Test::new(), &["pin", "crm"], 2), @r#"
    error: there is no backup called "crm" in ROOT/home/.local/state/runbook/backups
      = help: `runbook backup list` shows which there are; `--folder` names another folder
    "#);
    assert_snapshot!(said(Test::new(), &["prune", "crm", "--keep-last", "3"], 2), @"
    error: there is no backup `crm`
      = help: `runbook backup list` shows what there is
    ");
    assert_snapshot!(said(Test::new(), &["verify", "--all"], 0), @"There are no backups.");
    let pruned = Test::new().args(["backup", "prune"]).stdout(0);
    assert_eq!(pruned, "Nothing is to be deleted.\n");
}

#[test]
fn a_passphrase_needs_a_terminal_or_a_file() {
    assert_snapshot!(said(Test::new(), &["create", "--passphrase"], 2), @"
    error: there is no terminal to ask for the passphrase at
      = help: --passphrase-file FILE names a file whose first line it is
    ");
    assert_snapshot!(said(Test::new(), &["create", "--passphrase-file", "none"], 2), @"error: cannot read `none`: no such file or directory");
    let test = Test::new().file("work/empty", "\n");
    assert_snapshot!(said(test, &["create", "--passphrase-file", "empty"], 2), @"error: `empty` has no passphrase in its first line");
}
