//! The tests of the runbooks of this repository and of the program, played as anybody plays them.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What came of `runbook test` in a folder.
struct Ran {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

fn test(folder: &Path, args: &[&str]) -> Ran {
    let home = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .arg("test")
        .args(args)
        .current_dir(folder)
        .env("HOME", home.path())
        .env_remove("RUNBOOK_PATH")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .unwrap();
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// Returns "N" of "N WORD" or "N WORDs" in a text.
fn number(text: &str, word: &str) -> usize {
    let words: Vec<&str> = text.split([' ', '(', ')', ';', ':', ',']).collect();
    let found = words
        .windows(2)
        .find(|pair| pair[1].trim_end_matches('s') == word);
    found.map_or(0, |pair| pair[0].parse().unwrap())
}

#[test]
fn every_case_of_every_runbook_passes_and_together_they_take_every_way() {
    let ran = test(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &["runbooks", "--coverage=full"],
    );
    let failed: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("  ✗"))
        .collect();
    assert_eq!(failed, Vec::<&str>::new(), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let last = ran.stdout.lines().last().unwrap();
    assert!(last.contains("; coverage 100 % ("), "{last}");
    let cases = number(last, "case");
    assert_eq!(number(last, "passed"), cases, "{last}");
    assert!(!last.contains("failed"), "{last}");
    // A library that is not found is covered as well.
    assert!(cases > 700 && number(last, "runbook") > 140, "{last}");
    assert_eq!(ran.code, Some(0));
}

#[test]
fn the_tests_of_a_runbook_of_the_program_need_no_checkout() {
    let folder = TempDir::new().unwrap();
    let ran = test(
        folder.path(),
        &["enable-user", "pg-settings", "--coverage=full"],
    );
    assert_eq!(ran.stderr, "");
    let last = ran.stdout.lines().last().unwrap();
    assert!(
        last.contains(" of 2 runbooks: ") && last.contains("; coverage 100 % ("),
        "{last}"
    );
    assert!(
        number(last, "case") > 0 && number(last, "passed") == number(last, "case"),
        "{last}"
    );
    assert_eq!(ran.code, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
