//! Child processes: how long they take, and how much memory.

use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a process ended.
pub(crate) struct Ended {
    /// How long it took.
    pub(crate) took: Duration,
    /// The most memory that it had, in MB, where the system tells.
    pub(crate) peak: Option<f64>,
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// The first line of what it wrote.
    pub(crate) line: String,
}

impl Ended {
    /// Returns its peak of memory as text.
    pub(crate) fn memory(&self) -> String {
        self.peak
            .map_or_else(|| "-".to_owned(), |peak| format!("{peak:.0} MB"))
    }
}

/// Runs a program to its end; both its outputs go to a file.
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut output = tempfile::tempfile().expect("a temporary file");
    let both = || Stdio::from(output.try_clone().expect("the same file"));
    command.stdin(Stdio::null()).stdout(both()).stderr(both());
    let started = Instant::now();
    let mut child = command.spawn().expect("the program");
    let mut peak = None;
    let code = loop {
        // What the system knows of its memory goes with it, so it is asked until then.
        peak = memory(child.id()).or(peak);
        if let Some(status) = child.try_wait().expect("its status") {
            break status.code();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = started.elapsed();
    let mut text = Vec::new();
    output.rewind().expect("its output");
    output
        .take(4096)
        .read_to_end(&mut text)
        .expect("its output");
    let text = String::from_utf8_lossy(&text);
    Ended {
        took,
        peak,
        code,
        line: text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// Returns the most memory that a process had so far, in MB; only Linux tells.
fn memory(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
