//! `check`: each mistake in its own words, in every format.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::test::{READS, Test};

#[test]
fn every_invalid_fixture_is_refused_in_words() {
    insta::glob!("../fixtures/invalid", "*.yaml", |path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let test = Test::new().file(&format!("work/{name}"), std::fs::read(path).unwrap());
        assert_snapshot!(test.args(["check", &name]).stdout(3));
    });
}

#[test]
fn there_are_fixtures_for_every_kind_of_mistake() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/invalid");
    assert!(std::fs::read_dir(folder).unwrap().count() >= 50);
}

#[test]
fn shipped_runbooks_are_valid_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let folder = folder.display().to_string();
    let stdout = Test::new()
        .args(["check", "--deny-warnings", &folder])
        .stdout(0);
    let count = runbook::cli::builtin::runbooks().count();
    assert!(count >= 4, "{count}");
    assert!(
        stdout.starts_with(&format!("{count} runbooks, ")),
        "{stdout}"
    );
    assert!(stdout.ends_with(" valid\n"), "{stdout}");
}

const BROKEN: &str = "runbook: broken\ntitle: 'Ünï, 100%: x'\nsteps:\n  - query: q\n    sql: SELECT {{ nmae }}\n    shwo: table\n";

fn broken(format: &str) -> Test {
    Test::new()
        .runbook("a b", BROKEN)
        .args(["check", "--format", format])
}

#[test]
fn findings_are_json_with_places() {
    let found: Value = serde_json::from_str(&broken("json").stdout(3)).unwrap();
    let first = &found[0];
    assert_eq!(first["file"], "runbooks/a b.yaml");
    assert_eq!((&first["line"], &first["column"]), (&6.into(), &5.into()));
    assert_eq!(first["end"]["column"], 9);
    assert_eq!(
        (&first["code"], &first["severity"]),
        (&"unknown-key".into(), &"error".into())
    );
    assert_eq!(first["help"][0], "did you mean `show`?");
}

#[test]
fn findings_are_sarif() {
    assert_snapshot!(broken("sarif").stdout(3));
}

#[test]
fn findings_are_commands_of_github() {
    assert_snapshot!(broken("github").stdout(3));
}

#[test]
fn what_is_right_is_silent_in_the_formats_of_programs() {
    let test = |format: &str| {
        Test::new()
            .runbook("reads", READS)
            .args(["check", "--format", format])
    };
    assert_eq!(test("json").stdout(0), "[]\n");
    assert_eq!(test("github").stdout(0), "");
    let sarif: Value = serde_json::from_str(&test("sarif").stdout(0)).unwrap();
    assert_eq!(sarif["runs"][0]["results"], Value::Array(Vec::new()));
}

const WARNS: &str = "runbook: warns
title: Adds a column
steps:
  - confirm: go_ahead
    of: add
    ask: Add it?
  - fix: add
    sql: ALTER TABLE accounts ADD COLUMN note varchar(10)
  - check: added
    sql: SELECT count(note) AS notes FROM accounts
    that: notes == 0
";

#[test]
fn warnings_fail_only_when_they_are_denied() {
    let test = Test::new().runbook("warns", WARNS);
    let test = test.args(["check", "warns"]);
    let stdout = test.stdout(0);
    assert!(stdout.starts_with("warning: "), "{stdout}");
    assert!(stdout.contains("1 runbook: 1 valid, "), "{stdout}");
    test.args(["check", "--deny-warnings", "warns"]).stdout(3);
}

#[test]
fn a_thousand_runbooks_are_checked_in_bounded_time() {
    let mut test = Test::new();
    for number in 0..1000 {
        let name = format!("r-{number}");
        let text = READS.replacen("reads", &name, 1);
        test = test.runbook(&name, text);
    }
    assert_eq!(
        test.within(20).args(["check"]).stdout(0),
        "1000 runbooks: 1000 valid\n"
    );
}

#[test]
fn nothing_to_check_is_said() {
    let ran = Test::new().args(["check"]).run();
    assert_eq!(ran.stdout, "0 runbooks: 0 valid\n");
    assert_eq!(
        ran.stderr,
        "warning: there are no runbooks in `runbooks` of this folder and those above and `ROOT/home/.config/runbook/runbooks`\n"
    );
    assert_eq!(ran.code, Some(0));
}

#[test]
fn a_named_folder_without_runbooks_is_a_mistake() {
    let stderr = Test::new()
        .file("work/elsewhere/readme.md", "nothing")
        .args(["check", "elsewhere"])
        .stderr(3);
    assert!(
        stderr.starts_with("error: there are no runbooks in `elsewhere`"),
        "{stderr}"
    );
}

const USED: &str = "runbook: used
title: Reads one account
params:
  id: { type: bigint }
steps:
  - query: account
    sql: SELECT id FROM accounts WHERE id = {{ id }}
    rows: 1
    else: undo
branches:
  undo:
    - check: left
      sql: SELECT count(*) AS accounts FROM accounts
      that: accounts == 0
";

/// Returns a runbook that uses another as often as it says.
fn uses(count: usize, more: &str) -> String {
    let step = format!("  - use: used\n    with: {{ id: 1 }}\n{more}");
    let mut text = "runbook: uses\ntitle: Uses\nsteps:\n".to_owned();
    for number in 0..count {
        text.push_str(&step.replace("with:", &format!("name: u{number}\n    with:")));
    }
    text
}

#[test]
fn a_runbook_is_used_many_times_but_not_by_itself() {
    let test = |text: String| Test::new().runbook("used", USED).runbook("uses", text);
    test(uses(12, "")).args(["check"]).stdout(0);
    let circle = USED.replace(
        "    else: undo\n",
        "    else: undo\n  - use: uses\n    with: { id: 1 }\n",
    );
    let test = Test::new()
        .runbook("used", circle)
        .runbook("uses", uses(1, ""));
    let stdout = test.args(["check", "uses"]).stdout(3);
    assert!(stdout.contains("goes in a circle"), "{stdout}");
}

#[test]
fn a_use_is_no_step() {
    let more = "    when: true\n    next: x\n    on_error: x\n    for_each: x\n    as: x\n    retry: { times: 1 }\n    timeout: 1s\n";
    let test = Test::new()
        .runbook("used", USED)
        .runbook("uses", uses(1, more));
    assert_snapshot!(test.args(["check", "uses"]).stdout(3));
}

#[test]
fn what_is_used_is_checked_as_a_runbook_is() {
    let wrong = USED.replace("{ type: bigint }", "{ type: bigint, default: x }");
    let wrong = wrong.replace("- check: left", "- check: account");
    let test = Test::new()
        .runbook("used", wrong)
        .runbook("uses", uses(1, ""));
    assert_snapshot!(test.args(["check", "uses"]).stdout(3));
}

#[test]
fn branches_of_one_name_in_two_runbooks_are_two() {
    let text = "runbook: uses
title: Uses
steps:
  - check: go
    sql: SELECT 1 AS one
    that: one == 1
    else: undo
branches:
  undo:
    - use: used
      name: u
      with: { id: 1 }
    - check: later
      that: u == 1
";
    let test = |text: String| Test::new().runbook("used", USED).runbook("uses", text);
    let stdout = test(text.to_owned()).args(["check", "uses"]).stdout(3);
    assert!(stdout.contains("unknown name `u`"), "{stdout}");
    let right = test(text.replace("u == 1", "1 == 1"));
    assert_snapshot!(right.args(["show", "uses", "--graph", "text"]).stdout(0));
}
