//! `runbook shell`: questions in SQL, one after the other, read-only by construction.

mod completion;
mod describe;
mod line;
mod remedy;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::Runtime;

use crate::cli::args::ShellArgs;
use crate::cli::error::CliError;
use crate::cli::{Context, connection, runner, state};
use crate::engine::cancel::Cancel;
use crate::engine::failure::Failure;
use crate::engine::outcome::exit;
use crate::engine::port::{Bound, Limits};
use crate::pg::function::refuse_volatile;
use crate::pg::session::Session;
use crate::report::look::Look;
use crate::report::secret::Redactor;
use crate::report::{failure, table};
use crate::runbook::data::Rows;
use crate::sql::statement::Statement;
use crate::step::query::Show;
use completion::{Names, Typing};
use line::Line;

/// How many rows are shown; the count is of all.
const MOST_ROWS: usize = 1000;

/// How many lines are remembered.
const REMEMBERED: usize = 10_000;

/// Opens the shell.
///
/// # Errors
/// There is no connection; a line of `--command` or of a file fails.
pub fn run(context: &Context<'_>, args: &ShellArgs) -> Result<u8, CliError> {
    let runtime = connection::runtime()?;
    let mut session = runtime.block_on(connection::connect(context, "runbook/shell"))?;
    let redactor = Redactor::new([]).with_sensitive(session.set_sensitive(&[]));
    let terminal = &context.invocation.terminal;
    let mut shell = Shell {
        context,
        runtime,
        session,
        redactor,
        expanded: false,
        timing: false,
    };
    if !args.commands.is_empty() {
        return shell.all(args.commands.iter().cloned());
    }
    if terminal.stdin && terminal.stdout {
        return shell.typed();
    }
    let lines = std::io::stdin().lock().lines();
    shell.all(statements(lines.map_while(Result::ok)))
}

/// Puts lines together to statements.
fn statements(lines: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut lines = lines.fuse();
    std::iter::from_fn(move || {
        let mut text = lines.next()?;
        while !line::is_whole(&text) {
            let Some(more) = lines.next() else { break };
            text = [text, more].join("\n");
        }
        Some(text)
    })
}

/// What a line came to.
enum After {
    /// The next one may come.
    Next,
    /// It failed, and that was said.
    Failed(u8),
    /// That was the last.
    End,
}

struct Shell<'a> {
    context: &'a Context<'a>,
    runtime: Runtime,
    session: Session,
    /// Hides the columns that nobody is to see.
    redactor: Redactor,
    /// Whether rows are shown as records.
    expanded: bool,
    timing: bool,
}

impl Shell<'_> {
    /// Does lines that nobody types, up to the first that fails.
    fn all(&mut self, lines: impl Iterator<Item = String>) -> Result<u8, CliError> {
        for line in lines {
            for part in line::parts(&line) {
                match self.one(part)? {
                    After::Next => {}
                    After::Failed(code) => return Ok(code),
                    After::End => return Ok(exit::DONE),
                }
            }
        }
        Ok(exit::DONE)
    }

    /// Does lines as they are typed, until the end of the input.
    fn typed(&mut self) -> Result<u8, CliError> {
        let target = self.session.target().clone();
        let welcome = format!(
            "{}Nothing can be changed here. \\? for help, \\q to leave.\n",
            self.place()
        );
        self.context.invocation.eprint(&welcome);
        let history = self.history();
        let mut editor = self.editor(history.as_deref())?;
        loop {
            let read = editor.readline(&format!("{}=> ", target.database));
            let line = match read {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => {
                    return Err(CliError::io(
                        "cannot read a line",
                        &std::io::Error::other(error),
                    ));
                }
            };
            if !line.trim().is_empty() {
                // A line that cannot be remembered is answered all the same.
                let _ = editor.add_history_entry(line.as_str());
                if let Some(history) = &history {
                    let _ = editor.append_history(history);
                }
            }
            // What was pasted is more than one: what fails does not keep the others from being answered.
            for part in line::parts(&line) {
                if let After::End = self.one(part)? {
                    return Ok(exit::DONE);
                }
            }
        }
        Ok(exit::DONE)
    }

    fn editor(&mut self, history: Option<&Path>) -> Result<Editor<Typing, FileHistory>, CliError> {
        let wrong = |error: ReadlineError| {
            CliError::io(
                "cannot read from this terminal",
                &std::io::Error::other(error),
            )
        };
        let config = Config::builder()
            .max_history_size(REMEMBERED)
            .map_err(wrong)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config).map_err(wrong)?;
        // Without their names words are typed in full.
        let names = self.runtime.block_on(Names::read(&mut self.session));
        editor.set_helper(Some(Typing::new(names.unwrap_or_default())));
        if let Some(history) = history {
            let _ = editor.load_history(history);
        }
        Ok(editor)
    }

    /// Returns the file of the lines of other days, which only their author can read.
    fn history(&self) -> Option<PathBuf> {
        let folder = state::folder(self.context).ok()?;
        std::fs::create_dir_all(&folder).ok()?;
        Some(folder.join("shell_history"))
    }

    /// Does one line.
    fn one(&mut self, text: &str) -> Result<After, CliError> {
        let invocation = self.context.invocation;
        match line::read(text) {
            Line::Empty => {}
            Line::Quit => return Ok(After::End),
            Line::Help => invocation.print(line::HELP)?,
            Line::Expanded => {
                self.expanded = !self.expanded;
                invocation.eprint(&switched("Records instead of tables", self.expanded));
            }
            Line::Timing => {
                self.timing = !self.timing;
                invocation.eprint(&switched("Timing", self.timing));
            }
            Line::Where => invocation.print(&self.place())?,
            Line::Fix(words) => {
                let refused = CliError::invalid("nothing can be changed in this shell");
                let help = remedy::of_words(self.context, &words);
                return Ok(self.refused(&help.into_iter().fold(refused, CliError::help)));
            }
            Line::Unknown(message) => {
                return Ok(self.refused(&CliError::usage(message).help("\\? shows what there is")));
            }
            Line::Describe(what) => return self.describe(&what),
            Line::Sql(sql) => return self.ask(&sql),
        }
        Ok(After::Next)
    }

    fn place(&self) -> String {
        let target = self.session.target();
        format!(
            "{} on {} as {}, PostgreSQL {}\n",
            target.database, target.name, target.user, target.server_version
        )
    }

    fn describe(&mut self, what: &describe::What) -> Result<After, CliError> {
        let parts = match self.runtime.block_on(what.parts(&mut self.session)) {
            Ok(parts) => parts,
            Err(failure) => return Ok(self.failed(&failure)),
        };
        if parts.is_empty() {
            self.context
                .invocation
                .eprint(&format!("error: {}\n", what.nothing()));
            return Ok(After::Failed(exit::FAILED));
        }
        for part in parts {
            if let Some(title) = part.title {
                self.context.invocation.print(&format!("\n{title}\n"))?;
            }
            let show = if self.expanded {
                Show::Record
            } else {
                Show::Table
            };
            let text: Vec<String> = table::draw(&part.rows, show, usize::MAX, self.look())
                .iter()
                .map(|line| format!("{line}\n"))
                .collect();
            self.context.invocation.print(&text.concat())?;
        }
        Ok(After::Next)
    }

    /// Asks the database.
    fn ask(&mut self, sql: &str) -> Result<After, CliError> {
        let statement = match Statement::parse(sql) {
            Ok(statement) => statement,
            Err(error) => {
                return Ok(self.refused(&CliError::invalid(error.message).help_opt(error.help)));
            }
        };
        if let Err(error) = statement.allowed_in_read() {
            let refused = CliError::invalid(error.message)
                .help("nothing can be changed in this shell: what changes data is a runbook");
            let runbooks = remedy::of_statement(self.context, &statement);
            return Ok(self.refused(&runbooks.into_iter().fold(refused, CliError::help)));
        }
        let began = Instant::now();
        let rows = self.runtime.block_on(read(&mut self.session, statement));
        let took = began.elapsed();
        match rows {
            Ok(mut rows) => {
                self.redactor.rows(&mut rows);
                self.print(&rows)?;
            }
            Err(mut failure) => {
                self.redactor.failure(&mut failure);
                return Ok(self.failed(&failure));
            }
        }
        if self.timing {
            let milliseconds = took.as_secs_f64() * 1000.0;
            self.context
                .invocation
                .print(&format!("Time: {milliseconds:.1} ms\n"))?;
        }
        Ok(After::Next)
    }

    /// Says why a line is not sent.
    fn refused(&self, error: &CliError) -> After {
        let look = self.context.look;
        let invocation = self.context.invocation;
        invocation.eprint(&if invocation.terminal.stderr {
            error.folded(look.color_err, look.width)
        } else {
            error.render(look.color_err)
        });
        After::Failed(error.code())
    }

    fn print(&self, rows: &Rows) -> Result<(), CliError> {
        let show = if self.expanded {
            Show::Record
        } else {
            Show::Table
        };
        let lines = table::draw(rows, show, MOST_ROWS, self.look());
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        let count = crate::base::words::count(rows.count, "row");
        self.context
            .invocation
            .print(&format!("{}({count})\n", lines.concat()))
    }

    fn failed(&self, failure: &Failure) -> After {
        let look = Look {
            colors: self.context.look.color_err,
            ..self.look()
        };
        for line in failure::draw(failure, look) {
            self.context.invocation.eprint(&format!("{line}\n"));
        }
        After::Failed(exit::FAILED)
    }

    fn look(&self) -> Look {
        let terminal = std::io::stdout().is_terminal();
        Look {
            colors: self.context.look.color_out,
            unicode: self.context.look.unicode,
            width: terminal.then_some(self.context.look.width),
        }
    }
}

fn switched(what: &str, on: bool) -> String {
    format!("{what}: {}.\n", if on { "on" } else { "off" })
}

/// Reads; Ctrl-C cancels the statement on the server. A connection that was lost is opened again.
async fn read(session: &mut Session, statement: Statement) -> Result<Rows, Failure> {
    session.revive().await?;
    refuse_volatile(session, [&statement]).await?;
    let (canceller, cancel) = Cancel::new();
    let limits = Limits {
        deadline: None,
        cancel,
    };
    let bound = Bound {
        statement,
        binds: Vec::new(),
    };
    let cancelling = async {
        runner::interrupted().await;
        canceller.cancel();
        std::future::pending().await
    };
    tokio::select! {
        rows = session.read(&bound, MOST_ROWS, &limits) => rows,
        never = cancelling => never,
    }
}
