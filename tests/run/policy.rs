//! What a target demands of a run: who may run it, what may answer its questions, what rows make of its risk, which
//! backup there must be; and what can never be met.

use std::fmt::Write as _;
use std::process::Command;

use insta::assert_snapshot;

use crate::terminal::Terminal;
use crate::test::{Ran, Test, indent};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); \
    INSERT INTO accounts SELECT n, 10 FROM generate_series(1, 5) n";

pub(crate) const BALANCES: &str = "SELECT string_agg(balance::text, ' ' ORDER BY id) FROM accounts";

pub(crate) const MEDIUM: &str = "sql: UPDATE accounts SET balance = 0 WHERE id = 1\nrows: 1";

pub(crate) const HIGH: &str = "sql: DELETE FROM accounts\nrows: 1..";

/// A database with three logins: ann of `ops`, bob of `dba`, eve of `oncall`; and a target of it. The names of roles end
/// with that of the database, since a cluster has them all.
pub(crate) struct Site {
    pub(crate) test: Test,
}

impl Site {
    /// A target `production` with these keys, and this policy.
    pub(crate) fn new(keys: &str, policy: &str) -> Self {
        let test = Test::sql(ACCOUNTS);
        let site = Self { test };
        let roles = "CREATE ROLE app_; CREATE ROLE ops_; CREATE ROLE dba_; CREATE ROLE oncall_; \
            CREATE ROLE ann_ LOGIN IN ROLE app_, ops_; CREATE ROLE bob_ LOGIN IN ROLE app_, dba_; \
            CREATE ROLE eve_ LOGIN IN ROLE app_, oncall_; ALTER TABLE accounts OWNER TO app_";
        site.test.connect().run(&site.named(roles));
        let grant = site.named("app_");
        site.test
            .run_with(["init", "--grant", grant.as_str()])
            .code(0);
        site.demanding(keys, policy)
    }

    /// Writes `runbook.yaml` anew.
    pub(crate) fn demanding(self, keys: &str, policy: &str) -> Self {
        let mut text = "targets:\n  production:\n    url: $PRODUCTION\n".to_owned();
        if !keys.is_empty() {
            text += &indent(keys, 4);
        }
        if !policy.is_empty() {
            let _ = write!(
                text,
                "    policy: strict\npolicies:\n  strict:\n{}",
                indent(policy, 4)
            );
        }
        let text = self.named(&text);
        Self {
            test: self.test.file("runbook.yaml", text),
        }
    }

    /// Writes the runbook `t` of a fix that is shown and asked about.
    pub(crate) fn fix(self, keys: &str) -> Self {
        Self {
            test: self.test.fix(keys),
        }
    }

    /// Writes the runbook `t` of steps whose question shows nothing.
    pub(crate) fn unshown(self, steps: &str) -> Self {
        Self {
            test: self.test.unrehearsed(steps),
        }
    }

    /// Has names of roles, which are written with a `_` at their ends, end with that of the database.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for role in [
            "app_", "ops_", "dba_", "oncall_", "nobody_", "ann_", "bob_", "eve_",
        ] {
            text = text.replace(role, &format!("{role}{}", self.test.db.name()));
        }
        text
    }

    /// Returns the program on the target, as a login.
    pub(crate) fn command(&self, login: &str, args: &[&str]) -> Command {
        let login = self.named(login);
        let mut command = self.test.bare(args);
        command
            .args(["--target", "production"])
            .env("PRODUCTION", self.test.db.url_as(&login));
        command
    }

    /// Runs the program on the target, as a login.
    pub(crate) fn run(&self, login: &str, args: &str) -> Ran {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.run_with(login, &args)
    }

    pub(crate) fn run_with(&self, login: &str, args: &[&str]) -> Ran {
        self.test.ran(&self.command(login, args).output().unwrap())
    }

    /// Runs it at a terminal.
    pub(crate) fn terminal(&self, login: &str, args: &str) -> Terminal<'_> {
        let args: Vec<&str> = args.split_whitespace().collect();
        Terminal::of(&self.test, self.command(login, &args))
    }

    pub(crate) fn balances(&self) -> String {
        self.test.rows(BALANCES)
    }
}

#[test]
fn high_risk_is_not_answered_by_a_plain_yes() {
    let test = Test::sql(ACCOUNTS).fix(HIGH);
    assert_snapshot!(test.run("run t --yes").code(12), @"
    exit 12
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · high risk

      ? go
          f changes 5 rows of accounts
            accounts  - 1  balance 10
                      - 2  balance 10
                      - 3  balance 10
                      - 4  balance 10
                      - 5  balance 10
          Operation      DELETE accounts
          Risk           high: DELETE without WHERE touches every row
          Data at risk   5 rows of accounts deleted
          Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✗ no · nobody · --yes is not enough for `go`: it is about high risk; answer it with --answer go=…, or run it in a terminal

    Declined after TIME.
    `go` was not answered
    Nothing was changed.
    ");
    assert_eq!(test.rows("SELECT count(*) FROM accounts"), "5");
    // Nothing of a rehearsal lasts.
    test.run("run t --yes --dry-run").code(0);
    test.run("run t --answer go=no").code(12);
    test.run("run t --answer go=yes").code(0);
    assert_eq!(test.rows("SELECT count(*) FROM accounts"), "0");
    // Of medium risk it is enough.
    let test = Test::sql(ACCOUNTS).fix(MEDIUM);
    test.run("run t --yes").code(0);
}

#[test]
fn a_question_that_shows_nothing_approves_what_comes_after_it() {
    let test = Test::sql(ACCOUNTS).unrehearsed(&format!("- fix: f\n{}", indent(HIGH, 2)));
    test.run("run t --yes")
        .code(12)
        .says("--yes is not enough for `go`");
    test.run("run t --answer go=yes").code(0);
}

#[test]
fn high_risk_can_be_answered_by_a_person_beside_a_plain_yes() {
    let test = Test::sql(ACCOUNTS).fix(HIGH);
    let asked = Terminal::new(&test, "run t --yes").shows("Go on? [y/N] ");
    assert_eq!(asked.types("y\n").end().0, Some(0));
}

#[test]
fn a_protected_target_is_answered_by_a_person_only() {
    let site = Site::new("protected: true", "").fix(MEDIUM);
    assert_snapshot!(site.run("ann_", "run t --yes").code(12), @"
    exit 12
    --- stdout
    Test  run RUN · production/DB · protected · medium risk

      ? go
          f changes 1 row of accounts
            accounts  1  balance  10 → 0
          Operation      UPDATE accounts
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of accounts updated
          Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✗ no · nobody · --yes is not enough for `go`: the target is protected, and a person answers at a terminal

    Declined after TIME.
    `go` was not answered
    Nothing was changed.
    ");
    assert_snapshot!(site.run("ann_", "run t --answer go=yes").code(12), @"
    exit 12
    --- stdout
    Test  run RUN · production/DB · protected · medium risk

      ? go
          f changes 1 row of accounts
            accounts  1  balance  10 → 0
          Operation      UPDATE accounts
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of accounts updated
          Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✗ no · nobody · --answer is not enough for `go`: the target is protected, and a person answers at a terminal

    Declined after TIME.
    `go` was not answered
    Nothing was changed.
    ");
    assert_snapshot!(site.run("ann_", "run t").code(12), @"
    exit 12
    --- stdout
    Test  run RUN · production/DB · protected · medium risk

      ? go
          f changes 1 row of accounts
            accounts  1  balance  10 → 0
          Operation      UPDATE accounts
          Risk           medium: UPDATE with a predicate
          Data at risk   1 row of accounts updated
          Locks          ROW EXCLUSIVE on accounts: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Go?
          ✗ no · nobody · there is no terminal to ask `go` at: the target is protected, run it in a terminal

    Declined after TIME.
    `go` was not answered
    Nothing was changed.
    ");
    site.run("ann_", "run t --answer go=no").code(12);
    assert_eq!(site.balances(), "10 10 10 10 10");
    let asked = site
        .terminal("ann_", "run t --yes --answer go=yes")
        .shows("Go on? [y/N] ");
    let (code, screen) = asked.types("y\n").end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(site.balances(), "0 10 10 10 10");
    // What is put back is asked of a person as well.
    let undo = format!("undo {}", site.last());
    let ran = site.run("ann_", &format!("{undo} --yes")).code(12);
    assert_snapshot!(ran, @"
    exit 12
    --- stdout
    Undo of run RUN: Test  run RUN · production/DB · protected · medium risk

      ? go_ahead
          putting back f changes 1 row of accounts
            accounts  1  balance  0 → 10
          Put back 1 row?
          ✗ no · nobody · --yes is not enough for `go_ahead`: the target is protected, and a person answers at a terminal

    Declined after TIME.
    nothing was put back
    Nothing was changed.
    ");
    assert_eq!(site.balances(), "0 10 10 10 10");
    let asked = site.terminal("ann_", &undo).shows("Go on? [y/N] ");
    assert_eq!(asked.types("y\n").end().0, Some(0));
    assert_eq!(site.balances(), "10 10 10 10 10");
}

impl Site {
    /// Returns the id of the last run that was recorded.
    pub(crate) fn last(&self) -> String {
        let ran = self.run("ann_", "history --output json --limit 1");
        let unredacted = self
            .command("ann_", &["history", "--output", "json", "--limit", "1"])
            .output()
            .unwrap();
        let list: serde_json::Value = serde_json::from_slice(&unredacted.stdout).unwrap();
        let run = list[0]["run"].as_str();
        run.unwrap_or_else(|| panic!("{ran}")).to_owned()
    }
}

#[test]
fn only_members_of_a_role_may_run_a_risk() {
    let site = Site::new("", "high: { run: dba_ }").fix(HIGH);
    let ran = site.run("ann_", "run t --answer go=yes").code(10);
    assert_snapshot!(ran, @"
    exit 10
    --- stdout
    Test  run RUN · production/DB · high risk


    Failed after TIME.
    production, high risk: only members of `dba_DB` may make such changes, and this login is none; have one of them run it
    Nothing was changed.
    ");
    assert_eq!(site.balances(), "10 10 10 10 10");
    // It is recorded that she tried, and a rehearsal is not hers either.
    site.run("ann_", "history").code(0).says("failed");
    site.run("ann_", "run t --dry-run").code(10);
    // What is less risky she may do.
    let site = site.fix(MEDIUM);
    site.run("ann_", "run t --yes").code(0);
    let site = site.fix(HIGH);
    site.run("bob_", "run t --answer go=yes").code(0);
}

#[test]
fn rows_raise_the_risk_of_a_question() {
    let all = "sql: UPDATE accounts SET balance = 0 WHERE id > 0\nrows: 1..";
    let site = Site::new("", "high: { run: dba_ }\nrows: { high: 3 }").fix(all);
    let ran = site.run("ann_", "run t --yes").code(10);
    assert_snapshot!(ran, @"
    exit 10
    --- stdout
    Test  run RUN · production/DB · medium risk

      ? go
          f changes 5 rows of accounts
            accounts  1, 2, 3, 4, 5  balance  10 → 0
      ✗ go                     failed  TIME
          error: production, high risk: only members of `dba_DB` may make such changes, and this login is none
            = note: 5 rows, and more than 3 are high risk on this target
            = help: have one of them run it

    Failed after TIME.
    `go`: production, high risk: only members of `dba_DB` may make such changes, and this login is none
    Nothing was changed.
    ");
    site.run("bob_", "run t --yes")
        .code(12)
        .says("--yes is not enough for `go`");
    assert_eq!(site.balances(), "10 10 10 10 10");
    site.run("bob_", "run t --answer go=yes").code(0);
    assert_eq!(site.balances(), "0 0 0 0 0");
}

#[test]
fn a_fix_with_more_rows_than_its_approvals_allow_is_rolled_back() {
    let policy = "high: { approvals: { count: 1, by: dba_ } }\nrows: { high: 3 }";
    let fixes = [
        "- fix: f\n  sql: UPDATE accounts SET balance = 0 WHERE id > 0\n  rows: 1..",
        "- fix: f\n  sql: UPDATE accounts SET balance = 0 WHERE id > 0\n  rows: 1..\n  batch: { size: 2 }",
        "- atomic: f\n  steps:\n    - fix: one\n      sql: UPDATE accounts SET balance = 0 WHERE id < 3\n      rows: 2\n    \
         - fix: two\n      sql: UPDATE accounts SET balance = 0 WHERE id > 3\n      rows: 2",
    ];
    let site = Site::new("", policy);
    let site = site.unshown(fixes[0]);
    assert_snapshot!(site.run("ann_", "run t --yes").code(10), @"
    exit 10
    --- stdout
    Test  run RUN · production/DB · medium risk

      ? go
          Go?
          ✓ yes · ann_DB (USER@HOST) by --yes
      ✗ f                      failed  TIME
          error: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
            = note: 5 rows, and more than 3 are high risk on this target
            = note: `f` is not committed: nothing of it remains
            = help: put a `confirm` with `of: f` before it: it shows the rows, and asks for the approvals

    Failed after TIME.
    `f`: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
    Nothing was changed.
    ");
    assert_eq!(site.balances(), "10 10 10 10 10");
    let site = fixes[1..].iter().fold(site, |site, steps| {
        let site = site.unshown(steps);
        site.run("ann_", "run t --yes")
            .code(10)
            .says("more than 3 are high risk")
            .says("nobody approved them");
        assert_eq!(site.balances(), "10 10 10 10 10", "{steps}");
        site
    });
    // As many as are allowed are made.
    let few = "- fix: f\n  sql: UPDATE accounts SET balance = 0 WHERE id <= 3\n  rows: 3";
    let site = site.unshown(few);
    site.run("ann_", "run t --yes").code(0);
    assert_eq!(site.balances(), "0 0 0 10 10");
}

#[test]
fn the_rows_of_all_items_of_a_loop_count_together() {
    let policy = "high: { approvals: { count: 1, by: dba_ } }\nrows: { high: 3 }";
    let site = Site::new("", policy);
    let test = site.test.steps(
        "
        - query: all
          sql: SELECT id FROM accounts ORDER BY id
        - confirm: go
          ask: Go?
        - fix: f
          for_each: all.rows
          as: one
          sql: UPDATE accounts SET balance = 0 WHERE id = {{ one.id }}
          rows: 1
        - check: after
          for_each: all.rows
          as: one
          that: true
        ",
    );
    let site = Site { test };
    let ran = site.run("ann_", "run t --yes");
    // What was committed before is put back.
    assert_snapshot!(ran.code(11), @"
    exit 11
    --- stdout
    Test  run RUN · production/DB · medium risk

      ✓ all                    5 rows  TIME
          id
           1
           2
           3
           4
           5
      ? go
          Go?
          ✓ yes · ann_DB (USER@HOST) by --yes
      ✗ f                      4 of 5 items  TIME
          ✓ 1  1 row   ✓ 2  1 row   ✓ 3  1 row
          ✗ 4
            error: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
              = note: 4 rows, and more than 3 are high risk on this target
              = note: `f` is not committed: nothing of it remains
              = help: put a `confirm` with `of: f` before it: it shows the rows, and asks for the approvals
          accounts  1, 2, 3  balance  10 → 0
      ↶ undo                   f: 3 rows put back  TIME
          `f`: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
          accounts  3, 2, 1  balance  0 → 10

    Rolled back after TIME.
    `f`: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
    What it had changed was put back: f.
    ");
    assert_eq!(site.balances(), "10 10 10 10 10");
}

#[test]
fn what_others_must_approve_and_nobody_is_asked_about_is_refused_before_it_runs() {
    let site = Site::new("", "high: { approvals: { count: 1, by: dba_ } }");
    let site = site.unshown(&format!("- fix: f\n{}", indent(HIGH, 2)));
    let ran = site.run("ann_", "run t --answer go=yes").code(3);
    assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: `f` can never run on `production`: nobody asks for its approvals
     --> runbooks/t.yaml:7:10
      |
    7 |   - fix: f
      |          ^ high risk, which needs 1 approval by `dba_DB` within 4 h
      |
      = help: put a `confirm` with `of: f` before it on every way that leads here
    ");
    site.run("ann_", "history").code(0).says("No runs");
    // A program has no rows: its own risk decides.
    let site = site.demanding("", "medium: { approvals: { by: dba_ } }");
    let site =
        site.unshown("- fix: f\n  command: [touch, done]\n  expect: { code: 0 }\n  undo: none");
    site.run("ann_", "run t --yes")
        .code(3)
        .says("`f` can never run on `production`");
    assert!(!site.test.root().join("work/done").exists());
    // A rehearsal changes nothing, and needs no approvals.
    site.run("ann_", "run t --dry-run").code(0);
}

#[test]
fn a_policy_that_can_never_be_met_is_refused() {
    let site = Site::new("", "").fix(MEDIUM);
    let cases = [
        ("high: { approvals: { by: nobody_ } }", 3),
        ("medium: { approvals: { by: ops_ } }", 3),
        // Who would ask for that is somebody else.
        ("high: { approvals: { by: ops_ } }", 0),
        ("high: { approvals: { count: 2, by: dba_ } }", 3),
        ("medium: { run: [nobody_, ops_] }", 3),
        ("break_glass: nobody_", 0),
        ("high: { approvals: { count: 2, by: [dba_, oncall_] } }", 0),
    ];
    let mut told = String::new();
    let mut site = site;
    for (policy, code) in cases {
        site = site.demanding("", policy);
        let ran = site.run("ann_", "run t --yes").code(code);
        let policy = site.test.redact(policy);
        // The names of roles are as long as that of the database.
        let carets = regex_lite::Regex::new(r"\^+").unwrap();
        let stderr = carets.replace_all(&ran.stderr, "^");
        let _ = write!(told, "{policy}\n{stderr}\n");
    }
    assert_snapshot!(told, @"
    high: { approvals: { by: nobody_ } }
    error: there is no role `nobody_DB` on `production`
     --> runbook.yaml:7:30
      |
    7 |     high: { approvals: { by: nobody_DB } }
      |                              ^ nobody can be a member of it: this can never be met
      |
      = help: create it (CREATE ROLE nobody_DB), or name the one that is meant


    medium: { approvals: { by: ops_ } }
    error: changes of medium risk can never be approved on `production`
     --> runbook.yaml:7:32
      |
    7 |     medium: { approvals: { by: ops_DB } }
      |                                ^ another login must approve, and no login but the one who asks is a member of `ops_DB`
      |
      = help: make more logins members (GRANT role TO login), or ask for fewer approvals


    high: { approvals: { by: ops_ } }

    high: { approvals: { count: 2, by: dba_ } }
    error: changes of high risk can never be approved on `production`
     --> runbook.yaml:7:40
      |
    7 |     high: { approvals: { count: 2, by: dba_DB } }
      |                                        ^ 2 other logins must approve, and only `bob_DB` can
      |
      = help: make more logins members (GRANT role TO login), or ask for fewer approvals


    medium: { run: [nobody_, ops_] }
    error: there is no role `nobody_DB` on `production`
     --> runbook.yaml:7:21
      |
    7 |     medium: { run: [nobody_DB, ops_DB] }
      |                     ^ nobody can be a member of it: this can never be met
      |
      = help: create it (CREATE ROLE nobody_DB), or name the one that is meant


    break_glass: nobody_
    warning: there is no role `nobody_DB` on `production`
     --> runbook.yaml:7:18
      |
    7 |     break_glass: nobody_DB
      |                  ^ nobody can break the glass by it


    high: { approvals: { count: 2, by: [dba_, oncall_] } }
    ");
    // Nobody at all is a member of it.
    site.test.connect().run(&site.named("CREATE ROLE nobody_"));
    let site = site.demanding("", "medium: { run: nobody_ }");
    site.run("ann_", "run t --yes")
        .code(3)
        .says("nobody may run changes of medium risk");
    // Superusers are members of everything, but not who is meant.
    site.run("postgres", "run t --yes")
        .code(3)
        .says("nobody may run changes of medium risk");
}

#[test]
fn a_risk_may_need_a_backup_that_is_not_too_old() {
    let site = Site::new("", "medium: { backup: 24h }").fix(MEDIUM);
    assert_snapshot!(site.run("ann_", "run t --yes").code(10), @"
    exit 10
    --- stdout
    Test  run RUN · production/DB · medium risk


    Failed after TIME.
    production, medium risk: there must be a verified backup of the whole database that is not older than 24 h, and there is none; make one: runbook backup create
    Nothing was changed.
    ");
    // A table is not the whole database.
    site.run("postgres", "backup create part --table accounts")
        .code(0);
    site.run("ann_", "run t --yes")
        .code(10)
        .says("there is none");
    site.run("ann_", "run t --dry-run").code(0);
    site.run("postgres", "backup create whole").code(0);
    site.run("ann_", "run t --yes").code(0);
    // One that was found damaged is none.
    let folder = site.test.root().join(".local/state/runbook/backups");
    let whole = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("whole"))
        .unwrap();
    let dump = whole.join("dump");
    std::fs::remove_dir_all(&dump).unwrap();
    site.run("ann_", "run t --yes")
        .code(10)
        .says("there is none");
}

#[test]
fn what_is_not_there_any_more_when_it_commits_takes_the_change_back() {
    let site = Site::new("", "medium: { backup: 24h }").fix(MEDIUM);
    site.run("postgres", "backup create whole").code(0);
    let asked = site.terminal("ann_", "run t").shows("Go on? [y/N] ");
    let folder = site.test.root().join(".local/state/runbook/backups");
    std::fs::remove_dir_all(folder).unwrap();
    let (code, screen) = asked.types("y\n").end();
    assert_eq!(code, Some(10), "{screen}");
    assert!(screen.contains("`f` is not committed"), "{screen}");
    assert_eq!(site.balances(), "10 10 10 10 10");
}

#[test]
fn a_backup_of_another_database_of_the_same_name_does_not_count() {
    let site = Site::new("", "medium: { backup: 24h }").fix(MEDIUM);
    site.run("postgres", "backup create whole").code(0);
    let name = site.test.db.name();
    let other = crate::server::Connection::to("postgres");
    // The same name, and another database.
    other.run(&format!("ALTER DATABASE {name} RENAME TO {name}_old"));
    other.run(&format!("CREATE DATABASE {name} TEMPLATE {name}_old"));
    let ran = site.run("ann_", "run t --yes");
    other.run(&format!("DROP DATABASE {name}_old WITH (FORCE)"));
    ran.code(10).says("there is none");
}

#[test]
fn a_run_that_makes_the_backup_itself_may_begin() {
    let site = Site::new("", "high: { backup: 1h }");
    let test = site.test.steps(
        "
        - backup: save
          database: full
        - confirm: go
          of: f
          ask: Go?
        - fix: f
          sql: DELETE FROM accounts
          rows: 1..
        - check: after
          that: true
        ",
    );
    let site = Site { test };
    site.run("postgres", "run t --answer go=yes").code(0);
    assert_eq!(site.test.rows("SELECT count(*) FROM accounts"), "0");
}

#[test]
fn case_49_a_restore_in_place_is_held_to_the_policy() {
    let site = Site::new("", "");
    site.run("postgres", "backup create whole").code(0);
    let name = site.test.db.name().to_owned();
    let restore = [
        "backup",
        "restore",
        "whole",
        "--in-place",
        "--confirm",
        &name,
    ];
    let refused = |site: &Site| site.run_with("postgres", &restore).code(3);
    let site = site.demanding("", "high: { approvals: { by: dba_ } }");
    assert_snapshot!(refused(&site), @"
    exit 3
    --- stderr
    error: production, high risk: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them
      a restore in place of what is there is asked of one person: nothing was restored
      = help: restore it into a new database, which replaces nothing: leave `--in-place` out
    ");
    // To put it beside what is there needs nothing.
    site.run("postgres", "backup restore whole --dry-run")
        .code(0);
    // Where the target is protected, the name given ahead is not enough either.
    let site = site.demanding("protected: true", "");
    let ran = site.run_with("postgres", &restore).code(12);
    assert!(ran.to_string().contains("--confirm is not enough"), "{ran}");
    assert_eq!(site.balances(), "10 10 10 10 10");
    // So are its backups.
    site.run("postgres", "backup create whole").code(0);
    site.run("postgres", "backup prune whole --keep-last 1 --yes")
        .code(12)
        .says("--yes is not enough for `delete`");
}

#[test]
fn plan_and_show_say_what_a_target_demands_without_a_connection() {
    let policy = "
        medium:
          run: [ops_, dba_]
          windows:
            - { days: [mon, tue, wed, thu], from: '09:00', to: '16:00', zone: Europe/Berlin }
            - { days: sat, from: '22:00', to: '24:00' }
        high:
          approvals: { count: 2, by: dba_ }
          backup: 24h
        rows: { high: 100 }
        break_glass: oncall_
    ";
    let site = Site::new("protected: true", policy).fix(MEDIUM);
    let show = |site: &Site, args: &str| {
        let mut command = site.command("ann_", &args.split_whitespace().collect::<Vec<_>>());
        command.env("PRODUCTION", "postgres://nobody@192.0.2.1/nowhere");
        let ran = site.test.ran(&command.output().unwrap()).code(0);
        let from = ran.stdout.find("\nOn production").unwrap();
        let rest = ran.stdout.get(from + 1..).unwrap();
        rest.split("\n\n").next().unwrap().trim_end().to_owned()
    };
    assert_snapshot!(show(&site, "plan t"), @"
    On production
      medium risk: run by `ops_DB` or `dba_DB`; Mon–Thu 09:00–16:00 Europe/Berlin or Sat 22:00–24:00 UTC; answered at a terminal
      more than 100 rows are high risk
      high risk: run by `ops_DB` or `dba_DB`; 2 approvals by `dba_DB` within 4 h; Mon–Thu 09:00–16:00 Europe/Berlin or Sat 22:00–24:00 UTC; backup not older than 24 h
      in an emergency `oncall_DB` may break the glass
    ");
    assert_eq!(show(&site, "show t"), show(&site, "plan t"));
    let site = site.unshown(&format!("- fix: f\n{}", indent(HIGH, 2)));
    assert_snapshot!(show(&site, "plan t"), @"
    On production
      high risk: run by `ops_DB` or `dba_DB`; 2 approvals by `dba_DB` within 4 h; Mon–Thu 09:00–16:00 Europe/Berlin or Sat 22:00–24:00 UTC; backup not older than 24 h
      it is refused there: no `confirm` with `of` asks for the approvals of `f` on every way
      in an emergency `oncall_DB` may break the glass
    ");
    let read = "steps:\n  - query: q\n    sql: SELECT 1\n";
    let site = Site {
        test: site.test.runbook("t", read),
    };
    assert_snapshot!(show(&site, "plan t"), @"
    On production
      it changes nothing: nothing is demanded
    ");
}

/// A clock that is ahead of all others by so many seconds, for one program.
fn ahead(site: &Site, seconds: i64) -> std::path::PathBuf {
    let folder = site.test.root();
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    let text = format!(
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <time.h>\n\
         int clock_gettime(clockid_t id, struct timespec *at) {{\n\
           static int (*real)(clockid_t, struct timespec *);\n\
           if (!real) real = dlsym(RTLD_NEXT, \"clock_gettime\");\n\
           int done = real(id, at);\n\
           if (id == CLOCK_REALTIME) at->tv_sec += {seconds};\n\
           return done;\n}}\n"
    );
    std::fs::write(&source, text).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    library
}

#[test]
fn clocks_that_differ_are_refused_where_time_decides() {
    let site = Site::new("protected: true", "").fix(MEDIUM);
    let with_clock = |site: &Site, seconds: i64| {
        let mut command = site.command("ann_", &["run", "t", "--answer", "go=no"]);
        command.env("LD_PRELOAD", ahead(site, seconds));
        site.test.ran(&command.output().unwrap())
    };
    let ran = with_clock(&site, 7200).code(4);
    let moments = regex_lite::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").unwrap();
    let ran = moments.replace_all(&ran.to_string(), "MOMENT").into_owned();
    let seconds = regex_lite::Regex::new(r"\d+ seconds").unwrap();
    assert_snapshot!(seconds.replace_all(&ran, "SOME seconds"), @"
    exit 4
    --- stderr
    error: the server's clock is SOME seconds behind this machine's
      the server says MOMENT
      this machine says MOMENT
      windows, backups and approvals are held to the time: nothing was run
      = help: set the clock that is wrong, by NTP for instance
    ");
    with_clock(&site, -7200).code(4).says("ahead of this");
    with_clock(&site, 30).code(12);
    // Where the time decides nothing it does not matter.
    let site = site.demanding("", "high: { run: dba_ }");
    with_clock(&site, 7200).code(12);
}

#[test]
fn a_run_of_a_protected_target_is_put_back_there_only() {
    let site = Site::new("protected: true", "");
    let steps = "
        - fix: more
          sql: INSERT INTO accounts VALUES (6, 10)
          rows: 1
        - check: after
          that: true
    ";
    let site = Site {
        test: site.test.steps(steps),
    };
    site.run("ann_", "run t").code(0);
    let run = site.last();
    // In a folder whose runbook.yaml does not know the target only a flag would be asked.
    let site = Site {
        test: site.test.file("runbook.yaml", "targets: {}\n"),
    };
    let url = site.test.db.url_as(&site.named("ann_"));
    let undo = ["undo", &run, "--yes", "--database-url", &url];
    let ran = site.test.ran(&site.test.bare(undo).output().unwrap());
    assert_snapshot!(ran.code(3), @"
    exit 3
    --- stderr
    error: the run began on the target `production`, which demands more than ann_DB@SERVER:5432 does
      no runbook.yaml here knows `production`
      = help: do it in the folder of that runbook.yaml
    ");
    assert_eq!(site.balances(), "10 10 10 10 10 10");
}

#[test]
fn what_puts_back_more_than_was_changed_is_held_to_the_policy() {
    let policy = "rows: { high: 2 }\nhigh: { run: dba_ }";
    let fix = |undo: &str| {
        format!(
            "- fix: more\n  sql: INSERT INTO accounts VALUES (6, 10)\n  rows: 1\n  undo: {undo}\n"
        )
    };
    let site = |steps: String| {
        let site = Site::new("", policy);
        Site {
            test: site.test.steps(&steps),
        }
    };
    let all = fix("DELETE FROM accounts WHERE id > 0");
    // By a step, and by itself after an error.
    let step = site(format!("{all}- rollback: back\n  of: more\n"));
    step.run("ann_", "run t")
        .code(13)
        .says("only members of `dba");
    assert_eq!(step.balances(), "10 10 10 10 10 10");
    let check = "- check: after\n  that: more.count == 2\n";
    let itself = site(format!("{all}{check}"));
    itself
        .run("ann_", "run t --quiet")
        .says("only members of `dba");
    assert_eq!(itself.balances(), "10 10 10 10 10 10");
    // Who may do it may do it so, and what was done is put back by everybody.
    step.test.connect().run("DELETE FROM accounts WHERE id = 6");
    step.run("bob_", "run t").code(0);
    assert_eq!(step.balances(), "null");
    let own = site(format!(
        "{}- rollback: back\n  of: more\n",
        fix("DELETE FROM accounts WHERE id = 6")
    ));
    own.run("ann_", "run t").code(0);
    assert_eq!(own.balances(), "10 10 10 10 10");
}

#[test]
fn what_triggers_change_counts_for_all_items_of_a_loop() {
    let site = Site::new("", "rows: { high: 3 }\nhigh: { run: dba_ }");
    site.test.connect().run(
        "CREATE TABLE log (id int PRIMARY KEY); \
         CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
           $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END $$; \
         CREATE TRIGGER noted AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION noted()",
    );
    site.test
        .connect()
        .run(&site.named("ALTER TABLE log OWNER TO app_"));
    let steps = "
        - query: all
          sql: SELECT id FROM accounts WHERE id < 3 ORDER BY id
        - confirm: go
          ask: Go?
        - fix: each
          for_each: all.rows
          as: item
          sql: UPDATE accounts SET balance = 0 WHERE id = {{ item.id }}
          rows: 1
          tables: [accounts, log]
          undo: none
        - check: after
          that: true
    ";
    let site = Site {
        test: site.test.steps(steps),
    };
    site.run("ann_", "run t --yes")
        .says("4 rows, and more than 3 are high risk on this target");
    assert_eq!(site.balances(), "0 10 10 10 10");
}
