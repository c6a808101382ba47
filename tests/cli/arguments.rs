//! Arguments: unknown ones, help, completions, the manual.

use insta::assert_snapshot;

use crate::test::{READS, Test};

#[test]
fn an_unknown_runbook_names_the_nearest() {
    for command in ["run", "plan", "show", "check"] {
        let stderr = Test::new().args([command, "user-cant-login"]).stderr(3);
        assert_eq!(
            stderr,
            "error: there is no runbook `user-cant-login`\n  = help: did you mean `user-cannot-login`?\n  = help: `runbook list` shows what there is\n"
        );
    }
}

#[test]
fn case_41_a_name_is_never_a_path() {
    for name in ["../x", "a/b", "/etc/passwd", "./x", "..", "a\\b"] {
        let stderr = Test::new().args(["run", name]).stderr(3);
        assert!(stderr.contains("found by its name alone"), "{stderr}");
    }
}

#[test]
fn a_path_of_a_yaml_file_is_a_runbook() {
    let test = Test::new().file("work/elsewhere/reads.yaml", READS);
    let stdout = test.args(["check", "elsewhere/reads.yaml"]).stdout(0);
    assert_eq!(stdout, "1 runbook: 1 valid\n");
    let stderr = Test::new().args(["run", "../none.yaml"]).stderr(3);
    assert_eq!(stderr, "error: there is no file `../none.yaml`\n");
}

#[test]
fn the_parameters_of_a_runbook_are_flags_with_help() {
    let test = Test::new().runbook("reads", READS);
    assert_snapshot!(test.args(["run", "reads", "-h"]).stdout(0));
}

#[test]
fn help_of_a_runbook_is_its_help_too() {
    let test = Test::new().runbook("reads", READS);
    let help = test.args(["help", "run", "reads"]).stdout(0);
    assert!(help.contains("--record-id <BIGINT>"), "{help}");
    assert!(help.contains("Shows one record by its id."), "{help}");
}

#[test]
fn an_unknown_flag_names_the_nearest_of_the_runbook() {
    let test = Test::new().runbook("reads", READS);
    assert_snapshot!(test.args(["plan", "reads", "--recrod-id", "1"]).stderr(2));
}

#[test]
fn the_name_may_stand_after_the_parameters() {
    let test = Test::new().runbook("reads", READS);
    let args = ["plan", "--record-id", "7", "reads", "--token", "12345678"];
    assert!(test.args(args).stdout(0).contains("$1 = 7"));
}

#[test]
fn exit_codes_are_explained() {
    assert_snapshot!(Test::new().args(["help", "exit-codes"]).stdout(0));
}

#[test]
fn an_unknown_command_or_topic_is_wrong_use() {
    let stderr = Test::new().args(["lits"]).stderr(2);
    assert!(
        stderr.contains("similar subcommand exists: 'list'"),
        "{stderr}"
    );
    assert_eq!(
        Test::new().args(["help", "exit-code"]).stderr(2),
        "error: there is no command `exit-code`\n  = help: did you mean `exit-codes`?\n"
    );
}

#[test]
fn a_target_that_nobody_names_is_none() {
    let stderr = Test::new()
        .args(["check", "--target", "production"])
        .stderr(2);
    assert!(
        stderr.contains("\nerror: there is no target `production`: there is no runbook.yaml\n"),
        "{stderr}"
    );
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Test::new().args(["completions", shell]).stdout(0);
        assert!(script.contains("RUNBOOK_COMPLETE"), "{shell}: {script}");
    }
    let stderr = Test::new().args(["completions", "tcsh"]).stderr(2);
    assert!(stderr.contains("no completions for `tcsh`"), "{stderr}");
}

#[test]
fn names_and_parameters_are_completed() {
    let complete = |words: &[&str]| {
        let index = words.len().to_string();
        let line = ["--", "runbook"].into_iter().chain(words.iter().copied());
        Test::new()
            .runbook("reads", READS)
            .var("RUNBOOK_COMPLETE", "bash")
            .var("_CLAP_COMPLETE_INDEX", index)
            .var("_CLAP_IFS", "\n")
            .args(line)
            .stdout(0)
    };
    let names = complete(&["run", "rea"]);
    assert!(names.lines().any(|name| name == "reads"), "{names}");
    assert!(names.lines().all(|name| name.starts_with("rea")), "{names}");
    assert_eq!(complete(&["run", "read"]), "reads");
    let flags = complete(&["run", "reads", "--"]);
    for flag in ["--record-id", "--state", "--dry-run"] {
        assert!(flags.lines().any(|line| line == flag), "{flag}: {flags}");
    }
    assert_eq!(complete(&["run", "reads", "--state", "d"]), "disabled");
    assert_eq!(complete(&["run", "runbooks/r"]), "runbooks/reads.yaml");
    assert_eq!(complete(&["check", "runb"]), "runbooks/");
    assert_eq!(complete(&["list", "--tag", "recor"]), "records");
    let answers = complete(&["run", "make-user-admin", "--answer", ""]);
    assert!(answers.contains('='), "{answers}");
}

#[test]
fn the_manual_has_every_command_and_exit_code() {
    let page = Test::new().args(["man"]).stdout(0);
    for word in ["runbook\\-plan", "EXIT STATUS", "130"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(
        Test::new()
            .args(["man", "check"])
            .stdout(0)
            .contains("sarif")
    );
}

#[test]
fn colours_are_there_when_asked_for() {
    let colored = Test::new()
        .args(["--color", "always", "run", "nope"])
        .stderr(3);
    assert!(colored.contains("\u{1b}["), "{colored}");
    let forced = Test::new()
        .var("CLICOLOR_FORCE", "1")
        .args(["run", "nope"])
        .stderr(3);
    assert!(forced.contains("\u{1b}["), "{forced}");
    let plain = Test::new()
        .var("CLICOLOR_FORCE", "1")
        .var("NO_COLOR", "1")
        .args(["run", "nope"])
        .stderr(3);
    assert!(!plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_manual_offers_pages_only() {
    let stderr = Test::new().args(["man", "nope"]).stderr(2);
    assert!(stderr.contains("there is no command `nope`"), "{stderr}");
    assert!(!stderr.contains("exit-codes"), "{stderr}");
}

#[test]
fn help_promises_no_more_than_there_is() {
    for command in ["--help", "man"] {
        let text = Test::new().args([command]).stdout(0);
        assert!(!text.contains("undone"), "{text}");
        assert!(!text.contains("recorded"), "{text}");
    }
}

#[test]
fn a_new_runbook_has_its_schema_beside_it() {
    let test = Test::new().args(["new", "reset-it"]);
    let said = test.stdout(0);
    assert!(said.contains("runbooks/runbook.schema.json"), "{said}");
    assert!(
        said.contains("runbooks/reset-it.test.yaml (its first tests)"),
        "{said}"
    );
    for of in ["runbook", "test"] {
        let schema = test.root().join(format!("work/runbooks/{of}.schema.json"));
        let schema = std::fs::read_to_string(schema).unwrap();
        assert_eq!(schema, Test::new().args(["schema", of]).stdout(0));
    }
    let said = test.args(["new", "reset-more"]).stdout(0);
    assert!(!said.contains("schema"), "{said}");
}
