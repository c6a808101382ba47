//! `runbook query`: one ad-hoc question, read-only by construction.

use serde_json::{Map, Value};

use crate::cli::args::{ListOutput, QueryArgs};
use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::outcome::exit;
use crate::engine::port::{Bound, Limits};
use crate::pg::function::refuse_volatile;
use crate::report::look::Look;
use crate::report::{failure, table};
use crate::runbook::data::Rows;
use crate::sql::statement::Statement;
use crate::step::query::Show;

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
    let rows = match checked {
        Ok(()) => session.read(&bound, most(args), &limits).await,
        Err(failure) => Err(failure),
    };
    match rows {
        Ok(rows) => print(context, args, &rows, look),
        Err(failure) => {
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
        ListOutput::Human => {
            let lines = table::draw(rows, Show::Table, most(args), look);
            let count = crate::base::words::count(rows.count, "row");
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .chain([format!("({count})\n")])
                .collect()
        }
        ListOutput::Json => format!("{}\n", json(rows)),
    };
    context.invocation.print(&text)?;
    let shown = rows.rows.len();
    if u64::try_from(shown).is_ok_and(|shown| shown < rows.count) {
        context.invocation.eprint(&format!(
            "warning: showing {shown} of {} rows; --limit 0 shows all\n",
            rows.count
        ));
    }
    Ok(exit::DONE)
}

/// Returns how many rows are shown; the count is of all.
fn most(args: &QueryArgs) -> usize {
    match args.limit {
        0 => usize::MAX,
        limit => limit,
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
