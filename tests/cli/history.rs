//! The list of past runs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use runbook::cli::invocation::Invocation;
use runbook::engine::event::Event;
use runbook::record::run::RunRecord;
use serde_json::{Value, json};

use crate::record::{facts, log_of, write};
use crate::test::Test;

/// A run that is written event by event, a minute after the one before.
struct Past {
    record: RunRecord,
    at: String,
    seq: u64,
}

impl Past {
    fn new(base: &Path, run: &str, at: &str, differs: &Value) -> Self {
        let mut started = json!({
            "run": run, "runbook": "fixes", "title": "Fixes", "hash": "0", "risk": "low",
            "dry_run": false, "actor": "ann (ann@desk)", "params": [],
            "target": {"name": "prod", "database": "crm", "user": "ann", "server_version": "15.18"},
        });
        let map = started.as_object_mut().unwrap();
        map.extend(differs.as_object().unwrap().clone());
        let mut facts = facts(run);
        "fixes".clone_into(&mut facts.runbook);
        let record = RunRecord::create(base, &facts).unwrap();
        let at = format!("2026-11-20T{at}:00Z");
        let past = Self { record, at, seq: 0 };
        past.tell("run_started", started)
    }

    fn tell(mut self, event: &str, rest: Value) -> Self {
        self.seq += 1;
        let Value::Object(rest) = rest else {
            panic!("no members: {rest}")
        };
        let mut all = json!({"seq": self.seq, "at": self.at, "elapsed_ms": 1.0, "event": event});
        let map = all.as_object_mut().unwrap();
        map.extend(rest);
        let event: Event = serde_json::from_value(all).unwrap();
        self.record.append(&event).unwrap();
        self
    }

    fn fixed(self, id: usize, count: u64, committed: bool) -> Self {
        let changes = json!({"tables": [], "digest": ""});
        let rows = json!({"columns": [], "rows": [], "count": count});
        let result = json!({"kind": "fix", "count": count, "rows": rows, "changes": changes, "committed": committed});
        let rest = json!({"step": step(id), "result": result, "decision": "next", "took_ms": 1.0});
        self.tell("step_finished", rest)
    }

    fn ends(self, outcome: &str) {
        let rest = json!({
            "outcome": outcome, "says": "Said.", "committed": [], "took_ms": 2.0, "waited_ms": 0.0
        });
        drop(self.tell("run_finished", rest));
    }
}

fn step(id: usize) -> Value {
    json!({"id": id, "name": format!("f{id}"), "kind": "fix"})
}

fn state(test: &Test) -> PathBuf {
    test.root().join("home/.local/state/runbook")
}

/// Runs of every sort.
fn runs(base: &Path) -> RunRecord {
    let new = |run, at, differs: &Value| Past::new(base, run, at, differs);
    new("aaa222", "08:00", &json!({}))
        .fixed(1, 3, true)
        .fixed(2, 4, true)
        .ends("done");
    new("bbb222", "09:00", &json!({"undo_of": "aaa222"}))
        .tell(
            "undo_finished",
            json!({"undone": [], "restored": 7, "changes": {"tables": [], "digest": ""}, "took_ms": 1.0}),
        )
        .ends("done");
    new("ccc222", "10:00", &json!({"dry_run": true}))
        .fixed(1, 3, false)
        .ends("done");
    let table = json!({
        "table": "t", "key": ["id"], "inserted": 1, "updated": 2, "deleted": 0, "rows": [], "indirect": false
    });
    new("ddd222", "11:00", &json!({"runbook": "others"}))
        .fixed(3, 1, false)
        .tell(
            "atomic_committed",
            json!({"step": step(2), "changes": {"tables": [table], "digest": ""}, "took_ms": 1.0}),
        )
        .tell(
            "batch_committed",
            json!({"step": step(4), "unit": {"step": 4}, "count": 100, "so_far": 100, "of": 300, "last": ["100"]}),
        );
    let running = new("eee222", "12:00", &json!({})).record;
    new("fff222", "07:00", &json!({"undo_of": "ddd222"})).ends("failed");
    running
}

#[test]
fn runs_are_listed_from_the_newest() {
    let test = Test::new();
    let running = runs(&state(&test));
    let test = test.args(["history"]);
    assert_snapshot!(test.stdout(0), @r"
    run     runbook  outcome                 rows  undone by  when                  who             target
    eee222  fixes    running                    0             2026-11-20 12:00 UTC  ann (ann@desk)  prod/crm
    ddd222  others   cut short                103             2026-11-20 11:00 UTC  ann (ann@desk)  prod/crm
    ccc222  fixes    dry run: done                            2026-11-20 10:00 UTC  ann (ann@desk)  prod/crm
    bbb222  fixes    undo of aaa222: done       7             2026-11-20 09:00 UTC  ann (ann@desk)  prod/crm
    aaa222  fixes    done                       7  bbb222     2026-11-20 08:00 UTC  ann (ann@desk)  prod/crm
    fff222  fixes    undo of ddd222: failed     0             2026-11-20 07:00 UTC  ann (ann@desk)  prod/crm
    ");
    drop(running);
    let test = test.args(["history", "others", "reads"]);
    assert_snapshot!(test.stdout(0), @r"
    run     runbook  outcome    rows  when                  who             target
    ddd222  others   cut short   103  2026-11-20 11:00 UTC  ann (ann@desk)  prod/crm
    ");
    let ran = test.args(["history", "fixes", "--limit", "2"]).run();
    assert_snapshot!(ran.stdout + &ran.stderr, @r"
    run     runbook  outcome        rows  when                  who             target
    eee222  fixes    cut short         0  2026-11-20 12:00 UTC  ann (ann@desk)  prod/crm
    ccc222  fixes    dry run: done        2026-11-20 10:00 UTC  ann (ann@desk)  prod/crm
    The newest 2 of 5 runs; --limit 0 shows all.
    ");
}

#[test]
fn runs_are_listed_as_json() {
    let test = Test::new();
    let running = runs(&state(&test));
    let test = test.args(["history", "--limit", "3", "--output", "json"]);
    let ran = test.run();
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)));
    assert_snapshot!(ran.stdout, @r#"
    [
      {
        "run": "eee222",
        "runbook": "fixes",
        "at": "2026-11-20T12:00:00Z",
        "actor": "ann (ann@desk)",
        "target": "prod",
        "database": "crm",
        "dry_run": false,
        "state": "running",
        "outcome": null,
        "rows": 0,
        "undo_of": null,
        "undone_by": [],
        "glass": null
      },
      {
        "run": "ddd222",
        "runbook": "others",
        "at": "2026-11-20T11:00:00Z",
        "actor": "ann (ann@desk)",
        "target": "prod",
        "database": "crm",
        "dry_run": false,
        "state": "cut_short",
        "outcome": null,
        "rows": 103,
        "undo_of": null,
        "undone_by": [],
        "glass": null
      },
      {
        "run": "ccc222",
        "runbook": "fixes",
        "at": "2026-11-20T10:00:00Z",
        "actor": "ann (ann@desk)",
        "target": "prod",
        "database": "crm",
        "dry_run": true,
        "state": "ended",
        "outcome": "done",
        "rows": null,
        "undo_of": null,
        "undone_by": [],
        "glass": null
      }
    ]
    "#);
    drop(running);
}

#[test]
fn what_is_damaged_is_listed_too() {
    let test = Test::new().file("home/.local/state/runbook/runs/empty/x", "");
    let base = state(&test);
    for run in ["abc2", "abd2", "abe2"] {
        write(&base, run, 3);
    }
    let cut = fs::read_to_string(log_of(&base, "abc2")).unwrap();
    fs::write(log_of(&base, "abc2"), &cut[..cut.len() - 9]).unwrap();
    fs::write(log_of(&base, "abd2"), "no\nrecord\n").unwrap();
    fs::write(log_of(&base, "abe2"), "").unwrap();
    let json: Value =
        serde_json::from_str(&test.args(["history", "--output", "json"]).stdout(0)).unwrap();
    let told = json.as_array().unwrap().iter();
    let mut told: Vec<String> = told
        .map(|run| format!("{} {}", run["run"], run["state"]))
        .collect();
    told.sort();
    assert_snapshot!(told.join("\n"), @r#"
    "abc2" "cut_short"
    "abd2" "damaged"
    "abe2" "cut_short"
    "empty" "damaged"
    "#);
}

#[test]
fn what_is_not_there_is_said() {
    let test = Test::new().args(["history"]);
    assert_snapshot!(test.stderr(0), @r"
    No runs are recorded in `ROOT/home/.local/state/runbook`.
      = help: --state-dir names another folder
    ");
    write(&state(&test), "abc2", 2);
    let test = test.args(["history", "raeds"]);
    assert_snapshot!(test.stderr(0), @r"
    No run of `raeds` is recorded.
      = help: did you mean `reads`?
    ");
}

#[test]
fn the_folder_can_be_elsewhere() {
    let list = |test: Test| {
        let text = test.args(["history", "--output", "json"]).stdout(0);
        let list: Value = serde_json::from_str(&text).unwrap();
        list[0]["run"].as_str().unwrap_or("none").to_owned()
    };
    let test = || {
        let test = Test::new();
        for (folder, run) in [
            ("mine", "mine2"),
            ("xdg/runbook", "xdg2"),
            ("work/here", "here2"),
        ] {
            write(&test.root().join(folder), run, 1);
        }
        write(&state(&test), "home2", 1);
        test
    };
    let root = |test: &Test, folder: &str| test.root().join(folder).display().to_string();
    assert_eq!(list(test()), "home2");
    let xdg = |test: Test| {
        let folder = root(&test, "xdg");
        test.var("XDG_STATE_HOME", folder)
    };
    assert_eq!(list(xdg(test())), "xdg2");
    assert_eq!(list(test().var("XDG_STATE_HOME", "relative")), "home2");
    let mine = |test: Test| {
        let folder = root(&test, "mine");
        test.var("RUNBOOK_STATE", folder)
    };
    assert_eq!(list(mine(xdg(test()))), "mine2");
    let test = mine(xdg(test())).args(["--state-dir", "here", "history", "--output", "json"]);
    assert!(test.stdout(0).contains("here2"));
}

#[test]
fn a_folder_that_cannot_be_read_is_said() {
    let test = Test::new().file("home/.local/state/runbook/runs", "a file");
    assert_snapshot!(test.args(["history"]).stderr(10), @r"
    error: cannot read `ROOT/home/.local/state/runbook/runs`: not a directory
      = help: nothing is changed; --state-dir names another folder
    ");
}

/// What a made-up process writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_user_without_a_folder_must_name_one() {
    let written = Written::default();
    let args = ["runbook", "history"];
    // Where there are neither variables nor an account.
    let invocation = Invocation::new(args, "/", io::sink(), written.clone());
    runbook::cli::main(&invocation);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert_snapshot!(text, @r"
    error: there is no folder for the records of runs: $HOME is not set
      = help: name one by --state-dir DIR or $RUNBOOK_STATE
    ");
}
