//! The shapes that keys of several steps share: one or many, ordered maps, durations, row guards.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::text::{Expression, Template};
use crate::base::source::Spanned;

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManyVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list of them")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Self::Value, D::Error> {
                T::deserialize(deserializer).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
            }
        }

        deserializer
            .deserialize_newtype_struct(crate::base::shape::ONE_OR_MANY, ManyVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// A map whose order is kept and whose keys have a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<V>(pub Vec<(Spanned<String>, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Entries<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// A length of time such as `500ms`, `5s` or `2m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Template::deserialize(deserializer)?;
        let friendly = "expected a length of time with its unit, such as `500ms`, `5s` or `2m 30s`";
        let wrong = || de::Error::custom(format!("{friendly}, found `{}`", text.text()));
        let duration: jiff::SignedDuration = text.text().parse().map_err(|_| wrong())?;
        Duration::try_from(duration).map(Self).map_err(|_| wrong())
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time with its unit, such as `500ms`, `5s` or `2m 30s`.",
            "type": "string",
            "pattern": "[a-zµ]"
        })
    }
}

/// How many rows a statement may return or change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsGuard {
    /// From the first up to the second number, without an upper end where there is none.
    Range(u64, Option<u64>),
    /// Exactly as many as an expression says.
    Equals(Expression),
}

impl RowsGuard {
    /// Returns true for the guard `1`, by which a query's columns become its result.
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Range(1, Some(1)))
    }

    /// Returns whether a count is inside; `equals` is what the expression of [`Self::Equals`] came to.
    pub fn admits(&self, count: u64, equals: Option<u64>) -> bool {
        match self {
            Self::Range(least, most) => count >= *least && most.is_none_or(|most| count <= most),
            Self::Equals(_) => equals == Some(count),
        }
    }
}

impl fmt::Display for RowsGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(least, Some(most)) if least == most => write!(f, "{least}"),
            Self::Range(0, Some(most)) => write!(f, "..{most}"),
            Self::Range(least, Some(most)) => write!(f, "{least}..{most}"),
            Self::Range(least, None) => write!(f, "{least}.."),
            Self::Equals(expression) => write!(f, "={{{{ {} }}}}", expression.text()),
        }
    }
}

impl<'de> Deserialize<'de> for RowsGuard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Template::deserialize(deserializer)?;
        parse_guard(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "a row guard is `1`, `0..5`, `1..`, `..100` or `={{{{ expression }}}}`, not `{}`",
                text.text()
            ))
        })
    }
}

fn parse_guard(text: &Template) -> Option<RowsGuard> {
    let written = text.text().trim();
    if let Some(rest) = written.strip_prefix('=') {
        let inner = rest.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        let expression = Spanned::new(inner.trim().to_owned(), text.span());
        return Some(RowsGuard::Equals(Expression(expression)));
    }
    let bound = |digits: &str| digits.trim().parse::<u64>().ok();
    match written.split_once("..") {
        None => bound(written).map(|count| RowsGuard::Range(count, Some(count))),
        Some(("", "")) => None,
        Some(("", most)) => bound(most).map(|most| RowsGuard::Range(0, Some(most))),
        Some((least, "")) => bound(least).map(|least| RowsGuard::Range(least, None)),
        Some((least, most)) => {
            let (least, most) = (bound(least)?, bound(most)?);
            (least <= most).then_some(RowsGuard::Range(least, Some(most)))
        }
    }
}

impl JsonSchema for RowsGuard {
    fn schema_name() -> Cow<'static, str> {
        "RowsGuard".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many rows there must be: `1`, `0..5`, `1..`, `..100` or `={{ expression }}`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^\s*([0-9]+|[0-9]+\.\.|\.\.[0-9]+|[0-9]+\.\.[0-9]+|=\s*\{\{.+\}\})\s*$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span as Place;

    #[test]
    fn guards_admit_what_they_say() {
        let guard =
            |text: &str| parse_guard(&Template(Spanned::new(text.to_owned(), Place::default())));
        let cases = [
            ("1", 1, true),
            ("1", 2, false),
            ("0..5", 5, true),
            ("0..5", 6, false),
            ("1..", 99, true),
            ("1..", 0, false),
            ("..100", 0, true),
            ("..100", 101, false),
        ];
        for (text, count, admitted) in cases {
            assert_eq!(
                guard(text).unwrap().admits(count, None),
                admitted,
                "{text} {count}"
            );
        }
        for wrong in ["", "..", "x", "5..1", "-1", "={{ }", "1.5"] {
            assert_eq!(guard(wrong), None, "{wrong}");
        }
        assert!(guard("={{ a.n }}").unwrap().admits(3, Some(3)));
    }
}
