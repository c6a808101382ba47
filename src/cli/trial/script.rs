//! SQL that a test begins with: of a file, or written in the test itself; its mistakes have a place there.

use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{Client, Error};

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::cli::findings::Checked;
use crate::runbook::place::TextPlace;

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
        let ran = client.batch_execute(self.text()).await;
        ran.map_err(|error| Box::new(self.wrong(&error)))
    }

    fn wrong(&self, error: &Error) -> Checked {
        let Some(server) = error.as_db_error() else {
            return self.checked(Diagnostic::error("setup", error.to_string()));
        };
        let title = format!("the server refuses this SQL: {}", server.message());
        let diagnostic = Diagnostic::error("setup", title).at(self.place(server), "");
        let notes = server.detail().into_iter().chain(server.where_());
        let diagnostic = notes.fold(diagnostic, Diagnostic::note);
        self.checked(server.hint().into_iter().fold(diagnostic, Diagnostic::help))
    }

    fn place(&self, server: &DbError) -> Span {
        let Some(ErrorPosition::Original(position)) = server.position() else {
            return self.text.span;
        };
        let text = self.text();
        let start = text
            .char_indices()
            .nth((*position as usize).saturating_sub(1))
            .map_or(0, |(at, _)| at);
        let rest = text.get(start..).unwrap_or_default();
        let is_word = |next: char| next.is_alphanumeric() || matches!(next, '_' | '.' | '"');
        let length = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
        TextPlace::new(&self.source, &self.text).span(start..start + length.max(1))
    }

    fn checked(&self, diagnostic: Diagnostic) -> Checked {
        Checked {
            file: self.source.name().to_owned(),
            source: Some(self.source.clone()),
            diagnostics: vec![diagnostic],
        }
    }
}
