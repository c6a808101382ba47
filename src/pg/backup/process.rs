//! A program of PostgreSQL's at work: told by its environment where the database is, heard in its own words, and
//! gone when it is no longer wanted, also when this process is killed.

use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::{limit, refused};
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::pg::environment::Environment;
use crate::pg::secret::{Secret, mask_passwords};

/// The variables of ours that a program needs; those of libpq it gets from the connection's settings.
const KEPT: [&str; 6] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// How much of what it wrote beside its output is kept.
const MOST_SAID: usize = 16 * 1024;

/// How many of the last lines of that a failure shows.
const LINES: usize = 8;

/// How long it may take to end when it is asked to: it cancels what the server does for it.
const GRACE: Duration = Duration::from_secs(2);

/// Waits for a line or the pipe's end. A line: the program ended. The end: we are gone, and so has the program's
/// group to be.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP QUIT PIPE
read -r line && exit 0
kill -s TERM -- "-$1" 2>/dev/null
sleep 2
kill -s KILL -- "-$1" 2>/dev/null
"#;

/// Waits until the watchdog is there, and becomes the program then: there is no moment in which it would outlive us.
const BEGIN: &str = "read -r line && exec \"$@\" </dev/null";

/// A program that is running, with whatever it started. Dropped, all of that is killed.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    group: Option<Pid>,
    said: Option<JoinHandle<String>>,
    password: Option<Secret>,
    watchdog: Option<std::process::Child>,
}

/// Returns a program that knows nothing but where to look for what it needs.
pub(super) fn command(program: &Path, environment: &Environment) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", BEGIN, "runbook"])
        .arg(program)
        .env_clear()
        .env("LC_ALL", "C")
        .stdout(Stdio::null());
    for name in KEPT {
        if let Some(value) = environment.var(name) {
            command.env(name, value);
        }
    }
    command
}

impl Process {
    /// Starts a program. The password is one that its words must not show.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(
        mut command: Command,
        name: &'static str,
        password: Option<Secret>,
    ) -> Result<Self, Failure> {
        command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let cannot = |error: std::io::Error| refused(format!("{name} cannot be started: {error}"));
        let mut child = command.spawn().map_err(cannot)?;
        let stdin = child.stdin.take();
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let said = child.stderr.take().map(|from| tokio::spawn(tail(from)));
        let process = Self {
            name,
            child,
            said,
            password,
            // Without a watchdog a killed program of ours only leaves behind what ends by itself.
            watchdog: group.and_then(|group| watchdog(group).ok()),
            group: group.map(Pid::from_raw),
        };
        if let Some(stdin) = stdin {
            let begin = stdin.into_owned_fd().map(std::fs::File::from);
            begin
                .and_then(|mut begin| begin.write_all(b"go\n"))
                .map_err(cannot)?;
        }
        Ok(process)
    }

    /// Returns what the program prints, where it was started so.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end and returns what it wrote beside its output.
    ///
    /// # Errors
    /// It failed, in its own words; a limit, by which it was stopped.
    pub(super) async fn end(self, limits: &Limits) -> Result<String, Failure> {
        let name = self.name;
        let (status, said) = self.ended(limits).await?;
        if status.success() {
            Ok(said)
        } else {
            Err(failed(name, status, &said))
        }
    }

    /// Waits for its end and returns how it came, and what it wrote beside its output.
    ///
    /// # Errors
    /// A limit, by which it was stopped.
    pub(super) async fn ended(mut self, limits: &Limits) -> Result<(ExitStatus, String), Failure> {
        let ended = tokio::select! {
            biased;
            status = self.child.wait() => status
                .map_err(|error| refused(format!("{} was lost: {error}", self.name))),
            failure = limit::reached(limits) => Err(failure),
        };
        if ended.is_err() {
            self.stop().await;
        }
        self.dismiss();
        let status = ended?;
        let said = self.words().await;
        self.group = None;
        Ok((status, said))
    }

    /// Asks the program to end, and kills it with all that it started when it does not.
    async fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        // What it says and how it ends no longer matters.
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.signal(Signal::SIGKILL);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.outlive();
        self.group = None;
    }

    /// Waits for a moment until nothing of the program's group is left: it may be writing still.
    fn outlive(&mut self) {
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            let _ = self.child.try_wait();
            match self.group {
                Some(group) if killpg(group, None).is_ok() => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                _ => break,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended on its own.
            killpg(group, signal).unwrap_or(());
        }
    }

    async fn words(&mut self) -> String {
        let said = match self.said.take() {
            // A child that was left behind may keep the pipe open.
            Some(said) => tokio::time::timeout(GRACE, said).await.ok(),
            None => None,
        };
        let said = said.and_then(Result::ok).unwrap_or_default();
        let masked = mask_passwords(&said);
        match self
            .password
            .as_ref()
            .filter(|password| !password.is_empty())
        {
            Some(password) => masked.replace(password.reveal(), "•••"),
            None => masked,
        }
    }

    /// Tells the watchdog that there is nothing left to end.
    fn dismiss(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            if let Some(mut pipe) = watchdog.stdin.take() {
                // If it is gone already, there is nobody to tell.
                pipe.write_all(b"done\n").unwrap_or(());
            }
            drop(watchdog.wait());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.group.is_some() {
            // It may still tell the server that nobody waits for the answer.
            self.signal(Signal::SIGTERM);
            self.outlive();
            self.signal(Signal::SIGKILL);
            self.outlive();
            self.group = None;
        }
        self.dismiss();
    }
}

/// Starts the watchdog of a process group. It leads a group of its own, so that what ends ours spares it.
fn watchdog(group: i32) -> std::io::Result<std::process::Child> {
    std::process::Command::new("sh")
        .args(["-c", WATCHDOG, "runbook-watchdog"])
        .env_remove("PGPASSWORD")
        .env_remove("DATABASE_URL")
        .arg(group.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Reads to the end, and keeps the last of it.
async fn tail(mut from: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer).await {
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        kept.extend_from_slice(read);
        let excess = kept.len().saturating_sub(MOST_SAID);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Returns whether a program may have said more than this.
pub(super) fn is_cut(said: &str) -> bool {
    said.len() >= MOST_SAID
}

/// Returns the failure of a program, with the last that it said.
pub(super) fn failed(name: &str, status: ExitStatus, said: &str) -> Failure {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("{name} failed with exit code {code}"),
        (None, Some(signal)) => format!("{name} was killed by signal {signal}"),
        (None, None) => format!("{name} failed"),
    };
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    last.fold(refused(how), |failure, line| failure.note(*line))
}
