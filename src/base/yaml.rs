//! YAML text to a tree in which every value knows where it stands.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::DuplicateKeyPolicy;

use super::diagnostic::Diagnostic;
use super::source::{Source, Span, Spanned};

/// No runbook a person writes comes near this; more is a mistake or an attack.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A YAML value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A YAML value by the core schema of YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent, or past the range of bigint; as it is written.
    Decimal(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Returns what a person would call this kind of value.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Decimal(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Returns the value as JSON, for passing on as data.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Decimal(value) => {
                serde_json::from_str(value).unwrap_or_else(|_| value.as_str().into())
            }
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.value.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Parses one YAML document.
///
/// # Errors
/// A diagnostic with a place for what is not YAML, has duplicate keys, or is larger or deeper than
/// any document that a person writes (aliases that multiply included).
pub fn parse(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let text = source.text();
    if text.len() > MAX_BYTES {
        let title = format!(
            "the file has {} bytes; a runbook may have {MAX_BYTES} at most",
            text.len()
        );
        return Err(Box::new(
            Diagnostic::error("yaml", title)
                .at(Span::default(), "")
                .help("split it: a runbook can `use` others"),
        ));
    }
    let options = serde_yaml::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        // As YAML 1.2 says: `no`, `off` and `n` are texts.
        strict_booleans: true,
        budget: serde_yaml::budget! { max_depth: 64, max_documents: 1, max_aliases: 100 },
    };
    let raw: serde_yaml::Spanned<Raw> = serde_yaml::from_str_with_options(text, options)
        .map_err(|error| Box::new(refuse(source, &error)))?;
    Ok(raw.into_node(source))
}

fn refuse(source: &Source, error: &serde_yaml::Error) -> Diagnostic {
    let span = error
        .location()
        .map(|location| locate(source, location))
        .unwrap_or_default();
    let message = explain(&error.to_string());
    let tab = source.slice(Span::new(
        source.line_start(source.position(span.start).line),
        span.end.max(span.start + 1),
    ));
    let diagnostic = Diagnostic::error("yaml", format!("not valid YAML: {message}")).at(span, "");
    if tab.trim_start_matches(' ').starts_with('\t') {
        diagnostic.help("indent with spaces: YAML does not allow tabs there")
    } else if tab.contains("{{") && message.contains("flow") {
        diagnostic.help("put quotes around a text with {{ }} where braces stand around it")
    } else {
        diagnostic
    }
}

/// Puts the parser's message into a user's words: its hints speak to programmers who call it, and it
/// ends with the place, which the renderer draws better.
fn explain(message: &str) -> String {
    if message.contains("budget breached") || message.contains("limit exceeded") {
        return "it is nested deeper, or has more values and aliases, than any runbook needs"
            .to_owned();
    }
    let first = message.lines().next().unwrap_or("not YAML");
    let end = first.find(" at line ").unwrap_or(first.len());
    let words = first[..end].split(", set ").next().unwrap_or(first);
    words.trim_end_matches([':', ',', ' ']).to_owned()
}

fn locate(source: &Source, location: serde_yaml::Location) -> Span {
    let line = usize::try_from(location.line()).unwrap_or(1);
    let column = usize::try_from(location.column()).unwrap_or(1);
    let start = match location.span().byte_offset() {
        Some(offset) => usize::try_from(offset).unwrap_or(0),
        None => source.line_start(line) + column.saturating_sub(1),
    };
    let length = location.span().byte_len().unwrap_or(0);
    Span::new(start, start + usize::try_from(length).unwrap_or(0))
}

/// The shape as the parser hands it out; [`Node`] is the same with spans in bytes.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Decimal,
    Text(String),
    List(Vec<serde_yaml::Spanned<Raw>>),
    Map(Vec<(serde_yaml::Spanned<String>, serde_yaml::Spanned<Raw>)>),
}

trait IntoNode {
    fn into_node(self, source: &Source) -> Node;
}

impl IntoNode for serde_yaml::Spanned<Raw> {
    fn into_node(self, source: &Source) -> Node {
        let span = locate(source, self.referenced);
        let value = match self.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Int(value) => Value::Int(value),
            Raw::Decimal => Value::Decimal(source.slice(span).to_owned()),
            Raw::Text(value) => Value::Text(value),
            Raw::List(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| item.into_node(source))
                    .collect(),
            ),
            Raw::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: Spanned::new(key.value, locate(source, key.referenced)),
                        value: value.into_node(source),
                    })
                    .collect(),
            ),
        };
        Node { span, value }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Decimal, Raw::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Decimal)
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, Value, String)> {
        let source = Source::new("t", text);
        let Value::Map(entries) = parse(&source).unwrap().value else {
            unreachable!("the text is a map")
        };
        entries
            .into_iter()
            .map(|entry| {
                let raw = source.slice(entry.value.span).to_owned();
                (entry.key.value, entry.value.value, raw)
            })
            .collect()
    }

    #[test]
    fn scalars_keep_their_kind_and_their_place() {
        let text = "a: 42\nb: '42'\nc: |\n  x\n    y\nd: 1.10\ne: ~\nf: 99999999999999999999\n";
        let expected = [
            ("a", Value::Int(42), "42"),
            ("b", Value::Text("42".into()), "'42'"),
            ("c", Value::Text("x\n  y\n".into()), "x\n    y\n"),
            ("d", Value::Decimal("1.10".into()), "1.10"),
            ("e", Value::Null, "~"),
            (
                "f",
                Value::Decimal("99999999999999999999".into()),
                "99999999999999999999",
            ),
        ];
        for ((key, value, raw), (k, v, r)) in entries(text).into_iter().zip(expected) {
            assert_eq!((key.as_str(), value, raw.as_str()), (k, v, r));
        }
    }

    #[test]
    fn hostile_documents_are_refused_at_once() {
        let mut bomb = String::new();
        for n in 0..30 {
            let p = i32::max(n, 1) - 1;
            bomb.push_str(&["a", "b", "c", "d"].map(|_| format!("*a{p}, ")).concat());
            bomb.insert_str(
                bomb.rfind('\n').map_or(0, |at| at + 1),
                &format!("a{n}: &a{n} ["),
            );
            bomb.push_str("]\n");
        }
        let cases = [
            ("[".repeat(10_000), "deeper"),
            ("x".repeat(10_000_000), "may have"),
            (bomb.replacen("[*a0, *a0, *a0, *a0, ]", "1", 1), "aliases"),
            ("a: 1\na: 2".to_owned(), "duplicate mapping key: a"),
            ("a:\n\tb: 1".to_owned(), "tabs"),
        ];
        for (text, why) in cases {
            let error = parse(&Source::new("t", text)).unwrap_err();
            assert!(error.title.contains(why), "{}", error.title);
        }
    }

    /// Texts on which drawing a mistake once failed: a place behind the end, or within a character.
    #[test]
    fn a_mistake_at_the_edge_of_a_text_is_drawn() {
        for text in ["%𐖔", "¡: \"", "a: [ß", "{", "\u{a0}:\t", "&\u{10ffff}"] {
            let source = Source::new("t", text);
            if let Err(error) = parse(&source) {
                assert!(error.render(&source, false).starts_with("error"), "{text}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_with_a_place_in_it(text in "\\PC*|[-a: \\n\\[{&*|>'\"\t]{0,60}") {
            let source = Source::new("t", text);
            if let Err(error) = parse(&source) {
                error.render(&source, false);
            }
        }
    }
}
