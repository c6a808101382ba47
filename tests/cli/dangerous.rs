//! `check` on what nobody should run without permission: refused below its risk, and named by its pattern.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::test::Test;

/// A project with one of the files of `tests/fixtures/dangerous`.
fn with(name: &str) -> Test {
    let file = format!("{name}.yaml");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dangerous");
    let text = std::fs::read(folder.join(&file)).unwrap();
    Test::new().file(&format!("work/{file}"), text)
}

/// What `check` finds in it: the code and the words of each.
fn found(name: &str, code: i32) -> Vec<(String, String)> {
    let file = format!("{name}.yaml");
    let stdout = with(name)
        .args(["check", "--format", "json", file.as_str()])
        .stdout(code);
    let findings: Value = serde_json::from_str(&stdout).unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = findings.as_array().unwrap().iter();
    findings
        .map(|finding| (text(finding, "code"), text(finding, "title")))
        .collect()
}

#[test]
fn prohibited_commands_are_refused_below_their_risk() {
    let found = found("prohibited", 3);
    let refused: Vec<&str> = found
        .iter()
        .filter(|(code, _)| code != "lint")
        .map(|(_, message)| message.as_str())
        .collect();
    assert_snapshot!(refused.join("\n"), @"
    the fix `drop_database` is of high risk, the runbook declares low
    the fix `drop_database` can run without a person's yes
    nothing checks what the fix `drop_database` did
    nothing can undo the fix `drop_database`
    the fix `reset` is of high risk, the runbook declares low
    the fix `reset` can run without a person's yes
    nothing checks what the fix `reset` did
    nothing can undo the fix `reset`
    the fix `truncate` is of high risk, the runbook declares low
    the fix `truncate` can run without a person's yes
    nothing checks what the fix `truncate` did
    nothing can undo the fix `truncate`
    the fix `delete_all` is of high risk, the runbook declares low
    the fix `delete_all` can run without a person's yes
    nothing checks what the fix `delete_all` did
    the fix `delete_many` is of medium risk, the runbook declares low
    the fix `delete_many` can run without a person's yes
    nothing checks what the fix `delete_many` did
    the fix `delete_many` has no row guard
    DELETE inside of a query changes something
    ");
}

#[test]
fn with_a_backup_a_confirm_and_a_check_they_are_allowed() {
    let stdout = with("permitted")
        .args(["check", "permitted.yaml"])
        .stdout(0);
    assert_eq!(stdout, "1 runbook: 1 valid\n");
}

/// The fixes are called as the rules that must find them.
#[test]
fn every_dangerous_migration_is_named() {
    let found = found("migrations", 0);
    let rules = [
        "ban-drop-column",
        "changing-column-type",
        "ban-drop-constraint",
        "require-concurrent-index-creation",
        "adding-not-nullable-field",
        "prefer-text-field",
        "prefer-identity",
        "adding-foreign-key-constraint",
        "ban-truncate-cascade",
        "ban-drop-table",
    ];
    for rule in rules {
        let named = |(code, message): &(String, String)| {
            code == "lint" && message.ends_with(&format!("({rule})"))
        };
        assert!(found.iter().any(named), "{rule}: {found:#?}");
    }
}
