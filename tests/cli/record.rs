//! The record of a run: written, found, opened again, and proof against alteration.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use insta::assert_snapshot;
use proptest::prelude::*;
use runbook::engine::event::{Event, TargetFacts};
use runbook::record::error::RecordError;
use runbook::record::facts::{Facts, Place};
use runbook::record::log::{Log, Torn};
use runbook::record::run::RunRecord;
use runbook::record::store;
use serde_json::json;
use tempfile::TempDir;

/// What a run was given.
pub(crate) fn facts(run: &str) -> Facts {
    Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: run.to_owned(),
        runbook: "reads".to_owned(),
        texts: Vec::new(),
        params: [("id".to_owned(), json!(42))].into(),
        secrets: vec!["token".to_owned()],
        dry_run: false,
        journal: Place::Database,
        target: TargetFacts::default(),
        actor: "ann (ann@desk)".to_owned(),
        previous: None,
        salt: String::new(),
        undo_of: None,
    }
}

/// An event of which only what differs is given.
fn event(seq: u64, kind: &serde_json::Value) -> Event {
    let mut all = json!({"seq": seq, "at": "2026-11-20T08:00:00Z", "elapsed_ms": 1.5});
    let map = all.as_object_mut().unwrap();
    map.extend(kind.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

pub(crate) fn started(seq: u64, run: &str) -> Event {
    event(
        seq,
        &json!({
            "event": "run_started", "run": run, "runbook": "reads", "title": "Reads", "hash": "0",
            "risk": "low", "dry_run": false, "actor": "ann (ann@desk)",
            "target": {"name": "prod", "database": "crm", "user": "ann", "server_version": "15.18"},
            "params": [],
        }),
    )
}

pub(crate) fn noticed(seq: u64) -> Event {
    event(
        seq,
        &json!({"event": "noticed", "message": format!("notice {seq}")}),
    )
}

pub(crate) fn finished(seq: u64) -> Event {
    event(
        seq,
        &json!({
            "event": "run_finished", "outcome": "done", "says": "Done.", "committed": [],
            "took_ms": 2.0, "waited_ms": 0.0,
        }),
    )
}

/// Writes the record of a run with this many events, the last of which ends it.
pub(crate) fn write(base: &Path, run: &str, events: u64) {
    let mut record = RunRecord::create(base, &facts(run)).unwrap();
    record.append(&started(1, run)).unwrap();
    for seq in 2..events {
        record.append(&noticed(seq)).unwrap();
    }
    if events > 1 {
        record.append(&finished(events)).unwrap();
    }
}

pub(crate) fn log_of(base: &Path, run: &str) -> PathBuf {
    store::folder(base, run).join("events.jsonl")
}

fn error<T>(result: Result<T, RecordError>, base: &Path) -> String {
    let Err(error) = result else {
        panic!("no error");
    };
    let text = format!("{error}\n{}", error.help());
    text.replace(&base.display().to_string(), "BASE")
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let base = TempDir::new().unwrap();
    let base = base.path().join("deep/state");
    let mut record = RunRecord::create(&base, &facts("abc234")).unwrap();
    let begin = record.head().to_owned();
    let events = [started(1, "abc234"), noticed(2), finished(3)];
    for event in &events {
        record.append(event).unwrap();
        record.sync().unwrap();
    }
    assert_ne!(record.head(), begin);
    let log = RunRecord::read(&base, "abc234").unwrap();
    assert_eq!(log.head, record.head());
    assert_eq!((log.facts, log.torn), (facts("abc234"), None));
    assert_eq!(log.events, events);
    for (path, mode) in [
        ("", 0o700),
        ("runs", 0o700),
        ("runs/abc234", 0o700),
        ("runs/abc234/run.json", 0o600),
        ("runs/abc234/events.jsonl", 0o600),
        ("runs/abc234/lock", 0o600),
        ("index.jsonl", 0o600),
    ] {
        let found = fs::metadata(base.join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
    let index = fs::read_to_string(base.join("index.jsonl")).unwrap();
    assert_eq!(index.lines().count(), 2);
    assert!(
        index.contains(&begin) && index.contains(record.head()),
        "{index}"
    );
}

#[test]
fn an_id_is_used_once_and_stays_in_the_folder() {
    let base = TempDir::new().unwrap();
    write(base.path(), "abc234", 1);
    let again = RunRecord::create(base.path(), &facts("abc234"));
    assert_snapshot!(error(again, base.path()), @r"
    there is a record of a run `abc234` already
    nothing is changed; run it again
    ");
    for bad in ["../x", "", ".x", "a/b"] {
        assert!(
            RunRecord::create(base.path(), &facts(bad)).is_err(),
            "{bad}"
        );
        assert!(RunRecord::open(base.path(), bad, "ann").is_err(), "{bad}");
    }
    assert_eq!(store::runs(base.path()).unwrap(), ["abc234"]);
}

#[test]
fn events_are_written_in_their_order_only() {
    let base = TempDir::new().unwrap();
    let mut record = RunRecord::create(base.path(), &facts("abc234")).unwrap();
    record.append(&started(1, "abc234")).unwrap();
    assert!(record.append(&noticed(3)).is_err());
    assert!(record.append(&noticed(1)).is_err());
    record.append(&noticed(2)).unwrap();
    assert_eq!(
        RunRecord::read(base.path(), "abc234").unwrap().events.len(),
        2
    );
}

#[test]
fn case_06_a_run_is_worked_on_by_one_process() {
    let base = TempDir::new().unwrap();
    let record = RunRecord::create(base.path(), &facts("abc234")).unwrap();
    let second = error(RunRecord::open(base.path(), "abc234", "bob"), base.path());
    let pid = std::process::id().to_string();
    let since = second
        .split("since ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let second = second.replace(since, "TIME").replace(&pid, "PID");
    assert_snapshot!(second, @r"
    ann (ann@desk) works on run `abc234`, as process PID since TIME
    nothing is changed; wait until that one has ended, or end it
    ");
    drop(record);
    let opened = RunRecord::open(base.path(), "abc234", "bob").unwrap();
    let third = error(RunRecord::open(base.path(), "abc234", "eve"), base.path());
    assert!(third.starts_with("bob works on run `abc234`"), "{third}");
    // Reading is for everyone.
    assert!(RunRecord::read(base.path(), "abc234").is_ok());
    drop(opened);
}

#[test]
fn a_run_is_found_by_its_first_letters() {
    let base = TempDir::new().unwrap();
    assert_snapshot!(error(store::find(base.path(), "abc"), base.path()), @r"
    there is no run `abc` in `BASE`
    `runbook history` lists the runs; --state-dir names another folder
    ");
    for run in ["abc234", "abd234", "xyz"] {
        write(base.path(), run, 1);
    }
    let find = |prefix| store::find(base.path(), prefix);
    assert_eq!(find("abc").unwrap(), "abc234");
    assert_eq!(find("X").unwrap(), "xyz");
    assert_eq!(find("xyz").unwrap(), "xyz");
    assert_snapshot!(error(find("ab"), base.path()), @r"
    several runs begin with `ab`: `abc234`, `abd234`
    write more of its letters
    ");
    assert_snapshot!(error(find("abc243"), base.path()), @r"
    there is no run `abc243` in `BASE`
    did you mean `abc234`? `runbook history` lists the runs
    ");
    assert_snapshot!(error(find("../abc234"), base.path()), @r"
    there is no run `../abc234` in `BASE`
    did you mean `abc234`? `runbook history` lists the runs
    ");
}

#[test]
fn case_13_a_torn_last_line_is_cut_off() {
    let base = TempDir::new().unwrap();
    write(base.path(), "abc234", 3);
    let path = log_of(base.path(), "abc234");
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for end in last + 1..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let read = RunRecord::read(base.path(), "abc234").unwrap();
        let torn = Torn {
            line: 3,
            bytes: end - last,
        };
        assert_eq!((read.events.len(), read.torn), (2, Some(torn)));
        let mut opened = RunRecord::open(base.path(), "abc234", "bob").unwrap();
        assert_eq!(opened.log, read);
        assert_eq!(fs::read(&path).unwrap(), whole[..last]);
        opened.record.append(&finished(3)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_newer_and_a_foreign_record_are_told_apart() {
    let base = TempDir::new().unwrap();
    write(base.path(), "abc234", 2);
    let path = store::folder(base.path(), "abc234").join("run.json");
    let read = || error(RunRecord::read(base.path(), "abc234"), base.path());
    fs::write(&path, r#"{"format": 2, "program": "9.1.0", "new": {}}"#).unwrap();
    assert_snapshot!(read(), @r"
    the record of run `abc234` was written by a newer version of runbook (9.1.0)
    use that version, or a newer one
    ");
    fs::write(&path, "format: 1\n").unwrap();
    assert_snapshot!(read(), @r"
    the record of run `abc234` is damaged: BASE/runs/abc234/run.json:1: it is not what runbook writes there
    what the run did to the database is in its schema `runbook`: SELECT * FROM runbook.entry WHERE by_run = 'abc234'
    ");
    fs::remove_file(&path).unwrap();
    assert_snapshot!(read(), @r"
    cannot read `BASE/runs/abc234/run.json`: no such file or directory
    nothing is changed; a part of the record was taken away
    ");
}

/// Makes a folder with these files, without waiting for the disk as a record does.
pub(crate) fn lay_out(files: &[(PathBuf, Vec<u8>)]) -> TempDir {
    let base = TempDir::new().unwrap();
    for (path, content) in files {
        let path = base.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    base
}

/// Returns all files of a folder of state with records of these many events.
pub(crate) fn files(runs: &[(&str, u64)]) -> Vec<(PathBuf, Vec<u8>)> {
    let base = TempDir::new().unwrap();
    let mut paths = vec![base.path().join("index.jsonl")];
    for (run, events) in runs {
        write(base.path(), run, *events);
        paths.push(log_of(base.path(), run));
        paths.push(store::folder(base.path(), run).join("run.json"));
    }
    let read = |path: PathBuf| {
        let inside = path.strip_prefix(base.path()).unwrap().to_owned();
        (inside, fs::read(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

static SIX: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| files(&[("abc234", 6)]));

/// A record of six events, and their lines.
fn six() -> (TempDir, Vec<String>) {
    let base = lay_out(&SIX);
    let text = fs::read_to_string(log_of(base.path(), "abc234")).unwrap();
    (base, text.lines().map(str::to_owned).collect())
}

#[test]
fn case_38_what_was_altered_is_found_with_its_line() {
    let (base, lines) = six();
    let tell = |lines: &[String]| {
        fs::write(log_of(base.path(), "abc234"), lines.join("\n") + "\n").unwrap();
        let text = error(RunRecord::read(base.path(), "abc234"), base.path());
        let at = text.split_once("events.jsonl:").unwrap().1;
        at.lines().next().unwrap().to_owned()
    };
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        tell(&lines)
    };
    let told = [
        with(&|lines| lines[2] = lines[2].replace("notice 3", "notice 4")),
        with(&|lines| lines[0] = lines[0].replace("crm", "erp")),
        with(&|lines| lines[3] = lines[2].clone()),
        with(&|lines| drop(lines.remove(2))),
        with(&|lines| drop(lines.drain(1..4))),
        with(&|lines| lines.swap(1, 2)),
        with(&|lines| lines[4] = "x".to_owned()),
        with(&|lines| lines[4].truncate(20)),
        with(&|lines| lines.insert(2, String::new())),
        with(&|lines| lines.push(lines[5].clone())),
    ];
    assert_snapshot!(told.join("\n"), @r"
    3: it was altered: its chain value is that of another text
    1: it was altered, or run.json was: they do not belong to the same chain
    4: the lines are in another order: event 3 stands where 4 must be
    3: a line was removed before it: event 3 is missing
    2: lines were removed before it: events 2 to 4 are missing
    2: the lines are in another order: event 3 stands where 2 must be
    5: it was altered: it does not end with its chain value
    5: it was altered: it does not end with its chain value
    3: it was altered: it does not end with its chain value
    7: the lines are in another order: event 6 stands where 7 must be
    ");
    fs::write(log_of(base.path(), "abc234"), lines.join("\n") + "\n").unwrap();
    assert!(RunRecord::read(base.path(), "abc234").is_ok());
    let path = store::folder(base.path(), "abc234").join("run.json");
    let text = fs::read_to_string(&path).unwrap().replace("42", "43");
    fs::write(&path, text).unwrap();
    assert_snapshot!(error(RunRecord::read(base.path(), "abc234"), base.path()), @r"
    the record of run `abc234` is damaged: BASE/runs/abc234/events.jsonl:1: it was altered, or run.json was: they do not belong to the same chain
    what the run did to the database is in its schema `runbook`: SELECT * FROM runbook.entry WHERE by_run = 'abc234'
    ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn case_38_no_byte_can_be_altered_unseen(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let (base, lines) = six();
        let mut bytes = (lines.join("\n") + "\n").into_bytes();
        let at = at.index(bytes.len());
        let last = at == bytes.len() - 1;
        bytes[at] ^= flip;
        fs::write(log_of(base.path(), "abc234"), bytes).unwrap();
        match RunRecord::read(base.path(), "abc234") {
            Err(RecordError::Damaged { .. }) => prop_assert!(!last),
            Ok(Log { torn: Some(torn), .. }) => prop_assert!(last && torn.line == 6),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn case_38_a_log_that_is_cut_anywhere_is_its_beginning(at in any::<prop::sample::Index>()) {
        let (base, lines) = six();
        let whole = RunRecord::read(base.path(), "abc234").unwrap();
        let bytes = (lines.join("\n") + "\n").into_bytes();
        let kept = &bytes[..at.index(bytes.len())];
        fs::write(log_of(base.path(), "abc234"), kept).unwrap();
        let log = RunRecord::open(base.path(), "abc234", "bob").unwrap().log;
        let lines = kept.split(|byte| *byte == b'\n').count() - 1;
        prop_assert_eq!(&log.events[..], &whole.events[..lines]);
        prop_assert_eq!(log.torn.is_some(), kept.last().is_some_and(|last| *last != b'\n'));
    }

    #[test]
    fn case_38_lines_cannot_be_moved_unseen(
        from in 0..6_usize, to in 0..6_usize, swap in any::<bool>()
    ) {
        let (base, mut lines) = six();
        if swap {
            lines.swap(from, to);
        } else {
            let line = lines.remove(from);
            lines.insert(to, line);
        }
        fs::write(log_of(base.path(), "abc234"), lines.join("\n") + "\n").unwrap();
        prop_assert_eq!(RunRecord::read(base.path(), "abc234").is_ok(), from == to);
    }

    #[test]
    fn nothing_that_a_file_holds_makes_it_panic(
        facts in any::<Vec<u8>>(), log in any::<Vec<u8>>(), index in any::<Vec<u8>>(), both in any::<bool>()
    ) {
        let (base, _) = six();
        let folder = store::folder(base.path(), "abc234");
        if both {
            fs::write(folder.join("run.json"), facts).unwrap();
        }
        fs::write(folder.join("events.jsonl"), log).unwrap();
        fs::write(base.path().join("index.jsonl"), index).unwrap();
        let _ = RunRecord::open(base.path(), "abc234", "bob");
        write(base.path(), "new", 1);
        prop_assert!(RunRecord::read(base.path(), "new").is_ok());
    }
}

#[test]
fn case_14_a_full_disk_leaves_no_half_line() {
    const CHILD: &str = "RECORD_OF_A_FULL_DISK";
    if let Ok(base) = std::env::var(CHILD) {
        return fill(Path::new(&base));
    }
    let base = TempDir::new().unwrap();
    // The signal of the limit must not end the process before it can say what is wrong.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "record::case_14_a_full_disk_leaves_no_half_line"])
        .env(CHILD, base.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let opened = RunRecord::open(base.path(), "abc234", "bob").unwrap();
    assert!(opened.log.torn.is_none());
    let text = fs::read_to_string(base.path().join("error")).unwrap();
    assert_snapshot!(text.replace(&base.path().display().to_string(), "BASE"), @r"
    cannot write `BASE/runs/abc234/events.jsonl`: file too large; free space, or name another folder by --state-dir
    cannot write `BASE/runs/.other/run.json`: file too large
    nothing is changed; free space, or name another folder by --state-dir
    ");
}

#[test]
fn a_folder_that_cannot_be_written_says_what_to_do() {
    let base = TempDir::new().unwrap();
    let file = base.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = RunRecord::create(&file.join("state"), &facts("abc234"));
    assert_snapshot!(error(refused, base.path()), @r"
    cannot create `BASE/file/state/runs`: not a directory
    nothing is changed; --state-dir names another folder
    ");
    let io = |kind: io::ErrorKind| {
        let error = RecordError::Io {
            what: "create",
            path: "state".into(),
            source: kind.into(),
        };
        format!("{error}\n{}", error.help())
    };
    assert_snapshot!(io(io::ErrorKind::ReadOnlyFilesystem), @r"
    cannot create `state`: read-only filesystem or storage medium
    nothing is changed; get the right to it, or name another folder by --state-dir
    ");
    assert_snapshot!(io(io::ErrorKind::PermissionDenied), @r"
    cannot create `state`: permission denied
    nothing is changed; get the right to it, or name another folder by --state-dir
    ");
    assert_snapshot!(io(io::ErrorKind::StorageFull), @r"
    cannot create `state`: no storage space
    nothing is changed; free space, or name another folder by --state-dir
    ");
}

/// Writes until no more goes in, then a smaller event, and then begins another run.
fn fill(base: &Path) {
    let mut record = RunRecord::create(base, &facts("abc234")).unwrap();
    record.append(&started(1, "abc234")).unwrap();
    let long = json!({"event": "noticed", "message": "x".repeat(700)});
    let (mut seq, mut head) = (1, record.head().to_owned());
    let error = loop {
        seq += 1;
        match record.append(&event(seq, &long)) {
            Ok(()) => record.head().clone_into(&mut head),
            Err(error) => break error,
        }
        record.sync().unwrap();
    };
    assert_eq!(record.head(), head);
    // Room for less is still used, so that the run's end can be told.
    record.append(&noticed(seq)).unwrap();
    let mut big = facts("other");
    big.params
        .insert("text".to_owned(), json!("x".repeat(5000)));
    let other = RunRecord::create(base, &big).unwrap_err();
    assert_eq!(store::runs(base).unwrap(), ["abc234"]);
    let text = format!("{error}\n{other}\n{}\n", other.help());
    fs::write(base.join("error"), text).unwrap();
}
