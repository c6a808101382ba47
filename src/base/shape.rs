//! YAML trees to typed values by serde: every mistake is collected with its place, not only the first.

mod mistake;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::diagnostic::Diagnostic;
use super::source::{Span, Spanned};
use super::words;
use super::yaml::{Entry, Node, Value};
use mistake::{Kind, Mistake};

/// The name by which [`Spanned`] asks [`NodeDeserializer`] for its place.
const SPANNED: &str = "$runbook::base::Spanned";

/// The name by which a type asks for a list to visit as one, and for anything else as a single value.
pub const ONE_OR_MANY: &str = "$runbook::base::OneOrMany";

/// One document has no use for more; it bounds the work that a hostile one causes.
const MAX_MISTAKES: usize = 50;

/// Reads `node` as a `T`. Each mistake becomes a diagnostic, and what it concerns is left out so that
/// the rest can be looked at; the value is there only when nothing was wrong.
pub fn read<T: DeserializeOwned>(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
    read_beside(node, &[], diagnostics)
}

/// Reads like [`read`] a map whose other keys, `beside`, are read elsewhere: only the advice for an
/// unknown key needs them.
pub fn read_beside<T: DeserializeOwned>(
    node: &Node,
    beside: &[&'static str],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let mut pruned = node.clone();
    let mut mistakes = 0;
    let mut places: Vec<Vec<usize>> = Vec::new();
    loop {
        match T::deserialize(NodeDeserializer(&pruned)) {
            Ok(value) if mistakes == 0 => return Some(value),
            Ok(_) => return None,
            Err(error) => {
                // What is missing now may be what was left out before; and what lost a part may be
                // wrong without it.
                let follows = match error.kind {
                    Kind::Missing(_) => mistakes > 0,
                    _ => places.iter().any(|place| {
                        place.len() > error.path.len() && place.starts_with(&error.path)
                    }),
                };
                if !follows {
                    diagnostics.push(error.diagnostic(node.span, beside));
                }
                places.push(error.path.clone());
                mistakes += 1;
                if mistakes > MAX_MISTAKES || !prune(&mut pruned, &error.path) {
                    return None;
                }
            }
        }
    }
}

fn prune(node: &mut Node, path: &[usize]) -> bool {
    match (path, &mut node.value) {
        ([index], Value::Map(entries)) if *index < entries.len() => {
            entries.remove(*index);
            true
        }
        ([index], Value::List(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        ([index, rest @ ..], Value::Map(entries)) => entries
            .get_mut(*index)
            .is_some_and(|entry| prune(&mut entry.value, rest)),
        ([index, rest @ ..], Value::List(items)) => {
            items.get_mut(*index).is_some_and(|item| prune(item, rest))
        }
        _ => false,
    }
}

/// Hands a [`Node`] to serde.
#[derive(Clone, Copy)]
struct NodeDeserializer<'a>(&'a Node);

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let span = self.0.span;
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Decimal(text) | Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
        .map_err(|error: Mistake| error.at(span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if name == ONE_OR_MANY && matches!(self.0.value, Value::List(_)) {
            self.deserialize_any(visitor)
        } else if name == SPANNED {
            visitor.visit_seq(Place {
                node: self.0,
                part: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let span = self.0.span;
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(
                IntoDeserializer::<Mistake>::into_deserializer(text.as_str()),
            ),
            Value::Map(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { entries, next: 0 }))
            }
            _ => {
                let expected = format!("one of {}", words::quoted(variants));
                Err(Mistake::custom(format!(
                    "{name}: expected {expected}, found {}",
                    self.0.kind()
                )))
            }
        }
        .map_err(|error: Mistake| error.at(span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(NodeDeserializer(item))
            .map(Some)
            .map_err(|error| error.at(item.span).inside(index))
    }
}

struct Entries<'a> {
    entries: &'a [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some(entry) = self.entries.get(self.next) else {
            return Ok(None);
        };
        seed.deserialize(KeyDeserializer(&entry.key))
            .map(Some)
            .map_err(|error| error.at(entry.key.span).inside(self.next))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let index = self.next;
        self.next += 1;
        let entry = &self.entries[index];
        // An empty value has no width of its own to point at.
        let span = match entry.value.value {
            Value::Null => entry.key.span,
            _ => entry.value.span,
        };
        seed.deserialize(NodeDeserializer(&entry.value))
            .map_err(|error| error.at(span).inside(index))
    }
}

struct KeyDeserializer<'a>(&'a Spanned<String>);

impl<'de> Deserializer<'de> for KeyDeserializer<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(&self.0.value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if name == SPANNED {
            let node = Node {
                span: self.0.span,
                value: Value::Text(self.0.value.clone()),
            };
            visitor.visit_seq(Place {
                node: &node,
                part: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A spanned value as the three parts start, end and value.
struct Place<'a> {
    node: &'a Node,
    part: u8,
}

impl<'de> SeqAccess<'de> for Place<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        self.part += 1;
        let offset = |at: usize| IntoDeserializer::<Mistake>::into_deserializer(at as u64);
        match self.part {
            1 => seed.deserialize(offset(self.node.span.start)).map(Some),
            2 => seed.deserialize(offset(self.node.span.end)).map(Some),
            3 => seed.deserialize(NodeDeserializer(self.node)).map(Some),
            _ => Ok(None),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpannedVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Self::Value, D::Error> {
                T::deserialize(deserializer).map(|value| Spanned::new(value, Span::default()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut offset =
                    || -> Result<usize, A::Error> { Ok(seq.next_element()?.unwrap_or_default()) };
                let (start, end) = (offset()?, offset()?);
                let value = seq
                    .next_element()?
                    .ok_or_else(|| A::Error::custom("a spanned value without a value"))?;
                Ok(Spanned::new(value, Span::new(start, end)))
            }
        }

        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(std::marker::PhantomData))
    }
}
