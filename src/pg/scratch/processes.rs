//! Ending a server the hard way.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to be gone once it is killed: it may be writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills a server and its sessions with signals that cannot be caught, and waits until the sessions are gone: while
/// one of them holds the shared memory, no server starts on the same data.
///
/// The server's children lead process groups of their own, so they are looked up; the server is halted meanwhile,
/// lest it starts more. Where there is no /proc, they end by themselves once they notice that the server is gone.
pub(super) fn kill_tree(server: u32) {
    let Ok(raw) = i32::try_from(server) else {
        return;
    };
    let server = Pid::from_raw(raw);
    // Each may have ended on its own: a failure means that there is nothing left to do.
    kill(server, Signal::SIGSTOP).unwrap_or(());
    let children = children(raw);
    kill(server, Signal::SIGKILL).unwrap_or(());
    for child in &children {
        kill(*child, Signal::SIGKILL).unwrap_or(());
    }
    let deadline = Instant::now() + PATIENCE;
    while children.iter().any(|child| is_alive(*child)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns whether a process still holds anything: one that nobody has waited for yet does not.
fn is_alive(pid: Pid) -> bool {
    stat(pid.as_raw()).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children(parent: i32) -> Vec<Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .map(Pid::from_raw)
        .collect()
}

/// Returns a process's state and parent, from "pid (name) state ppid …"; the name may hold anything, brackets too.
fn stat(pid: i32) -> Option<(char, i32)> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = status.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
