//! What the server says of a failed statement, in the engine's terms: by SQLSTATE.

use std::ops::Range;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use crate::engine::failure::{Failure, FailureKind};
use crate::sql::token::{TokenKind, tokens};

/// Translates a driver's error about a statement; `text` is what was sent, `prefix` how much of its start
/// the author did not write.
pub(super) fn of(error: &Error, text: &str, prefix: usize) -> Failure {
    match error.as_db_error() {
        Some(error) => of_server(error, text, prefix),
        None if error.is_closed() || is_io(error) => lost(),
        None => Failure::new(FailureKind::Statement, deepest(error)),
    }
}

/// Returns the failure of a connection that is gone.
pub(crate) fn lost() -> Failure {
    Failure::new(
        FailureKind::Connection,
        "the connection to the server is lost",
    )
    .note("what was not committed is rolled back by the server")
    .help("see that the server is up")
}

fn is_io(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The driver's own words are for programmers; the cause at the bottom says what happened.
fn deepest(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

fn of_server(error: &DbError, text: &str, prefix: usize) -> Failure {
    let mut failure = Failure::new(kind(error.code()), error.message());
    failure.sqlstate = Some(error.code().code().to_owned());
    if let Some(line) = error
        .position()
        .and_then(|position| line_at(position, text, prefix))
    {
        failure = failure.note(format!("in: {line}"));
    }
    failure.notes.extend(error.detail().map(str::to_owned));
    failure.notes.extend(
        error
            .where_()
            .filter(|_| error.code() == &SqlState::RAISE_EXCEPTION)
            .map(str::to_owned),
    );
    failure.help.extend(error.hint().map(str::to_owned));
    failure.help.extend(advice(error.code()).map(str::to_owned));
    failure
}

fn kind(code: &SqlState) -> FailureKind {
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            FailureKind::Serialization
        }
        SqlState::LOCK_NOT_AVAILABLE => FailureKind::LockTimeout,
        SqlState::QUERY_CANCELED => FailureKind::Timeout,
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => FailureKind::Connection,
        _ if code.code().starts_with("08") => FailureKind::Connection,
        _ => FailureKind::Statement,
    }
}

fn advice(code: &SqlState) -> Option<&'static str> {
    Some(match *code {
        SqlState::LOCK_NOT_AVAILABLE => {
            "wait until the other session is done, or give the step `retry: { times: 3, on: [lock_timeout] }`"
        }
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => {
            "is this the database that the runbook is for? `runbook check NAME --target …` compares them"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => "run it as a login that has the right, or ask for it",
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "a `query` or `check` only reads; what writes belongs into a `fix`"
        }
        SqlState::INDETERMINATE_DATATYPE => "say the type in the SQL: {{ x }}::text",
        SqlState::QUERY_CANCELED => {
            "give the step a longer `timeout`, or make the statement faster"
        }
        _ => return None,
    })
}

/// Returns the line of the author's text in which the server found the mistake.
fn line_at(position: &ErrorPosition, text: &str, prefix: usize) -> Option<String> {
    let ErrorPosition::Original(position) = position else {
        return None;
    };
    let offset = text
        .char_indices()
        .nth((*position as usize).checked_sub(1)?)?
        .0;
    if offset < prefix {
        return None;
    }
    let start = text[..offset]
        .rfind('\n')
        .map_or(0, |at| at + 1)
        .max(prefix);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    Some(without_broken(text, start..end).trim().to_owned())
}

/// Returns a part of a statement, of 160 characters at most, without the texts in it that are not all there: a
/// part of a secret would not be known for one.
fn without_broken(text: &str, part: Range<usize>) -> String {
    let line = text.get(part.clone()).unwrap_or_default();
    let most = line.char_indices().nth(160);
    let part = part.start..most.map_or(part.end, |(at, _)| part.start + at);
    let mut line = String::new();
    for (kind, range) in tokens(text) {
        let inside = range.start.max(part.start)..range.end.min(part.end);
        if inside.is_empty() {
            continue;
        }
        let is_text = matches!(kind, TokenKind::String | TokenKind::DollarString);
        if is_text && inside != range {
            line.push_str("'…'");
        } else {
            line.push_str(text.get(inside).unwrap_or_default());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_text_is_shown_without_the_rest() {
        let line = |text: &str, at: u32| line_at(&ErrorPosition::Original(at), text, 0);
        assert_eq!(line("SELECT\n 'a' + x\n", 9).as_deref(), Some("'a' + x"));
        assert_eq!(line("IS 'one\ntwo' + x", 2).as_deref(), Some("IS '…'"));
        let three = "IS 'one\ntwo\nthree' + x";
        assert_eq!(line(three, 22).as_deref(), Some("'…' + x"));
        assert_eq!(line(three, 9).as_deref(), Some("'…'"));
        let long = format!("IS '{}' x", "é".repeat(200));
        assert_eq!(line(&long, 1).as_deref(), Some("IS '…'"));
        assert_eq!(line(&"x".repeat(200), 1), Some("x".repeat(160)));
    }
}
