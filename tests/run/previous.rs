//! `run.previous`: when the run before this one began.

use crate::test::Test;

const SETUP: &str = "CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz NOT NULL);
    INSERT INTO orders VALUES (1, now() - interval '1 day'), (2, now() - interval '1 year')";

const CHANGES: &str = "
    params:
      overlap: { type: interval, default: 0 seconds }
      fail: { type: bool, default: false }
    steps:
      - query: since
        sql: SELECT {{ run.previous }} IS NULL AS first, {{ run.previous }} <= now() AS past
        rows: 1
      - check: known
        that: (run.previous is none) == since.first and since.past == (none if since.first else true)
      - backup: changes
        rows:
          orders: updated_at >= coalesce({{ run.previous }}::timestamptz, '-infinity') - {{ overlap }}::interval
      - check: complete
        that: not fail
        else: { fail: \"it was {{ run.previous }}\" }
";

fn saved(test: &Test, args: &str, code: i32) -> String {
    let ran = test.run(&format!("run t {args}")).code(code).to_string();
    let line = ran.lines().find(|line| line.contains("changes ")).unwrap();
    let rows = line.split_whitespace().skip(2).take(2);
    rows.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_backup_is_about_what_is_new_since_the_last() {
    let test = Test::sql(SETUP).runbook("t", CHANGES);
    assert_eq!(saved(&test, "--fail", 10), "2 rows");
    // One that failed does not count, nor does a dry run.
    test.run("run t --dry-run").code(0);
    assert_eq!(saved(&test, "", 0), "2 rows");
    test.connect()
        .run("INSERT INTO orders VALUES (3, now()), (4, now() - interval '1 minute')");
    assert_eq!(saved(&test, "", 0), "1 row");
    assert_eq!(saved(&test, "", 0), "0 rows");
    test.connect()
        .run("UPDATE orders SET updated_at = now() WHERE id = 1");
    assert_eq!(saved(&test, "", 0), "1 row");
    let day = ["run", "t", "--overlap", "1 hour"];
    test.run_with(day).code(0).says("3 rows");
}

#[test]
fn a_run_of_another_database_or_runbook_is_not_before_it() {
    let test = Test::sql(SETUP).runbook("t", CHANGES).runbook("u", CHANGES);
    assert_eq!(saved(&test, "", 0), "2 rows");
    test.run("run u").code(0).says("2 rows");
    let other = Test::sql(SETUP);
    let mut command = test.bare(["run", "t", "--database-url", &other.db.url()]);
    test.ran(&command.output().unwrap()).code(0).says("2 rows");
    assert_eq!(saved(&test, "", 0), "0 rows");
}

#[test]
fn it_is_the_same_when_a_run_goes_on() {
    let steps = "
        params:
          wait: { type: bool, default: false }
        steps:
          - fix: note
            sql: INSERT INTO orders SELECT 9, coalesce({{ run.previous }}, '-infinity') WHERE {{ wait }}
            rows: 0..1
            next: waits
          - check: waits
            sql: SELECT pg_advisory_xact_lock_shared(7) IS NULL AS never, coalesce({{ run.previous }}::text, 'none') AS since
            that: since != 'x'
          - check: same
            sql: |
              SELECT NOT {{ wait }} OR coalesce({{ run.previous }}, '-infinity') = (SELECT updated_at FROM orders WHERE id = 9) AS same
            that: same
    ";
    let steps = steps.replace(
        "pg_advisory_xact_lock_shared(7) IS NULL AS never, ",
        "(SELECT count(*) FROM gate) AS gate, ",
    );
    let test = Test::sql(&format!("{SETUP}; CREATE TABLE gate (id int)")).runbook("t", &steps);
    test.run("run t").code(0);
    let gate = test.connect();
    gate.run("BEGIN; LOCK TABLE gate");
    let running = test.start("run t --wait");
    test.until("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
    running.kill();
    gate.run("COMMIT");
    // One that is done in the meantime changes nothing for it.
    test.run("run t").code(0);
    let index = test.root().join(".local/state/runbook/index.jsonl");
    let index = std::fs::read_to_string(index).unwrap();
    let runs: Vec<&str> = index
        .split("\"run\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let ran = test.run(&format!("resume {}", runs[2])).code(0);
    ran.says("same").says("passed");
}
