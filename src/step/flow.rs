//! Where a run goes after a step: to a step, to a branch, or to an end.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::text::{Name, Template};
use crate::base::source::Spanned;

/// Where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goto {
    /// To a branch or a step, by name.
    To(Name),
    /// To an end of the run.
    End(End),
}

/// An end of the run, with what it says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The work is done: a success.
    Done(Template),
    /// There is nothing to do: a success.
    Stop(Template),
    /// The run failed.
    Fail(Template),
}

impl End {
    /// Returns what the end says.
    pub fn text(&self) -> &Template {
        match self {
            Self::Done(text) | Self::Stop(text) | Self::Fail(text) => text,
        }
    }

    /// Returns the key by which an author writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Stop(_) => "stop",
            Self::Fail(_) => "fail",
        }
    }
}

impl<'de> Deserialize<'de> for Goto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let target: Spanned<Target> = Spanned::deserialize(deserializer)?;
        Ok(match target.value {
            Target::Name(name) => Self::To(Name(Spanned::new(name, target.span))),
            Target::End(end) => Self::End(end),
        })
    }
}

enum Target {
    Name(String),
    End(End),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;

        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a branch or step, or `{ done: TEXT }`, `{ stop: TEXT }` or `{ fail: TEXT }`")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Target, E> {
                Ok(Target::Name(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                End::deserialize(MapAccessDeserializer::new(map)).map(Target::End)
            }
        }

        deserializer.deserialize_any(TargetVisitor)
    }
}

impl JsonSchema for Goto {
    fn schema_name() -> Cow<'static, str> {
        "Goto".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let end = generator.subschema_for::<End>();
        json_schema!({
            "description": "Where to go: the name of a branch or a later step, or an end of the run: `{ done: TEXT }`, `{ stop: TEXT }` (nothing to do; a success) or `{ fail: TEXT }`.",
            "anyOf": [{ "type": "string" }, end]
        })
    }
}
