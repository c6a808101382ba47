//! What is wrong with a text: a title, a place, a reason and what to do next; drawn by one renderer.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::{Source, Span};

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is refused.
    Warning,
    /// The document is refused.
    Error,
}

/// A place in a source with the words that go under its carets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Why, in a few words; may be empty.
    pub text: String,
}

/// One finding about one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// The stable kebab-case name of the rule, for machines and for searching.
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub title: String,
    /// Where it is wrong. The first is the main one.
    pub labels: Vec<Label>,
    /// What to know about it.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Returns an error with a code and a title.
    pub fn error(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, title.into())
    }

    /// Returns a warning with a code and a title.
    pub fn warning(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, title.into())
    }

    fn new(severity: Severity, code: &'static str, title: String) -> Self {
        Self {
            severity,
            code,
            title,
            labels: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds a place and the words under its carets.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        let text = text.into();
        self.labels.push(Label { span, text });
        self
    }

    /// Adds something to know.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
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

    /// Returns the main place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    /// Draws the diagnostic with its source lines and carets.
    pub fn render(&self, source: &Source, colored: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.title.as_str());
        let mut group = if self.labels.is_empty() {
            Group::with_title(title)
        } else {
            title.element(self.snippet(source))
        };
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colored {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group]).clone()
    }

    fn snippet<'a>(&'a self, source: &'a Source) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotations = self.labels.iter().enumerate().map(|(index, label)| {
            let kind = if index == 0 {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            kind.span(source.clamp(label.span).range())
                .label(label.text.as_str())
        });
        Snippet::source(source.text())
            .path(source.name())
            .annotations(annotations)
    }
}

/// Returns true when any of the diagnostics is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
