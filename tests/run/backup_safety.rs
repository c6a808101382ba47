//! What happens beside a backup or a restore: nothing that someone does meanwhile is lost, and no good backup is
//! taken for a bad one.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::backup_cli::{folder, ids, listed, newest, shop};
use crate::server::Connection;
use crate::terminal::Terminal;

/// The steps of a fix with a backup before it, of these keys too.
fn backed_fix(keys: &str) -> String {
    format!(
        "- backup: before\n  rows: {{ users: id < 3 }}\n  {keys}\n\
         - confirm: go\n  of: f\n  ask: Go?\n\
         - fix: f\n  sql: UPDATE users SET email = upper(email) || 'x' WHERE id < 3\n  rows: 2\n  on_error: back\n\
         - check: after\n  that: true\n  then: {{ done: Done. }}\n  else: back\n\
         - rollback: back\n  backup: before\n"
    )
}

#[test]
fn backup_that_could_not_be_tried_is_not_damaged() {
    let test = shop();
    test.run("backup create one --table users").code(0);
    test.run("backup create all").code(0);
    let connection = test.connect();
    let login = format!("{}_small", test.db.name());
    connection.run(&format!(
        "CREATE ROLE {login} LOGIN; GRANT pg_read_all_data TO {login}"
    ));
    let url = test.db.url();
    let (_, rest) = url.split_once('@').unwrap_or(("", &url));
    let as_small = url.replace(
        &format!(
            "{}@",
            url.trim_end_matches(rest)
                .trim_start_matches("postgres://")
                .trim_end_matches('@')
        ),
        &format!("{login}@"),
    );
    for id in ["one", "all"] {
        let mut command = test.bare([
            "backup",
            "verify",
            id,
            "--restore",
            "--database-url",
            &as_small,
        ]);
        let ran = test.ran(&command.output().unwrap()).code(10);
        ran.says("may not create databases");
    }
    let mut command = test.command(["backup", "verify", "all", "--restore"]);
    command.env("RUNBOOK_PG_BIN", "/nowhere");
    test.ran(&command.output().unwrap()).code(10);
    connection.run(&format!("DROP ROLE {login}"));
    for one in listed(&test) {
        assert_ne!(one["state"], "damaged", "{one}");
    }
}

#[test]
fn backup_of_a_database_is_of_one_moment_though_a_table_is_emptied_meanwhile() {
    let test = shop();
    let other = test.connect();
    other.run("CREATE TABLE archive (LIKE users)");
    other.run("BEGIN; INSERT INTO archive SELECT * FROM users; TRUNCATE users");
    let running = test.start("backup create b");
    test.until(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass)",
    );
    // Whatever it waits for, its snapshot is not taken yet.
    other.run("COMMIT");
    running.end().code(0);
    let manifest = fs::read(folder(&test, &newest(&test)).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let rows = |name: &str| {
        let mut tables = manifest["tables"].as_array().unwrap().iter();
        let table = tables.find(|table| table["relation"] == name).unwrap();
        table["tally"]["rows"].to_string()
    };
    assert_eq!(
        (rows("public.archive"), rows("public.users")),
        ("6".to_owned(), "0".to_owned())
    );
}

#[test]
fn rows_that_came_after_they_were_saved_are_not_lost_by_a_restore_in_place() {
    let test = shop();
    test.run("backup create one --table users").code(0);
    let before = test.rows("SELECT count(*) FROM users");
    let other = test.connect();
    other.run("BEGIN; INSERT INTO users (id) VALUES (777)");
    let name = test.db.name();
    let running = test.start(&format!("backup restore one --in-place --confirm {name}"));
    test.until(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass)",
    );
    other.run("COMMIT");
    running
        .end()
        .code(10)
        .says("public.users was changed after its rows were saved");
    assert_eq!(test.rows("SELECT count(*) FROM users WHERE id = 777"), "1");
    test.run(&format!("backup restore one --in-place --confirm {name}"))
        .code(0);
    assert_eq!(test.rows("SELECT count(*) FROM users"), before);
    test.run(&format!(
        "backup restore {} --in-place --confirm {name}",
        newest(&test)
    ))
    .code(0);
    assert_eq!(test.rows("SELECT count(*) FROM users WHERE id = 777"), "1");
}

#[test]
fn backup_that_is_pinned_while_somebody_is_asked_stays() {
    let test = shop();
    for _ in 0..3 {
        test.run("backup create one --table users").code(0);
    }
    let all = ids(&test);
    let terminal = Terminal::new(&test, "backup prune one --keep-last 1").shows("[y/N]");
    test.run(&format!("backup pin {} audit", all[1])).code(0);
    let (code, text) = terminal.types("y\n").end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(ids(&test), all[..2], "{text}");
}

#[test]
fn backup_that_a_run_needs_stays_wherever_it_is() {
    let test = shop().steps(&backed_fix("to: elsewhere\n  keep: { last: 1 }"));
    for _ in 0..2 {
        test.run("run t --yes").code(0);
    }
    let kept = fs::read_dir(test.root().join("work/elsewhere")).unwrap();
    assert_eq!(kept.count(), 2);
}

#[test]
fn database_that_was_closed_for_writing_can_be_restored() {
    let test = shop();
    let name = test.db.name();
    test.run("backup create b").code(0);
    test.connect().run(&format!(
        "DELETE FROM users; ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    test.run("backup verify b --restore").code(0);
    test.run(&format!("backup restore b --in-place --confirm {name}"))
        .code(0);
    assert_eq!(test.rows("SELECT count(*) FROM users"), "6");
    assert_eq!(test.rows("SHOW default_transaction_read_only"), "on");
    let kept =
        "SELECT datname FROM pg_database WHERE datname ~ ('^' || current_database() || '_before')";
    let kept = test.rows(kept);
    Connection::to("postgres").run(&format!("DROP DATABASE {kept}"));
}

#[test]
fn what_a_killed_program_decrypted_is_removed() {
    let test = shop().file("secret", "correct horse\n");
    let folder = test.root().join("tmp");
    let (left, young) = (
        folder.join("runbook-opened-left"),
        folder.join("runbook-opened-new"),
    );
    fs::create_dir_all(left.join("dump")).unwrap();
    fs::create_dir_all(&young).unwrap();
    fs::write(left.join("dump/toc.dat"), "in the clear").unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    File::open(&left).unwrap().set_modified(long_ago).unwrap();
    let mut command = test.command(["backup", "create", "b", "--passphrase-file", "secret"]);
    command.env("TMPDIR", &folder);
    test.ran(&command.output().unwrap()).code(0);
    let there: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(there, [young]);
}

#[test]
fn functions_that_somebody_made_are_not_taken_for_those_of_the_server() {
    let test = shop();
    let make = |name: &str, of: &str, returns: &str| {
        format!(
            "CREATE FUNCTION public.{name}({of}) RETURNS {returns} LANGUAGE plpgsql AS $$ BEGIN RAISE 'shadowed: {name}({of})'; END $$"
        )
    };
    for (name, of, returns) in [
        ("quote_ident", "name", "text"),
        ("format", "text, name, name", "text"),
        ("pg_table_size", "oid", "bigint"),
        ("format_type", "oid, int", "text"),
        ("pg_type_is_visible", "oid", "boolean"),
        ("set_config", "text, text, boolean", "text"),
        ("matches", "name, name", "boolean"),
    ] {
        test.connect().run(&make(name, of, returns));
    }
    test.connect().run(
        "CREATE OPERATOR public.!~ (FUNCTION = public.matches, LEFTARG = name, RIGHTARG = name); \
         CREATE FUNCTION public.pg_partition_tree(oid, OUT relid regclass, OUT isleaf boolean) RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN RAISE 'shadowed'; END $$",
    );
    for what in ["--table users", "--rows users=id<3", "--database full"] {
        test.run(&format!("backup create b {what} --verify restore"))
            .code(0);
    }
    let (id, name) = (newest(&test), test.db.name());
    for what in [
        String::new(),
        format!("--in-place --table users --confirm {name}"),
    ] {
        test.run(&format!("backup restore {id} {what} --dry-run"))
            .code(0);
    }
}

#[test]
fn row_that_somebody_changed_is_not_put_back_since_the_journal_was_restored_with_it() {
    let test = shop().steps(&backed_fix(""));
    test.run("run t --yes").code(0);
    let saved = newest(&test);
    test.connect()
        .run("UPDATE users SET email = 'somebody' WHERE id = 1");
    let name = test.db.name();
    // All rows that come are written by one transaction: those of the journal too.
    test.run("backup create all --database data").code(0);
    test.run(&format!("backup restore all --in-place --confirm {name}"))
        .code(0);
    test.run(&format!("backup restore {saved} --yes"))
        .says("1 row")
        .says("somebody");
    assert_eq!(
        test.rows("SELECT email FROM users WHERE id = 1"),
        "somebody"
    );
}
