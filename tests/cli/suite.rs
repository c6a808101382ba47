//! Files of tests: each mistake in its own words, and the schema that editors use.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::test::Test;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/invalid-tests")
}

/// The program beside the runbook of the fixtures and a file of its tests.
fn beside(tests: impl AsRef<[u8]>) -> Test {
    Test::new()
        .file(
            "work/reset.yaml",
            std::fs::read(folder().join("reset.yaml")).unwrap(),
        )
        .file("work/reset.test.yaml", tests)
}

#[test]
fn every_invalid_test_is_refused_in_words() {
    insta::glob!("../fixtures/invalid-tests", "*.test.yaml", |path| {
        let test = beside(std::fs::read(path).unwrap());
        assert_snapshot!(test.args(["check", "reset.yaml"]).stdout(3));
    });
}

#[test]
fn there_are_fixtures_for_every_kind_of_mistake() {
    assert!(std::fs::read_dir(folder()).unwrap().count() >= 18);
}

const GOOD: &str = "test: reset
cases:
  - case: there is no such account
    params: { account: 9 }
    outcome: failed
    path: [found]
    says: There is no account 9.
    unchanged: all
  - case: a locked account is reset
    params: { account: 1, mode: hard }
    answers: { go_ahead: yes }
    outcome: done
    path: [found, is_locked, notes, go_ahead, resetting, unlock, unlocked, done]
    rows:
      - sql: SELECT status FROM accounts WHERE id = 1
        are: [active]
    undo: true
  - case: its error is explained
    params: { account: 1 }
    answers: { go_ahead: yes }
    faults: [{ during: unlock, error: it is full }]
    outcome: failed
    path: [found, is_locked, go_ahead, resetting, unlock, holders]
untested:
  resetting.error: shown by another case
";

#[test]
fn what_is_right_is_counted() {
    let said = beside(GOOD)
        .args(["check", "reset.yaml", "--deny-warnings"])
        .stdout(0);
    assert_eq!(said, "1 runbook, 1 test file: 2 valid\n");
    let by_its_own_name = beside(GOOD).args(["check", "reset.test.yaml"]).stdout(0);
    assert_eq!(by_its_own_name, said);
}

#[test]
fn tests_of_a_runbook_that_is_wrong_are_not_looked_at() {
    let test = beside("nonsense").file("work/reset.yaml", "runbook: reset\ntitle: x\nsteps: []\n");
    let said = test.args(["check", "reset.yaml"]).stdout(3);
    assert!(
        said.ends_with("1 runbook: 0 valid, 1 invalid (1 error)\n"),
        "{said}"
    );
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&runbook::suite::schema::schema()).unwrap()
}

fn json(text: &str) -> Option<serde_json::Value> {
    let source = runbook::base::source::Source::new("t", text);
    Some(runbook::base::yaml::parse(&source).ok()?.to_json())
}

fn shipped(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            shipped(&path, found);
        } else if path.to_string_lossy().ends_with(".test.yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_test_fits_the_schema() {
    let validator = validator();
    let mut found = Vec::new();
    shipped(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"),
        &mut found,
    );
    assert!(!found.is_empty());
    for path in found {
        let json = json(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    assert!(validator.is_valid(&json(GOOD).unwrap()));
}

/// As for runbooks: a mistake of shape is one that the schema sees as well.
#[test]
fn mistakes_of_shape_break_the_schema() {
    let validator = validator();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".test.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let Some(json) = json(&text) else {
            continue;
        };
        let expected = !text.starts_with("# shape");
        assert_eq!(validator.is_valid(&json), expected, "{}", path.display());
        seen += usize::from(!expected);
    }
    assert!(seen >= 6, "{seen}");
}
