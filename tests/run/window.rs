//! Windows: when changes may be made, by the server's clock.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::policy::{MEDIUM, Site};

/// A window from so many hours from now, for so many hours.
fn window(begins: i64, hours: i64, zone: &str) -> String {
    let time = |from_now: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(from_now);
        let zone = TimeZone::get(zone).unwrap();
        at.to_zoned(zone).strftime("%H:%M").to_string()
    };
    format!(
        "medium: {{ windows: [{{ from: '{}', to: '{}', zone: {zone} }}] }}",
        time(begins),
        time(begins + hours)
    )
}

#[test]
fn changes_are_made_in_a_window_only() {
    let mut site = Site::new("", &window(6, 2, "UTC")).fix(MEDIUM);
    for zone in ["UTC", "Asia/Kolkata", "America/New_York"] {
        site = site.demanding("", &window(6, 2, zone));
        let ran = site.run("ann_", "run t --yes").code(10);
        let ran = ran.says("production, medium risk: such changes are made ");
        ran.says(zone).says("Nothing was changed.");
        assert_eq!(site.balances(), "10 10 10 10 10");
        // A rehearsal is held to none.
        site.run("ann_", "run t --dry-run").code(0);
        // What only looks is not either.
    }
    for zone in ["UTC", "Asia/Kolkata"] {
        site = site.demanding("", &window(-2, 4, zone));
        site.run("ann_", "run t --yes").code(0);
    }
}

#[test]
fn a_run_that_was_cut_short_goes_on_in_a_window_only() {
    let site = Site::new("", &window(-2, 4, "UTC"));
    let steps = "
        - confirm: go
          ask: Go?
        - fix: one
          sql: UPDATE accounts SET balance = 0 WHERE id = 1
          rows: 1
        - fix: two
          sql: UPDATE accounts SET balance = 0 WHERE id = 2
          rows: 1
        - check: after
          that: true
    ";
    let site = Site {
        test: site.test.steps(steps),
    };
    let other = site.test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = site
        .test
        .begin(site.command("ann_", &["run", "t", "--yes"]));
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
    let resume = format!("resume {} --yes", site.last());
    let site = site.demanding("", &window(6, 2, "UTC"));
    site.run("ann_", &resume)
        .code(13)
        .says("such changes are made");
    // By its address nothing would be demanded.
    let url = site.test.db.url_as(&site.named("ann_"));
    for command in [&resume, &resume.replace("resume", "undo")] {
        site.test
            .ran(
                &site
                    .test
                    .bare(command.split(' '))
                    .args(["--database-url", &url])
                    .output()
                    .unwrap(),
            )
            .code(3)
            .says("name it: --target production");
    }
    assert_eq!(site.balances(), "0 10 10 10 10");
    let site = site.demanding("", &window(-2, 4, "UTC"));
    site.run("ann_", &resume).code(0);
    assert_eq!(site.balances(), "0 0 10 10 10");
}
