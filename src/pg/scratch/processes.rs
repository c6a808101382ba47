//! Ending a server the hard way.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills a server and its sessions with signals that cannot be caught.
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
    for child in children {
        kill(child, Signal::SIGKILL).unwrap_or(());
    }
}

fn children(parent: i32) -> Vec<Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .map(Pid::from_raw)
        .collect()
}

/// Returns a process's parent, from "pid (name) state ppid …"; the name may hold anything, brackets too.
fn parent_of(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = status.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok()
}
