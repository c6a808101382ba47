//! Files that no editor wrote: refused with a place, in bounded time, or read as they are meant.

use std::fmt::Write as _;

use crate::test::{READS, Test};

/// The seconds of a processor in which any file must be refused.
const BOUND: u32 = 10;

#[track_caller]
fn refused(text: impl AsRef<[u8]>, place: &str, why: &str) {
    let test = Test::new()
        .file("work/x.yaml", text)
        .within(BOUND)
        .args(["check", "x.yaml"]);
    let stdout = test.stdout(3);
    assert!(stdout.contains(place), "{stdout}");
    assert!(stdout.contains(why), "{stdout}");
    assert!(stdout.len() < 100_000, "{}", stdout.len());
}

#[test]
fn case_36_a_bomb_of_aliases_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for number in 1..30 {
        let all = vec![format!("*a{}", number - 1); 9].join(", ");
        let _ = writeln!(text, "a{number}: &a{number} [{all}]");
    }
    refused(text, "x.yaml:", "than any runbook needs");
}

#[test]
fn case_36_deep_nesting_is_refused() {
    refused("[".repeat(100_000), "x.yaml:1:", "nested deeper");
    refused("a: ".repeat(10_000), "x.yaml:1:", "not valid YAML");
    let steps = "- ".repeat(50_000);
    refused(format!("steps:\n  {steps}x"), "x.yaml:", "nested deeper");
}

#[test]
fn case_36_a_duplicate_key_is_refused() {
    refused(
        "runbook: x\ntitle: a\ntitle: b\n",
        "x.yaml:3:1",
        "duplicate mapping key: title",
    );
}

#[test]
fn case_36_a_tab_is_refused() {
    refused("runbook: x\nsteps:\n\t- query: q\n", "x.yaml:3:", "spaces");
}

#[test]
fn case_36_ten_megabytes_are_refused() {
    refused("x".repeat(10_000_000), "x.yaml:1:1", "10000000 bytes");
    refused("- x\n".repeat(2_500_000), "x.yaml:1:1", "10000000 bytes");
}

#[test]
fn case_36_an_unknown_key_and_a_wrong_type_have_their_places() {
    refused(
        "runbook: x\ntitle: t\nstepps: []\n",
        "x.yaml:3:1",
        "did you mean `steps`?",
    );
    refused(
        "runbook: x\ntitle: [t]\nsteps:\n  - query: q\n    sql: SELECT 1\n",
        "x.yaml:2:8",
        "expected a text",
    );
}

#[test]
fn case_36_what_is_not_utf8_is_refused_with_its_place() {
    refused(b"runbook: x\ntitle: \xff\n", "x.yaml:2:8", "not UTF-8");
    refused(b"\xff\xfer\0u\0n\0", "x.yaml:1:1", "not UTF-8");
}

#[test]
fn case_36_deep_expressions_and_statements_are_refused() {
    let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let text = |step: String| format!("runbook: x\ntitle: t\nsteps:\n{step}");
    refused(
        text(format!("  - query: q\n    sql: SELECT {deep}\n")),
        "x.yaml:5",
        "",
    );
    let check =
        format!("  - query: q\n    sql: SELECT 1 AS a\n  - check: c\n    that: {deep} == 1\n");
    refused(text(check), "x.yaml:7", "");
}

#[test]
fn case_36_a_byte_order_mark_and_other_line_ends_are_fine() {
    let marked = format!("\u{feff}{READS}");
    let test = Test::new().runbook("reads", marked).args(["check"]);
    assert_eq!(test.stdout(0), "1 runbook: 1 valid\n");
    for name in ["user-cannot-login", "health-check"] {
        let path = format!("{}/runbooks/crm/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap().replace('\n', "\r\n");
        let test = Test::new()
            .runbook(name, text)
            .args(["check", "--deny-warnings"]);
        assert_eq!(test.stdout(0), "1 runbook: 1 valid\n");
    }
}

#[test]
fn case_36_places_are_right_after_a_mark_and_with_other_line_ends() {
    let wrong = READS.replace("id = {{ record_id }}", "id = {{ recrod_id }}");
    for text in [format!("\u{feff}{wrong}"), wrong.replace('\n', "\r\n")] {
        let stdout = Test::new().runbook("reads", text).args(["check"]).stdout(3);
        assert!(stdout.contains("runbooks/reads.yaml:28:53"), "{stdout}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let test = Test::new()
        .at("work/x.yaml")
        .at("work")
        .args(["run", "x.yaml"]);
    assert_eq!(test.stderr(3), "error: there is no file `x.yaml`\n");
}

#[test]
fn case_37_a_password_is_never_shown() {
    let url = "postgres://u:hunter2@localhost:1/db";
    for args in [
        vec!["list", "--database-url", url],
        vec!["check", "--database-url", url],
        vec!["show", "nope", "--target", url],
    ] {
        let ran = Test::new().var("DATABASE_URL", url).args(args).run();
        assert!(
            !ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"),
            "{ran:?}"
        );
    }
}
