//! SQL that a test begins with: of a file, or written in the test itself; its mistakes have a place there.

use std::ops::Range;

use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Error};

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::cli::findings::Checked;
use crate::runbook::place::TextPlace;
use crate::sql::token::{TokenKind, tokens};

/// SQL, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Script {
    source: Source,
    text: Spanned<String>,
}

impl Script {
    /// Returns the SQL of a whole file.
    pub(super) fn file(source: Source) -> Self {
        let text = source.text().to_owned();
        let whole = Span::new(0, text.len());
        Self {
            source,
            text: Spanned::new(text, whole),
        }
    }

    /// Returns the SQL that stands in a test.
    pub(super) fn inline(source: &Source, text: &Spanned<String>) -> Self {
        Self {
            source: source.clone(),
            text: text.clone(),
        }
    }

    /// Returns the SQL.
    pub(super) fn text(&self) -> &str {
        &self.text.value
    }

    /// Runs it in one transaction.
    ///
    /// # Errors
    /// The server's word, and where it stands.
    pub(super) async fn run(&self, client: &Client) -> Result<(), Box<Checked>> {
        match client.batch_execute(self.text()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(Box::new(self.wrong(&error, client).await)),
        }
    }

    async fn wrong(&self, error: &Error, client: &Client) -> Checked {
        let Some(server) = error.as_db_error() else {
            return self.checked(Diagnostic::error("setup", error.to_string()));
        };
        let title = format!("the server refuses this SQL: {}", server.message());
        let place = match server.position() {
            Some(ErrorPosition::Original(position)) => self.word_at(*position as usize),
            // The server says where only of mistakes in the text itself.
            _ => self.failing(client).await.unwrap_or(self.text.span),
        };
        let diagnostic = Diagnostic::error("setup", title).at(place, "");
        let notes = server.detail().into_iter().chain(server.where_());
        let diagnostic = notes.fold(diagnostic, Diagnostic::note);
        self.checked(server.hint().into_iter().fold(diagnostic, Diagnostic::help))
    }

    /// Returns the place of the word that begins at a character, counted from 1.
    fn word_at(&self, position: usize) -> Span {
        let text = self.text();
        let start = text
            .char_indices()
            .nth(position.saturating_sub(1))
            .map_or(0, |(at, _)| at);
        let rest = text.get(start..).unwrap_or_default();
        let is_word = |next: char| next.is_alphanumeric() || matches!(next, '_' | '.' | '"');
        let length = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
        self.place(start..start + length.max(1))
    }

    /// Runs the statements one by one, to find the one that fails; nothing of them stays.
    async fn failing(&self, client: &Client) -> Option<Span> {
        client.batch_execute("ROLLBACK; BEGIN").await.ok()?;
        let mut found = None;
        for range in statements(self.text()) {
            let statement = self.text().get(range.clone())?;
            if client.batch_execute(statement).await.is_err() {
                let line = statement.lines().next().unwrap_or_default().len();
                found = Some(self.place(range.start..range.start + line));
                break;
            }
        }
        // The connection goes in any case.
        let _ = client.batch_execute("ROLLBACK").await;
        found
    }

    fn place(&self, range: Range<usize>) -> Span {
        TextPlace::new(&self.source, &self.text).span(range)
    }

    fn checked(&self, diagnostic: Diagnostic) -> Checked {
        Checked {
            file: self.source.name().to_owned(),
            source: Some(self.source.clone()),
            diagnostics: vec![diagnostic],
        }
    }
}

/// Returns where the statements of a text are, without the blanks and comments before them.
fn statements(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (kind, range) in tokens(text) {
        let token = text.get(range.clone()).unwrap_or_default();
        if kind == TokenKind::Other && token == ";" {
            found.extend(start.take().map(|start| start..range.end));
        } else if kind != TokenKind::Comment && !token.trim().is_empty() {
            start.get_or_insert(range.start);
        }
    }
    found.extend(start.map(|start| start..text.len()));
    found
}
