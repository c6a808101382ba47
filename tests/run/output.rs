//! What programs read: events, one a line.

use serde_json::Value;

use crate::test::Test;

fn events(test: &Test, args: &str) -> Vec<Value> {
    let ran = test.run(args);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn every_event_is_as_its_schema_says_and_none_is_missing() {
    let test = Test::crm();
    let schema = test.bare(["schema", "event"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let other = test.connect();
    for args in [
        "run enable-suspended-customer --company 42 --dry-run --output json",
        "run enable-suspended-customer --company 42 --output json",
        "run enable-suspended-customer --company 42 --yes --output json",
        "run user-cannot-login --email nobody@example.com --output json",
        "run health-check --output json",
    ] {
        let events = events(&test, args);
        assert!(events.len() > 2, "{args}");
        for (index, event) in events.iter().enumerate() {
            let errors: Vec<String> = validator
                .iter_errors(event)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{event}: {errors:?}");
            assert_eq!(event["seq"], index + 1, "{args}");
        }
        let name = |event: &Value| event["event"].as_str().unwrap_or_default().to_owned();
        assert_eq!(name(&events[0]), "run_started", "{}", events[0]);
        assert_eq!(name(events.last().unwrap()), "run_finished");
    }
    drop(other);
}

#[test]
fn quiet_says_nothing_of_a_success() {
    let test = Test::crm();
    let ran = test
        .run("run enable-suspended-customer --company 42 --yes -q")
        .code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = test.run("run user-cannot-login --email nobody@example.com -q");
    insta::assert_snapshot!(ran, @"
    exit 10
    --- stderr
    Failed after TIME.
    No user has the e-mail address nobody@example.com. Ask for the address that is used to log in.
    Nothing was changed.
    ");
}

#[test]
fn a_reader_that_leaves_ends_the_run_without_a_panic() {
    let test = Test::sql("SELECT 1").steps("- query: q\n  sql: SELECT n FROM generate_series(1, 1000) AS n\n- query: r\n  sql: SELECT 1 AS n\n");
    let mut command = test.command(["run", "t"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
}
