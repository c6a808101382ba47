//! A process that cleans up after us when we cannot: it reads from a pipe whose other end only we hold, so it learns
//! of our end however it comes.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits for a line or the pipe's end. A line: the server has been stopped in order, and nothing is left to do. The
/// end: stop the server that `$1/data/postmaster.pid` names, provided that this process is about our folder, and
/// remove the folder unless `$2` is `keep`. It is tried for a while because initdb, or a server that has not yet
/// written its file, may still be at work in the folder.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT PIPE
read -r line && exit 0
is_ours() {
    if [ -r "/proc/$1/cmdline" ]; then
        tr '\0' ' ' <"/proc/$1/cmdline"
    else
        ps -o command= -p "$1"
    fi | grep -qF "$folder/data"
}
folder=$1
round=0
while [ -d "$folder" ] && [ $round -lt 20 ]; do
    pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null)
    if [ -n "$pid" ] && is_ours "$pid"; then
        kill -QUIT "$pid"
        seconds=0
        while kill -0 "$pid" 2>/dev/null && [ $seconds -lt 10 ]; do
            sleep 1
            seconds=$((seconds + 1))
        done
        is_ours "$pid" && kill -KILL "$pid"
    elif [ "$2" = keep ]; then
        exit 0
    fi
    [ "$2" = keep ] || rm -rf "$folder"
    [ -d "$folder" ] && sleep 1
    round=$((round + 1))
done
"#;

/// Our end of the watchdog's pipe, and the watchdog.
#[derive(Debug)]
pub(super) struct Watchdog {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts the watchdog of a folder. It leads a process group of its own, so that what ends ours spares it.
    pub(super) fn start(folder: &Path, keep: bool) -> io::Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "runbook-watchdog"])
            .arg(folder)
            .arg(if keep { "keep" } else { "remove" })
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    /// Tells it that the server has been stopped in order, and waits for it to end.
    pub(super) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // If it is gone already, there is nobody to tell.
            pipe.write_all(b"done\n").unwrap_or(());
        }
        drop(self.process.wait());
    }
}
