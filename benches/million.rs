//! A query of a million rows: the first of them and the count are shown, and memory stays bounded.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod child;
    pub(crate) mod server;
    pub(crate) mod table;
}

use std::path::Path;
use std::process::Command;

use runbook::pg::scratch::Scratch;
use support::table::{Table, ms};
use support::{child, server};

const SETUP: &str = "\
    CREATE TABLE million AS SELECT g AS id, md5(g::text) AS text, now() AS at, g * 1.5 AS amount \
    FROM generate_series(1, 1000000) AS g; \
    VACUUM ANALYZE million";
const QUERY: &str = "SELECT id, text, at, amount FROM million";
const COPY: &str = "COPY million TO STDOUT";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(server) = server::start("").await else {
        return;
    };
    // VACUUM stands alone.
    let client = server::connect(&server).await;
    for statement in SETUP.split("; ") {
        client.batch_execute(statement).await.expect("its rows");
    }
    measure(&server);
}

fn measure(server: &Scratch) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = format!(
        "runbook: million\ntitle: A million rows\nsteps:\n  - query: all\n    sql: {QUERY}\n"
    );
    let file = folder.path().join("million.yaml");
    std::fs::write(&file, text).expect("a runbook");
    let url = server.url("postgres");
    let mut table = Table::new(
        "A query of a million rows",
        "the first rows and the count, with bounded memory",
        &["program", "time", "peak memory"],
    );
    let runbook = || Command::new(env!("CARGO_BIN_EXE_runbook"));
    let mut add = |name: &str, command: &mut Command| {
        let ended = child::run(command);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.line);
        table.row([name.to_owned(), ms(ended.took), ended.memory()]);
    };
    add(
        "runbook query",
        runbook().args(["query", QUERY, "--database-url", &url]),
    );
    add(
        "runbook run",
        runbook()
            .arg("run")
            .arg(&file)
            .args(["--database-url", &url]),
    );
    if Path::new("/usr/bin/psql").exists() {
        let psql = || {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-q", "-d", &url, "-c"]);
            psql
        };
        add("psql -c", psql().arg(QUERY));
        add("psql -c COPY", psql().arg(COPY));
    }
    table.print();
}
