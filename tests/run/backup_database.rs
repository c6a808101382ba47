//! Backups of whole databases, by `pg_dump`: made, proved, restored, and put in the place of what they are of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::server::Connection;
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
    let ran = test.ran(&command.output().unwrap()).code(10);
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

#[test]
fn the_structure_alone_and_the_data_alone_are_saved() {
    let test = Test::sql(SETUP);
    test.run("backup create s --database schema").code(0);
    test.run("backup create d --database data").code(0);
    let into = format!("{}_structure", test.db.name());
    test.run(&format!("backup restore s --into {into} --yes"))
        .code(0);
    let rows = elsewhere(&into).rows("SELECT count(*) FROM users");
    elsewhere("postgres").run(&format!("DROP DATABASE {into}"));
    assert_eq!(rows, "0");
    test.run(&format!("backup restore d --into {into} --yes"))
        .says("holds data alone");
}

#[test]
fn case_44_a_flipped_bit_in_a_dump_is_found() {
    let test = backed();
    let folder = only(&test);
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let dump = folder.join("dump");
    let mut files: Vec<PathBuf> = fs::read_dir(&dump)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    for path in files {
        let good = fs::read(&path).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            test.run(&format!("backup verify {id}")).says("damaged");
        }
        fs::write(&path, &good).unwrap();
    }
    test.run(&format!("backup verify {id} --restore")).code(0);
}

#[test]
fn case_45_a_tool_that_dies_midway_leaves_no_backup() {
    let test = Test::sql(SETUP);
    let dies = "case $1 in --version) exec REAL --version;; esac\nREAL \"$@\"\necho \"it died, password=$PGUSER\" >&2; exit 1";
    fails(&test, dies)
        .says("pg_dump failed with exit code 1")
        .says("it died, password=•••");
}

#[test]
fn case_45_a_tool_that_says_all_is_well_is_not_believed() {
    let test = Test::sql(SETUP);
    let begin = "case $1 in --version) exec REAL --version;; esac\n";
    fails(&test, &format!("{begin}exit 0")).says("wrote no dump");
    // The last argument is the folder of the dump; its largest file is cut.
    let cuts = "REAL \"$@\" || exit\nfor last; do :; done\ncd \"$last\"\nlargest=$(ls -S *.dat.gz | head -1)\n\
        truncate -s $(($(stat -c %s $largest) / 2)) $largest";
    fails(&test, &format!("{begin}{cuts}")).says("damaged");
    let loses =
        "REAL \"$@\" || exit\nfor last; do :; done\ncd \"$last\"\nrm $(ls -S *.dat.gz | head -1)";
    fails(&test, &format!("{begin}{loses}")).says("damaged");
}

#[test]
fn case_45_a_tool_that_is_older_or_missing_is_told_with_what_to_install() {
    let test = Test::sql(SETUP);
    fails(&test, "echo 'pg_dump (PostgreSQL) 12.1'")
        .says("too old for PostgreSQL")
        .says("is pg_dump (PostgreSQL) 12.1")
        .says("apt-get install postgresql-client-");
    fails(&test, "exit 3")
        .says("there are no working pg_dump and pg_restore in $RUNBOOK_PG_BIN")
        .says("pg_dump does not run");
    let mut command = test.command(["backup", "create", "b", "--database", "full"]);
    command.env("RUNBOOK_PG_BIN", test.root().join("nothing"));
    test.ran(&command.output().unwrap())
        .code(10)
        .says("there are no working pg_dump and pg_restore");
}

#[test]
fn case_45_a_tool_that_hangs_is_ended_with_all_that_it_started() {
    let test = Test::sql(SETUP);
    let mark = test.root().join("mark");
    let hangs = format!(
        "case $1 in --version) exec REAL --version;; esac\nsleep 61 & echo $! > {0}.new; mv {0}.new {0}; wait",
        mark.display()
    );
    let folder = faked(&test, &hangs);
    for is_killed in [false, true] {
        let mut command = test.command(["backup", "create", "b", "--database", "full"]);
        command.env("RUNBOOK_PG_BIN", &folder);
        let mut child = command.spawn().unwrap();
        Test::wait(|| mark.exists());
        let pid = fs::read_to_string(&mark).unwrap();
        let running = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
        let is_there = || fs::read(&running).is_ok_and(|line| !line.is_empty());
        assert!(is_there());
        if is_killed {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()),
                nix::sys::signal::Signal::SIGINT,
            )
            .unwrap();
            let ran = test.ran(&child.wait_with_output().unwrap());
            assert_eq!(kept(&test), Vec::<String>::new(), "{ran}");
        }
        Test::wait(|| !is_there());
        fs::remove_file(&mark).unwrap();
    }
    // What a killed program left is swept by the next one.
    test.run("backup create b --database full").code(0);
    only(&test);
}

#[test]
fn a_database_in_the_place_of_another_has_its_name_its_rights_and_its_settings() {
    let test = Test::sql(SETUP);
    let db = test.db.name();
    test.connect().run(&format!(
        "CREATE ROLE {db}_reader; REVOKE ALL ON DATABASE {db} FROM PUBLIC; GRANT CONNECT ON DATABASE {db} TO {db}_reader; \
         ALTER DATABASE {db} SET search_path = \"My Schema\", public; ALTER DATABASE {db} SET my.setting = 'it''s'; \
         ALTER ROLE {db}_reader IN DATABASE {db} SET work_mem = '7MB'; COMMENT ON DATABASE {db} IS 'it''s ours'; \
         ALTER DATABASE {db} CONNECTION LIMIT 50; GRANT SELECT ON users TO {db}_reader; ALTER TABLE orders OWNER TO {db}_reader"
    ));
    let facts = format!(
        "SELECT datacl, datconnlimit, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba), datallowconn, \
           (SELECT string_agg(setrole::regrole || ' ' || setconfig::text, ';' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) \
         FROM pg_database d WHERE datname = '{db}'"
    );
    test.run("backup create b --database full").code(0);
    let (facts_before, rows_before) = (test.rows(&facts), contents(db));
    test.connect()
        .run("UPDATE public.users SET name = 'changed'; DROP TABLE public.empty CASCADE");
    let other = test.connect();
    test.run(&format!("backup restore b --in-place --confirm {db}"))
        .code(0);
    drop(other);
    assert_eq!(contents(db), rows_before);
    assert_eq!(test.rows(&facts), facts_before);
    let of = "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'";
    assert_eq!(test.rows(of), format!("{db}_reader"));
    let postgres = elsewhere("postgres");
    let aside = postgres.rows(&format!(
        "SELECT datname FROM pg_database WHERE datname LIKE '{db}\\_%' AND datname <> '{db}'"
    ));
    assert!(contents(&aside).contains("users: 3004"), "{aside}");
    assert_eq!(
        elsewhere(&aside).rows("SELECT count(*) FROM public.users WHERE name = 'changed'"),
        "3004"
    );
    postgres.run(&format!("DROP DATABASE {aside}"));
    postgres.run(&format!("DROP DATABASE {db} WITH (FORCE)"));
    postgres.run(&format!("DROP ROLE {db}_reader"));
}

/// A `pg_restore` that takes its time before it ends, in the only folder that is looked at.
fn slow(test: &Test) -> PathBuf {
    let folder = faked(test, "exec REAL \"$@\"");
    let restore = folder.join("pg_restore");
    let script = fs::read_to_string(&restore).unwrap();
    let slow = script.replace("exec ", "case \"$*\" in *--jobs*) SLOW=1;; esac\n")
        + "[ -z \"$SLOW\" ] || sleep 62\n";
    fs::write(&restore, slow).unwrap();
    folder
}

#[test]
fn case_50_a_restore_that_is_killed_leaves_the_source_as_it_was() {
    let test = backed();
    let before = test.contents();
    let oid = test.rows("SELECT oid FROM pg_database WHERE datname = current_database()");
    let folder = slow(&test);
    let into = format!("{}_never", test.db.name());
    let in_place = format!("backup restore b --in-place --confirm {}", test.db.name());
    let new = format!("backup restore b --into {into} --yes");
    let postgres = elsewhere("postgres");
    for (way, owner) in [(new.as_str(), "killed_1"), (&in_place, "killed_2")] {
        // A role of its own tells its databases from those of other tests.
        let role = format!("{}_{owner}", test.db.name());
        postgres.run(&format!("CREATE ROLE {role} SUPERUSER LOGIN"));
        let url = test.db.url().replace("postgres@", &format!("{role}@"));
        let mut command = test.bare(way.split(' '));
        command
            .args(["--database-url", &url])
            .env("RUNBOOK_PG_BIN", &folder);
        let mut child = command.spawn().unwrap();
        let mine = format!(
            "FROM pg_database WHERE datname LIKE 'runbook_restoring_%' AND datdba = '{role}'::regrole"
        );
        test.until(&format!("SELECT count(*) = 1 {mine}"));
        // All of it is there, and it is about to get its name.
        let restoring = postgres.rows(&format!("SELECT datname {mine}"));
        let is_full = || {
            elsewhere(&restoring).rows("SELECT count(*) FROM pg_class WHERE relname = 'orders_of_fkey' OR relname = 'orders'") != "0"
        };
        Test::wait(is_full);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(test.contents(), before);
        let still =
            "SELECT oid FROM pg_database WHERE datname = current_database() AND datallowconn";
        assert_eq!(test.rows(still), oid);
        // Whatever it started ends with it; long enough afterwards the next restore drops what it left.
        test.until(&format!(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = '{restoring}'"
        ));
        let old = format!("runbook_restoring_1_{role}");
        postgres.run(&format!("ALTER DATABASE {restoring} RENAME TO {old}"));
        test.run(&format!("backup restore b --into {into} --yes"))
            .code(0);
        assert_eq!(postgres.rows(&format!("SELECT count(*) {mine}")), "0");
        postgres.run(&format!("DROP DATABASE {into}"));
        postgres.run(&format!("DROP ROLE {role}"));
    }
}

#[test]
fn an_encrypted_dump_is_proved_and_restored_and_has_no_plain_file() {
    let test = Test::sql(SETUP).file("phrase", "correct horse\n");
    test.run("backup create b --database full --passphrase-file phrase")
        .code(0);
    for entry in fs::read_dir(only(&test).join("dump")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|end| end == "age"), "{path:?}");
        assert!(
            fs::read(&path)
                .unwrap()
                .starts_with(b"age-encryption.org/v1")
        );
    }
    test.run("backup verify b --restore --passphrase-file phrase")
        .code(0);
    let ran =
        test.run("backup restore b --table users --as users_before --yes --passphrase-file phrase");
    ran.code(0);
    assert_eq!(
        test.rows("SELECT count(*) FROM (SELECT name FROM users EXCEPT ALL SELECT name FROM users_before) AS d"),
        "0"
    );
}

#[test]
fn case_50_a_swap_that_is_killed_leaves_the_source_its_name_and_its_connections() {
    let test = backed();
    let db = test.db.name();
    let (before, postgres) = (test.contents(), elsewhere("postgres"));
    let oid = test.rows("SELECT oid FROM pg_database WHERE datname = current_database()");
    // Whoever holds this lock has the swap wait where it is about to change the name.
    let holder = elsewhere("postgres");
    holder.run(&format!("BEGIN; COMMENT ON DATABASE {db} IS 'held'"));
    let running = test.start(&format!("backup restore b --in-place --confirm {db}"));
    test.until(&format!(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE {db} RENAME%'"
    ));
    let restored = postgres.rows(&format!(
        "SELECT d.datname FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.classid = 'pg_database'::regclass \
         JOIN pg_database d ON d.oid = l.objid WHERE a.query LIKE 'ALTER DATABASE {db} RENAME%' AND d.datname LIKE 'runbook_restoring%'"
    ));
    running.kill();
    holder.run("ROLLBACK");
    let waiting = format!(
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE {db} RENAME%' AND state = 'active' AND pid <> pg_backend_pid()"
    );
    Test::wait(|| postgres.rows(&waiting) == "t");
    let now = "SELECT oid FROM pg_database WHERE datname = current_database() AND datallowconn";
    assert_eq!(test.rows(now), oid);
    assert_eq!(test.contents(), before);
    // The next restore drops it after a minute; others look for what is left before.
    postgres.run(&format!("DROP DATABASE {restored}"));
}
