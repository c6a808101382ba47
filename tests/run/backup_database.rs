//! Backups of whole databases, by `pg_dump`: made, proved, restored, and put in the place of what they are of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use insta::assert_snapshot;

use crate::server::{Connection, Database};
use crate::test::{Ran, Test};

/// Everything that a dump must bring back, with names that need their quotes.
const SETUP: &str = r#"
    CREATE SCHEMA "My Schema";
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, mood mood, at timestamptz,
        size float8, twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
    INSERT INTO users (name, mood, at, size) SELECT 'user ' || n, 'glad', '2026-01-01 12:00+05'::timestamptz + n * interval '1 s', n / 3.0
        FROM generate_series(1, 3000) n;
    INSERT INTO users (name) VALUES (E'tab\there\nand\\there'), (''), (NULL), ('\.');
    CREATE TABLE "My Schema"."Odd ""name"" (x)" ("a, b" text, "C" int[] CHECK ("C" IS NOT NULL));
    INSERT INTO "My Schema"."Odd ""name"" (x)" VALUES ('x', '{1,2}');
    CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
    CREATE TABLE empty (id int);
    CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
    INSERT INTO parted VALUES (1, '2026-01-02'), (2, '2027-01-02');
    CREATE TABLE heir (more text) INHERITS (empty); INSERT INTO heir VALUES (7, 'more');
    CREATE VIEW glad AS SELECT * FROM users WHERE mood = 'glad';
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users;
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
    CREATE TRIGGER never BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION never();
    CREATE TABLE orders (id int PRIMARY KEY, of int REFERENCES users (id));
    INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n;
    SELECT lo_from_bytea(0, 'large');
"#;

/// A database with a backup of all of it.
fn backed() -> Test {
    let test = Test::sql(SETUP);
    test.run("backup create b --database full").code(0);
    test
}

/// What a person reads, without what differs from one backup to the next.
fn told(ran: &Ran) -> String {
    let text = crate::undo::told(ran);
    let mut out = String::new();
    let mut digits = 0;
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits += 1;
        } else {
            digits = 0;
        }
        out.push(letter);
    }
    let _ = digits;
    out
}

/// The folders of backups, and whatever else is there.
fn kept(test: &Test) -> Vec<String> {
    let folder = test.root().join(".local/state/runbook/backups");
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".lock"))
        .collect();
    names.sort();
    names
}

/// The folder of the only backup.
fn only(test: &Test) -> PathBuf {
    let names = kept(test);
    assert_eq!(names.len(), 1, "{names:?}");
    test.root()
        .join(".local/state/runbook/backups")
        .join(&names[0])
}

/// Databases that a restore left behind.
fn left() -> String {
    elsewhere("postgres")
        .rows("SELECT count(*) FROM pg_database WHERE datname LIKE 'runbook_restoring_%'")
}

fn elsewhere(database: &str) -> Connection {
    Connection::to(database)
}

/// Rows of all tables of a database.
fn contents(database: &str) -> String {
    let connection = elsewhere(database);
    let tables = connection.rows(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'runbook') ORDER BY 1",
    );
    let hash = |table: &str| {
        let rows = connection.rows(&format!(
            "SELECT count(*), coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0) FROM {table} t"
        ));
        format!("{table}: {rows}\n")
    };
    tables.lines().map(hash).collect()
}

/// Scripts called `pg_dump` and `pg_restore`, in a folder that is the only one to be looked at.
fn faked(test: &Test, dump: &str) -> PathBuf {
    let folder = test.root().join("fake");
    fs::create_dir_all(&folder).unwrap();
    let real = "/usr/lib/postgresql/*/bin";
    let restore = format!("exec $(ls -d {real} | tail -1)/pg_restore \"$@\"");
    let dump = dump.replace("REAL", &format!("$(ls -d {real} | tail -1)/pg_dump"));
    for (name, script) in [("pg_dump", dump), ("pg_restore", restore)] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Makes a backup with another `pg_dump`: none may come of it.
fn fails(test: &Test, dump: &str) -> Ran {
    let folder = faked(test, dump);
    let mut command = test.command(["backup", "create", "b", "--database", "full"]);
    command.env("RUNBOOK_PG_BIN", folder);
    let ran = test.ran(&command.output().unwrap()).code(1);
    assert_eq!(kept(test), Vec::<String>::new());
    ran
}

#[test]
fn a_database_is_saved_and_comes_back_under_another_name() {
    let test = backed();
    let before = test.contents();
    let into = format!("{}_copy", test.db.name());
    test.run("backup verify b --restore").code(0);
    test.run(&format!("backup restore b --into {into} --yes"))
        .code(0);
    assert_eq!(contents(&into), contents(test.db.name()));
    assert_eq!(test.contents(), before);
    elsewhere("postgres").run(&format!("DROP DATABASE {into}"));
}
