//! Two people, and processes that are killed between any of their steps.

use std::path::PathBuf;

use insta::assert_snapshot;

use crate::approval_people::People;

impl People {
    fn log(&self) -> PathBuf {
        self.test.record().join("events.jsonl")
    }

    /// Has the record end before the last event of a kind, as a killed process leaves it.
    fn cut(&self, event: &str) {
        let log = self.log();
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let wanted = format!("\"event\":\"{event}\"");
        let at = lines
            .iter()
            .rposition(|line| line.contains(&wanted))
            .unwrap();
        let kept: String = lines[..at].join("\n") + "\n";
        std::fs::write(log, kept).unwrap();
    }
}

#[test]
fn case_40_killed_after_the_request_was_written_and_before_it_was_told() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    people.cut("approval_asked");
    // The same is asked again, and what was said of it stands.
    people
        .by("ann", &format!("resume {run} --answer go=yes"))
        .code(15);
    assert_eq!(
        people.test.rows("SELECT count(*) FROM runbook.request"),
        "1"
    );
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn case_40_killed_before_it_was_told_and_other_rows_meanwhile() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    people.cut("approval_asked");
    people
        .test
        .connect()
        .run("UPDATE users SET plan = 'silver' WHERE id = 2");
    people
        .by("ann", &format!("resume {run} --answer go=yes"))
        .code(15);
    assert_snapshot!(people.words(), @"
    approve | ben | null
    withdraw | ann | asked anew
    ");
    people.by("ann", &format!("resume {run}")).code(15);
    people.by("ben", "approve").says("may approve");
    people.approve("ben", &run);
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn case_40_killed_before_it_was_told_that_it_waits() {
    let people = People::asking(2);
    let run = people.wait();
    people.cut("run_finished");
    people.by("ann", &format!("resume {run}")).code(15);
    people.approve("ben", &run);
    people.cut("run_finished");
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

/// Kills the program when the approval is used, and the fix is under way.
fn killed_after_use(people: &People, run: &str) {
    let other = people.test.connect();
    other.run("BEGIN; LOCK TABLE runbook.entry IN SHARE MODE");
    let resuming = people.command("ann", &format!("resume {run}"));
    let running = people.test.begin(resuming);
    people.test.until(
        "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE NOT l.granted AND a.datname = current_database() AND l.relation = 'runbook.entry'::regclass)",
    );
    running.kill();
    other.run("ROLLBACK");
}

#[test]
fn case_40_killed_after_the_approval_was_used() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    killed_after_use(&people, &run);
    assert_eq!(people.plans(), "free free free free free");
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
    assert_snapshot!(people.words(), @"
    approve | ben | null
    use | ann | null
    ");
}

#[test]
fn case_40_killed_after_the_approval_was_used_and_before_it_was_told() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    killed_after_use(&people, &run);
    people.cut("step_finished");
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
    assert_snapshot!(people.words(), @"
    approve | ben | null
    use | ann | null
    ");
}

#[test]
fn case_40_what_is_used_does_not_hold_for_other_rows() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    killed_after_use(&people, &run);
    people.cut("step_finished");
    people
        .test
        .connect()
        .run("UPDATE users SET plan = 'silver' WHERE id = 2");
    people.by("ann", &format!("resume {run}")).code(12);
    assert_eq!(people.plans(), "free silver free free free");
}

#[test]
fn case_39_an_approval_is_used_once() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    // Somebody keeps the record as it is now, and goes on twice.
    let log = std::fs::read(people.log()).unwrap();
    people.by("ann", &format!("resume {run}")).code(0);
    people.test.connect().run("UPDATE users SET plan = 'free'");
    std::fs::write(people.log(), log).unwrap();
    people.by("ann", &format!("resume {run}"));
    assert_eq!(people.plans(), "free free free free free");
    assert_eq!(people.test.rows("SELECT count(*) FROM runbook.entry"), "1");
}

#[test]
fn a_run_that_was_cut_short_is_cancelled() {
    let people = People::new();
    people.file(
        "runbook: t\ntitle: T\nrisk: medium\nsteps:\n  - confirm: go\n    ask: Go?\n  - fix: one\n    sql: UPDATE users SET plan = 'gold' WHERE id = 1\n    rows: 1\n\
         \x20 - fix: two\n    sql: UPDATE users SET plan = 'gold' WHERE id = 2\n    rows: 1\n  - check: after\n    that: true\n",
    );
    let other = people.test.connect();
    other.run("BEGIN; UPDATE users SET plan = plan WHERE id = 2");
    let running = people
        .test
        .begin(people.command("ann", "run t --answer go=yes"));
    // The second fix does not come to its end.
    people.test.until(WAITS);
    running.kill();
    other.run("ROLLBACK");
    let run = people.test.id();
    assert_eq!(people.plans(), "gold free free free free");
    assert_snapshot!(people.by("ann", &format!("cancel {run} --quiet")), @"
    exit 11
    --- stderr
    error: cancelled before it began
    Rolled back after TIME.
    `two`: cancelled before it began
    What it had changed was put back: one.
    ");
    assert_eq!(people.plans(), "free free free free free");
    people
        .by("ann", &format!("cancel {run}"))
        .code(11)
        .says("is over: rolled back");
}

/// Whether a session waits for a lock.
const WAITS: &str = "\
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
    WHERE NOT l.granted AND a.datname = current_database())";

#[test]
fn a_run_that_somebody_works_on_is_not_cancelled() {
    let people = People::asking(2);
    let other = people.test.connect();
    other.run("BEGIN; LOCK TABLE users IN SHARE MODE");
    let running = people
        .test
        .begin(people.command("ann", "run t --answer go=yes"));
    people.test.until(WAITS);
    let run = people.test.id();
    people
        .by("ann", &format!("cancel {run}"))
        .code(10)
        .says("works on run");
    other.run("ROLLBACK");
    assert_eq!(running.end().code, Some(15));
}

#[test]
fn case_40_what_is_used_is_approved_until_it_expires() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    killed_after_use(&people, &run);
    people.expire();
    people
        .by("ann", &format!("resume {run}"))
        .says("`go` is not approved any more: it held until MOMENT");
    assert_eq!(people.plans(), "free free free free free");
    people.by("ann", &format!("cancel {run}")).code(130);
    assert_eq!(people.plans(), "free free free free free");
}
