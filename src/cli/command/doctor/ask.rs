//! A question to the server: every column of the answer is a text.

use tokio_postgres::{Error, SimpleQueryMessage};

use crate::pg::session::Session;

/// A row of an answer.
pub(super) struct Answer(Vec<Option<String>>);

impl Answer {
    /// Returns a row with these texts.
    #[cfg(test)]
    pub(super) fn of<const N: usize>(texts: [&str; N]) -> Self {
        Self(texts.map(|text| Some(text.to_owned())).into())
    }

    /// Returns a column; what is null is empty.
    pub(super) fn text(&self, column: usize) -> &str {
        self.some(column).unwrap_or_default()
    }

    /// Returns a column that may be null.
    pub(super) fn some(&self, column: usize) -> Option<&str> {
        self.0.get(column).and_then(Option::as_deref)
    }

    /// Returns whether a column is true.
    pub(super) fn is(&self, column: usize) -> bool {
        self.some(column) == Some("true")
    }

    /// Returns a column that is a number; what is none is 0.
    pub(super) fn number(&self, column: usize) -> i64 {
        self.text(column).parse().unwrap_or_default()
    }
}

/// Asks for rows.
///
/// # Errors
/// The server's word.
pub(super) async fn rows(session: &Session, sql: &str) -> Result<Vec<Answer>, String> {
    let rows = session.client().query_typed(sql, &[]).await;
    let rows = rows.map_err(|error| words(&error))?;
    Ok(rows
        .iter()
        .map(|row| Answer((0..row.len()).map(|at| row.get(at)).collect()))
        .collect())
}

/// Asks for one row.
///
/// # Errors
/// The server's word, or there is none.
pub(super) async fn row(session: &Session, sql: &str) -> Result<Answer, String> {
    let mut all = rows(session, sql).await?;
    all.pop()
        .ok_or_else(|| "the server gave no answer".to_owned())
}

/// Asks for one row in a transaction of its own, which is begun and ended as those of runs are.
///
/// # Errors
/// As [`row`].
pub(super) async fn in_transaction(session: &Session, sql: &str) -> Result<Answer, String> {
    let text = format!("BEGIN READ ONLY; {sql}");
    let messages = session.client().simple_query(&text).await;
    let messages = messages.map_err(|error| words(&error))?;
    let ended = session.client().simple_query("COMMIT").await;
    ended.map_err(|error| words(&error))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or_else(|| "the server gave no answer".to_owned())?;
    let texts = (0..row.len()).map(|at| row.get(at).map(str::to_owned));
    Ok(Answer(texts.collect()))
}

fn words(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |server| server.message().to_owned())
}
