//! Masks secrets before anything can show or keep them.

use std::borrow::Cow;
use std::ops::Range;

use super::mask::Mask;
use crate::engine::approval::Request;
use crate::engine::event::Event;
use crate::engine::failure::Failure;
use crate::runbook::data::Rows;
use crate::runbook::sensitive::Sensitive;
use crate::sql::ident::{TableName, name_parts, quote_literal};

/// What stands for a secret.
pub const MASK: &str = "•••";

/// Masks secret texts.
#[derive(Clone, Default)]
pub struct Redactor {
    /// None is empty; the longest first.
    secrets: Vec<String>,
    /// The columns whose values nobody is to see.
    sensitive: Vec<Sensitive>,
}

/// The sensitive columns of a table.
pub(super) struct Hidden<'r> {
    /// The table; nothing where its name cannot be read, and the columns' own names must do.
    table: Option<TableName>,
    sensitive: &'r [Sensitive],
}

impl Hidden<'_> {
    /// Returns whether there is none, in any table.
    pub(super) fn is_empty(&self) -> bool {
        self.sensitive.is_empty()
    }

    /// Returns whether a column is one of them.
    pub(super) fn has(&self, column: &str) -> bool {
        self.sensitive.iter().any(|one| match &self.table {
            Some(table) => one.is(table, column),
            None => one.is_named(column),
        })
    }
}

impl Redactor {
    /// Returns a redactor of texts, and of how they stand in literals, JSON, arrays and rows; empty ones hide
    /// nothing.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .flat_map(|secret| {
                let forms = [
                    escaped(&secret),
                    doubled(&secret),
                    listed(&secret),
                    quoted(&secret),
                ];
                forms.into_iter().chain([secret])
            })
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self {
            secrets,
            sensitive: Vec::new(),
        }
    }

    /// Returns a redactor that hides the values of columns as well.
    #[must_use]
    pub fn with_sensitive(self, sensitive: Vec<Sensitive>) -> Self {
        Self { sensitive, ..self }
    }

    /// Returns the columns of a table that are hidden.
    pub(super) fn sensitive_of(&self, table: &str) -> Hidden<'_> {
        let table = name_parts(table).filter(|_| !self.sensitive.is_empty());
        let name = |mut parts: Vec<String>| {
            let name = parts.pop()?;
            let schema = parts.pop();
            Some(TableName { schema, name })
        };
        Hidden {
            table: table.and_then(name),
            sensitive: &self.sensitive,
        }
    }

    /// Returns the text with every secret masked. Where secrets overlap, all of them are one mask, so that
    /// none leaves a part of another behind.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut kept = 0;
        for found in self.found(text) {
            masked.push_str(&text[kept..found.start]);
            masked.push_str(MASK);
            kept = found.end;
        }
        masked + &text[kept..]
    }

    /// Masks rows that were read outside of a run.
    pub fn rows(&self, rows: &mut Rows) {
        rows.mask(self);
    }

    /// Masks a failure outside of a run.
    pub fn failure(&self, failure: &mut Failure) {
        failure.mask(self);
    }

    /// Returns an event with every secret masked.
    pub fn event<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        if self.secrets.is_empty() && self.sensitive.is_empty() {
            return Cow::Borrowed(event);
        }
        let mut event = event.clone();
        event.mask(self);
        Cow::Owned(event)
    }

    /// Returns what other people are asked with every secret masked: before it is digested or kept, so that nobody
    /// finds one out by trying.
    pub fn request(&self, mut request: Request) -> Request {
        request.mask(self);
        request
    }

    /// Returns what the server says of a violated constraint without the row's values, where some of them may be
    /// hidden: `Failing row contains (…)`, `Key (email)=(…) already exists`. Only the parentheses are the same in
    /// all languages.
    pub(super) fn without_row(&self, sqlstate: Option<&str>, note: &str) -> Option<String> {
        if self.sensitive.is_empty() || !matches!(sqlstate?.get(..2)?, "23" | "44") {
            return None;
        }
        let end = note.rfind(')')?;
        let start = match note.find(")=(") {
            Some(middle) => {
                let columns = note.get(note.find('(')? + 1..middle)?;
                let mut names = self.sensitive.iter();
                names.find(|one| one.is_in(columns))?;
                middle + 2
            }
            None => note.find('(')?,
        };
        Some(format!("{}({MASK}{}", note.get(..start)?, note.get(end..)?))
    }

    /// Returns where secrets are, in order and apart from each other.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = self
            .secrets
            .iter()
            .flat_map(|secret| occurrences(text, secret))
            .collect();
        places.sort_by_key(|place| place.start);
        places.dedup_by(|next, last| {
            let joined = next.start < last.end;
            if joined {
                last.end = last.end.max(next.end);
            }
            joined
        });
        places
    }
}

/// Returns what stands between the quotes of a literal.
fn quoted(text: &str) -> String {
    let literal = quote_literal(text);
    let inner = literal.trim_start_matches('E').strip_prefix('\'');
    let inner = inner.and_then(|inner| inner.strip_suffix('\''));
    inner.unwrap_or(text).to_owned()
}

/// Returns how a text stands between the quotes of JSON, and of an element of an array.
fn escaped(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let inner = json
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// Returns how a text stands between the quotes of an item, where a template prints a list.
fn listed(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// Returns how a text stands between the quotes of a row's field, and of CSV.
fn doubled(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\"\"")
}

/// Returns all places of a secret, those that overlap too.
fn occurrences<'a>(text: &'a str, secret: &'a str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find(secret)?;
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        Some(start..start + secret.len())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(secrets: &[&str], text: &str) -> String {
        Redactor::new(secrets.iter().map(|secret| (*secret).to_owned())).mask(text)
    }

    #[test]
    fn no_secret_uncovers_another() {
        assert_eq!(mask(&["foo", "foobar", ""], "a foobar, foo"), "a •••, •••");
        assert_eq!(mask(&["abc", "cde"], "xabcdey"), "x•••y");
        assert_eq!(mask(&["aa"], "aaa"), "•••");
        assert_eq!(mask(&["ab"], "abab"), "••••••");
        assert_eq!(mask(&[], "abc"), "abc");
        assert_eq!(mask(&["a'b"], "IS 'a''b' a'b"), "IS '•••' •••");
        assert_eq!(
            mask(&["a\"b"], r#"{"t": "a\"b"} ("a""b")"#),
            r#"{"t": "•••"} ("•••")"#
        );
        assert_eq!(mask(&["a\\b'"], r"E'a\\b'''"), "E'•••'");
    }

    proptest! {
        #[test]
        fn no_secret_remains(secrets in prop::collection::vec("[ab\\PC&&[^•]]{1,4}", 1..4), text in "[ab\\PC]{0,12}", at in 0..3usize) {
            let text = format!("{text}{}{text}", secrets[at % secrets.len()]);
            let masked = Redactor::new(secrets.clone()).mask(&text);
            for secret in secrets {
                prop_assert!(!masked.contains(&secret), "{masked} has {secret}");
            }
        }
    }
}
