//! `runbook backup`: what it saves, what it says of it, and what it deletes.

use std::path::PathBuf;

use insta::assert_snapshot;
use regex_lite::Regex;
use serde_json::Value;

use crate::test::{Ran, Test};

pub(crate) const SHOP: &str = "\
    CREATE TABLE companies (id int PRIMARY KEY, name text, status text); \
    CREATE TABLE users (id int PRIMARY KEY, company_id int REFERENCES companies, email text); \
    INSERT INTO companies VALUES (1, 'Acme', 'active'), (2, 'Globex', 'suspended'), (3, 'Initech', NULL); \
    INSERT INTO users SELECT n, 1 + n % 3, 'user' || n || '@example.com' FROM generate_series(1, 6) n";

/// A database of two tables.
pub(crate) fn shop() -> Test {
    Test::sql(SHOP)
}

/// What was said, without what differs from day to day: dates, sizes and ages.
pub(crate) fn told(ran: &Ran) -> String {
    plain(&ran.to_string())
}

pub(crate) fn plain(text: &str) -> String {
    let patterns = [
        (r"-\d{8}-\d{6}(-\d)?", "-DATE"),
        (r"_\d{8}_\d{6}", "_DATE"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT"),
        (r"\b\d+(\.\d+)? (kB|MB|B)\b", "SIZE"),
        (r"\b(\d+|TIME|AGE)( s| min| h| d)? ago", "AGE ago"),
        (r"\b[0-9a-f]{16}\b", "HASH"),
        (r"PostgreSQL 1\d\.\d+", "PostgreSQL VERSION"),
        (r"SIZE +(TIME|\d+ min)", "SIZE  AGE"),
        (r"(?m)(ago|ago, pinned)  [2-9a-hjkmnp-z]{6}$", "$1  RUN"),
        (r"(?m)^[2-9a-hjkmnp-z]{6}  +backup", "RUN  backup"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "MOMENT"),
        (r"`[2-9a-hjkmnp-z]{6}-before", "`RUN-before"),
        (r"pg_dump \(PostgreSQL\) [^\n]*", "pg_dump VERSION"),
        (r"dump/\d+\.dat", "dump/N.dat"),
        (r"(?m)([^ \n]) {3,}", "$1  "),
    ];
    let mut text = text.to_owned();
    for (pattern, becomes) in patterns {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, becomes).into_owned();
    }
    text
}

/// All backups, as JSON.
pub(crate) fn listed(test: &Test) -> Vec<Value> {
    let ran = test.run("backup list --output json").code(0);
    serde_json::from_str::<Value>(&ran.stdout)
        .unwrap()
        .as_array()
        .unwrap()
        .clone()
}

/// The ids of all backups, the newest first. The test's database is in them as it is called.
pub(crate) fn ids(test: &Test) -> Vec<String> {
    let folder = test.root().join(".local/state/runbook/backups");
    let mut found: Vec<(std::time::SystemTime, String)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let at = std::fs::metadata(entry.path().join("manifest.json")).ok()?;
            Some((at.modified().unwrap(), name))
        })
        .filter(|(_, name)| !name.starts_with('.'))
        .collect();
    found.sort();
    found.reverse();
    found.into_iter().map(|(_, name)| name).collect()
}

/// The id of the newest backup.
pub(crate) fn newest(test: &Test) -> String {
    ids(test).remove(0)
}

/// The folder of a backup.
pub(crate) fn folder(test: &Test, id: &str) -> PathBuf {
    test.root().join(".local/state/runbook/backups").join(id)
}

/// Flips a bit in the middle of the largest file of a backup.
pub(crate) fn damage(test: &Test, id: &str) {
    let manifest = std::fs::read(folder(test, id).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let largest = files
        .iter()
        .max_by_key(|file| file["bytes"].as_u64())
        .unwrap();
    let path = folder(test, id).join(largest["path"].as_str().unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn backup_of_the_database_is_what_create_makes() {
    let test = shop();
    let ran = test.run("backup create");
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  DB-DATE
      holds  the database

      ✓ backup  the database, 9 rows of 2 tables → ~/.local/state/runbook/backups/DB-DATE (SIZE, verified)  TIME

    Done in TIME.
    Restore with: runbook backup restore DB-DATE
    ");
    ran.code(0);
    let all = listed(&test);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["holds"], "database");
    assert_eq!(all[0]["rows"], 9);
    assert_eq!(all[0]["state"], "readable");
}

#[test]
fn backup_of_tables_is_told_as_every_run_is() {
    let test = shop();
    let ran = test.run("backup create before --table companies --table users");
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  before-DATE
      holds  companies and users

      ✓ backup  9 rows of 2 tables → ~/.local/state/runbook/backups/before-DATE (SIZE, verified)  TIME

    Done in TIME.
    Restore with: runbook backup restore before-DATE
    ");
    ran.code(0);
    let history = test.run("history").code(0);
    assert_snapshot!(plain(&crate::session::moments(&history.stdout)), @"
    run  runbook  outcome  rows  when  who  target
    RUN  backup create  done  0  MOMENT  postgres (USER@HOST)  postgres@SERVER:5432/DB
    ");
    let report = test.run(&format!("report {}", test.id())).code(0);
    assert_snapshot!(plain(&crate::session::moments(&report.stdout)), @"
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  before-DATE
      holds  companies and users

      ✓ backup  9 rows of 2 tables → ~/.local/state/runbook/backups/before-DATE (SIZE, verified)  TIME

    Done in TIME.
    Restore with: runbook backup restore before-DATE
    ");
    test.run("audit verify").code(0);
}

#[test]
fn backup_of_rows_holds_what_the_predicates_find() {
    let test = shop();
    let args = [
        "backup",
        "create",
        "acme",
        "--rows",
        "companies=id = 1",
        "--rows",
        "users=company_id = 1",
    ];
    let ran = test.run_with(args);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  acme-DATE
      holds  companies WHERE (id = 1); users WHERE (company_id = 1)

      ✓ backup  3 rows of 2 tables → ~/.local/state/runbook/backups/acme-DATE (SIZE, verified)  TIME

    Done in TIME.
    Restore with: runbook backup restore acme-DATE
    ");
    ran.code(0);
    let all = listed(&test);
    assert_eq!(all[0]["holds"], "rows");
    assert_eq!(all[0]["rows"], 3);
}

#[test]
fn backup_of_what_is_not_there_is_refused() {
    let test = shop();
    assert_snapshot!(told(&test.run("backup create --table companys").code(10)), @"
    exit 10
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  DB-DATE
      holds  companys

      ✗ backup  failed  TIME
          error: there is no table companys
            = note: no backup was made; earlier ones are as they were
            = help: did you mean `companies`?

    Failed after TIME.
    nothing was saved: there is no table companys
    Nothing was changed.
    ");
    let predicate = ["backup", "create", "--rows", "users=companyid = 1"];
    assert_snapshot!(told(&test.run_with(predicate).code(10)), @r#"
    exit 10
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  DB-DATE
      holds  users WHERE (companyid = 1)

      ✗ backup  failed  TIME
          error: column "companyid" does not exist (SQLSTATE 42703)
            = note: while rows of public.users were saved
            = note: no backup was made; earlier ones are as they were
            = help: Perhaps you meant to reference the column "users.company_id".
            = help: is this the database that the runbook is for? `runbook check NAME --target …` compares them

    Failed after TIME.
    nothing was saved: column "companyid" does not exist
    Nothing was changed.
    "#);
    let writes = [
        "backup",
        "create",
        "--rows",
        "users=pg_advisory_lock(1) IS NULL",
    ];
    assert_snapshot!(told(&test.run_with(writes).code(2)), @r#"
    exit 2
    --- stderr
    error: `--rows users=pg_advisory_lock(1) IS NULL`: `pg_advisory_lock` changes the session's settings, locks or notifications
      = help: a table, and what stands behind WHERE: --rows "users=company_id = 42"
    "#);
    assert!(ids(&test).is_empty());
}

#[test]
fn backup_is_quiet_or_json_where_that_is_wanted() {
    let test = shop();
    let ran = test.run("backup create one --table users --quiet").code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = test
        .run("backup create two --table users --output json")
        .code(0);
    let events: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].to_string())
        .collect();
    assert_eq!(
        events,
        [
            "\"run_started\"",
            "\"step_started\"",
            "\"step_finished\"",
            "\"run_finished\""
        ]
    );
    let ran = test.run("backup create --table nope --quiet").code(10);
    assert!(ran.stdout.is_empty(), "{ran}");
    assert!(ran.stderr.contains("nope"), "{ran}");
}

#[test]
fn backups_are_listed() {
    let test = shop();
    test.run("backup create whole").code(0);
    test.run("backup create tables --table users").code(0);
    test.run_with(["backup", "create", "rows", "--rows", "users=id < 3"])
        .code(0);
    assert_snapshot!(told(&test.run("backup list").code(0)), @"
    exit 0
    --- stdout
    ID  HOLDS  DATABASE  SIZE  AGE  STATE  RUN
    rows-DATE  2 rows  DB  SIZE  AGE  readable AGE ago  RUN
    tables-DATE  1 table  DB  SIZE  AGE  readable AGE ago  RUN
    whole-DATE  database  DB  SIZE  AGE  readable AGE ago  RUN
    ");
    assert_snapshot!(told(&test.run("backup list tables").code(0)), @"
    exit 0
    --- stdout
    ID  HOLDS  DATABASE  SIZE  AGE  STATE  RUN
    tables-DATE  1 table  DB  SIZE  AGE  readable AGE ago  RUN
    ");
    assert_snapshot!(told(&test.run("backup list table").code(0)), @"
    exit 0
    --- stderr
    There is no backup of `table` in `ROOT/.local/state/runbook/backups`.
      = help: did you mean `tables`?
    ");
}

#[test]
fn backups_are_shown_with_all_that_is_known() {
    let test = shop();
    test.run("backup create whole").code(0);
    test.run("backup create tables --table users").code(0);
    test.run_with(["backup", "create", "rows", "--rows", "users=id < 3"])
        .code(0);
    assert_snapshot!(told(&test.run("backup show whole").code(0)), @"
    exit 0
    --- stdout
    whole-DATE
    the database: 9 rows of 2 tables · SIZE

    name  whole
    of  DB at postgres@SERVER:5432, PostgreSQL VERSION
    taken  MOMENT, AGE ago
    made by  postgres (USER@HOST), run RUN (backup create)
    read in full  MOMENT, AGE ago
    restored on trial  never
    encrypted  no
    written by  pg_dump VERSION
    folder  ROOT/.local/state/runbook/backups/whole-DATE

    Tables
      TABLE  ROWS
      public.companies  3
      public.users  6

    Files
      FILE  SIZE  SHA-256
      dump/N.dat.gz  SIZE  HASH
      dump/N.dat.gz  SIZE  HASH
      dump/toc.dat  SIZE  HASH

    How to restore it
      runbook backup restore whole-DATE
          into a new database, DB_restored_DATE
      runbook backup restore whole-DATE --in-place
          in place of what is there; asks for the database's name
      runbook backup restore whole-DATE --merge
          puts back single rows that differ or are gone
      runbook backup restore whole-DATE --table public.companies --as NEW
          one table, beside the live one
    ");
    assert_snapshot!(told(&test.run("backup show tables").code(0)), @"
    exit 0
    --- stdout
    tables-DATE
    6 rows of 1 table · SIZE

    name  tables
    of  DB at postgres@SERVER:5432, PostgreSQL VERSION
    taken  MOMENT, AGE ago
    made by  postgres (USER@HOST), run RUN (backup create)
    read in full  MOMENT, AGE ago
    restored on trial  never
    encrypted  no
    folder  ROOT/.local/state/runbook/backups/tables-DATE

    Tables
      TABLE  ROWS  SIZE  FILE
      public.users  6  SIZE  tables/0001.copy.zst

    Files
      FILE  SIZE  SHA-256
      tables/0001.copy.zst  SIZE  HASH

    How to restore it
      runbook backup restore tables-DATE
          into a new database, DB_restored_DATE
      runbook backup restore tables-DATE --in-place
          in place of what is there; asks for the database's name
      runbook backup restore tables-DATE --merge
          puts back single rows that differ or are gone
      runbook backup restore tables-DATE --table public.users --as NEW
          one table, beside the live one
    ");
    assert_snapshot!(told(&test.run("backup show rows").code(0)), @"
    exit 0
    --- stdout
    rows-DATE
    2 rows of 1 table · SIZE

    name  rows
    of  DB at postgres@SERVER:5432, PostgreSQL VERSION
    taken  MOMENT, AGE ago
    made by  postgres (USER@HOST), run RUN (backup create)
    read in full  MOMENT, AGE ago
    restored on trial  never
    encrypted  no
    folder  ROOT/.local/state/runbook/backups/rows-DATE

    Tables
      TABLE  ROWS  SIZE  FILE
      public.users  2 where id < 3  SIZE  tables/0001.copy.zst

    Files
      FILE  SIZE  SHA-256
      tables/0001.copy.zst  SIZE  HASH

    How to restore it
      runbook backup restore rows-DATE
          puts back single rows that differ or are gone
      runbook backup restore rows-DATE --table public.users --as NEW
          one table, beside the live one
    ");
}

#[test]
fn backup_that_is_not_there_names_the_nearest_and_one_that_is_can_be_json() {
    let test = shop();
    test.run_with(["backup", "create", "rows", "--rows", "users=id < 3"])
        .code(0);
    assert_snapshot!(told(&test.run("backup show rwos").code(2)), @r#"
    exit 2
    --- stderr
    error: there is no backup called "rwos" in ROOT/.local/state/runbook/backups
      = help: did you mean `rows`?
    "#);
    let ran = test.run("backup show rows --output json").code(0);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(shown["files"].as_array().unwrap().len(), 1);
    assert_eq!(shown["tables"][0]["rows"], 2);
}

#[test]
fn backup_list_fits_a_narrow_terminal() {
    let test = shop();
    test.run("backup create before-a-rather-large-change --table users")
        .code(0);
    let mut command = test.command(["backup", "list"]);
    let output = command.env("COLUMNS", "80").output().unwrap();
    let real = String::from_utf8(output.stdout).unwrap();
    assert!(
        real.lines().all(|line| line.chars().count() <= 80),
        "{real}"
    );
}

#[test]
fn backup_that_was_verified_says_how() {
    let test = shop();
    test.run("backup create --table users --table companies")
        .code(0);
    assert_snapshot!(told(&test.run("backup verify --all").code(0)), @"
    exit 0
    --- stdout
    DB-DATE  good: read in full
    ");
    assert_eq!(listed(&test)[0]["state"], "readable");
    assert_snapshot!(told(&test.run("backup verify --all --restore").code(0)), @"
    exit 0
    --- stdout
    DB-DATE  good: read in full and restored on trial
    ");
    assert_eq!(listed(&test)[0]["state"], "restored");
    test.run("backup create second --verify restore").code(0);
    assert_eq!(listed(&test)[0]["state"], "restored");
}

#[test]
fn case_44_backup_with_a_flipped_bit_is_found_by_verify() {
    for what in ["", "--table users", "--rows users=true"] {
        let test = shop();
        test.run(&format!("backup create one {what}")).code(0);
        let id = newest(&test);
        damage(&test, &id);
        let ran = test.run("backup verify --all").code(10);
        assert!(ran.stdout.contains("not good"), "{ran}");
        let all = listed(&test);
        assert_eq!(all[0]["state"], "damaged", "{all:?}");
        let ran = test.run("backup list").code(0);
        assert!(ran.stdout.contains("damaged"), "{ran}");
        // By its name it is not found any more: it is no good one.
        test.run(&format!("backup restore {id} --dry-run")).code(10);
    }
}

#[test]
fn backup_whose_manifest_is_damaged_is_listed_and_can_be_deleted() {
    let test = shop();
    test.run("backup create one --table users").code(0);
    let id = newest(&test);
    let path = folder(&test, &id).join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("users", "losers")).unwrap();
    let ran = test.run("backup list").code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    ID  HOLDS  DATABASE  SIZE  AGE  STATE  RUN
    one-DATE  damaged
    --- stderr
    one-DATE: the backup in ROOT/.local/state/runbook/backups/one-DATE is damaged: manifest.json was altered: its checksum differs
    ");
    test.run("backup verify --all").code(10);
    test.run(&format!("backup show {id}")).code(10);
    test.run(&format!("backup prune {id} --yes")).code(0);
    assert!(!folder(&test, &id).exists());
}

#[test]
fn backup_that_is_pinned_stays() {
    let test = shop();
    for _ in 0..3 {
        test.run("backup create one --table users").code(0);
    }
    let oldest = ids(&test).remove(2);
    assert_snapshot!(told(&test.run(&format!("backup pin {oldest} before the audit")).code(0)), @"
    exit 0
    --- stdout
    one-DATE is kept until it is unpinned: before the audit (USER@HOST)
    ");
    assert_snapshot!(told(&test.run("backup prune one --keep-last 1 --dry-run").code(0)), @"
    exit 0
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  stays: the newest good one
    one-DATE  SIZE  AGE  readable  goes
    one-DATE  SIZE  AGE  readable  stays: pinned: before the audit (USER@HOST)
    Dry run: nothing was deleted.
    ");
    assert_eq!(ids(&test).len(), 3);
    assert_snapshot!(told(&test.run("backup prune one --keep-last 1").code(12)), @"
    exit 12
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  stays: the newest good one
    one-DATE  SIZE  AGE  readable  goes
    one-DATE  SIZE  AGE  readable  stays: pinned: before the audit (USER@HOST)
    --- stderr
    Delete 1 backup (SIZE)?
    nothing was deleted: there is no terminal to ask `delete` at: answer it with --yes, or run it in a terminal
    ");
    assert_eq!(ids(&test).len(), 3);
    assert_snapshot!(told(&test.run("backup prune one --keep-last 1 --yes").code(0)), @"
    exit 0
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  stays: the newest good one
    one-DATE  SIZE  AGE  readable  goes
    one-DATE  SIZE  AGE  readable  stays: pinned: before the audit (USER@HOST)
    Deleted one-DATE.
    --- stderr
    Delete 1 backup (SIZE)?
    ");
    assert_eq!(ids(&test).len(), 2);
    assert_snapshot!(told(&test.run(&format!("backup prune {oldest} --yes")).code(10)), @"
    exit 10
    --- stderr
    error: `one-DATE` is not deleted: it is pinned: before the audit (USER@HOST)
      = help: runbook backup unpin one-DATE
    ");
    assert_snapshot!(told(&test.run(&format!("backup unpin {oldest}")).code(0)), @"
    exit 0
    --- stdout
    one-DATE is kept as long as others of its name; it was pinned: before the audit (USER@HOST)
    ");
    assert_snapshot!(told(&test.run(&format!("backup unpin {oldest}")).code(0)), @"
    exit 0
    --- stdout
    one-DATE was not pinned
    ");
    test.run("backup prune one --keep-last 1 --yes").code(0);
    assert_eq!(ids(&test).len(), 1);
    test.run("backup create one --table users --pin because")
        .code(0);
    assert_eq!(listed(&test)[0]["pinned"], "because");
}

#[test]
fn backup_prune_says_in_json_what_becomes_of_each() {
    let test = shop();
    for _ in 0..2 {
        test.run("backup create one --table users").code(0);
    }
    let prune = "backup prune one --keep-last 1 --output json";
    let fates = |ran: &Ran| -> Vec<(String, bool)> {
        let all: Value = serde_json::from_str(&ran.stdout).unwrap();
        let each = all.as_array().unwrap().iter();
        each.map(|one| {
            let fate = one["fate"].as_str().unwrap().to_owned();
            (fate, one["deleted"].as_bool().unwrap())
        })
        .collect()
    };
    let stays = ("stays".to_owned(), false);
    assert_eq!(
        fates(&test.run(prune).code(12)),
        [stays.clone(), ("goes".to_owned(), false)]
    );
    let ran = test.run(&format!("{prune} --yes")).code(0);
    assert_eq!(fates(&ran), [stays, ("goes".to_owned(), true)]);
}

#[test]
fn case_48_backup_that_is_the_only_good_one_needs_two_yeses() {
    let test = shop();
    test.run("backup create one --table users").code(0);
    let id = newest(&test);
    let prune = |args: &str| test.run(&format!("backup prune {args}"));
    assert_snapshot!(told(&prune("one --keep-last 1 --yes").code(0)), @"
    exit 0
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  stays: the newest good one
    Nothing is to be deleted.
    ");
    assert_snapshot!(told(&prune("one --keep-days 0 --yes").code(0)), @"
    exit 0
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  stays: the newest good one
    Nothing is to be deleted.
    ");
    assert_snapshot!(told(&prune(&format!("{id} --yes")).code(10)), @"
    exit 10
    --- stderr
    error: `one-DATE` is not deleted: it is the only good backup of its name
      = help: make another one first: runbook backup create one
      = help: or say that you want none: runbook backup prune one-DATE --even-the-last
    ");
    assert_snapshot!(told(&prune(&format!("{id} --even-the-last --yes")).code(12)), @"
    exit 12
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  goes
    --- stderr
    Delete 1 backup (SIZE)?
    `one-DATE` is the only good backup of its name. Nothing can be restored of it afterwards.
    nothing was deleted: there is no terminal to ask `delete` at: answer it with --confirm one-DATE, or run it in a terminal
    ");
    assert_snapshot!(told(&prune(&format!("{id} --even-the-last --yes --confirm no")).code(12)), @"
    exit 12
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  goes
    --- stderr
    Delete 1 backup (SIZE)?
    `one-DATE` is the only good backup of its name. Nothing can be restored of it afterwards.
    nothing was deleted: the answer was no
    ");
    prune(&format!("{id} --even-the-last --confirm {id}")).code(12);
    assert_eq!(ids(&test), std::slice::from_ref(&id));
    // A second one that is damaged does not count.
    test.run("backup create one --table users").code(0);
    let second = newest(&test);
    damage(&test, &second);
    test.run("backup verify --all").code(10);
    prune(&format!("{id} --yes")).code(10);
    prune(&format!("{second} --yes")).code(0);
    let ran = prune(&format!("{id} --even-the-last --yes --confirm {id}")).code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    ID  SIZE  AGE  STATE  FATE
    one-DATE  SIZE  AGE  readable  goes
    Deleted one-DATE.
    --- stderr
    Delete 1 backup (SIZE)?
    `one-DATE` is the only good backup of its name. Nothing can be restored of it afterwards.
    ");
    assert!(ids(&test).is_empty());
}

#[test]
fn backup_create_keeps_so_many_and_says_which_it_deleted() {
    let test = shop();
    for _ in 0..2 {
        test.run("backup create one --table users --keep-last 2")
            .code(0);
    }
    let oldest = ids(&test).remove(1);
    let ran = test
        .run("backup create one --table users --keep-last 2")
        .code(0);
    assert_snapshot!(told(&ran), @"
    exit 0
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  one-DATE
      holds  users
      keeps  the newest 2

      ✓ backup  6 rows of public.users → ~/.local/state/runbook/backups/one-DATE (SIZE, verified)  TIME
          1 older one deleted, as `keep` says: one-DATE

    Done in TIME.
    Restore with: runbook backup restore one-DATE
    ");
    assert_eq!(ids(&test).len(), 2);
    assert!(!ids(&test).contains(&oldest));
    // Without flags the newest says how many are kept.
    test.run("backup create one --table users").code(0);
    test.run("backup prune one --yes").code(0);
    assert_eq!(ids(&test).len(), 2);
    test.run("backup create other --table users").code(0);
    assert_snapshot!(told(&test.run("backup prune other").code(2)), @"
    exit 2
    --- stderr
    error: nothing says how long backups of `other` are kept
      = help: --keep-last N keeps so many of the newest, --keep-days N those that are younger
    ");
}

#[test]
fn case_47_backup_that_fails_deletes_nothing() {
    let test = shop();
    for _ in 0..2 {
        test.run("backup create one --table users").code(0);
    }
    test.run("backup create one --table nope --keep-last 1")
        .code(10);
    assert_eq!(ids(&test).len(), 2);
}

#[test]
fn backup_can_go_to_a_folder_of_its_own() {
    let test = shop();
    test.run("backup create one --table users --folder here")
        .code(0);
    assert!(ids(&test).is_empty());
    let ran = test.run("backup list --folder here").code(0);
    assert!(ran.stdout.contains("one-"), "{ran}");
    let mut command = test.command(["backup", "verify", "one"]);
    let ran = test.ran(&command.env("RUNBOOK_BACKUPS", "here").output().unwrap());
    ran.code(0).says("good");
}

#[test]
fn backup_names_and_ids_are_completed() {
    let test = shop();
    test.run("backup create nightly --table users").code(0);
    let complete = |words: &[&str]| {
        let line = ["--", "runbook"].iter().chain(words).copied();
        let mut command = test.bare(line);
        command
            .env("RUNBOOK_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
            .env("_CLAP_IFS", "\n");
        test.ran(&command.output().unwrap()).code(0).stdout
    };
    for command in ["show", "restore", "verify", "prune", "pin", "unpin"] {
        let offered = complete(&["backup", command, "night"]);
        let offered: Vec<&str> = offered.lines().collect();
        assert_eq!(offered.len(), 2, "{command}: {offered:?}");
        assert_eq!(offered[0], "nightly", "{command}");
        assert!(offered[1].starts_with("nightly-20"), "{offered:?}");
    }
    assert_eq!(complete(&["backup", "create", "n"]), "nightly");
    assert_eq!(complete(&["backup", "list", "n"]), "nightly");
}

#[test]
fn backup_runs_are_neither_resumed_nor_undone() {
    let test = shop();
    test.run("backup create one --table users").code(0);
    let id = test.id();
    assert_snapshot!(told(&test.run(&format!("undo {id}")).code(2)), @"
    exit 2
    --- stderr
    error: run `RUN` made a backup, and changed nothing: there is nothing to put back
      = help: delete the backup: runbook backup prune one-DATE
    ");
    assert_snapshot!(told(&test.run(&format!("resume {id}")).code(0)), @"
    exit 0
    --- stderr
    run RUN is over: done
    ");
}

#[test]
fn backup_that_a_run_needs_is_not_deleted() {
    let test = shop().steps(
        "
        - backup: before
          rows: { users: id < 3 }
        - confirm: go
          of: f
          ask: Go?
        - fix: f
          sql: UPDATE users SET email = upper(email) WHERE id < 3
          rows: 2
          on_error: back
        - check: after
          that: true
          then: { done: Done. }
          else: back
        - rollback: back
          backup: before
        ",
    );
    test.run("run t --yes").code(0);
    let id = newest(&test);
    let ran = test.run(&format!(
        "backup prune {id} --yes --even-the-last --confirm {id}"
    ));
    assert_snapshot!(told(&ran.code(10)), @"
    exit 10
    --- stderr
    error: `RUN-before` is not deleted: run RUN changed rows that it can put back from it
    ");
    test.run(&format!("undo {} --yes", test.id())).code(0);
    test.run(&format!(
        "backup prune {id} --yes --even-the-last --confirm {id}"
    ))
    .code(0);
}
