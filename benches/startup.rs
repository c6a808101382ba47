//! How long the program takes to start, next to one that does nothing but print a line.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod median;
    pub(crate) mod table;
}

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::median::median;
use support::table::{Table, ms};

const SPAWNS: usize = 100;

const RUNBOOK: &str = "\
runbook: startup
title: Look at an account
params:
  account: { type: bigint }
steps:
  - query: found
    sql: SELECT id, name, balance FROM accounts WHERE id = {{ account }}
    rows: 1
  - check: solvent
    that: found.balance >= 0
";

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("startup.yaml"), RUNBOOK).expect("a runbook");
    let hello = hello(folder.path());
    let runbook = Path::new(env!("CARGO_BIN_EXE_runbook"));
    let programs: [(&str, &Path, &[&str]); 4] = [
        ("hello world", &hello, &[]),
        ("runbook --version", runbook, &["--version"]),
        ("runbook check FILE", runbook, &["check", "startup.yaml"]),
        ("runbook list", runbook, &["list"]),
    ];
    let mut times = programs.map(|_| Vec::new());
    // One after the other in turn, so that what else the machine does meets all of them.
    for _ in 0..SPAWNS {
        for (times, (_, program, args)) in times.iter_mut().zip(&programs) {
            times.push(spawn(program, args, folder.path()));
        }
    }
    let mut table = Table::new(
        &format!("Start-up: the median of {SPAWNS} spawns"),
        "within a few milliseconds of hello world",
        &["program", "median", "more than hello world"],
    );
    let medians = times.map(median);
    for ((name, ..), time) in programs.iter().zip(medians) {
        let more = time.saturating_sub(medians[0]);
        table.row([(*name).to_owned(), ms(time), ms(more)]);
    }
    table.print();
}

/// Compiles the smallest program there is to compare with.
fn hello(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("hello.rs"), folder.join("hello"));
    std::fs::write(&source, "fn main() { println!(\"hello\"); }").expect("its source");
    let compiled = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["-O", "-o"])
        .args([&program, &source])
        .status()
        .expect("rustc");
    assert!(compiled.success(), "hello world does not compile");
    program
}

fn spawn(program: &Path, args: &[&str], folder: &Path) -> Duration {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("the program");
    let took = started.elapsed();
    assert!(status.success(), "{} {args:?}: {status}", program.display());
    took
}
