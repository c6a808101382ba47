//! `check`: decides; the only kind that branches.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::command::{Command, Expect};
use super::database::Database;
use super::flow::Goto;
use super::shape::Entries;
use super::text::{Expression, Name, Sql, Template};
use crate::base::source::Spanned;

/// Decides and never writes: by an expression, by named assertions, or by the value of an expression.
/// The one row of its own `sql` gives its columns as bare names to `that`, `all` and `switch`. Its result
/// is `.passed` and `.items`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The name of the step.
    pub check: Name,
    /// A read of exactly one row, whose columns the expressions can use by their bare names.
    pub sql: Option<Sql>,
    /// A program to run; the check passes when it exits as `expect` says.
    pub command: Option<Command>,
    /// What a command must come to.
    pub expect: Option<Expect>,
    /// Passes when this expression is true.
    pub that: Option<Expression>,
    /// Named assertions, each shown as passed or failed; the check passes when all do.
    pub all: Option<Entries<Assertion>>,
    /// An expression whose value chooses among `cases`.
    pub switch: Option<Expression>,
    /// Where to go for each value of `switch`; `else` for any other.
    pub cases: Option<Entries<Goto>>,
    /// What the database must have: tables, columns, rows and more. What is missing is listed by group, and
    /// is data of later steps: `.missing.tables` and so on.
    pub database: Option<Database>,
    /// Whether failing is an error, or is shown as a warning and the run goes on.
    #[serde(default)]
    pub severity: Severity,
    /// What to do when it fails, shown beside it.
    pub otherwise: Option<Template>,
    /// Where to go when it passes, instead of to the next step.
    pub then: Option<Goto>,
    /// Where to go when it fails; without it that is an error.
    #[serde(rename = "else")]
    pub or_else: Option<Goto>,
    /// Hands the command the connection's password in PGPASSWORD.
    #[serde(default)]
    pub pass_connection: bool,
}

/// Whether a failing check fails the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A failing check is an error, unless it has an `else`.
    #[default]
    Error,
    /// A failing check is shown, and the run goes on.
    Warning,
}

/// One named assertion: an expression, and what to do when it is not true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// What must be true.
    pub that: Expression,
    /// The remedy, shown when it fails.
    pub otherwise: Option<Template>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongAssertion {
    /// What must be true.
    that: Expression,
    /// The remedy, shown when it fails.
    otherwise: Option<Template>,
}

impl<'de> Deserialize<'de> for Assertion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form: Spanned<Form> = Spanned::deserialize(deserializer)?;
        Ok(match form.value {
            Form::Short(text) => Self {
                that: Expression(Spanned::new(text, form.span)),
                otherwise: None,
            },
            Form::Long(LongAssertion { that, otherwise }) => Self { that, otherwise },
        })
    }
}

enum Form {
    Short(String),
    Long(LongAssertion),
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FormVisitor;

        impl<'de> Visitor<'de> for FormVisitor {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an expression, or a map of `that` and `otherwise`")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Form, E> {
                Ok(Form::Short(value.to_string()))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Form, E> {
                Ok(Form::Short(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form, A::Error> {
                LongAssertion::deserialize(MapAccessDeserializer::new(map)).map(Form::Long)
            }
        }

        deserializer.deserialize_any(FormVisitor)
    }
}

impl JsonSchema for Assertion {
    fn schema_name() -> Cow<'static, str> {
        "Assertion".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let short = generator.subschema_for::<Expression>();
        let long = generator.subschema_for::<LongAssertion>();
        json_schema!({
            "description": "What must be true: an expression, or `that` with an `otherwise` that says how to mend it.",
            "anyOf": [short, long]
        })
    }
}
