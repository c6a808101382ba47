//! Proving that records are whole, without a database.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use insta::assert_snapshot;
use proptest::prelude::*;
use runbook::record::audit::Auditor;
use runbook::record::index;
use runbook::record::run::RunRecord;
use runbook::record::store;

use crate::record::{facts, files, finished, lay_out, log_of, noticed, started, write};
use crate::test::Test;

fn state(test: &Test) -> PathBuf {
    test.root().join("home/.local/state/runbook")
}

/// A test with three whole records.
fn three() -> Test {
    let test = Test::new().args(["audit", "verify"]);
    for run in ["aaa222", "bbb222", "ccc222"] {
        write(&state(&test), run, 5);
    }
    test
}

/// Runs it, and returns all but that nothing was compared with a database.
fn told(test: &Test, code: i32) -> String {
    let ran = test.run();
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.stderr.starts_with("Not compared"), "{ran:?}");
    ran.stdout
}

#[test]
fn whole_records_are_whole() {
    let test = three();
    let mut open = RunRecord::create(&state(&test), &facts("ddd222")).unwrap();
    open.append(&started(1, "ddd222")).unwrap();
    let ran = test.run();
    assert_eq!(ran.code, Some(0));
    assert_snapshot!(ran.stdout, @r"
    ✓ aaa222  5 events
    ✓ bbb222  5 events
    ✓ ccc222  5 events
    ✓ ddd222  1 event, not ended

    4 records whole
    ");
    assert_snapshot!(ran.stderr, @r"
    Not compared with the journal of a database: who can write to this folder could have removed the end of both a record and the index.
      = help: name the database by --target or --database-url
    ");
    let test = test.args(["audit", "verify", "bb", "ccc222"]);
    assert_snapshot!(told(&test, 0), @r"
    ✓ bbb222  5 events
    ✓ ccc222  5 events

    2 records whole
    ");
    let test = test.args(["audit", "verify", "x"]);
    assert_snapshot!(test.stderr(2), @r"
    error: there is no run `x` in `ROOT/home/.local/state/runbook`
      = help: `runbook history` lists the runs; --state-dir names another folder
    ");
    let test = Test::new().args(["audit", "verify"]);
    assert_snapshot!(test.stderr(0), @"No runs are recorded in `ROOT/home/.local/state/runbook`.");
}

#[test]
fn case_38_every_alteration_is_found() {
    let test = three();
    let base = state(&test);
    let change = |run: &str, change: &dyn Fn(&mut Vec<String>)| {
        let path = log_of(&base, run);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.join("\n") + "\n").unwrap();
    };
    change("aaa222", &|lines| {
        lines[1] = lines[1].replace("notice 2", "notice 9");
    });
    change("bbb222", &|lines| drop(lines.remove(2)));
    change("ccc222", &|lines| drop(lines.drain(3..)));
    for run in ["ddd222", "eee222", "fff222", "ggg222", "hhh222"] {
        write(&base, run, 4);
    }
    change("ddd222", &|lines| lines.swap(0, 1));
    fs::remove_dir_all(store::folder(&base, "eee222")).unwrap();
    let path = store::folder(&base, "fff222").join("run.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("42", "43")).unwrap();
    fs::remove_file(log_of(&base, "ggg222")).unwrap();
    let text = fs::read(log_of(&base, "hhh222")).unwrap();
    fs::write(log_of(&base, "hhh222"), &text[..text.len() - 1]).unwrap();
    assert_snapshot!(told(&test, 10), @r"
    ✗ aaa222  ROOT/home/.local/state/runbook/runs/aaa222/events.jsonl:2: it was altered: its chain value is that of another text
    ✗ bbb222  ROOT/home/.local/state/runbook/runs/bbb222/events.jsonl:3: a line was removed before it: event 3 is missing
    ✗ ccc222  ROOT/home/.local/state/runbook/runs/ccc222/events.jsonl:3: it was cut off: line 6 of the index knows an end of it
    ✗ ddd222  ROOT/home/.local/state/runbook/runs/ddd222/events.jsonl:1: the lines are in another order: event 2 stands where 1 must be
    ✗ eee222  ROOT/home/.local/state/runbook/runs/eee222: the whole record was removed
    ✗ fff222  ROOT/home/.local/state/runbook/runs/fff222/run.json: it was altered: the index has another SHA-256 of it
    ✗ ggg222  ROOT/home/.local/state/runbook/runs/ggg222/events.jsonl: it was removed
    ✗ hhh222  ROOT/home/.local/state/runbook/runs/hhh222/events.jsonl:3: it was cut off: line 16 of the index knows an end of it
      = note: line 4 is torn: nothing was done because of it, and it is cut off when the run goes on

    8 of 8 records not whole
    ");
}

#[test]
fn case_38_the_index_is_a_chain_too() {
    let test = three();
    let path = index::path(&state(&test));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, [&lines[..1], &lines[2..]].concat().join("\n") + "\n").unwrap();
    assert_snapshot!(told(&test, 10), @r"
    ✗ index  ROOT/home/.local/state/runbook/index.jsonl:2: it was altered, or a line before it was altered, moved or removed
    ✓ aaa222  5 events
      = note: the index does not know its end: the program may have been killed there
    ✓ bbb222  5 events
    ✓ ccc222  5 events

    3 records whole; `ROOT/home/.local/state/runbook/index.jsonl` is not
    ");
    fs::write(&path, text.replace("ended", "began")).unwrap();
    told(&test, 10);
    // What a crash left of a line is cut off when the next one is written.
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    assert_snapshot!(told(&test, 0), @r"
    ✓ aaa222  5 events
    ✓ bbb222  5 events
    ✓ ccc222  5 events
      = note: the index does not know its end: the program may have been killed there

    3 records whole
    ");
    write(&state(&test), "ddd222", 2);
    assert_snapshot!(told(&test, 0), @r"
    ✓ aaa222  5 events
    ✓ bbb222  5 events
    ✓ ccc222  5 events
      = note: the index does not know its end: the program may have been killed there
    ✓ ddd222  2 events

    4 records whole
    ");
    fs::remove_file(&path).unwrap();
    assert_snapshot!(told(&test, 10), @r"
    ✗ aaa222  ROOT/home/.local/state/runbook/index.jsonl: it lacks the run: its lines were removed, or the record is from elsewhere
    ✗ bbb222  ROOT/home/.local/state/runbook/index.jsonl: it lacks the run: its lines were removed, or the record is from elsewhere
    ✗ ccc222  ROOT/home/.local/state/runbook/index.jsonl: it lacks the run: its lines were removed, or the record is from elsewhere
    ✗ ddd222  ROOT/home/.local/state/runbook/index.jsonl: it lacks the run: its lines were removed, or the record is from elsewhere

    4 of 4 records not whole
    ");
}

#[test]
fn events_have_a_possible_order() {
    let test = Test::new().args(["audit", "verify"]);
    let base = state(&test);
    let record = |run: &str, events: &[_]| {
        let mut record = RunRecord::create(&base, &facts(run)).unwrap();
        for event in events {
            record.append(event).unwrap();
        }
    };
    record("aaa222", &[noticed(1)]);
    record("bbb222", &[started(1, "bbb222"), started(2, "bbb222")]);
    record("ccc222", &[started(1, "ccc222"), finished(2), noticed(3)]);
    assert_snapshot!(told(&test, 10), @r"
    ✗ aaa222  ROOT/home/.local/state/runbook/runs/aaa222/events.jsonl:1: noticed cannot stand here: a log begins with run_started
    ✗ bbb222  ROOT/home/.local/state/runbook/runs/bbb222/events.jsonl:2: run_started cannot stand here: a run starts once
    ✗ ccc222  ROOT/home/.local/state/runbook/runs/ccc222/events.jsonl:3: noticed cannot stand here: nothing but run_resumed or undo_started comes after run_finished

    3 of 3 records not whole
    ");
}

#[test]
fn a_record_of_another_run_is_none() {
    let test = Test::new().args(["audit", "verify"]);
    let base = state(&test);
    write(&base, "aaa222", 3);
    fs::rename(
        store::folder(&base, "aaa222"),
        store::folder(&base, "bbb222"),
    )
    .unwrap();
    assert_snapshot!(told(&test, 10), @r"
    ✗ aaa222  ROOT/home/.local/state/runbook/runs/aaa222: the whole record was removed
    ✗ bbb222  ROOT/home/.local/state/runbook/index.jsonl: it lacks the run: its lines were removed, or the record is from elsewhere
    ✗ bbb222  ROOT/home/.local/state/runbook/runs/bbb222/run.json: it is of the run `aaa222`

    2 of 2 records not whole
    ");
}

static TWO: LazyLock<Vec<(PathBuf, Vec<u8>)>> =
    LazyLock::new(|| files(&[("aaa222", 4), ("bbb222", 3)]));

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn case_38_nothing_is_altered_or_cut_off_unseen(
        at in any::<prop::sample::Index>(), flip in 0..=255_u8, file in 0..3_usize
    ) {
        let base = lay_out(&TWO);
        let base = base.path();
        let path = match file {
            0 => log_of(base, "aaa222"),
            1 => store::folder(base, "aaa222").join("run.json"),
            _ => index::path(base),
        };
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        // No flip: it is cut off there.
        if flip == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        fs::write(&path, &bytes).unwrap();
        let auditor = Auditor::new(base).unwrap();
        let audit = auditor.audit("aaa222");
        let found = !auditor.index().is_empty() || !audit.findings.is_empty();
        // The index alone cannot know what was cut off its own end.
        let cut = file == 2 && (flip == 0 || at == bytes.len() - 1);
        prop_assert!(found || cut, "{:?}", audit);
    }
}
