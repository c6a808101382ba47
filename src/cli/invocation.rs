//! What the process was given, read once; and the only way to its output.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::CliError;
use super::look::{Look, Terminal};
use crate::pg::environment::Environment;

/// What the process was given. Tests make one up.
pub struct Invocation {
    /// The arguments, the program's name first.
    pub args: Vec<OsString>,
    /// The variables and the user.
    pub environment: Environment,
    /// The current folder.
    pub folder: PathBuf,
    /// What of it is a terminal.
    pub terminal: Terminal,
    out: Shared,
    err: Shared,
}

impl Invocation {
    /// Returns this process's own.
    pub fn from_process() -> Self {
        let (_, width) = console::Term::stderr().size_checked().unwrap_or((0, 0));
        Self {
            args: std::env::args_os().collect(),
            environment: Environment::from_process(),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            terminal: Terminal {
                stdin: io::stdin().is_terminal(),
                stdout: io::stdout().is_terminal(),
                stderr: io::stderr().is_terminal(),
                width: (width > 0).then_some(width.into()),
            },
            out: Shared::new(io::stdout()),
            err: Shared::new(io::stderr()),
        }
    }

    /// Returns a made-up one without variables and terminals.
    pub fn new(
        args: impl IntoIterator<Item = impl Into<OsString>>,
        folder: impl Into<PathBuf>,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            environment: Environment::empty(),
            folder: folder.into(),
            terminal: Terminal::default(),
            out: Shared::new(out),
            err: Shared::new(err),
        }
    }

    /// Writes a result to standard output.
    ///
    /// # Errors
    /// [`CliError::BrokenPipe`] when nobody reads it any more, [`CliError::Io`] otherwise.
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let mut out = self.out.clone();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => CliError::BrokenPipe,
                _ => CliError::io("cannot write to standard output", &error),
            })
    }

    /// Writes anything else to standard error. When that fails there is nobody left to tell.
    pub fn eprint(&self, text: &str) {
        let mut err = self.err.clone();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Returns what writes to standard error, for those who outlive the command that they warn of.
    pub fn warner(&self) -> Box<dyn Fn(&str)> {
        let err = self.err.clone();
        Box::new(move |text| {
            let mut err = err.clone();
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        })
    }

    /// Returns standard output, for what writes by itself.
    pub fn writer(&self) -> Box<dyn Write> {
        Box::new(self.out.clone())
    }

    /// Returns standard error, for what writes by itself.
    pub fn error_writer(&self) -> Box<dyn Write> {
        Box::new(self.err.clone())
    }

    /// Returns how output looks before any argument is known.
    pub fn look(&self) -> Look {
        Look::new(&self.terminal, &self.environment, super::look::When::Auto)
    }

    /// Returns a path as messages show it: relative where it lies in the current folder.
    pub fn show(&self, path: &Path) -> String {
        show(&self.folder, path)
    }
}

/// An output that several can write to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Shared {
    fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(out))))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}

/// Returns a path as messages show it: relative where it lies in `folder`.
pub(super) fn show(folder: &Path, path: &Path) -> String {
    let short = path.strip_prefix(folder).unwrap_or(path);
    if short.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        short.display().to_string()
    }
}
