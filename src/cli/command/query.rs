//! `runbook query`: one ad-hoc question, read-only by construction.

use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value};

use crate::cli::args::{QueryArgs, QueryOutput};
use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::outcome::exit;
use crate::engine::port::{Bound, Limits};
use crate::pg::function::refuse_volatile;
use crate::report::export::Export;
use crate::report::look::Look;
use crate::report::secret::{MASK, Redactor};
use crate::report::{failure, table};
use crate::runbook::data::{Column, Rows, TakeRows};
use crate::sql::statement::Statement;
use crate::step::query::{FileFormat, Show};

/// Asks the question and prints the rows.
///
/// # Errors
/// The statement may not run, or there is no connection.
pub fn run(context: &Context<'_>, args: &QueryArgs) -> Result<u8, CliError> {
    let sql = match args.sql.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| CliError::io("cannot read standard input", &error))?,
        sql => sql.to_owned(),
    };
    let statement = Statement::parse(&sql)
        .and_then(|statement| statement.allowed_in_read().map(|()| statement));
    let statement =
        statement.map_err(|error| CliError::invalid(error.message).help_opt(error.help))?;
    if !statement.placeholders().is_empty() {
        return Err(CliError::invalid(
            "the question has parameters such as $1, for which there are no values",
        )
        .help("write the values into it"));
    }
    connection::runtime()?.block_on(ask(context, args, statement))
}

async fn ask(
    context: &Context<'_>,
    args: &QueryArgs,
    statement: Statement,
) -> Result<u8, CliError> {
    let mut session = connection::connect(context, "runbook/query").await?;
    let redactor = Redactor::new([]).with_sensitive(session.set_sensitive(&[]));
    let look = Look {
        colors: context.look.color_out,
        unicode: context.look.unicode,
        width: context
            .invocation
            .terminal
            .stdout
            .then_some(context.look.width),
    };
    let checked = refuse_volatile(&session, [&statement]).await;
    let bound = Bound {
        statement,
        binds: Vec::new(),
    };
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    let format = match args.output {
        QueryOutput::Csv => Some(FileFormat::Csv),
        QueryOutput::Jsonl => Some(FileFormat::Jsonl),
        QueryOutput::Human | QueryOutput::Json => None,
    };
    let mut stream = format.map(|format| Stream::new(context, format, most(args)));
    let rows = match (checked, &mut stream) {
        (Err(failure), _) => Err(failure),
        (Ok(()), None) => session.read(&bound, most(args), &limits).await,
        (Ok(()), Some(stream)) => session.read_each(&bound, 0, &limits, stream).await,
    };
    let shut = stream.as_ref().is_some_and(|stream| stream.shut);
    match rows {
        // Whoever read it has all that was wanted.
        _ if shut => Err(CliError::BrokenPipe),
        Ok(mut rows) => match stream {
            Some(stream) => stream.finish(context, &rows),
            None => {
                redactor.rows(&mut rows);
                print(context, args, &rows, look)
            }
        },
        Err(mut failure) => {
            redactor.failure(&mut failure);
            let look = Look {
                colors: context.look.color_err,
                ..look
            };
            for line in failure::draw(&failure, look) {
                context.invocation.eprint(&format!(
                    "{line}
"
                ));
            }
            Ok(exit::FAILED)
        }
    }
}

fn print(context: &Context<'_>, args: &QueryArgs, rows: &Rows, look: Look) -> Result<u8, CliError> {
    let text = match args.output {
        QueryOutput::Json => format!("{}\n", json(rows)),
        _ => {
            let lines = table::draw(rows, Show::Table, most(args), look);
            let count = crate::base::words::count(rows.count, "row");
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .chain([format!("({count})\n")])
                .collect()
        }
    };
    context.invocation.print(&text)?;
    warn(context, rows.rows.len(), rows);
    Ok(exit::DONE)
}

fn warn(context: &Context<'_>, shown: usize, rows: &Rows) {
    if u64::try_from(shown).is_ok_and(|shown| shown < rows.count) {
        context.invocation.eprint(&format!(
            "warning: showing {shown} of {} rows; --limit 0 shows all\n",
            rows.count
        ));
    }
}

/// Returns how many rows are shown; the count is of all.
fn most(args: &QueryArgs) -> usize {
    match (args.limit, args.output) {
        (Some(0), _) | (None, QueryOutput::Csv | QueryOutput::Jsonl) => usize::MAX,
        (None, _) => 1000,
        (Some(limit), _) => limit,
    }
}

/// Rows on their way to standard output.
struct Stream {
    export: Export<BufWriter<Box<dyn Write>>>,
    most: usize,
    written: usize,
    /// Whether nobody reads it any more.
    shut: bool,
    /// Which columns nobody is to see.
    hidden: Vec<bool>,
}

impl Stream {
    fn new(context: &Context<'_>, format: FileFormat, most: usize) -> Self {
        let out = BufWriter::new(context.invocation.writer());
        Self {
            export: Export::new(out, format),
            most,
            written: 0,
            shut: false,
            hidden: Vec::new(),
        }
    }

    fn finish(self, context: &Context<'_>, rows: &Rows) -> Result<u8, CliError> {
        match self.export.finish() {
            Ok(_) => {
                warn(context, self.written, rows);
                Ok(exit::DONE)
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::BrokenPipe),
            Err(error) => Err(CliError::io("cannot write to standard output", &error)),
        }
    }

    fn came(&mut self, result: io::Result<()>) -> io::Result<()> {
        let error = result.as_ref().err().map(io::Error::kind);
        self.shut |= error == Some(io::ErrorKind::BrokenPipe);
        result
    }
}

impl TakeRows for Stream {
    fn columns(&mut self, columns: &[Column]) -> io::Result<()> {
        self.hidden = columns.iter().map(|column| column.sensitive).collect();
        let result = self.export.columns(columns);
        self.came(result)
    }

    fn row(&mut self, row: &[Option<String>]) -> io::Result<()> {
        if self.written == self.most {
            return Ok(());
        }
        self.written += 1;
        let result = if self.hidden.contains(&true) {
            let masked = row.iter().zip(&self.hidden);
            let masked = masked.map(|(value, hidden)| {
                let text = value.as_ref()?;
                Some(if *hidden {
                    MASK.to_owned()
                } else {
                    text.clone()
                })
            });
            self.export.row(&masked.collect::<Vec<_>>())
        } else {
            self.export.row(row)
        };
        self.came(result)
    }
}

/// Returns the rows as objects of texts, as PostgreSQL prints them.
fn json(rows: &Rows) -> Value {
    let object = |row: &Vec<Option<String>>| {
        let pairs = rows.columns.iter().zip(row);
        let pairs = pairs.map(|(column, text)| {
            (
                column.name.clone(),
                text.clone().map_or(Value::Null, Value::String),
            )
        });
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    rows.rows.iter().map(object).collect()
}
