//! One test: a database, a folder with runbooks, and runs of the program there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::redact::redact;
use crate::server::{CRM, Connection, Database};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Test {
    pub(crate) db: Database,
    folder: TempDir,
}

impl Test {
    /// A test on the sample CRM with the runbooks that are shipped for it.
    pub(crate) fn crm() -> Self {
        Self::on(Database::new(Some(CRM)))
    }

    /// A test on a database with what these statements make.
    #[track_caller]
    pub(crate) fn sql(setup: &str) -> Self {
        let test = Self::on(Database::new(None));
        test.connect().run(setup);
        test
    }

    fn on(db: Database) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir_all(folder.path().join("work/runbooks")).unwrap();
        Self { db, folder }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the current folder of the program.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.root().join("work").join(path), text).unwrap();
        self
    }

    /// Writes a runbook of which all but its name and title is given.
    pub(crate) fn runbook(self, name: &str, text: &str) -> Self {
        let path = format!("runbooks/{name}.yaml");
        let text = dedent(text);
        self.file(&path, format!("runbook: {name}\ntitle: Test\n{text}"))
    }

    /// Writes the runbook `t` of any risk with these steps, and what may follow them.
    pub(crate) fn steps(self, steps: &str) -> Self {
        self.runbook("t", &format!("risk: high\nsteps:\n{}", indent(steps, 2)))
    }

    /// Writes the runbook `t` of one fix, with the confirm and check that it must have around it.
    pub(crate) fn fix(self, keys: &str) -> Self {
        self.confirmed(&format!("- fix: f\n{}", indent(keys, 2)))
    }

    /// Writes the runbook `t` of a question, these steps, and a check after them.
    pub(crate) fn confirmed(self, steps: &str) -> Self {
        let steps = dedent(steps);
        let of = steps
            .lines()
            .find_map(|line| {
                line.strip_prefix("- fix: ")
                    .or(line.strip_prefix("- atomic: "))
            })
            .unwrap();
        self.steps(&format!(
            "- confirm: go\n  of: {of}\n  ask: Go?\n{steps}\n- check: after\n  that: true\n"
        ))
    }

    /// Writes the same without a rehearsal: what is wrong is found by the fix itself.
    pub(crate) fn unrehearsed(self, steps: &str) -> Self {
        let steps = dedent(steps);
        self.steps(&format!(
            "- confirm: go\n  ask: Go?\n{steps}\n- check: after\n  that: true\n"
        ))
    }

    /// Connects beside the program.
    pub(crate) fn connect(&self) -> Connection {
        self.db.connect()
    }

    /// Reads rows from the test's database.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> String {
        self.connect().rows(sql)
    }

    /// Waits until a query of one boolean says true.
    #[track_caller]
    pub(crate) fn until(&self, sql: &str) {
        let connection = self.connect();
        let deadline = Instant::now() + PATIENCE;
        while connection.rows(sql) != "t" {
            assert!(Instant::now() < deadline, "it never came: {sql}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the program on the test's database.
    pub(crate) fn command<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.bare(args);
        command.args(["--database-url", &self.db.url()]);
        command
    }

    /// Returns the program, without a database.
    pub(crate) fn bare<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.here(env!("CARGO_BIN_EXE_runbook"));
        command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        command
    }

    /// Returns a program of which nothing depends on whose machine it is.
    fn here(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root().join("work"))
            .env_clear()
            .env("HOME", self.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns a shell script to which the program and its arguments are given.
    pub(crate) fn shell<'a>(
        &self,
        script: &str,
        program: &str,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut command = self.here("/bin/sh");
        command.args(["-c", script, program]).args(args);
        command
    }

    /// Returns the folder of the record of the only run that there was.
    #[track_caller]
    pub(crate) fn record(&self) -> PathBuf {
        let runs = self.root().join(".local/state/runbook/runs");
        let all: Vec<_> = std::fs::read_dir(&runs).unwrap().collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].as_ref().unwrap().path()
    }

    /// Returns the id of the first run.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        let index = self.root().join(".local/state/runbook/index.jsonl");
        let index = std::fs::read_to_string(index).unwrap();
        let first = index.split("\"run\":\"").nth(1).unwrap();
        first.split('"').next().unwrap().to_owned()
    }

    /// Returns the ids of all runs, in the order in which they began.
    pub(crate) fn ids(&self) -> Vec<String> {
        let index = self.root().join(".local/state/runbook/index.jsonl");
        let index = std::fs::read_to_string(index).unwrap();
        let began = index.lines().filter(|line| line.contains("\"began\""));
        let id = |line: &str| {
            line.split("\"run\":\"")
                .nth(1)?
                .split('"')
                .next()
                .map(str::to_owned)
        };
        began.filter_map(id).collect()
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait(is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "it never came");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs the program on the test's database; words are apart by blanks.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.run_with(args.split_whitespace())
    }

    /// Runs the program with arguments that may have blanks.
    pub(crate) fn run_with<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.ran(&self.command(args).output().unwrap())
    }

    /// Starts a command, to go on beside it.
    pub(crate) fn begin(&self, mut command: Command) -> Running<'_> {
        Running {
            child: command.spawn().unwrap(),
            test: self,
        }
    }

    /// Starts the program, to go on beside it.
    pub(crate) fn start(&self, args: &str) -> Running<'_> {
        Running {
            child: self.command(args.split_whitespace()).spawn().unwrap(),
            test: self,
        }
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        let root = self.root().display().to_string();
        let known = [
            (root.as_str(), "ROOT"),
            (&Database::folder(), "SERVER"),
            (self.db.name(), "DB"),
        ];
        redact(text, &known)
    }

    pub(crate) fn ran(&self, output: &Output) -> Ran {
        let clean = |bytes: &[u8]| self.redact(str::from_utf8(bytes).unwrap());
        Ran {
            stdout: clean(&output.stdout),
            stderr: clean(&output.stderr),
            code: output.status.code(),
        }
    }

    /// Returns the rows of all tables but the journal's, to be compared with those of later.
    pub(crate) fn contents(&self) -> String {
        let connection = self.connect();
        let tables = connection.rows(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'runbook') ORDER BY 1",
        );
        let hash = |table: &str| {
            let rows = connection.rows(&format!(
                "SELECT count(*), coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0) FROM {table} t"
            ));
            format!("{table}: {rows}\n")
        };
        tables.lines().map(hash).collect()
    }
}

/// Takes away the blanks that all lines begin with.
fn dedent(text: &str) -> String {
    let text = text.trim_end().trim_start_matches('\n');
    let blanks = |line: &str| line.len() - line.trim_start().len();
    let lines = text.lines();
    let least = lines
        .clone()
        .filter(|line| !line.trim().is_empty())
        .map(blanks)
        .min();
    let least = least.unwrap_or_default();
    let lines: Vec<&str> = lines
        .map(|line| line.get(least..).unwrap_or_default())
        .collect();
    lines.join("\n") + "\n"
}

/// Has all lines begin with this many blanks.
pub(crate) fn indent(text: &str, count: usize) -> String {
    let blanks = " ".repeat(count);
    let text = dedent(text);
    let lines: Vec<String> = text.lines().map(|line| format!("{blanks}{line}")).collect();
    lines.join("\n") + "\n"
}

/// A run that is under way.
pub(crate) struct Running<'a> {
    child: Child,
    test: &'a Test,
}

impl Running<'_> {
    /// Sends Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
    }

    /// Kills it as nothing can prevent.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ran {
        self.test.ran(&self.child.wait_with_output().unwrap())
    }
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts what is somewhere in the output.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.to_string().contains(text), "no `{text}` in:\n{self}");
        self
    }

    /// Asserts what is nowhere in the output.
    #[track_caller]
    pub(crate) fn keeps(self, text: &str) -> Self {
        assert!(!self.to_string().contains(text), "`{text}` in:\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self
            .code
            .map_or("a signal".to_owned(), |code| code.to_string());
        writeln!(f, "exit {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
