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
    assert_snapshot!(said(r#"
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
"#), @r#"
error: there is no target `stagin`
 --> runbook.yaml:2:10
  |
2 | default: stagin
  |          ^^^^^^
  |
  = help: did you mean `staging`?

error: there is no policy `carefull`
 --> runbook.yaml:4:41
  |
4 |   staging: { url: $STAGING_URL, policy: carefull }
  |                                         ^^^^^^^^
  |
  = help: did you mean `careful`?

error: the target `nowhere` is nowhere
 --> runbook.yaml:5:3
  |
5 |   nowhere: { about: It has no address }
  |   ^^^^^^^ it has neither `url` nor `service`
  |
  = help: give `url: $NAME`, an environment variable that holds its connection URL; or `service: NAME`

error: `url` and `service` together
 --> runbook.yaml:6:29
  |
6 |   both: { url: $A, service: b }
  |                -- and this  ^
  |
  = help: one of both says where the target is

error: `a=b` cannot be the name of a target
 --> runbook.yaml:7:3
  |
7 |   "a=b": { url: $A }
  |   ^^^^^
  |
  = help: a letter or digit, then letters, digits, `-`, `_` and `.`

error: `lock_timeout` is from 1 ms to 24 days
 --> runbook.yaml:8:3
  |
8 |   odd:
  |   ^^^ of this target
  |
  = help: write a length of time such as `5s` or `10m`

error: `url` names no environment variable
 --> runbook.yaml:9:10
  |
9 |     url: $A-B
  |          ^^^^
  |
  = help: write `$NAME` alone, and put the whole URL into that variable

error: `sslmode` cannot be `verify`
  --> runbook.yaml:10:14
   |
10 |     sslmode: verify
   |              ^^^^^^
   |
   = help: did you mean `verify-full`?

error: `passfile` and `password_command` together
  --> runbook.yaml:12:24
   |
11 |     passfile: ~/.pgpass
   |               --------- and this
12 |     password_command: [pass, odd]
   |                        ^^^^
   |
   = help: one of both has the password

error: a system identifier is a number of many digits
  --> runbook.yaml:14:36
   |
14 |     identity: { system_identifier: production }
   |                                    ^^^^^^^^^^
   |
   = help: `runbook targets --check` prints it; so does `SELECT system_identifier FROM pg_control_system()`

error: `users.a b` is no column of a table
  --> runbook.yaml:15:26
   |
15 |     sensitive: { users: ["a b"] }
   |                          ^^^^^
   |
   = help: write a table and its columns: `users: [email]`; `"*"` is every table, and a name with capital letters is written as '"User"'

error: this is no public key of age
  --> runbook.yaml:16:25
   |
16 |     backups: { encrypt: ssh-ed25519 }
   |                         ^^^^^^^^^^^
   |
   = help: it begins with `age1`; `age-keygen` makes a pair

error: `password_command` names no program
  --> runbook.yaml:17:3
   |
17 |   empty:
   |   ^^^^^
   |
   = help: write the program and its arguments as a list: `[pass, show, crm/production]`

error: the `identity` of `empty` says nothing
  --> runbook.yaml:17:3
   |
17 |   empty:
   |   ^^^^^
   |
   = help: `runbook targets --check` prints what belongs there

error: there is no target `production`
  --> runbook.yaml:22:18
   |
22 |   all: [staging, production, staging]
   |                  ^^^^^^^^^^
   |
   = help: there is staging, nowhere, both, a=b, odd and empty

error: `staging` is twice in the group `all`
  --> runbook.yaml:22:30
   |
22 |   all: [staging, production, staging]
   |                              ^^^^^^^

error: `staging` is the name of a target and of a group
  --> runbook.yaml:23:3
   |
 4 |   staging: { url: $STAGING_URL, policy: carefull }
   |   ------- here too
...
23 |   staging: [both]
   |   ^^^^^^^
   |
   = help: `--target` must mean one of both: give one another name

error: the group `none` has no targets
  --> runbook.yaml:24:3
   |
24 |   none: []
   |   ^^^^

error: `run` names nothing
  --> runbook.yaml:26:3
   |
26 |   careful:
   |   ^^^^^^^
   |
   = help: name something, or leave `run` out

error: more than 10 rows are high risk before 100 are medium risk
  --> runbook.yaml:26:3
   |
26 |   careful:
   |   ^^^^^^^ in `rows` of this policy
   |
   = help: let `medium` be the lower number

error: `9:00` is no time of the day
  --> runbook.yaml:30:19
   |
30 |         - { from: 9:00, to: 17:00 }
   |                   ^^^^
   |
   = help: write hours and minutes, such as `09:30`

error: a window that ends when it begins
  --> runbook.yaml:31:30
   |
31 |         - { from: 10:00, to: 10:00 }
   |                              ^^^^^
   |
   = help: for a whole day write `from: 00:00` and `to: 24:00`

error: there is no time zone `Europe/Berln`
  --> runbook.yaml:32:43
   |
32 |         - { from: 22:00, to: 24:00, zone: Europe/Berln }
   |                                           ^^^^^^^^^^^^
   |
   = help: write a name of the time zone database, such as `Europe/Berlin` or `UTC`
"#);
}

#[test]
fn keys_and_shapes_are_checked_as_everywhere() {
    assert_snapshot!(said(r"
targets:
  production:
    urll: $A
    protected: maybe
    journal: elsewhere
    watchdog: { sessions: many }
policies:
  p: { high: { approval: 2, windows: [{ days: [monday], from: 09:00 }] } }
grups: {}
"), @r#"
error: unknown key `urll`
 --> runbook.yaml:4:5
  |
4 |     urll: $A
  |     ^^^^
  |
  = help: did you mean `url`?

error: expected true or false, found the text "maybe"
 --> runbook.yaml:5:16
  |
5 |     protected: maybe
  |                ^^^^^

error: unknown value `elsewhere`
 --> runbook.yaml:6:14
  |
6 |     journal: elsewhere
  |              ^^^^^^^^^
  |
  = help: one of `database`, `local`

error: expected a whole number from 0, found the text "many"
 --> runbook.yaml:7:27
  |
7 |     watchdog: { sessions: many }
  |                           ^^^^

error: unknown key `approval`
 --> runbook.yaml:9:16
  |
9 |   p: { high: { approval: 2, windows: [{ days: [monday], from: 09:00 }] } }
  |                ^^^^^^^^
  |
  = help: did you mean `approvals`?

error: unknown value `monday`
 --> runbook.yaml:9:48
  |
9 |   p: { high: { approval: 2, windows: [{ days: [monday], from: 09:00 }] } }
  |                                                ^^^^^^
  |
  = help: did you mean `mon`?

error: unknown key `grups`
  --> runbook.yaml:10:1
   |
10 | grups: {}
   | ^^^^^
   |
   = help: did you mean `groups`?
"#);
    assert_snapshot!(said("- production\n"), @"
    error: runbook.yaml is a map of `targets` and more, not a list
     --> runbook.yaml:1:1
      |
    1 | - production
      | ^
      |
      = help: `runbook targets` shows a small one to begin with
    ");
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
