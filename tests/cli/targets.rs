//! `runbook.yaml` that is wrong: every mistake with its place, and never a password.

use insta::assert_snapshot;

use crate::test::Test;

fn said(text: &str) -> String {
    Test::new()
        .file("work/runbook.yaml", text)
        .args(["targets"])
        .stderr(3)
}

#[test]
fn case_37_a_literal_password_is_refused_and_not_shown() {
    for url in [
        "postgres://me:hunter2@db/crm",
        "postgresql://me:hun/ter2@db/crm",
        "postgres://me:hun@ter2@db/crm",
        "'host=db password=hunter2'",
        "\"host=db password = 'hunt er2'\"",
        "postgres://me@db/crm?password=hunter2",
        "postgres://me:$PASSWORD_hunter2@db/crm",
    ] {
        for text in [
            format!("targets:\n  a:\n    url: {url}\n"),
            format!("targets: {{ a: {{ url: {url} }} }}\n"),
            // What else is wrong on the line shows it no more.
            format!("targets:\n  a: {{ url: {url}, servce: x }}\n"),
            format!("targets:\n  a:\n    url: {url} # was postgres://me:hunter2@old\n"),
            format!("targets:\n  a:\n    url: {url}\n\tservice: x\n"),
        ] {
            let said = said(&text);
            assert!(!said.contains("ter2") && !said.contains("er2"), "{said}");
        }
    }
    assert_snapshot!(said("targets:\n  production:\n    url: postgres://me:hunter2@db/crm\n"), @"
    error: a password in `url`
     --> runbook.yaml:3:24
      |
    3 |     url: postgres://me:•••@db/crm
      |                        ^^^^^^^ this file is shared, and no place for it
      |
      = help: put the whole URL into an environment variable: `url: $NAME`
      = help: or leave the password out, and name a `passfile` or a `password_command`
    ");
}

#[test]
fn every_mistake_has_its_place() {
    assert_snapshot!(
        "every_mistake_has_its_place",
        said(
            r#"
default: stagin
targets:
  staging: { url: $STAGING_URL, policy: carefull }
  nowhere: { about: It has no address }
  both: { url: $A, service: b }
  "a=b": { url: $A }
  odd:
    url: $A-B
    sslmode: verify
    passfile: ~/.pgpass
    password_command: [pass, odd]
    lock_timeout: 0s
    identity: { system_identifier: production }
    sensitive: { users: ["a b"] }
    backups: { encrypt: ssh-ed25519 }
  empty:
    url: $A
    password_command: []
    identity: {}
groups:
  all: [staging, production, staging]
  staging: [both]
  none: []
policies:
  careful:
    medium:
      run: []
      windows:
        - { from: 9:00, to: 17:00 }
        - { from: 10:00, to: 10:00 }
        - { from: 22:00, to: 24:00, zone: Europe/Berln }
    rows: { medium: 100, high: 10 }
"#
        )
    );
    assert_snapshot!(said("default: production\n"), @"
    error: `targets` is missing
     --> runbook.yaml:1:1
      |
    1 | default: production
      | ^ `targets` is needed here
    ");
    assert_snapshot!(said(""), @"
    error: runbook.yaml is a map of `targets` and more, not nothing
     --> runbook.yaml:1:1
      |
    1 |
      | ^
      |
      = help: `runbook targets` shows a small one to begin with
    ");
    assert_snapshot!(said("targets:\n  a: { url: $A }\n  a: { url: $B }\n"), @"
    error: not valid YAML: duplicate mapping key: a
     --> runbook.yaml:3:3
      |
    3 |   a: { url: $B }
      |   ^
    ");
}

#[test]
fn a_broken_file_stops_every_command_that_connects() {
    for command in [
        "health",
        "query SELECT",
        "shell",
        "backup create",
        "init",
        "check --target x",
    ] {
        let ran = Test::new()
            .file("work/runbook.yaml", "targets: 1\n")
            .args(command.split(' '))
            .run();
        assert_eq!(ran.code, Some(3), "{command}: {ran:?}");
        assert!(ran.stderr.contains("runbook.yaml:1:10"), "{ran:?}");
    }
}
