//! Parameters: every source, every mistake at once, and no secret in an error.

use insta::assert_snapshot;

use crate::test::{READS, Test};

fn plan(args: &[&str]) -> Test {
    let all = ["plan", "reads"].iter().chain(args).copied();
    Test::new().runbook("reads", READS).args(all)
}

#[test]
fn every_mistake_is_said_at_once() {
    let args = [
        "--record-id",
        "0",
        "--state",
        "gone",
        "--loud=maybe",
        "--token",
        "hunter2",
        "--param",
        "recrod_id=1",
    ];
    let stderr = plan(&args).stderr(3);
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_snapshot!(stderr);
}

#[test]
fn what_is_missing_is_said_with_the_flag_to_give() {
    assert_snapshot!(plan(&[]).stderr(3));
}

#[test]
fn a_flag_is_stronger_than_a_file_than_a_variable_than_a_default() {
    let file = "record_id: 5\nstate: disabled\nnames: [a, b]\n";
    let base = |args: &[&str]| {
        plan(args)
            .file("work/p.yaml", file)
            .file("work/p.json", r#"{"record_id": 6}"#)
            .var("RECORD_TOKEN", "from-the-environment")
    };
    let stdout = base(&["--params", "p.yaml", "--record-id", "9"]).stdout(0);
    for line in [
        "record_id  9",
        "state      disabled",
        "names      a, b",
        "token      •••",
    ] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    assert!(
        base(&["--params=p.json"])
            .stdout(0)
            .contains("$1 = 6\n      $2 = active")
    );
    assert!(!stdout.contains("from-the-environment"), "{stdout}");
}

#[test]
fn lists_and_flags_without_a_value_are_read() {
    let args = [
        "--record_id",
        "1",
        "--names",
        "a,b",
        "--names",
        "c",
        "--loud",
        "--token",
        "12345678",
    ];
    let stdout = plan(&args).stdout(0);
    assert!(stdout.contains("names      a, b, c"), "{stdout}");
    assert!(stdout.contains("loud       true"), "{stdout}");
}

#[test]
fn a_parameter_that_clashes_with_a_flag_is_given_by_name() {
    let text = "runbook: clash\ntitle: T\nparams:\n  output: { type: text }\n  dry_run: { type: bool }\nsteps:\n  - query: q\n    sql: SELECT {{ output }}::text, {{ dry_run }}\n";
    let test = Test::new().runbook("clash", text);
    let stderr = test.args(["plan", "clash"]).stderr(3);
    assert!(
        stderr.contains("give --param output=TEXT (text)"),
        "{stderr}"
    );
    let test = Test::new().runbook("clash", text);
    let args = [
        "plan",
        "clash",
        "--param",
        "output=x",
        "--param",
        "dry_run=no",
    ];
    assert!(test.args(args).stdout(0).contains("$1 = x"));
}

#[test]
fn a_file_of_parameters_is_checked_too() {
    let wrong = plan(&["--params", "p.yaml"]).file("work/p.yaml", "recordid: 1\n");
    let stderr = wrong.stderr(3);
    assert!(
        stderr.contains("recordid: unknown, from p.yaml; did you mean `record_id`?"),
        "{stderr}"
    );
    let broken = plan(&["--params", "p.yaml"]).file("work/p.yaml", "a: [1\n");
    assert!(broken.stderr(3).contains("p.yaml:"));
    let list = plan(&["--params", "p.yaml"]).file("work/p.yaml", "- 1\n");
    assert_eq!(
        list.stderr(3),
        "error: `p.yaml` is a list, not a map of parameters\n"
    );
    let none = plan(&["--params", "none.yaml"]);
    assert_eq!(
        none.stderr(3),
        "error: cannot read `none.yaml`: no such file or directory\n"
    );
}

#[test]
fn case_33_odd_values_are_kept_as_they_are_or_refused() {
    let text = "runbook: odd\ntitle: T\nparams:\n  t: { type: text }\nsteps:\n  - query: q\n    sql: SELECT {{ t }}::text\n";
    for value in [
        "1; COMMIT; --",
        "it's",
        "a\\b",
        "{{ 7*7 }}",
        "$1",
        "Ünïcödé 🦀",
    ] {
        let test = Test::new().runbook("odd", text);
        let stdout = test.args(["plan", "odd", "--t", value]).stdout(0);
        assert!(
            stdout.contains(&format!("SELECT $1::text\n      $1 = {value}\n")),
            "{stdout}"
        );
    }
}

#[test]
fn a_plan_shows_every_step_and_what_only_a_run_knows() {
    let args = ["plan", "enable-suspended-customer", "--company", "42"];
    assert_snapshot!(Test::new().args(args).stdout(0));
    let args = ["plan", "user-cannot-login", "--email", "a@b.example"];
    assert_snapshot!(Test::new().args(args).stdout(0));
}

#[test]
fn a_plan_needs_a_name() {
    let stderr = Test::new().args(["plan"]).stderr(2);
    assert!(stderr.contains("needs the name of a runbook"), "{stderr}");
}
