//! The choices of a parameter: what a query offers, at the prompt and again when the run begins.

use std::collections::BTreeMap;

use super::error::CliError;
use crate::base::source::Source;
use crate::engine::cancel::Cancel;
use crate::engine::failure::Failure;
use crate::engine::port::{Bound, Limits};
use crate::pg::session::Session;
use crate::runbook::argument::Argument;
use crate::runbook::data::{Cell, Rows, oid};
use crate::runbook::model::Runbook;
use crate::runbook::param::Param;
use crate::runbook::statement::SqlTemplate;
use crate::sql::ident::quote_ident;
use crate::sql::statement::Statement;

/// More than this many are not offered.
const OFFERED: usize = 2000;

fn limits() -> Limits {
    Limits {
        deadline: None,
        cancel: Cancel::never(),
    }
}

/// Reads what a parameter's `choices` offer; nothing for a parameter without.
///
/// # Errors
/// The server's word.
pub(super) async fn offer(
    session: &mut Session,
    param: &Param,
    source: &Source,
) -> Result<Option<Rows>, Failure> {
    let Some(statement) = statement(param, source) else {
        return Ok(None);
    };
    let bound = Bound {
        statement,
        binds: Vec::new(),
    };
    session.read(&bound, OFFERED, &limits()).await.map(Some)
}

/// Returns the statements of all choices.
pub(super) fn statements(runbook: &Runbook) -> Vec<Statement> {
    let params = runbook.params().iter();
    params
        .filter_map(|(_, param)| statement(param, &runbook.source))
        .collect()
}

fn statement(param: &Param, source: &Source) -> Option<Statement> {
    let choices = param.choices.as_ref()?;
    // It was parsed when the runbook was checked.
    SqlTemplate::parse(choices, source)
        .ok()
        .map(|(template, _)| template.statement)
}

/// Refuses arguments that are none of their parameters' choices.
///
/// # Errors
/// All of them; or the server's word.
pub(super) async fn check(
    session: &mut Session,
    runbook: &Runbook,
    arguments: &BTreeMap<String, Argument>,
) -> Result<(), CliError> {
    let mut wrong = Vec::new();
    for (name, param) in runbook.params() {
        let (Some(argument), Some(statement)) =
            (arguments.get(name), statement(param, &runbook.source))
        else {
            continue;
        };
        let found = is_offered(session, statement, argument)
            .await
            .map_err(|failure| {
                CliError::invalid(format!(
                    "the choices of `{name}` cannot be read: {}",
                    failure.message
                ))
            })?;
        if !found {
            let shown = if param.secret {
                "•••"
            } else {
                &argument.shown
            };
            wrong.push(format!("`{name}`: {shown} is not among its choices"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let error = CliError::invalid("the parameters are not among what the database offers");
    let error = wrong.into_iter().fold(error, CliError::note);
    let offers = offers(session, runbook, arguments).await;
    Err(error.help(format!("the choices are {offers}")))
}

async fn is_offered(
    session: &mut Session,
    choices: Statement,
    argument: &Argument,
) -> Result<bool, Failure> {
    let bound = Bound {
        statement: choices,
        binds: Vec::new(),
    };
    let columns = session.columns(&bound).await?;
    let Some(first) = columns.first() else {
        return Ok(true);
    };
    let text = format!(
        "SELECT 1 FROM ({}\n) AS runbook_choice WHERE runbook_choice.{}::text = $1 LIMIT 1",
        bound.statement.text(),
        quote_ident(&first.name)
    );
    let statement = Statement::parse(&text).map_err(|error| {
        Failure::new(
            crate::engine::failure::FailureKind::Statement,
            error.message,
        )
    })?;
    let cell = Cell {
        text: argument.cell.text.clone(),
        oid: oid::TEXT,
    };
    let bound = Bound {
        statement,
        binds: vec![cell],
    };
    Ok(session.read(&bound, 1, &limits()).await?.count > 0)
}

/// Returns the first choices of the parameters that were wrong, for the error.
async fn offers(
    session: &mut Session,
    runbook: &Runbook,
    arguments: &BTreeMap<String, Argument>,
) -> String {
    let mut lines = Vec::new();
    for (name, param) in runbook.params() {
        if !arguments.contains_key(name) {
            continue;
        }
        if let Ok(Some(rows)) = offer(session, param, &runbook.source).await {
            let shown: Vec<String> = rows.rows.iter().take(8).map(|row| label(row)).collect();
            let more = rows.count.saturating_sub(shown.len() as u64);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            lines.push(format!("{name}: {}{more}", shown.join(", ")));
        }
    }
    lines.join("; ")
}

/// Returns a choice as people see it: its value and what describes it.
pub(super) fn label(row: &[Option<String>]) -> String {
    let fields: Vec<&str> = row.iter().flatten().map(String::as_str).collect();
    fields.join(" ")
}
