//! A server, a proxy in front of it, and the program on it: where runs meet faults.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::fault::{Fault, Harm};
use crate::moment::{Fired, Seen};
use crate::proxy::Proxy;
use crate::server::Server;

/// How long a run may take, whatever goes wrong: longer than the program asks for the fate of a COMMIT.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long nothing arrives until the connection is lost as well.
const SILENCE: Duration = Duration::from_millis(300);

/// How often a program that runs is looked at.
const GLANCE: Duration = Duration::from_millis(2);

pub(crate) struct Ground {
    pub(crate) server: Server,
    pub(crate) proxy: Proxy,
    folder: TempDir,
    /// Counts the folders of records: one for each run.
    states: u32,
    /// Whether a session lives on whose program is gone.
    stranded: bool,
}

impl Ground {
    /// Starts a server with what these statements make.
    pub(crate) fn new(setup: &str) -> Self {
        let server = Server::start();
        server.rows(setup);
        let proxy = Proxy::new(server.scratch.path());
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("runbooks")).unwrap();
        Self {
            server,
            proxy,
            folder,
            states: 0,
            stranded: false,
        }
    }

    /// Writes a runbook.
    pub(crate) fn runbook(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(format!("runbooks/{name}.yaml"));
        std::fs::write(path, format!("runbook: {name}\ntitle: Test\n{text}")).unwrap();
        self
    }

    /// Takes a new, empty folder for records.
    pub(crate) fn renew(&mut self) {
        self.states += 1;
    }

    /// Returns the folder of records.
    fn state(&self) -> PathBuf {
        self.folder.path().join(format!("state-{}", self.states))
    }

    /// Returns the id of the run that is recorded there.
    pub(crate) fn recorded(&self) -> Option<String> {
        let mut folders = std::fs::read_dir(self.state()).ok()?;
        let folder = folders.next()?.ok()?;
        Some(folder.file_name().to_string_lossy().into_owned())
    }

    /// Runs the program to its end, and does what is to go wrong on its way.
    pub(crate) fn attempt<'a>(
        &mut self,
        args: impl IntoIterator<Item = &'a str>,
        fault: Option<Fault>,
    ) -> Attempt {
        let fired = match &fault {
            Some(fault) => Some(self.proxy.arm(fault.moment, fault.action())),
            None => {
                self.proxy.clear();
                None
            }
        };
        let mut program = Program::start(self.command(args));
        let mut hit = None;
        if let (Some(fault), Some(fired)) = (fault, fired) {
            hit = await_moment(&mut program, &fired).and_then(|fired| {
                let seen = fired.seen;
                self.harm(fault.harm, &mut program, fired).then_some(seen)
            });
        }
        if hit.is_none() && self.stranded {
            self.free(&mut program);
        }
        let attempt = program.end(hit, self);
        // What is left of its connections ends with it, unless that is the harm.
        if !self.stranded {
            self.proxy.release();
        }
        attempt
    }

    /// Returns whether a session lives on whose program is gone.
    pub(crate) fn is_stranded(&self) -> bool {
        self.stranded
    }

    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(args)
            .args(["--database-url", &self.proxy.url("postgres"), "--state-dir"])
            .arg(self.state())
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Does what the proxy does not do itself; returns whether it could be done.
    fn harm(&mut self, harm: Harm, program: &mut Program, fired: Fired) -> bool {
        match harm {
            Harm::Kill => {
                program.kill();
                drop(fired);
            }
            Harm::Terminate => {
                let Some(pid) = fired.pid else { return false };
                self.server.terminate(pid);
            }
            Harm::Crash => {
                self.server.crash();
                drop(fired);
                self.server.restart();
            }
            Harm::Strand => {
                program.kill();
                self.stranded = true;
            }
            Harm::Swallow => {
                program.within(SILENCE);
                self.proxy.release();
            }
            // The proxy has done it.
            Harm::Cut | Harm::Delay | Harm::Silence | Harm::CloseToServer | Harm::CloseToClient => {
            }
        }
        true
    }

    /// Lets the stranded session end once the program waits for it, or has ended.
    fn free(&mut self, program: &mut Program) {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')";
        while program.within(GLANCE).is_none() && self.server.rows(waits) != "t" {}
        self.release();
    }

    /// Ends all connections, and waits until no session of the program is left.
    pub(crate) fn release(&mut self) {
        self.proxy.release();
        self.stranded = false;
        self.server.until(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'runbook%')",
        );
    }
}

/// Waits for the moment, or for the program's end.
fn await_moment(program: &mut Program, fired: &Receiver<Fired>) -> Option<Fired> {
    loop {
        match fired.recv_timeout(GLANCE) {
            Ok(fired) => return Some(fired),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if program.ended().is_some() {
            return fired.try_recv().ok();
        }
    }
}

/// The program, as it runs.
struct Program {
    child: Child,
    started: Instant,
    args: String,
    stdout: File,
    stderr: File,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let file = || tempfile::tempfile().unwrap();
        let (stdout, stderr) = (file(), file());
        command
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap());
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        Self {
            args: args.join(" "),
            child: command.spawn().unwrap(),
            started: Instant::now(),
            stdout,
            stderr,
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        if status.is_none() && self.started.elapsed() > PATIENCE {
            self.kill();
            panic!("it does not end: {}", self.args);
        }
        status
    }

    /// Waits for its end, but not for longer than this.
    fn within(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        loop {
            let status = self.ended();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self, hit: Option<Seen>, ground: &Ground) -> Attempt {
        let status = loop {
            if let Some(status) = self.within(PATIENCE) {
                break status;
            }
        };
        Attempt {
            args: self.args,
            code: status.code(),
            stdout: text(self.stdout),
            stderr: text(self.stderr),
            hit,
            seen: ground.proxy.seen(),
        }
    }
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// What one call of the program came to.
pub(crate) struct Attempt {
    args: String,
    /// Its exit code, unless it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The message at which something went wrong.
    pub(crate) hit: Option<Seen>,
    pub(crate) seen: Vec<Seen>,
}

impl Attempt {
    /// Returns the id of the run that it began, as its events say.
    pub(crate) fn run(&self) -> Option<String> {
        let mut events = self.stdout.lines().map(serde_json::from_str::<Value>);
        let started =
            events.find_map(|event| event.ok().filter(|event| event["event"] == "run_started"));
        Some(started?["run"].as_str()?.to_owned())
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts what is somewhere in the output.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "no `{text}` in:\n{self}");
        self
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ runbook {}", self.args)?;
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "killed")?,
        }
        if let Some(hit) = self.hit {
            writeln!(f, "hit at {hit}")?;
        }
        writeln!(
            f,
            "--- stdout\n{}--- stderr\n{}---",
            self.stdout, self.stderr
        )?;
        for seen in &self.seen {
            write!(f, "{seen} ")?;
        }
        writeln!(f)
    }
}
