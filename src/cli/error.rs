//! Why the program cannot do what it was asked, in words and as an exit code.

use std::fmt::Write as _;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::Source;
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::{Outcome, exit};
use crate::pg::connect_error::ConnectError;
use crate::record::error::RecordError;

/// Why the program ends without a result.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line is wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong, without a full stop.
        message: String,
        /// What to do next.
        help: Vec<String>,
    },
    /// What clap says of the command line; also its help and version.
    #[error("{0}")]
    Clap(#[from] clap::Error),
    /// The runbook or its parameters are wrong, or there is no such runbook.
    #[error("{message}")]
    Invalid {
        /// What is wrong, without a full stop.
        message: String,
        /// What to know about it, one line each.
        notes: Vec<String>,
        /// What to do next.
        help: Vec<String>,
    },
    /// The runbook's text is wrong.
    #[error("the runbook is not valid")]
    Diagnostics {
        /// Its text.
        source_text: Source,
        /// What is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It is another database than the one that was named: `runbook.yaml` says which it must be.
    #[error("{}", .diagnostic.title)]
    Elsewhere {
        /// The text of `runbook.yaml`.
        source_text: Source,
        /// What is wrong.
        diagnostic: Box<Diagnostic>,
    },
    /// The target cannot be reached, for a reason of this machine.
    #[error("{message}")]
    Unreachable {
        /// What is wrong, without a full stop.
        message: String,
        /// What to know about it, one line each.
        notes: Vec<String>,
        /// What to do next.
        help: Vec<String>,
    },
    /// There is no server to test on.
    #[error("{0}")]
    NoServer(String),
    /// The record of a run cannot be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database refuses what a command needs, or cannot say.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
    /// A run is cut short: it is as it was, and can go on later.
    #[error("{}", .0.message)]
    CutShort(Box<Failure>),
    /// A run ended, and said so itself.
    #[error("{0}")]
    Ended(Outcome),
    /// A person gave up before anything was run.
    #[error("cancelled: nothing was run")]
    Cancelled,
    /// Something that was found has been shown already, and only the exit code is left to say.
    #[error("exit code {0}")]
    Shown(u8),
    /// A file or stream could not be read or written.
    #[error("{message}")]
    Io {
        /// What could not be done, and why.
        message: String,
    },
    /// Nobody reads the output any more: `runbook list | head`.
    #[error("nobody reads the output")]
    BrokenPipe,
    /// A defect of the program.
    #[error("{0}")]
    Defect(String),
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl CliError {
    /// Returns the error of a wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: Vec::new(),
        }
    }

    /// Returns the error of a wrong runbook, name or parameter.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Returns the error of a target that cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::Unreachable {
            message: message.into(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Returns the error of fixes that the database does not allow as they are: all of them.
    pub fn refused(failures: Vec<Failure>) -> Self {
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return Self::invalid("the database refuses the runbook");
        };
        if first.kind != FailureKind::Undeclared {
            return Self::Failed(Box::new(first));
        }
        let mut help = first.help;
        let mut error = Self::invalid(first.message);
        for failure in failures {
            error = error.note(failure.message);
            for text in failure.help {
                if !help.contains(&text) {
                    help.push(text);
                }
            }
        }
        help.into_iter()
            .fold(error.note("nothing was run"), Self::help)
    }

    /// Returns the error of a file or stream.
    pub fn io(what: &str, error: &std::io::Error) -> Self {
        Self::Io {
            message: format!("{what}: {}", words::io(error)),
        }
    }

    /// Adds what to do next, where the error has a place for it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { help, .. }
            | Self::Invalid { help, .. }
            | Self::Unreachable { help, .. } => help.push(text.into()),
            _ => {}
        }
        self
    }

    /// Adds what to do next where there is something to say.
    #[must_use]
    pub fn help_opt(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }

    /// Adds something to know, where the error has a place for it.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        if let Self::Invalid { notes, .. } | Self::Unreachable { notes, .. } = &mut self {
            notes.push(text.into());
        }
        self
    }

    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } => exit::USAGE,
            Self::Clap(error) if error.use_stderr() => exit::USAGE,
            Self::Clap(_) | Self::BrokenPipe => exit::DONE,
            Self::Invalid { .. }
            | Self::Diagnostics { .. }
            | Self::Record(RecordError::Newer { .. }) => exit::INVALID,
            Self::Connect(error) if error.is_wrong_use() => exit::USAGE,
            Self::Connect(_)
            | Self::NoServer(_)
            | Self::Elsewhere { .. }
            | Self::Unreachable { .. } => exit::UNREACHABLE,
            Self::Record(RecordError::Missing { .. } | RecordError::Ambiguous { .. }) => {
                exit::USAGE
            }
            Self::Failed(failure) | Self::CutShort(failure) => match failure.kind {
                FailureKind::Connection | FailureKind::Target => exit::UNREACHABLE,
                FailureKind::InDoubt => exit::UNKNOWN,
                _ if matches!(self, Self::CutShort(_)) => exit::STOPPED,
                _ => exit::FAILED,
            },
            Self::Ended(outcome) => outcome.code(),
            Self::Io { .. } | Self::Record(_) => exit::FAILED,
            Self::Cancelled => exit::CANCELLED,
            Self::Shown(code) => *code,
            Self::Defect(_) => exit::DEFECT,
        }
    }

    /// Returns what standard error says about it on a terminal: lines are broken between words.
    pub fn folded(&self, colored: bool, width: usize) -> String {
        let text = self.render(colored);
        match self {
            Self::Clap(_) | Self::Diagnostics { .. } | Self::Elsewhere { .. } => text,
            _ => text.lines().map(|line| folded(line, width)).collect(),
        }
    }

    /// Returns what standard error says about it; nothing where all is said.
    pub fn render(&self, colored: bool) -> String {
        match self {
            Self::Usage { message, help } => text(message, &[], help, colored),
            Self::Invalid {
                message,
                notes,
                help,
            }
            | Self::Unreachable {
                message,
                notes,
                help,
            } => text(message, notes, help, colored),
            Self::Io { message } | Self::NoServer(message) => text(message, &[], &[], colored),
            Self::Connect(error) => text(&error.to_string(), &[], &[], colored),
            Self::Record(error) => text(&error.to_string(), &[], &[error.help()], colored),
            Self::Failed(failure) | Self::CutShort(failure) => {
                text(&failure.message, &failure.notes, &failure.help, colored)
            }
            Self::Elsewhere {
                source_text,
                diagnostic,
            } => format!("{}\n", diagnostic.render(source_text, colored)),
            Self::Diagnostics {
                source_text,
                diagnostics,
            } => diagnostics
                .iter()
                .fold(String::new(), |mut text, diagnostic| {
                    let _ = writeln!(text, "{}\n", diagnostic.render(source_text, colored));
                    text
                }),
            Self::Clap(error) if colored => error.render().ansi().to_string(),
            Self::Clap(error) => error.render().to_string(),
            Self::Defect(message) => defect(message),
            Self::Cancelled => format!("{self}\n"),
            Self::Ended(_) | Self::Shown(_) | Self::BrokenPipe => String::new(),
        }
    }
}

/// Returns what is said about a defect of the program.
pub(super) fn defect(message: &str) -> String {
    format!(
        "error: a defect of runbook: {message}\n  = help: please report it, with the command that you gave and this text\n"
    )
}

/// Breaks a line between words; what follows stands under what comes after the label.
fn folded(line: &str, width: usize) -> String {
    let label = line.find(": ").filter(|at| {
        let label = console::strip_ansi_codes(line.get(..*at).unwrap_or_default()).into_owned();
        ["error", "  = help"].contains(&label.as_str())
    });
    let indent = line.len() - line.trim_start().len();
    let (label, rest) = line.split_at(label.map_or(indent, |at| at + 2));
    let indent = console::measure_text_width(label);
    let parts = words::wrapped(rest, width.saturating_sub(indent).max(20));
    format!(
        "{label}{}\n",
        parts.join(&format!("\n{}", " ".repeat(indent)))
    )
}

fn text(message: &str, notes: &[String], help: &[String], colored: bool) -> String {
    let paint = |word: &'static str, style: console::Style| {
        if colored {
            style.force_styling(true).apply_to(word).to_string()
        } else {
            word.to_owned()
        }
    };
    let mut all = format!(
        "{}: {message}\n",
        paint("error", console::Style::new().red().bold())
    );
    for note in notes {
        let _ = writeln!(all, "  {}", note.replace('\n', "\n  "));
    }
    for help in help {
        let word = paint("help", console::Style::new().cyan().bold());
        let _ = writeln!(all, "  = {word}: {help}");
    }
    all
}
