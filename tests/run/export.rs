//! `audit export`: records for an auditor.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use serde_json::Value;

use crate::test::Test;

const SETUP: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20)";

const STEPS: &str = "
risk: high
params:
  reason: { type: text, default: '=1+1' }
steps:
  - confirm: go
    ask: '{{ reason }}'
  - fix: raise
    sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
    rows: 1
  - check: after
    that: true
";

fn test() -> Test {
    Test::sql(SETUP).runbook("t", STEPS)
}

/// Takes out what differs from run to run.
fn plain(test: &Test, text: &str) -> String {
    let mut text = test.redact(text);
    for (pattern, becomes) in [
        (r"[0-9a-f]{64}", "HASH"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "MOMENT"),
    ] {
        text = regex_lite::Regex::new(pattern)
            .unwrap()
            .replace_all(&text, becomes)
            .into_owned();
    }
    text.replace("\r\n", "\n")
}

#[test]
fn an_export_is_a_line_for_each_event() {
    let test = test();
    test.run("run t --yes").code(0);
    let id = test.id();
    let ran = test.run("audit export --format csv").code(0);
    assert_snapshot!(plain(&test, &ran.to_string()).replace(&id, "RUN"), @"
    exit 0
    --- stdout
    run,seq,at,event,runbook,target,login,step,outcome,rows,says,chain
    RUN,1,MOMENT,run_started,t,postgres@SERVER:5432,postgres,,,,Test reason==1+1,HASH
    RUN,2,MOMENT,step_started,t,postgres@SERVER:5432,postgres,go,,,,HASH
    RUN,3,MOMENT,asked,t,postgres@SERVER:5432,postgres,go,,,'=1+1,HASH
    RUN,4,MOMENT,step_finished,t,postgres@SERVER:5432,postgres,go,yes,,postgres (USER@HOST) by --yes,HASH
    RUN,5,MOMENT,step_started,t,postgres@SERVER:5432,postgres,raise,,,,HASH
    RUN,6,MOMENT,committing,t,postgres@SERVER:5432,postgres,raise,,1,,HASH
    RUN,7,MOMENT,step_finished,t,postgres@SERVER:5432,postgres,raise,committed,1,,HASH
    RUN,8,MOMENT,step_started,t,postgres@SERVER:5432,postgres,after,,,,HASH
    RUN,9,MOMENT,step_finished,t,postgres@SERVER:5432,postgres,after,passed,,,HASH
    RUN,10,MOMENT,run_finished,t,postgres@SERVER:5432,postgres,,done,,,HASH
    --- stderr
    1 record exported, each proved whole
    Compared 1 record with the journal of the database `DB` of postgres@SERVER:5432.
    ");
    let ran = test.run("audit export").code(0);
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let log = fs::read_to_string(test.record().join("events.jsonl")).unwrap();
    assert_eq!(lines.len(), log.lines().count());
    for (line, kept) in lines.iter().zip(log.lines()) {
        let kept: Value = serde_json::from_str(kept).unwrap();
        for key in ["seq", "at", "event", "chain"] {
            assert_eq!(line[key], kept[key], "{line}");
        }
        assert_eq!(line["run"], id.as_str());
        assert_eq!(line["runbook"], "t");
        assert_eq!(line["data"]["elapsed_ms"], kept["elapsed_ms"]);
        assert!(line["actor"].as_str().unwrap().starts_with("postgres ("));
    }
}

#[test]
fn a_file_is_for_its_user_only_and_whole() {
    let test = test().file("old.csv", "before");
    test.run("run t --yes").code(0);
    let ran = test.run("audit export --format csv --out old.csv").code(0);
    assert_eq!(ran.stdout, "");
    let path = test.root().join("work/old.csv");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("run,seq,at,event,"), "{text}");
    let ran = test.run("audit export --out no/such/folder.jsonl");
    assert_snapshot!(plain(&test, &ran.to_string()), @"
    exit 10
    --- stderr
    error: cannot write `no/such/folder.jsonl`: no such file or directory
    ");
}

#[test]
fn what_is_not_whole_is_not_exported_and_the_others_are() {
    let test = test();
    test.run("run t --yes").code(0);
    let bad = test.id();
    let log = test.record().join("events.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    test.run("run t --yes --reason fine").code(0);
    fs::write(&log, text.replace("\"count\":1", "\"count\":2")).unwrap();
    let ran = test.run("audit export").code(10);
    let whole: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (first, last) = (whole.first().unwrap(), whole.last().unwrap());
    assert_ne!(first["run"], bad.as_str());
    assert_eq!(first["event"], "run_started");
    assert_eq!(last["run"], bad.as_str());
    assert_eq!(last["event"], "record_not_whole");
    assert_eq!(
        whole
            .iter()
            .filter(|line| line["run"] == bad.as_str())
            .count(),
        1
    );
    assert_snapshot!(plain(&test, &ran.stderr).replace(&bad, "BAD"), @"
    ✗ BAD  ROOT/.local/state/runbook/runs/BAD/events.jsonl:6: it was altered: its chain value is that of another text
    1 record exported, 1 not: not whole
    Compared 1 record with the journal of the database `DB` of postgres@SERVER:5432.
      = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry
    ");
    // The runs that are named, by their first letters.
    let other = first["run"].as_str().unwrap();
    test.run(&format!("audit export {other}"))
        .code(0)
        .keeps(&bad);
    test.run(&format!("audit export --format csv {bad}"))
        .code(10)
        .says("record_not_whole");
    test.run("audit export nosuch").code(2);
}

#[test]
fn the_export_of_no_records_is_empty() {
    let test = test();
    assert_snapshot!(test.run("audit export"), @"
    exit 0
    --- stderr
    0 records exported, each proved whole
    ");
    assert_snapshot!(test.run("audit export --format csv"), @"
    exit 0
    --- stdout
    run,seq,at,event,runbook,target,login,step,outcome,rows,says,chain
    --- stderr
    0 records exported, each proved whole
    ");
}
