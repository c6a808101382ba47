//! One run of the program in a folder and an environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A small runbook that reads.
pub(crate) const READS: &str = "runbook: reads
title: Show a record
about: Shows one record by its id.
risk: low
tags: [records, daily]
params:
  record_id:
    type: bigint
    help: Id of the record
    min: 1
  state:
    type: enum
    values: [active, disabled]
    default: active
  names:
    type: list of text
    default: []
  loud:
    type: bool
    default: false
  token:
    type: text
    secret: true
    env: RECORD_TOKEN
    min_length: 8
steps:
  - query: record
    sql: SELECT id, name FROM records WHERE id = {{ record_id }} AND state = {{ state }}
    rows: 1
    else: { fail: \"There is no record {{ record_id }}.\" }
";

/// A run to be, with what it must come to.
#[must_use]
pub(crate) struct Test {
    folder: TempDir,
    args: Vec<String>,
    vars: Vec<(String, String)>,
    current: PathBuf,
    /// How many seconds of a processor it may use.
    seconds: Option<u32>,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Test {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let current = folder.path().join("work");
        Self {
            folder,
            args: Vec::new(),
            vars: Vec::new(),
            current,
            seconds: None,
        }
    }

    /// The folder that everything is in.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the root.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a runbook of the project.
    pub(crate) fn runbook(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.file(&format!("work/runbooks/{name}.yaml"), text)
    }

    /// Makes a symbolic link below the root.
    pub(crate) fn link(self, path: &str, target: impl AsRef<Path>) -> Self {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    /// Goes to a folder below the root.
    pub(crate) fn at(mut self, folder: &str) -> Self {
        self.current = self.root().join(folder);
        std::fs::create_dir_all(&self.current).unwrap();
        self
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Has the program killed when it works longer: processor time, which a busy machine does not stretch.
    pub(crate) fn within(mut self, seconds: u32) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// The program, below the shell that limits it if it is limited.
    fn program(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_runbook");
        let Some(seconds) = self.seconds else {
            return Command::new(program);
        };
        let limit = format!("ulimit -t {seconds} && exec \"$0\" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &limit, program]);
        shell
    }

    /// Runs the program; the root's path becomes `ROOT` in what it prints.
    pub(crate) fn run(&self) -> Ran {
        let output = self
            .program()
            .args(&self.args)
            .current_dir(&self.current)
            .env_clear()
            .env("HOME", self.root().join("home"))
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let clean = |bytes: Vec<u8>| {
            let root = self.root().display().to_string();
            String::from_utf8(bytes).unwrap().replace(&root, "ROOT")
        };
        Ran {
            stdout: clean(output.stdout),
            stderr: clean(output.stderr),
            code: output.status.code(),
        }
    }

    /// Runs the program, which must end with the code and print nothing to standard error.
    #[track_caller]
    pub(crate) fn stdout(&self, code: i32) -> String {
        let ran = self.run();
        assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(code)), "{ran:?}");
        ran.stdout
    }

    /// Runs the program, which must end with the code and print nothing to standard output.
    #[track_caller]
    pub(crate) fn stderr(&self, code: i32) -> String {
        let ran = self.run();
        assert_eq!((ran.stdout.as_str(), ran.code), ("", Some(code)), "{ran:?}");
        ran.stderr
    }
}
