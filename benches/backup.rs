//! What a backup of tables costs and what it takes to restore it, next to `pg_dump` and `pg_restore`: times, sizes
//! on disk, and memory. `BACKUP_MB` says how large the tables are in all, in MB.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod child;
    pub(crate) mod server;
    pub(crate) mod table;
}

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use runbook::pg::binaries::Binaries;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::Scratch;
use support::child::{self, Ended};
use support::server;
use support::table::{Table, ms};

/// How large the tables are when nobody says it, in MB.
const SIZE: u64 = 300;

const TABLES: [&str; 3] = ["orders", "events", "people"];

/// What makes the tables, `{N}` the number of MB that they have in all.
const SETUP: &str = "\
    CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, total numeric(12,2), state text, note text, at timestamptz); \
    INSERT INTO orders SELECT g, g::bigint * 7919 % 100003, g % 1000003 / 100.0, (ARRAY['open','paid','shipped','closed'])[1 + g % 4], \
      'order of customer ' || md5(g::text) || ' by post', now() - g * interval '13 s' FROM generate_series(1, 3400 * {N}) g; \
    CREATE TABLE events (id bigint PRIMARY KEY, kind text, payload jsonb, at timestamp); \
    INSERT INTO events SELECT g, 'kind ' || g % 20, jsonb_build_object('user', g % 5000, 'path', '/a/b/' || md5(g::text), \
      'ms', g % 977, 'ok', g % 3 = 0), '2026-01-01'::timestamp + g * interval '1 s' FROM generate_series(1, 2100 * {N}) g; \
    CREATE TABLE people (id uuid PRIMARY KEY, name text, mail text, born date, score float8, bio text); \
    INSERT INTO people SELECT md5(g::text || 'x')::uuid, 'Name ' || md5(g::text), md5((g::bigint * 7)::text) || '@example.com', \
      '1950-01-01'::date + (g % 20000)::int, g / 7.0::float8, repeat('lorem ipsum ' || g || ', ', 6) FROM generate_series(1, 1000 * {N}) g; \
    CREATE INDEX ON orders (customer)";

/// One way to save or restore.
struct Way {
    name: &'static str,
    took: Duration,
    memory: String,
    /// Bytes on disk.
    size: Option<u64>,
}

/// Where everything is.
struct Ground {
    server: Scratch,
    tools: PathBuf,
    folder: tempfile::TempDir,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let size = std::env::var("BACKUP_MB").ok();
    let size: u64 = size.and_then(|text| text.parse().ok()).unwrap_or(SIZE);
    let Some(server) = server::start("SELECT 1").await else {
        return;
    };
    let client = server::connect(&server).await;
    let setup = SETUP.replace("{N}", &size.to_string());
    let started = Instant::now();
    client.batch_execute(&setup).await.expect("tables");
    for then in ["VACUUM ANALYZE", "CHECKPOINT"] {
        client.batch_execute(then).await.expect(then);
    }
    println!(
        "tables of about {size} MB, made in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    let binaries = Binaries::find(&Environment::from_process()).expect("PostgreSQL's programs");
    let ground = Ground {
        tools: binaries.folder().to_owned(),
        folder: tempfile::tempdir().expect("a temporary folder"),
        server,
    };
    print(
        "Saving three tables",
        "ours faster than pg_dump -Fd -j2, and far faster than pg_dump | gzip",
        &ground.saved(),
    );
    for database in ["theirs", "ours"] {
        let drop = format!("DROP DATABASE IF EXISTS {database}");
        client.batch_execute(&drop).await.expect("no database");
    }
    client
        .batch_execute("CREATE DATABASE theirs")
        .await
        .expect("a database");
    print(
        "Restoring them into a new database",
        "ours faster than pg_restore -j2",
        &ground.restored(),
    );
}

impl Ground {
    fn saved(&self) -> Vec<Way> {
        let plain = self.path("plain.sql.gz");
        let pipe = format!(
            "'{}' -h '{}' -U postgres {} postgres | gzip > '{}'",
            self.tools.join("pg_dump").display(),
            self.server.path().display(),
            names("-t"),
            plain.display()
        );
        let piped = run(Command::new("sh").args(["-c", &pipe]));
        let folder = self.path("folder");
        let mut dump = self.tool("pg_dump");
        dump.args(["-Fd", "-j2", "-f"]).arg(&folder);
        dump.args(names("-t").split(' ')).arg("postgres");
        let dumped = run(&mut dump);
        let mut create = self.ours("create");
        create.args(["bench", "--jobs", "2"]);
        create.args(names("--table").split(' '));
        let made = run(&mut create);
        let mut verify = self.ours("verify");
        let read = run(verify.arg("bench"));
        let own = Some(bytes(&self.path("backups")));
        let way = |name, ended: &Ended, size| Way {
            name,
            took: ended.took,
            memory: ended.memory(),
            size,
        };
        vec![
            // The peak would be the shell's.
            Way {
                memory: "-".to_owned(),
                ..way("pg_dump | gzip", &piped, Some(bytes(&plain)))
            },
            way("pg_dump -Fd -j2", &dumped, Some(bytes(&folder))),
            way("ours, read back and compared", &made, own),
            Way {
                took: made.took.saturating_sub(read.took),
                ..way("  without that: the difference", &made, own)
            },
            way("  that alone: backup verify", &read, own),
        ]
    }

    fn restored(&self) -> Vec<Way> {
        let mut theirs = self.tool("pg_restore");
        theirs
            .args(["-j2", "-d", "theirs"])
            .arg(self.path("folder"));
        let theirs = run(&mut theirs);
        let mut ours = self.ours("restore");
        let ours = run(ours.args(["bench", "--into", "ours", "--jobs", "2", "--yes"]));
        let way = |name, ended: Ended| Way {
            name,
            took: ended.took,
            memory: ended.memory(),
            size: None,
        };
        vec![
            way("pg_restore -j2", theirs),
            way("ours, compared and analyzed", ours),
        ]
    }

    /// Returns one of PostgreSQL's programs on the server.
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.tools.join(name));
        command
            .arg("-h")
            .arg(self.server.path())
            .args(["-U", "postgres"]);
        command
    }

    /// Returns a command of ours about backups.
    fn ours(&self, what: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .env("HOME", self.folder.path())
            .args(["backup", what, "--database-url"])
            .arg(self.server.url("postgres"))
            .arg("--folder")
            .arg(self.path("backups"));
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Returns the tables as arguments.
fn names(option: &str) -> String {
    TABLES.map(|table| format!("{option} {table}")).join(" ")
}

/// Runs a program that must do its work.
fn run(command: &mut Command) -> Ended {
    let ended = child::run(command);
    assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.line);
    ended
}

/// Returns how many bytes a file or all files of a folder have.
fn bytes(path: &Path) -> u64 {
    if path.is_file() {
        return path.metadata().expect("its size").len();
    }
    let entries = std::fs::read_dir(path).expect("a folder");
    entries
        .map(|entry| bytes(&entry.expect("a file").path()))
        .sum()
}

fn print(title: &str, target: &str, ways: &[Way]) {
    let header = ["way", "time", "on disk", "peak memory"];
    let mut table = Table::new(title, target, &header);
    for way in ways {
        let size = way
            .size
            .map_or_else(|| "-".to_owned(), |size| format!("{} MB", size / 1_000_000));
        table.row([way.name.to_owned(), ms(way.took), size, way.memory.clone()]);
    }
    table.print();
}
