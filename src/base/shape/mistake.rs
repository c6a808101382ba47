//! What serde finds wrong with a tree, with its place, in an author's words.

use serde::de::{self, Expected, Unexpected};

use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::words;

#[derive(Debug)]
pub(super) enum Kind {
    Message(String),
    Unknown {
        found: String,
        what: &'static str,
        expected: &'static [&'static str],
    },
    Missing(&'static str),
}

/// What serde found wrong, and where in the tree.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) kind: Kind,
    pub(super) span: Option<Span>,
    /// Indexes of map entries and list items from the root to the place.
    pub(super) path: Vec<usize>,
}

impl Mistake {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            span: None,
            path: Vec::new(),
        }
    }

    pub(super) fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    pub(super) fn inside(mut self, index: usize) -> Self {
        self.path.insert(0, index);
        self
    }

    pub(super) fn diagnostic(&self, root: Span, beside: &[&'static str]) -> Diagnostic {
        let span = self.span.unwrap_or(root);
        match &self.kind {
            Kind::Message(text) => Diagnostic::error("shape", text.clone()).at(span, ""),
            Kind::Missing(field) => {
                Diagnostic::error("missing-key", format!("`{field}` is missing"))
                    .at(span, format!("`{field}` is needed here"))
            }
            Kind::Unknown {
                found,
                what,
                expected,
            } => Diagnostic::error("unknown-key", format!("unknown {what} `{found}`"))
                .at(span, "")
                .help(
                    words::did_you_mean(found, expected.iter().chain(beside).copied())
                        .unwrap_or_else(|| format!("one of {}", words::quoted(expected))),
                ),
        }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            Kind::Message(text) => f.write_str(text),
            Kind::Missing(field) => write!(f, "`{field}` is missing"),
            Kind::Unknown { found, what, .. } => write!(f, "unknown {what} `{found}`"),
        }
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(Kind::Message(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain_expected(expected);
        Self::custom(format!("expected {expected}, found {}", plain(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain_expected(expected);
        Self::custom(format!("expected {expected}, found {}", plain(found)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown {
            found: field.to_owned(),
            what: "key",
            expected,
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown {
            found: variant.to_owned(),
            what: "value",
            expected,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }
}

fn plain(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Str(text) => {
            format!("the text \"{}\"", text.chars().take(40).collect::<String>())
        }
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// Puts serde's names of Rust's types into a user's words.
fn plain_expected(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a string" => "a text".to_owned(),
        other if other.starts_with("struct ") => "a map of keys".to_owned(),
        other => other.to_owned(),
    }
}
