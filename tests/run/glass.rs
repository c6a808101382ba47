//! Breaking the glass: going on without what a target demands, where that is allowed, with a reason, and for all to
//! see.

use insta::assert_snapshot;

use crate::policy::{HIGH, MEDIUM, Site};
use crate::test::{Ran, indent};

const STRICT: &str = "
    high: { run: dba_, approvals: { count: 1, by: dba_ }, backup: 1h }
    break_glass: oncall_
";

const REASON: &str = "customers cannot log in";

fn breaking(site: &Site, login: &str, args: &str, reason: &str) -> Ran {
    let mut words: Vec<&str> = args.split_whitespace().collect();
    words.extend(["--break-glass", reason]);
    site.run_with(login, &words)
}

#[test]
fn who_may_goes_on_without_what_is_demanded_and_everybody_sees_it() {
    let site = Site::new("", STRICT).fix(HIGH);
    let ran = breaking(&site, "eve_", "run t --answer go=yes", REASON).code(0);
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Test  run RUN · production/DB · high risk · GLASS BROKEN

      ! the glass is broken: customers cannot log in · eve_DB (USER@HOST)
          without: only members of `dba_DB` may make such changes, and this login is none
          without: there must be a verified backup of the whole database that is not older than 60 min, and there is none
          without: such changes need 1 approval by `dba_DB` within 4 h, and nobody approved them

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
          ✓ yes · eve_DB (USER@HOST) by --answer
      ✓ f                      5 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(site.test.rows("SELECT count(*) FROM accounts"), "0");
    let told = site
        .test
        .rows("SELECT runbook, reason, array_length(lifted, 1) FROM runbook.glass");
    assert_eq!(told, format!("t | {REASON} | 3"));
    let by = site.test.rows("SELECT login FROM runbook.glass");
    assert_eq!(by, site.named("eve_"));
    site.run("ann_", "history").says("GLASS BROKEN: done");
    site.run("ann_", "history --output json").says(REASON);
    let run = site.last();
    let report = site.run("ann_", &format!("report {run} --format markdown"));
    report.code(0).says("Glass broken").says(REASON);
    site.run("ann_", &format!("report {run}"))
        .code(0)
        .says("the glass is broken: customers cannot log in");
    // Nor is it quiet where nothing else is told: here that there is nothing left to delete.
    breaking(&site, "eve_", "run t --quiet --answer go=no", REASON)
        .code(10)
        .says("the glass is broken: customers cannot log in");
}

#[test]
fn who_may_not_is_refused_before_anything_is_recorded() {
    let site = Site::new("", STRICT).fix(HIGH);
    let ran = breaking(&site, "ann_", "run t --answer go=yes", REASON).code(3);
    assert_snapshot!(ran, @"
    exit 3
    --- stderr
    error: `ann_DB` may not break the glass on `production`
      only members of `oncall_DB` may
      = help: have one of them run it
    ");
    // Who may run it need not be who may break the glass.
    breaking(&site, "bob_", "run t --answer go=yes", REASON)
        .code(3)
        .says("may not break the glass");
    for reason in ["", "  ", "outage"] {
        breaking(&site, "eve_", "run t --answer go=yes", reason)
            .code(2)
            .says("needs a reason of more than one word");
    }
    breaking(&site, "eve_", "run t --dry-run", REASON).code(2);
    let site = site.demanding("", "high: { run: dba_ }");
    breaking(&site, "eve_", "run t --answer go=yes", REASON)
        .code(3)
        .says("its policy names no roles for that");
    let site = site.demanding("protected: true", "");
    breaking(&site, "eve_", "run t", REASON)
        .code(3)
        .says("there is no glass to break");
    site.run("ann_", "history").says("No runs");
    assert_eq!(site.balances(), "10 10 10 10 10");
}

#[test]
fn it_lifts_neither_the_person_at_a_protected_target_nor_guards() {
    let site = Site::new("protected: true", STRICT).fix(HIGH);
    breaking(&site, "eve_", "run t --answer go=yes --yes", REASON)
        .code(12)
        .says("is not enough for `go`");
    assert_eq!(site.balances(), "10 10 10 10 10");
    let many = "sql: UPDATE accounts SET balance = 0 WHERE id > 0\nrows: 1";
    let site = site.demanding("", STRICT).fix(many);
    breaking(&site, "eve_", "run t --answer go=yes", REASON)
        .code(10)
        .says("its row guard says 1");
    assert_eq!(site.balances(), "10 10 10 10 10");
}

#[test]
fn rows_that_raise_the_risk_are_among_what_it_lifts() {
    let policy = format!("{}rows: {{ high: 3 }}\n", indent(STRICT, 0));
    let all = "- fix: f\n  sql: UPDATE accounts SET balance = 0 WHERE id > 0\n  rows: 1..";
    let site = Site::new("", &policy).unshown(all);
    site.run("eve_", "run t --yes").code(10);
    breaking(&site, "eve_", "run t --yes", REASON)
        .code(0)
        .says("without: such changes need 1 approval by");
    assert_eq!(site.balances(), "0 0 0 0 0");
}

#[test]
fn a_run_that_broke_it_goes_on_so_by_those_who_may() {
    let site = Site::new("", STRICT);
    let steps = format!(
        "- confirm: go\n  ask: Go?\n- fix: one\n{}- fix: two\n{}- check: after\n  that: true\n",
        indent(MEDIUM, 2),
        indent(
            "sql: UPDATE accounts SET balance = 0 WHERE id >= 2\nrows: 4",
            2
        )
    );
    let site = Site {
        test: site.test.steps(&steps),
    };
    let site = site.demanding("", &STRICT.replace("high:", "medium:"));
    let other = site.test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let mut command = site.command("eve_", &["run", "t", "--answer", "go=yes"]);
    command.args(["--break-glass", REASON]);
    let run = site.test.begin(command);
    site.test.until(
        "SELECT count(*) = 1 FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'",
    );
    run.kill();
    other.run("ROLLBACK");
    site.test.until(
        "SELECT count(*) = 0 FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE 'runbook/%'",
    );
    assert_eq!(site.balances(), "0 10 10 10 10");
    let resume = format!("resume {} --yes", site.last());
    site.run("ann_", &resume)
        .code(3)
        .says("may not break the glass");
    let ran = site.run("eve_", &resume).code(0);
    // It is said again.
    assert_eq!(
        ran.stdout.matches("the glass is broken").count(),
        2,
        "{ran}"
    );
    assert_eq!(site.balances(), "0 0 0 0 0");
    assert_eq!(site.test.rows("SELECT count(*) FROM runbook.glass"), "2");
}

#[test]
fn case_49_a_restore_in_place_goes_on_too() {
    let policy = "high: { approvals: { by: dba_ } }\nbreak_glass: oncall_";
    let site = Site::new("", policy);
    site.run("postgres", "backup create part --table accounts")
        .code(0);
    site.test.connect().run("DELETE FROM accounts WHERE id > 1");
    let name = site.test.db.name().to_owned();
    let restore = format!("backup restore part --in-place --confirm {name}");
    breaking(&site, "ann_", &restore, REASON)
        .code(3)
        .says("may not break the glass");
    let ran = breaking(&site, "postgres", &restore, REASON).code(0);
    assert!(
        ran.to_string().contains("the glass is broken: customers"),
        "{ran}"
    );
    assert_eq!(site.balances(), "10 10 10 10 10");
    assert_eq!(site.test.rows("SELECT count(*) FROM runbook.glass"), "1");
}
