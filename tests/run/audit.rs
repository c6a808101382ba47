//! Records are compared with the journal of the database.

use std::path::PathBuf;

use insta::assert_snapshot;
use runbook::engine::event::{Event, TargetFacts};
use runbook::record::facts::{Facts, Place};
use runbook::record::run::RunRecord;
use runbook::record::store;
use serde_json::{Value, json};

use crate::test::Test;

const JOURNAL: &str = "\
    CREATE SCHEMA runbook; \
    CREATE TABLE runbook.entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL, step integer NOT NULL, \
      item integer NOT NULL DEFAULT -1, part integer NOT NULL DEFAULT 0, undo boolean NOT NULL DEFAULT false, name text NOT NULL, \
      by_run text NOT NULL, head text)";

fn state(test: &Test) -> PathBuf {
    test.root().join(".local/state/runbook")
}

/// Writes a record of a run that committed items 0 and 1 of the fix `f`, and returns the heads before COMMIT.
fn write(test: &Test, run: &str, database: &str, journal: Place) -> Vec<String> {
    let target = TargetFacts {
        name: "prod".to_owned(),
        database: database.to_owned(),
        ..TargetFacts::default()
    };
    let facts = Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: run.to_owned(),
        runbook: "t".to_owned(),
        texts: Vec::new(),
        params: [].into(),
        secrets: Vec::new(),
        dry_run: false,
        journal,
        target,
        actor: "ann (ann@desk)".to_owned(),
        undo_of: None,
    };
    let mut record = RunRecord::create(&state(test), &facts).unwrap();
    let mut seq = 0;
    let mut tell = |event: &str, rest: Value| {
        seq += 1;
        let mut all =
            json!({"seq": seq, "at": "2026-11-20T08:00:00Z", "elapsed_ms": 1.0, "event": event});
        let map = all.as_object_mut().unwrap();
        map.extend(rest.as_object().unwrap().clone());
        let event: Event = serde_json::from_value(all).unwrap();
        record.append(&event).unwrap();
        record.head().to_owned()
    };
    let started = json!({
        "run": run, "runbook": "t", "title": "T", "hash": "0", "risk": "low", "dry_run": false,
        "actor": "ann (ann@desk)", "target": facts.target, "params": [],
    });
    tell("run_started", started);
    let step = json!({"id": 3, "name": "f", "kind": "fix"});
    let result = json!({
        "kind": "fix", "count": 1, "rows": {"columns": [], "rows": [], "count": 0},
        "changes": {"tables": [], "digest": ""}, "committed": true,
    });
    let mut heads = Vec::new();
    for item in 0..2 {
        let unit = json!({"step": 3, "item": item});
        heads.push(tell(
            "committing",
            json!({"step": step, "unit": unit, "transaction": "7", "result": result}),
        ));
        tell(
            "step_finished",
            json!({"step": step, "result": result, "decision": "next", "took_ms": 1.0}),
        );
    }
    heads
}

/// Enters what a run committed into the journal.
fn enter(test: &Test, run: &str, item: usize, head: &str) {
    test.connect().run(&format!(
        "INSERT INTO runbook.entry (run, step, item, name, by_run, head) VALUES ('{run}', 3, {item}, 'f', '{run}', '{head}')"
    ));
}

#[test]
fn case_38_what_was_cut_off_is_missed_by_the_journal() {
    let test = Test::sql(JOURNAL);
    let name = test.db.name().to_owned();
    for run in ["aaa222", "bbb222", "ccc222", "ddd222"] {
        let heads = write(&test, run, &name, Place::Database);
        enter(&test, run, 0, &heads[0]);
        // One that is not there, and one that is of another run.
        match run {
            "ccc222" => {}
            "ddd222" => enter(&test, run, 1, &heads[1].replace('0', "1")),
            _ => enter(&test, run, 1, &heads[1]),
        }
    }
    write(&test, "eee222", "elsewhere", Place::Database);
    write(&test, "fff222", &name, Place::Local);
    let log = store::folder(&state(&test), "bbb222").join("events.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let kept: Vec<&str> = text.lines().take(3).collect();
    std::fs::write(&log, kept.join("\n") + "\n").unwrap();
    assert_snapshot!(test.run("audit verify"), @r"
    exit 10
    --- stdout
    ✓ aaa222  5 events, not ended, as the database's journal has it
    ✗ bbb222  ROOT/.local/state/runbook/runs/bbb222/events.jsonl:3: it was cut off or altered: the journal knows a head of it, with the commit of `f`, item 2
    ✗ ccc222  ROOT/.local/state/runbook/runs/ccc222/events.jsonl:5: the journal lacks the commit of `f`, item 2 that this tells of
    ✗ ddd222  ROOT/.local/state/runbook/runs/ddd222/events.jsonl:5: it was cut off or altered: the journal knows a head of it, with the commit of `f`, item 2
    ✓ eee222  5 events, not ended
      = note: not compared: it ran on the database `elsewhere` of prod
    ✓ fff222  5 events, not ended, as the database's journal has it

    3 of 6 records not whole
    --- stderr
    Compared 5 records with the journal of the database `DB` of postgres@SERVER:5432.
      = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry
    ");
    assert_snapshot!(test.run("audit verify aaa fff"), @r"
    exit 0
    --- stdout
    ✓ aaa222  5 events, not ended, as the database's journal has it
    ✓ fff222  5 events, not ended, as the database's journal has it

    2 records whole
    --- stderr
    Compared 2 records with the journal of the database `DB` of postgres@SERVER:5432.
    ");
    // Without the database nothing of it is to be seen.
    let ran = test.ran(&test.bare(["audit", "verify", "bbb222"]).output().unwrap());
    ran.code(0)
        .says("Not compared with the journal of a database");
}

#[test]
fn a_database_without_a_journal_lacks_all() {
    let test = Test::sql("SELECT 1");
    let name = test.db.name().to_owned();
    write(&test, "aaa222", &name, Place::Database);
    assert_snapshot!(test.run("audit verify"), @r"
    exit 10
    --- stdout
    ✗ aaa222  ROOT/.local/state/runbook/runs/aaa222/events.jsonl:3: the journal lacks the commit of `f`, item 1 that this tells of
    ✗ aaa222  ROOT/.local/state/runbook/runs/aaa222/events.jsonl:5: the journal lacks the commit of `f`, item 2 that this tells of

    1 of 1 record not whole
    --- stderr
    Compared 1 record with the journal of the database `DB` of postgres@SERVER:5432.
      = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry
    ");
}

#[test]
fn who_may_not_read_the_journal_is_told_so() {
    let test = Test::sql(JOURNAL);
    let name = test.db.name().to_owned();
    write(&test, "aaa222", &name, Place::Database);
    test.connect()
        .run("DROP TABLE runbook.entry; CREATE TABLE runbook.entry (id bigint)");
    assert_snapshot!(test.run("audit verify").code(10), @r#"
    exit 10
    --- stderr
    error: column "by_run" does not exist (SQLSTATE 42703)
      = note: in: SELECT by_run, run, step::text, item::text, part::text, undo::text, name, head FROM runbook.entry WHERE by_run = ANY ($1::text::text[]) ORDER BY id
      = help: is this the database that the runbook is for? `runbook check NAME --target …` compares them
    "#);
}
