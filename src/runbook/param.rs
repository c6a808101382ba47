//! The parameters of a runbook: what their author declares, and the values that a run gives them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::step::text::{Sql, Template};

/// One parameter, as it is declared.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The type: `text int bigint numeric bool uuid date timestamptz interval email identifier json enum`,
    /// or `list of` one of them.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// What it is, for `--help` and the prompt.
    pub help: Option<Template>,
    /// The value when none is given; without it the parameter is required.
    pub default: Option<Literal>,
    /// The values that an enum may have.
    pub values: Option<Vec<Template>>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<Template>,
    /// The least value.
    pub min: Option<Template>,
    /// The greatest value.
    pub max: Option<Template>,
    /// The least number of characters.
    pub min_length: Option<usize>,
    /// The greatest number of characters.
    pub max_length: Option<usize>,
    /// A query of the values to choose from: offered at the prompt, and checked again when the run begins.
    pub choices: Option<Sql>,
    /// Never shown anywhere.
    #[serde(default)]
    pub secret: bool,
    /// An environment variable to read it from.
    pub env: Option<Template>,
}

/// A default: a scalar or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal(pub serde_json::Value);

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Literal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Literal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// The type of a parameter: a scalar type, or a list of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamType {
    /// The type of the value, or of each item.
    pub scalar: Scalar,
    /// Whether it is a list.
    pub list: bool,
}

/// The scalar types, by their names in PostgreSQL where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Any text.
    Text,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Bigint,
    /// A decimal number of any size.
    Numeric,
    /// True or false.
    Bool,
    /// A UUID.
    Uuid,
    /// A day.
    Date,
    /// A moment, with its offset from UTC.
    Timestamptz,
    /// A length of time, as PostgreSQL reads it.
    Interval,
    /// An e-mail address.
    Email,
    /// The name of a database object.
    Identifier,
    /// A JSON text.
    Json,
    /// One of `values`.
    Enum,
}

impl Scalar {
    /// Every scalar type with its name.
    pub const ALL: [(&'static str, Self); 13] = [
        ("text", Self::Text),
        ("int", Self::Int),
        ("bigint", Self::Bigint),
        ("numeric", Self::Numeric),
        ("bool", Self::Bool),
        ("uuid", Self::Uuid),
        ("date", Self::Date),
        ("timestamptz", Self::Timestamptz),
        ("interval", Self::Interval),
        ("email", Self::Email),
        ("identifier", Self::Identifier),
        ("json", Self::Json),
        ("enum", Self::Enum),
    ];

    /// Returns the type's name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, scalar)| *scalar == self)
            .map_or("text", |(name, _)| name)
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.list { "list of " } else { "" };
        write!(f, "{prefix}{}", self.scalar.name())
    }
}

impl<'de> Deserialize<'de> for ParamType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (list, name) = match text.strip_prefix("list of ") {
            Some(name) => (true, name.trim()),
            None => (false, text.as_str()),
        };
        let names = Scalar::ALL.map(|(name, _)| name);
        match Scalar::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, scalar)) => Ok(Self {
                scalar: *scalar,
                list,
            }),
            None => Err(de::Error::custom(format!(
                "there is no parameter type `{text}`: {}",
                meant(name, &names).unwrap_or_else(|| format!(
                    "it is one of {}, or `list of` one",
                    names.join(", ")
                ))
            ))),
        }
    }
}

/// Returns the type that was most likely meant: other languages and PostgreSQL have other names for some.
fn meant(name: &str, names: &[&'static str]) -> Option<String> {
    let known = match name.to_lowercase().as_str() {
        "integer" | "int4" | "smallint" | "number" => "int",
        "int8" | "long" => "bigint",
        "string" | "str" | "varchar" | "char" => "text",
        "boolean" => "bool",
        "decimal" | "float" | "double" | "real" => "numeric",
        "timestamp" | "datetime" => "timestamptz",
        "jsonb" => "json",
        _ => return crate::base::words::did_you_mean(name, names.iter().copied()),
    };
    Some(format!("did you mean `{known}`?"))
}

impl JsonSchema for ParamType {
    fn schema_name() -> Cow<'static, str> {
        "ParamType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Scalar::ALL
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .chain(
                Scalar::ALL
                    .iter()
                    .map(|(name, _)| format!("list of {name}")),
            )
            .collect();
        json_schema!({
            "description": "The type of the parameter. Its value is checked before anything runs, and PostgreSQL reads it as this type.",
            "enum": names
        })
    }
}
