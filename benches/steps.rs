//! What a run adds to its statements, next to the smallest programs that send the same ones.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod child;
    pub(crate) mod median;
    pub(crate) mod proxy;
    pub(crate) mod server;
    pub(crate) mod table;
}

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use runbook::archive::seal::Keys;
use runbook::base::source::Source;
use runbook::cli::answers::{Answers, Flag, Otherwise};
use runbook::cli::world::RealWorld;
use runbook::engine::cancel::Cancel;
use runbook::engine::driver;
use runbook::engine::event::{Event, Sink};
use runbook::engine::outcome::Outcome;
use runbook::engine::plan::Plan;
use runbook::pg::backup::Site;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::Scratch;
use runbook::pg::session::Session;
use runbook::pg::session::journal::{Keeping, Writer};
use runbook::record::facts::{Facts, Place};
use runbook::record::run::RunRecord;
use runbook::report::secret::Redactor;
use runbook::runbook::check;
use support::child::Ended;
use support::median::median;
use support::proxy::Proxy;
use support::table::{Table, ms};
use support::{child, server};
use tokio_postgres::Client;

const REPEATS: usize = 7;

const SETUP: &str = "\
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL); \
    INSERT INTO accounts SELECT g, 0 FROM generate_series(1, 1000) AS g";

/// A kind of run.
struct Case {
    name: &'static str,
    steps: u32,
    /// What surrounds a bare statement.
    begin: &'static str,
    statement: fn(u32) -> String,
    runbook: fn(&[String]) -> String,
}

const CASES: [Case; 3] = [
    Case {
        name: "200 queries of one row",
        steps: 200,
        begin: "BEGIN READ ONLY",
        statement: |step| format!("SELECT id, balance FROM accounts WHERE id = {}", step + 1),
        runbook: queries,
    },
    Case {
        name: "200 queries of 500 rows",
        steps: 200,
        begin: "BEGIN READ ONLY",
        statement: |step| format!("SELECT id, balance FROM accounts WHERE id > {step} LIMIT 500"),
        runbook: queries,
    },
    Case {
        name: "50 fixes of one row",
        steps: 50,
        begin: "BEGIN",
        statement: |step| {
            format!(
                "UPDATE accounts SET balance = balance + 1 WHERE id = {}",
                step + 1
            )
        },
        runbook: fixes,
    },
];

fn queries(statements: &[String]) -> String {
    let mut text = String::from("runbook: steps\ntitle: Queries\nsteps:\n");
    for (step, statement) in statements.iter().enumerate() {
        let _ = writeln!(text, "  - query: q{step}\n    sql: {statement}");
    }
    text
}

fn fixes(statements: &[String]) -> String {
    let mut text =
        String::from("runbook: steps\ntitle: Fixes\nsteps:\n  - confirm: go\n    ask: Go?\n");
    for (step, statement) in statements.iter().enumerate() {
        let _ = writeln!(text, "  - fix: f{step}\n    sql: {statement}\n    rows: 1");
    }
    text + "  - check: after\n    sql: SELECT count(*) AS n FROM accounts\n    that: n == 1000\n"
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(server) = server::start(SETUP).await else {
        return;
    };
    for case in &CASES {
        Box::pin(measure(&server, case)).await;
    }
}

async fn measure(server: &Scratch, case: &Case) {
    let statements: Vec<String> = (0..case.steps).map(case.statement).collect();
    let text = (case.runbook)(&statements);
    let client = server::connect(server).await;
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut memory = String::new();
    // All ways in turn, so that what else the machine does meets each of them.
    for _ in 0..REPEATS {
        times[0].push(one_by_one(&client, case.begin, &statements).await);
        times[1].push(at_once(&client, case.begin, &statements).await);
        times[2].push(Box::pin(library(server, &text)).await);
        let ended = binary(&server.url("postgres"), &text);
        times[3].push(ended.took);
        memory = ended.memory();
    }
    let ways = [
        "bare, one after the other",
        "bare, in one flight",
        "runbook, library",
        "runbook, program",
    ];
    let mut table = Table::new(
        &format!("A run of {}, the median of {REPEATS}", case.name),
        "less than 1 ms a step more than the bare statements",
        &["way", "a step", "more than bare", "ratio"],
    );
    let medians = times.map(median);
    for (way, time) in ways.iter().zip(medians) {
        let (each, bare) = (per_step(time, case), per_step(medians[0], case));
        table.row([
            (*way).to_owned(),
            ms(time / case.steps),
            format!("{:+.3} ms", each - bare),
            format!("{:.2}", each / bare),
        ]);
    }
    table.print();
    let trips = trips(server, case);
    println!("\n  round trips a step: {trips:.2} (bare: 3); peak memory of the program: {memory}");
}

fn per_step(time: Duration, case: &Case) -> f64 {
    time.as_secs_f64() * 1e3 / f64::from(case.steps)
}

/// Runs each statement in a transaction, and waits for every answer.
async fn one_by_one(client: &Client, begin: &str, statements: &[String]) -> Duration {
    let started = Instant::now();
    for statement in statements {
        client.batch_execute(begin).await.expect("a beginning");
        rows(client, statement).await;
        client.batch_execute("COMMIT").await.expect("an end");
    }
    started.elapsed()
}

/// Runs each statement in a transaction that goes to the server in one piece.
async fn at_once(client: &Client, begin: &str, statements: &[String]) -> Duration {
    let started = Instant::now();
    for statement in statements {
        let (first, (), last) = tokio::join!(biased;
            client.batch_execute(begin),
            rows(client, statement),
            client.batch_execute("COMMIT")
        );
        first.and(last).expect("a transaction");
    }
    started.elapsed()
}

async fn rows(client: &Client, statement: &str) {
    let none: [(i32, tokio_postgres::types::Type); 0] = [];
    let rows = client.query_typed_raw(statement, none).await;
    let mut rows = std::pin::pin!(rows.expect("rows"));
    while rows.try_next().await.expect("a row").is_some() {}
}

/// Runs a runbook by the engine itself; nobody listens.
async fn library(server: &Scratch, text: &str) -> Duration {
    let source = Source::new("steps.yaml", text);
    let proved = check::check(&source, &|_| None).expect("a valid runbook");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Each time it is the first. A session learns as it connects whether there is a journal.
    let journal = "DROP SCHEMA IF EXISTS runbook CASCADE";
    let client = server::connect(server).await;
    client.batch_execute(journal).await.expect("no journal");
    let mut session = Session::connect(&server.settings("postgres"), None)
        .await
        .expect("a session");
    session.set_writer(Writer {
        run: RUN.to_owned(),
        runbook: "steps".to_owned(),
        hash: String::new(),
        actor: "bench".to_owned(),
        keeping: Keeping::Database,
    });
    let plan = Plan {
        pace: runbook::engine::pace::Pace::default(),
        policy: runbook::policy::rules::Policy::default(),
        previous: None,
        salt: String::new(),
        proved,
        arguments: BTreeMap::new(),
        dry_run: false,
        run: RUN.to_owned(),
        hash: String::new(),
        actor: "bench".to_owned(),
    };
    let answers = Answers {
        given: BTreeMap::new(),
        otherwise: Otherwise::Yes,
        person: false,
        flag: Flag::Yes,
        actor: "bench".to_owned(),
    };
    let record = RunRecord::create(folder.path(), &facts()).expect("a record");
    let site = Site {
        folder: folder.path().join("backups"),
        environment: Environment::empty(),
        jobs: 1,
        keys: Keys::default(),
        made: Arc::default(),
        needed: runbook::pg::backup::Needed::default(),
        keep: None,
        encrypt: Vec::new(),
    };
    let mut world = RealWorld {
        folder: folder.path().to_owned(),
        site,
        record: Some(record),
        redactor: Redactor::default(),
        session,
        answers,
        sink: Box::new(Silent),
    };
    let started = Instant::now();
    let finished = Box::pin(driver::run(&plan, &mut world, Cancel::never()))
        .await
        .expect("a record")
        .expect("a run");
    let took = started.elapsed();
    assert_eq!(finished.outcome, Outcome::Done, "{}", finished.says);
    took
}

const RUN: &str = "bench";

fn facts() -> Facts {
    Facts {
        format: Facts::FORMAT,
        program: Facts::PROGRAM.to_owned(),
        run: RUN.to_owned(),
        runbook: "steps".to_owned(),
        texts: Vec::new(),
        params: BTreeMap::new(),
        secrets: Vec::new(),
        dry_run: false,
        journal: Place::Database,
        target: runbook::engine::event::TargetFacts::default(),
        actor: "bench".to_owned(),
        undo_of: None,
        previous: None,
        salt: String::new(),
    }
}

struct Silent;

impl Sink for Silent {
    fn take(&mut self, _: &Event) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a runbook by the program: start-up, checking and connecting are part of it.
fn binary(url: &str, text: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("steps.yaml");
    std::fs::write(&file, text).expect("a runbook");
    let ended = child::run(
        Command::new(env!("CARGO_BIN_EXE_runbook"))
            .arg("run")
            .arg(file)
            .args(["--yes", "--database-url", url, "--state-dir"])
            .arg(folder.path().join("state")),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.line);
    ended
}

/// Returns the round trips that one step more costs.
fn trips(server: &Scratch, case: &Case) -> f64 {
    let proxy = Proxy::new(server.path());
    let count = |steps: u32| {
        let statements: Vec<String> = (0..steps).map(case.statement).collect();
        binary(&proxy.url("postgres"), &(case.runbook)(&statements));
        u32::try_from(proxy.trips()).map_or(f64::NAN, f64::from)
    };
    (count(11) - count(1)) / 10.0
}
