//! Records are compared with the journal of the database.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::test::Test;

fn test() -> Test {
    Test::sql("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
        .fix("sql: UPDATE t SET n = n + 1 WHERE id = 1\nrows: 1")
}

fn state(test: &Test) -> PathBuf {
    test.root().join(".local/state/runbook")
}

/// Runs the runbook on its database into this folder of records, and returns the run's id.
fn run(test: &Test, state: &Path, args: &str) -> String {
    let ids = || -> Vec<String> {
        let entries = fs::read_dir(state.join("runs")).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let before = ids();
    test.run(&format!(
        "run t --yes --state-dir {} {args}",
        state.display()
    ))
    .code(0);
    let mut new = ids().into_iter().filter(|id| !before.contains(id));
    new.next().unwrap()
}

/// Verifies the first of these runs. All are called by other names in what is printed, whose order it has.
fn verify(test: &Test, runs: &[(&str, &str)], first: usize) -> String {
    let ids = runs.iter().take(first).map(|(_, id)| *id);
    let ran = test.run_with(["audit", "verify"].into_iter().chain(ids));
    let named = |text: &str| {
        runs.iter()
            .fold(text.to_owned(), |text, (name, id)| text.replace(id, name))
    };
    let stdout = named(&ran.stdout);
    let (mut lines, last): (Vec<&str>, Vec<&str>) = stdout
        .lines()
        .partition(|line| line.starts_with(['✓', '✗', ' ']));
    // A note belongs to the line before it.
    let mut groups: Vec<String> = Vec::new();
    for line in lines.drain(..) {
        match groups.last_mut() {
            Some(group) if line.starts_with(' ') => group.push_str(&["\n", line].concat()),
            _ => groups.push(line.to_owned()),
        }
    }
    groups.sort_by_key(|line| line[3..].to_owned());
    let code = ran.code.unwrap();
    format!(
        "exit {code}\n{}{}\n{}",
        groups.join("\n"),
        last.join("\n"),
        named(&ran.stderr)
    )
}

/// Keeps only the first lines of a log.
fn cut(state: &Path, run: &str, lines: usize) {
    let path = state.join("runs").join(run).join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(lines).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
}

#[test]
fn case_38_what_was_cut_off_is_missed_by_the_journal() {
    let test = test();
    let state = state(&test);
    let whole = run(&test, &state, "");
    let log = state.join("runs").join(&whole).join("events.jsonl");
    let log = fs::read_to_string(log).unwrap();
    let committing = log
        .lines()
        .position(|line| line.contains("\"committing\""))
        .unwrap();
    let shortened = run(&test, &state, "");
    cut(&state, &shortened, committing);
    // Who cuts off a record can cut off the end of the index with it.
    let index = state.join("index.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    let kept: Vec<&str> = text.lines().take(3).collect();
    fs::write(&index, kept.join("\n") + "\n").unwrap();
    let ran = test.ran(&test.bare(["audit", "verify"]).output().unwrap());
    ran.code(0)
        .says("Not compared with the journal of a database");
    let lost = run(&test, &state, "");
    let forged = run(&test, &state, "");
    let local = run(&test, &state, "--journal local");
    let dry = run(&test, &state, "--dry-run");
    let other = self::test();
    let elsewhere = run(&other, &state, "");
    // The guards of the journal let nobody do this; its owner can put them out of action.
    test.connect().run(&format!(
        "ALTER TABLE runbook.entry DISABLE TRIGGER ALL; ALTER TABLE runbook.capture DISABLE TRIGGER ALL; \
         DELETE FROM runbook.capture; DELETE FROM runbook.entry WHERE by_run = '{lost}'; \
         UPDATE runbook.entry SET head = md5(head) WHERE by_run = '{forged}'; \
         ALTER TABLE runbook.entry ENABLE TRIGGER ALL; ALTER TABLE runbook.capture ENABLE TRIGGER ALL; \
         ALTER TABLE runbook.entry ENABLE ALWAYS TRIGGER guard; ALTER TABLE runbook.capture ENABLE ALWAYS TRIGGER guard"
    ));
    let runs = [
        ("whole", whole.as_str()),
        ("shortened", &shortened),
        ("lost", &lost),
        ("forged", &forged),
        ("local", &local),
        ("dry", &dry),
        ("elsewhere", &elsewhere),
        ("OTHER", other.db.name()),
    ];
    assert_snapshot!(verify(&test, &runs, 7), @r"
    exit 10
    ✓ dry  10 events, as the database's journal has it
    ✓ elsewhere  11 events
      = note: not compared: it ran on the database `OTHER` of postgres@SERVER:5432
    ✗ forged  ROOT/.local/state/runbook/runs/forged/events.jsonl:11: it was cut off or altered: the journal knows a head of it, with the commit of `f`
    ✓ local  11 events
      = note: not compared: its journal is beside the record, not in a database
    ✗ lost  ROOT/.local/state/runbook/runs/lost/events.jsonl:8: the journal lacks the commit of `f` that this tells of
    ✗ shortened  ROOT/.local/state/runbook/runs/shortened/events.jsonl:6: it was cut off or altered: the journal knows a head of it, with the commit of `f`
    ✓ whole  11 events, as the database's journal has it
    3 of 7 records not whole
    Compared 5 records with the journal of the database `DB` of postgres@SERVER:5432.
      = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry
    ");
    assert_snapshot!(verify(&test, &runs, 1), @r"
    exit 0
    ✓ whole  11 events, as the database's journal has it
    1 record whole
    Compared 1 record with the journal of the database `DB` of postgres@SERVER:5432.
    ");
}

#[test]
fn a_database_without_a_journal_lacks_all() {
    let test = test();
    let run = run(&test, &state(&test), "");
    test.connect().run("DROP SCHEMA runbook CASCADE");
    assert_snapshot!(verify(&test, &[("run", &run)], 1), @r"
    exit 10
    ✗ run  ROOT/.local/state/runbook/runs/run/events.jsonl:8: the journal lacks the commit of `f` that this tells of
    1 of 1 record not whole
    Compared 1 record with the journal of the database `DB` of postgres@SERVER:5432.
      = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry
    ");
    test.connect().run("CREATE SCHEMA runbook");
    assert_snapshot!(verify(&test, &[("run", &run)], 1), @r"
    exit 4

    error: this database has a schema `runbook` that is not the journal of this program
      = help: give that schema another name: ALTER SCHEMA runbook RENAME TO …
      = help: or keep it beside the run's record: `--journal local`
    ");
}

#[test]
fn a_run_that_was_put_back_is_whole_and_says_by_whom() {
    let test = test();
    let done = run(&test, &state(&test), "");
    test.run(&format!("undo {done} --yes")).code(0);
    let ran = test.ran(&test.bare(["history", "--output", "json"]).output().unwrap());
    let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Vec<String> = (list.as_array().unwrap().iter())
        .map(|run| format!("{} {} {}", run["state"], run["outcome"], run["undo_of"]))
        .collect();
    let undo = list[0]["run"].as_str().unwrap();
    assert_eq!(list[1]["undone_by"], serde_json::json!([undo]));
    assert_snapshot!(told.join("\n").replace(&done, "DONE"), @r#"
    "ended" "done" "DONE"
    "ended" "done" null
    "#);
    let runs = [("done", done.as_str()), ("undo", undo)];
    assert_snapshot!(verify(&test, &runs, 2), @r"
    exit 0
    ✓ done  11 events, as the database's journal has it
    ✓ undo  8 events, as the database's journal has it
    2 records whole
    Compared 2 records with the journal of the database `DB` of postgres@SERVER:5432.
    ");
}
