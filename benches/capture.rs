//! What it costs to capture the rows of a fix and to put them back, next to the same UPDATE in a transaction of
//! its own.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod median;
    pub(crate) mod server;
    pub(crate) mod table;
}

use std::time::{Duration, Instant};

use runbook::engine::cancel::Cancel;
use runbook::engine::journal::{Entry, Terms, Undo, Unit};
use runbook::engine::port::{Bound, Close, Limits};
use runbook::pg::scratch::Scratch;
use runbook::pg::session::Session;
use runbook::pg::session::journal::{Keeping, Writer};
use runbook::runbook::model::StepId;
use runbook::sql::statement::Statement;
use runbook::step::rollback::OnConflict;
use support::median::median;
use support::server;
use support::table::{Table, ms};
use tokio_postgres::Client;

const REPEATS: usize = 5;

const SETUP: &str = "\
    CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, total numeric(12,2), state text, at timestamptz); \
    INSERT INTO orders SELECT g, 'customer ' || g % 1000, g * 1.5, 'open', now() FROM generate_series(1, 100000) AS g";

const UPDATE: &str = "UPDATE orders SET state = 'closed', total = total + 1 WHERE id <= ";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(server) = server::start(SETUP).await else {
        return;
    };
    for rows in [1, 1_000, 100_000] {
        measure(&server, rows).await;
    }
}

async fn measure(server: &Scratch, rows: u32) {
    let client = server::connect(server).await;
    let mut session = session(server).await;
    let sql = format!("{UPDATE}{rows}");
    let mut times: [Vec<Duration>; 3] = Default::default();
    // All ways in turn; what they leave behind is cleaned up between them.
    for part in 0..REPEATS {
        vacuum(&client).await;
        let started = Instant::now();
        client.batch_execute("BEGIN").await.expect("a beginning");
        client.execute(&sql, &[]).await.expect("an update");
        client.batch_execute("COMMIT").await.expect("an end");
        times[0].push(started.elapsed());
        vacuum(&client).await;
        let entry = entry(rows, part);
        times[1].push(Box::pin(fix(&mut session, &entry, &sql, rows)).await);
        vacuum(&client).await;
        times[2].push(Box::pin(undo(&mut session, &entry, rows)).await);
    }
    let times = times.map(median);
    let mut table = Table::new(
        &format!("An UPDATE of {rows} rows, the median of {REPEATS}"),
        "less than 3 times as long as the plain one where there are many",
        &["way", "time", "rows/s", "ratio"],
    );
    for (way, time) in ["plain", "captured", "put back"].into_iter().zip(times) {
        table.row([
            way.to_owned(),
            ms(time),
            format!("{:.0}", f64::from(rows) / time.as_secs_f64()),
            format!("{:.2}", time.as_secs_f64() / times[0].as_secs_f64()),
        ]);
    }
    table.print();
    println!("\n  peak memory so far: {}", peak());
}

async fn session(server: &Scratch) -> Session {
    let mut session = Session::connect(&server.settings("postgres"), None)
        .await
        .expect("a session");
    session.set_writer(Writer {
        run: "bench".to_owned(),
        runbook: "bench".to_owned(),
        hash: String::new(),
        actor: "bench".to_owned(),
        keeping: Keeping::Database,
    });
    session
}

async fn vacuum(client: &Client) {
    let clean = client.batch_execute("VACUUM ANALYZE orders").await;
    clean.expect("a clean table");
}

fn entry(rows: u32, part: usize) -> Entry {
    Entry {
        run: format!("bench-{rows}"),
        unit: Unit {
            step: StepId(0),
            item: Some(part),
            part: 0,
        },
        name: "fix".to_owned(),
        undo: false,
    }
}

fn limits() -> Limits {
    Limits {
        deadline: None,
        cancel: Cancel::never(),
    }
}

async fn fix(session: &mut Session, entry: &Entry, sql: &str, rows: u32) -> Duration {
    let limits = limits();
    let terms = Terms {
        step: StepId(0),
        undo: Undo::Images,
        tables: None,
        ignore: Vec::new(),
        row_security: false,
    };
    let bound = Bound {
        statement: Statement::parse(sql).expect("a statement"),
        binds: Vec::new(),
    };
    let started = Instant::now();
    session.open();
    session.record(entry, &limits).await.expect("an entry");
    let changed = session.change(&bound, &terms, &limits).await;
    assert_eq!(changed.expect("changes").count, u64::from(rows));
    session.settle(&limits).await.expect("no more changes");
    session.close(Close::Commit, &limits).await.expect("an end");
    started.elapsed()
}

async fn undo(session: &mut Session, entry: &Entry, rows: u32) -> Duration {
    let limits = limits();
    let started = Instant::now();
    session.open();
    let undoing = entry.undoing();
    session.record(&undoing, &limits).await.expect("an entry");
    let restored = session
        .restore(entry, None, OnConflict::Stop, &limits)
        .await;
    assert_eq!(restored.expect("rows").rows, u64::from(rows));
    session.settle(&limits).await.expect("no more changes");
    session.close(Close::Commit, &limits).await.expect("an end");
    started.elapsed()
}

/// Returns the most memory that this process had so far; only Linux tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "-".to_owned(), |line| line.trim().to_owned())
}
